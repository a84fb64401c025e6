/** Is what is pinned ours, and whole? Then here are the handles of it. */
import { readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { ContractLimit, hostMaps } from '../../maps/generated/contract.js';
import { MAP_TYPES } from '../btf/codec.js';
import { RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';
import { boundPin, listBound } from './bound_program.js';
import { MAP_NAMES, type MapName, OBSERVER_PREFIX, PINNED_PROGRAMS, type PinnedProgram } from './loader.js';

export interface PinnedHandles {
  readonly maps: Readonly<Record<MapName, RawMap>>;
  readonly programs: Readonly<Record<PinnedProgram, BpfProgram>>;
}

/** The pin folder holds what unipath did not put there, or what it cannot understand. Nothing was touched. */
export class PinnedStateError extends Error {
  override readonly name = 'PinnedStateError';
}

/** A pin of this ending will take the place of the one without it. */
export const NEXT = '-next';

/** @throws PinnedStateError for other contract versions, and for any name in our folder that is not ours */
export function refuseStrangers(pins: Pins): void {
  const others = pins.versions().filter((version) => version !== ContractLimit.CONTRACT_VERSION);
  if (others.length > 0) {
    throw new PinnedStateError(`${pins.root} has the programs of a unipath with contract version ${others.join(', ')}; ` +
      'take them down with that version (unipath down) first');
  }
  const own = new Set([
    ...MAP_NAMES.flatMap((name) => [pins.map(name), pins.map(name + NEXT)]),
    ...PINNED_PROGRAMS.flatMap((name) => [pins.program(name), pins.program(name + NEXT)]),
    ...listBound(pins).map((ifindex) => boundPin(pins, ifindex)),
    ...pins.listLinks().map((ifindex) => pins.link(ifindex)),
    ...pins.listEgressLinks().map((ifindex) => pins.egressLink(ifindex)),
    ...pins.listTracing().filter((name) => name.startsWith(OBSERVER_PREFIX)).map((name) => pins.tracing(name)),
  ].map((path) => relative(pins.folder, path)));
  const folders = new Set([...own].map((path) => path.replace(/\/.*/, '')).concat('maps', 'programs', 'links', 'tracing'));
  const strangers = listFolder(pins.folder).filter((path) => !own.has(path) && !folders.has(path));
  if (strangers.length > 0) {
    throw new PinnedStateError(`${pins.folder} holds what unipath did not put there: ${strangers.join(', ')}; ` +
      'remove it, or configure another folder');
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

/** @throws PinnedStateError when a pinned map is not the one of the contract */
export function openPinned(pins: Pins): PinnedHandles {
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
    throw new PinnedStateError(`${pins.map(name)} is of type ${map.type} with keys of ${map.keySize} and values of ` +
      `${map.valueSize} bytes, not a ${spec.type} of ${keySize} and ${valueSize}; remove it`);
  }
  return map;
}
