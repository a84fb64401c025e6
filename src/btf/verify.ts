/**
 * Is this object the one that maps/generated/contract.ts was made from? Asked before a byte of it is trusted: a stale
 * object, or a stale contract.ts, would read every map at wrong offsets without an error.
 */
import { type ContractLayout, layoutOf, spell } from './layout.js';
import { parseBtf } from './parse.js';

type Fact = Readonly<Record<string, string | number>>;

/** Every fact that matters, by group and name, as plain data: what is compared, and what is stored. */
export interface Fingerprint {
  /** "vnic.tap_ifindex": offset and C type; "vnic": size. */
  readonly structs: Readonly<Record<string, Fact>>;
  /** "enum reason": size and values. */
  readonly enums: Readonly<Record<string, Fact>>;
  readonly maps: Readonly<Record<string, Fact>>;
  readonly knobs: Readonly<Record<string, Fact>>;
}

/** The object's layouts are not those of the contract. `differences` has one line per fact. */
export class ContractMismatchError extends Error {
  override readonly name = 'ContractMismatchError';

  constructor(
    readonly object: string,
    readonly differences: readonly string[],
  ) {
    super(`${object} does not match maps/generated/contract.ts: ${differences.join('; ')}. ` +
      'Build both from the same headers: `make -C bpf`, `npm run gen`, `npx tsc`.');
  }
}

export function fingerprintOf(layout: ContractLayout): Fingerprint {
  const structs: Record<string, Fact> = {};
  for (const { name, size, fields } of layout.structs.values()) {
    structs[name] = { size };
    for (const field of fields) structs[`${name}.${field.name}`] = { offset: field.offset, type: spell(field.shape) };
  }
  const enums: Record<string, Fact> = {};
  for (const { name, size, values } of layout.enums.values()) {
    enums[`enum ${name}`] = { size, ...Object.fromEntries(values.map((value) => [value.name, value.value])) };
  }
  const maps: Record<string, Fact> = {};
  for (const { name, type, key, value, maxEntries, flags } of layout.maps.values()) {
    const sides = key === null || value === null ? {} : { key: spell(key), value: spell(value) };
    maps[`map ${name}`] = { type, ...sides, max_entries: maxEntries, flags };
  }
  const knobs: Record<string, Fact> = {};
  for (const { name, shape } of layout.knobs.values()) knobs[`knob ${name}`] = { type: spell(shape) };
  return { structs, enums, maps, knobs };
}

function compareFacts(name: string, actual: Fact, expected: Fact): string[] {
  const differences: string[] = [];
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const [is, should] = [actual[key], expected[key]];
    if (is === should) continue;
    differences.push(`${name}: ${key} ${is ?? 'missing'}, expected ${should ?? 'none'}`);
  }
  return differences;
}

/** One line per difference, such as "vnic.tap_ifindex: offset 4, expected 0"; empty when they agree. */
export function compareFingerprints(actual: Fingerprint, expected: Fingerprint): string[] {
  const differences: string[] = [];
  for (const group of ['structs', 'enums', 'maps', 'knobs'] as const) {
    const [is, should] = [actual[group], expected[group]];
    for (const name of new Set([...Object.keys(should), ...Object.keys(is)])) {
      const [actualFact, expectedFact] = [is[name], should[name]];
      if (actualFact === undefined) differences.push(`${name}: missing`);
      else if (expectedFact === undefined) differences.push(`${name}: not in the contract`);
      else differences.push(...compareFacts(name, actualFact, expectedFact));
    }
  }
  return differences;
}

/**
 * Compares the raw BTF of an opened object with the contract.
 * @param object how the error calls it, such as its path
 * @throws ContractMismatchError
 */
export function verifyContract(btf: Buffer, expected: Fingerprint, object: string): void {
  const differences = compareFingerprints(fingerprintOf(layoutOf(parseBtf(btf))), expected);
  if (differences.length > 0) throw new ContractMismatchError(object, differences);
}
