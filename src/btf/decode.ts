/**
 * Bytes of a shared type as plain values under the names of the C source, for people to read; programs have the codecs of
 * maps/generated/contract.ts. Pure.
 */
import ipaddr from 'ipaddr.js';
import { macText } from '../core/model.js';
import { INTEGERS, type IntegerName, isReserved } from './layout.js';
import { commonPrefix } from './names.js';
import type { Fingerprint } from './verify.js';

export type Plain = number | string | null | readonly Plain[] | { readonly [name: string]: Plain };

export interface Field {
  readonly name: string;
  /** The C spelling, such as "__u16[16]". */
  readonly type: string;
  /** Bytes from the beginning of the struct. */
  readonly offset: number;
}

/** "struct flow_record[2]" -> the element's type, and how many; null for what is no array. The last dimension lies inmost. */
function arrayOf(type: string): { readonly element: string; readonly count: number } | null {
  const [, base = '', count = '', rest = ''] = /^([^[]+)\[(\d+)\](.*)$/.exec(type) ?? [];
  return base === '' ? null : { element: base + rest, count: Number(count) };
}

/** Without reserved ones; empty for what is no struct. */
export function fieldsOf(fingerprint: Fingerprint, type: string): readonly Field[] {
  const prefix = `${type.replace(/^struct /, '')}.`;
  if (!type.startsWith('struct ')) return [];
  return Object.entries(fingerprint.structs).flatMap(([path, { offset, type: inner }]) => {
    const name = path.slice(prefix.length);
    return path.startsWith(prefix) && !isReserved(name) ? [{ name, type: String(inner), offset: Number(offset) }] : [];
  });
}

/** In bytes. @throws RangeError for a type that the contract does not have */
export function sizeOf(fingerprint: Fingerprint, type: string): number {
  const array = arrayOf(type);
  if (array !== null) return array.count * sizeOf(fingerprint, array.element);
  if (type in INTEGERS) return INTEGERS[type as IntegerName].size;
  if (type === 'union bpf_prog') return 4;
  const size = fingerprint.structs[type.replace(/^struct /, '')]?.['size'] ?? fingerprint.enums[type]?.['size'];
  if (size === undefined) throw new RangeError(`the contract has no type "${type}"`);
  return Number(size);
}

/**
 * How fields are shown whose type does not tell all: "path_word.word" -> its bits in words. What is not mentioned is shown by its type:
 * numbers; beyond 2^53 in hexadecimal digits; enums by name, of bits the list of names; bytes as hexadecimal digits, six of them as a MAC
 * address; __be32 as an IPv4 address, four of them as an IPv6 one; a program by its id.
 */
export type Special = Readonly<Record<string, (bytes: Buffer) => Plain>>;

export class Decoder {
  readonly #fingerprint: Fingerprint;
  readonly #special: Special;

  constructor(fingerprint: Fingerprint, special: Special = {}) {
    this.#fingerprint = fingerprint;
    this.#special = special;
  }

  /** @throws RangeError when there are fewer bytes than the type has */
  decode(type: string, bytes: Buffer, offset = 0): Plain {
    const array = arrayOf(type);
    if (array !== null) return this.#array(array.element, array.count, bytes, offset);
    if (type.startsWith('struct ')) return this.#struct(type, bytes, offset);
    if (type.startsWith('enum ')) return this.#enum(type, bytes, offset);
    if (type === 'union bpf_prog') return bytes.readUInt32LE(offset);
    switch (type as IntegerName) {
      case '__u8': return bytes.readUInt8(offset);
      case '__u16': return bytes.readUInt16LE(offset);
      case '__u32': return bytes.readUInt32LE(offset);
      case '__u64': return plainInteger(bytes.readBigUInt64LE(offset));
      case '__s32': return bytes.readInt32LE(offset);
      case '__s64': return plainInteger(bytes.readBigInt64LE(offset));
      case '__be16': return bytes.readUInt16BE(offset);
      case '__be32': return addressText(bytes.subarray(offset, offset + 4));
    }
    throw new RangeError(`the contract has no type "${type}"`);
  }

  #array(element: string, count: number, bytes: Buffer, offset: number): Plain {
    const size = sizeOf(this.#fingerprint, element);
    if (element === '__u8') return bytesText(bytes.subarray(offset, offset + count));
    if (element === '__be32' && count === 4) return addressText(bytes.subarray(offset, offset + 16));
    return Array.from({ length: count }, (_, i) => this.decode(element, bytes, offset + i * size));
  }

  #struct(type: string, bytes: Buffer, offset: number): Plain {
    const name = type.slice('struct '.length);
    const fields = fieldsOf(this.#fingerprint, type).map((field) => {
      const special = this.#special[`${name}.${field.name}`];
      const at = offset + field.offset;
      const value = special === undefined ? this.decode(field.type, bytes, at)
        : special(bytes.subarray(at, at + sizeOf(this.#fingerprint, field.type)));
      return [field.name, value] as const;
    });
    return Object.fromEntries(fields);
  }

  #enum(type: string, bytes: Buffer, offset: number): Plain {
    const { size, ...facts } = this.#fingerprint.enums[type] ?? {};
    const value = size === 1 ? bytes.readUInt8(offset) : bytes.readUInt32LE(offset);
    const prefix = commonPrefix(Object.keys(facts));
    const names = Object.entries(facts).map(([name, number]) => [name.slice(prefix.length).toLowerCase(), Number(number)] as const);
    // One that has no 0 is a set of bits.
    if (names.some(([, number]) => number === 0)) return names.find(([, number]) => number === value)?.[0] ?? value;
    const bits = names.filter(([, number]) => (number & (number - 1)) === 0);
    const unnamed = bits.reduce((rest, [, bit]) => rest & ~bit, value) >>> 0;
    return [...bits.filter(([, bit]) => (value & bit) !== 0).map(([name]) => name), ...(unnamed === 0 ? [] : [unnamed])];
  }
}

function plainInteger(value: bigint): Plain {
  return value >= -BigInt(Number.MAX_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : hex(value);
}

const hex = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16).padStart(16, '0')}`;
const bytesText = (bytes: Buffer): string => (bytes.length === 6 ? macText(bytes) : bytes.toString('hex'));
const addressText = (bytes: Buffer): string => ipaddr.fromByteArray([...bytes]).toString();
