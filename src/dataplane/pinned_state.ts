/**
 * How a data plane comes to be, from what is pinned:
 *   nothing, or half of it       -> load, fill, pin; `metas` last, so that half of it is recognised
 *   all, of the same programs    -> adopt: nothing changes
 *   all, of other programs       -> upgrade: load onto the same maps, then swap the programs in every link
 * Whatever it was, afterwards everything is pinned, and the handles given out come from the pins.
 */
import { readdirSync, renameSync } from 'node:fs';
import { relative } from 'node:path';
import { ContractLimit, hostMaps, metaCodec } from '../../maps/generated/contract.js';
import { encode, MAP_TYPES, u32 } from '../btf/codec.js';
import { isNativeError } from '../native/errors.js';
import { attachTracing, XdpLink } from '../native/link.js';
import { RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';
import { fillCpus } from './cpus.js';
import { identify, type ProgramSettings } from './identity.js';
import { type LoadedObject, loadObject, MAP_NAMES, type MapName, mapSizes, PINNED_PROGRAMS, type PinnedProgram } from './loader.js';

export interface PinnedHandles {
  readonly maps: Readonly<Record<MapName, RawMap>>;
  readonly programs: Readonly<Record<PinnedProgram, BpfProgram>>;
}

export interface Started extends PinnedHandles {
  readonly how: 'fresh' | 'adopted' | 'upgraded';
}

/** The pin folder holds what unipath did not put there, or what it cannot understand. Nothing was touched. */
export class PinnedStateError extends Error {
  override readonly name = 'PinnedStateError';
}

const NO_IDENTITY = Buffer.alloc(32);
/** A pin of this ending will take the place of the one without it. */
const NEXT = '-next';
const FIRST_ROW = encode(u32, 0);

/**
 * @param prepare called on the new maps of a fresh start before anything is pinned
 * @throws ContractMismatchError, PinnedStateError, VerifierError, NativeError
 */
export async function startFromPins(
  pins: Pins, objectPath: string, settings: ProgramSettings, prepare: (map: (name: MapName) => RawMap) => void, warn: (message: string) => void,
): Promise<Started> {
  const identity = identify(objectPath, settings);
  refuseStrangers(pins);
  const pinnedIdentity = readIdentity(pins);
  if (pinnedIdentity === null) {
    pins.removeAll();
    await startFresh(pins, await loadObject(objectPath, settings, {}, warn), identity, prepare, warn);
    return { ...openPinned(pins), how: 'fresh' };
  }
  if (pinnedIdentity.equals(identity)) return { ...openPinned(pins), how: 'adopted' };
  await upgrade(pins, await loadObject(objectPath, settings, reusablePins(pins, settings), warn), identity, warn);
  return { ...openPinned(pins), how: 'upgraded' };
}

/** @throws PinnedStateError for other contract versions, and for any name in our folder that is not ours */
function refuseStrangers(pins: Pins): void {
  const others = pins.versions().filter((version) => version !== ContractLimit.CONTRACT_VERSION);
  if (others.length > 0) {
    throw new PinnedStateError(`${pins.root} has the programs of a unipath with contract version ${others.join(', ')}; ` +
      'take them down with that version (unipath down) first');
  }
  const own = new Set([
    ...MAP_NAMES.flatMap((name) => [pins.map(name), pins.map(name + NEXT)]),
    ...PINNED_PROGRAMS.flatMap((name) => [pins.program(name), pins.program(name + NEXT)]),
    ...pins.listLinks().map((ifindex) => pins.link(ifindex)),
    ...pins.listTracing().filter((name) => /^observe_\w+(-next)?$/.test(name)).map((name) => pins.tracing(name)),
  ].map((path) => relative(pins.folder, path)));
  const folders = new Set([...own].map((path) => path.replace(/\/.*/, '')).concat('maps', 'programs', 'links', 'tracing'));
  const strangers = listFolder(pins.folder).filter((path) => !own.has(path) && !folders.has(path));
  if (strangers.length > 0) {
    throw new PinnedStateError(`${pins.folder} holds what unipath did not put there: ${strangers.join(', ')}; remove it, or configure another folder`);
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Null when the start that made these pins did not come to its end, or when there are none. */
function readIdentity(pins: Pins): Buffer | null {
  try {
    const metas = RawMap.fromPin(pins.map('metas'));
    try {
      const meta = metaCodec.read(metas.get(FIRST_ROW) ?? Buffer.alloc(metaCodec.size));
      return meta.contractVersion === ContractLimit.CONTRACT_VERSION ? Buffer.from(meta.objectSha256) : null;
    } finally {
      metas.close();
    }
  } catch (error) {
    if (isNativeError(error, 'ENOENT')) return null;
    throw error;
  }
}

function writeIdentity(metas: RawMap, cpus: RawMap, identity: Buffer): void {
  metas.set(FIRST_ROW, encode(metaCodec, { contractVersion: ContractLimit.CONTRACT_VERSION, cpusMapId: cpus.id, objectSha256: identity }));
}

async function startFresh(
  pins: Pins, loaded: LoadedObject, identity: Buffer, prepare: (map: (name: MapName) => RawMap) => void, warn: (message: string) => void,
): Promise<void> {
  const { object } = loaded;
  try {
    prepare((name) => object.map(name));
    fillCpus(object.map('cpus'), object.program('steer_queue'));
    pins.create();
    for (const name of MAP_NAMES) object.map(name).pin(pins.map(name));
    for (const name of PINNED_PROGRAMS) object.program(name).pin(pins.program(name));
    observe(pins, loaded, warn);
    writeIdentity(object.map('metas'), object.map('cpus'), identity);
  } catch (error) {
    pins.removeAll();
    throw error;
  } finally {
    object.close();
  }
}

/**
 * The pinned maps that the new programs can work on. Not `tx_ports`: the kernel adds a flag to a devmap that libbpf then
 * takes for a difference, so that one is made anew and copied. Not `flows` when its size changes: flows are learnt again.
 */
function reusablePins(pins: Pins, settings: ProgramSettings): Record<string, string> {
  const sizes = mapSizes(settings);
  const reusable: Record<string, string> = {};
  for (const name of MAP_NAMES) {
    if (name === 'tx_ports' || !pins.listMaps().includes(name)) continue;
    const map = RawMap.fromPin(pins.map(name));
    if (map.maxEntries === (sizes[name] ?? map.maxEntries)) reusable[name] = pins.map(name);
    map.close();
  }
  return reusable;
}

function copyTxPorts(pins: Pins, to: RawMap): void {
  const from = RawMap.fromPin(pins.map('tx_ports'));
  for (const [key, value] of from.entries()) {
    try {
      to.set(key, value);
    } catch (error) {
      if (!isNativeError(error, 'EINVAL')) throw error; // the device has just gone
    }
  }
  from.close();
}

async function upgrade(pins: Pins, loaded: LoadedObject, identity: Buffer, warn: (message: string) => void): Promise<void> {
  const { object } = loaded;
  try {
    const [metas, cpus] = [object.map('metas'), object.map('cpus')];
    // From here on until the end, whatever starts next upgrades again.
    writeIdentity(metas, cpus, NO_IDENTITY);
    rollBack(pins);
    copyTxPorts(pins, object.map('tx_ports'));
    for (const name of PINNED_PROGRAMS) object.program(name).pin(pins.program(name + NEXT));
    swapInLinks(pins, (name) => [pins.program(name), pins.program(name + NEXT)]);
    fillCpus(cpus, object.program('steer_queue'));
    for (const name of PINNED_PROGRAMS) renameSync(pins.program(name + NEXT), pins.program(name));
    for (const name of MAP_NAMES) pinAnew(object.map(name), name, pins);
    observe(pins, loaded, warn);
    writeIdentity(metas, cpus, identity);
  } finally {
    object.close();
  }
}

/** After an upgrade that did not come to its end: every link back to the programs that are pinned under their own names. */
function rollBack(pins: Pins): void {
  const leftovers = PINNED_PROGRAMS.filter((name) => pins.listPrograms().includes(name + NEXT));
  if (leftovers.length > 0) swapInLinks(pins, (name) => leftovers.includes(name) ? [pins.program(name + NEXT), pins.program(name)] : null);
  for (const name of leftovers) pins.remove(pins.program(name + NEXT));
}

/** In every link that runs the program pinned at `from`, puts the one pinned at `to`. Links of gone devices are removed. */
function swapInLinks(pins: Pins, change: (name: PinnedProgram) => readonly [from: string, to: string] | null): void {
  const changes = PINNED_PROGRAMS.flatMap((name) => {
    const paths = change(name);
    return paths === null ? [] : [{ from: BpfProgram.fromPin(paths[0]), to: BpfProgram.fromPin(paths[1]) }];
  });
  for (const ifindex of pins.listLinks()) {
    const link = XdpLink.fromPin(pins.link(ifindex));
    const info = link.info();
    if (info.ifindex === 0) pins.remove(pins.link(ifindex));
    else {
      const found = changes.find(({ from }) => from.id === info.programId);
      if (found !== undefined) link.replace(found.to, found.from);
    }
    link.close();
  }
  for (const { from, to } of changes) for (const program of [from, to]) program.close();
}

/** A map that could not be taken from its pin takes the pin's place. */
function pinAnew(map: RawMap, name: MapName, pins: Pins): void {
  const pinned = RawMap.fromPin(pins.map(name));
  const isSame = pinned.id === map.id;
  pinned.close();
  if (isSame) return;
  pins.remove(pins.map(name + NEXT));
  map.pin(pins.map(name + NEXT));
  renameSync(pins.map(name + NEXT), pins.map(name));
}

/** Attaches the tracing programs, in place of those of an earlier object. Without them only counters are missing. */
function observe(pins: Pins, { object, observers }: LoadedObject, warn: (message: string) => void): void {
  for (const name of pins.listTracing()) if (!observers.includes(name)) pins.remove(pins.tracing(name));
  for (const name of observers) {
    try {
      const link = attachTracing(object.program(name));
      try {
        link.pin(pins.tracing(name + NEXT));
      } finally {
        link.close();
      }
      renameSync(pins.tracing(name + NEXT), pins.tracing(name));
    } catch (error) {
      if (!isNativeError(error)) throw error;
      warn(`some redirect errors will not be counted: ${error.message}`);
    }
  }
}

/** @throws PinnedStateError when a pinned map is not the one of the contract */
function openPinned(pins: Pins): PinnedHandles {
  const maps = Object.fromEntries(MAP_NAMES.map((name) => [name, openMap(pins, name)])) as Record<MapName, RawMap>;
  const programs = PINNED_PROGRAMS.map((name) => [name, BpfProgram.fromPin(pins.program(name))] as const);
  return { maps, programs: Object.fromEntries(programs) as Record<PinnedProgram, BpfProgram> };
}

function openMap(pins: Pins, name: MapName): RawMap {
  const map = RawMap.fromPin(pins.map(name));
  const spec = hostMaps[name];
  const [keySize, valueSize] = 'key' in spec ? [spec.key.size, spec.value.size] : [0, 0];
  if (map.type !== MAP_TYPES[spec.type] || map.keySize !== keySize || map.valueSize !== valueSize) {
    map.close();
    throw new PinnedStateError(`${pins.map(name)} is of type ${map.type} with keys of ${map.keySize} and values of ${map.valueSize} bytes, ` +
      `not a ${spec.type} of ${keySize} and ${valueSize}; remove it`);
  }
  return map;
}
