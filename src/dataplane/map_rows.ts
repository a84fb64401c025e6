/** Looks into the pinned maps, which are opened for reading only. */
import { hostMaps } from '../../maps/generated/contract.js';
import { MAP_TYPES, type MapTypeName } from '../btf/codec.js';
import type { Plain } from '../btf/decode.js';
import { possibleCpus } from '../native/cpus.js';
import { isNativeError } from '../native/errors.js';
import { RawMap, valueStride } from '../native/map.js';
import { MAP_NAMES, type MapName } from './loader.js';
import { decodeRow, keyName, layoutOfMap, type MapLayout } from './map_words.js';
import { NoDataPlaneError, type Site } from './site.js';

export interface MapFacts extends MapLayout {
  readonly name: MapName;
  readonly id: number;
  readonly type: MapTypeName;
  /** Of a ring buffer: bytes. */
  readonly maxEntries: number;
}

export interface MapRow {
  readonly key: Plain;
  /** What the key stands for; null when it stands for itself. */
  readonly name: string | null;
  /** One; of a per-CPU map those that are not zero throughout, which may be none. */
  readonly values: readonly { readonly cpu: number | null; readonly value: Plain }[];
}

/** Bytes of rows that are read at once. */
const CHUNK_BYTES = 1024 * 1024;

/** @throws NoDataPlaneError when it is not there, or of another contract */
function openMap(site: Site, name: MapName): RawMap {
  let map: RawMap;
  try {
    map = RawMap.fromPin(site.pins.map(name), { readOnly: true });
  } catch (error) {
    if (isNativeError(error, 'ENOENT')) throw new NoDataPlaneError(`map ${name} is not pinned at ${site.pins.folder}`);
    throw error;
  }
  const { key, value } = layoutOfMap(name);
  if (MAP_TYPES[hostMaps[name].type] === map.type && (key === null || value === null || (key.size === map.keySize && value.size === map.valueSize))) return map;
  map.close();
  throw new NoDataPlaneError(`map ${name} at ${site.pins.folder} is of another version`);
}

function withMap<T>(site: Site, name: MapName, look: (map: RawMap) => T): T {
  const map = openMap(site, name);
  try {
    return look(map);
  } finally {
    map.close();
  }
}

/** @throws NoDataPlaneError */
export function mapFacts(site: Site, name: MapName): MapFacts {
  return withMap(site, name, ({ id, maxEntries }) => ({ name, id, type: hostMaps[name].type, ...layoutOfMap(name), maxEntries }));
}

export function allMapFacts(site: Site): readonly MapFacts[] {
  return MAP_NAMES.map((name) => mapFacts(site, name));
}

/** Entries that there are; of an array those that are not zero throughout. Null for a ring buffer, whose records only its reader sees. */
export function entriesOf(site: Site, name: MapName): number | null {
  if (hostMaps[name].type === 'ringbuf') return null;
  return withMap(site, name, (map) => {
    let entries = 0;
    for (const _ of usedRows(map)) entries++;
    return entries;
  });
}

/** Those that `entriesOf` counts, as they are read; not a snapshot. @throws NoDataPlaneError */
export function* rowsOf(site: Site, name: MapName): Generator<MapRow> {
  const { key: keyLayout, value: valueLayout } = layoutOfMap(name);
  if (keyLayout === null || valueLayout === null) return;
  const map = openMap(site, name);
  try {
    const perVnic = name === 'flows' ? map.maxEntries / withMap(site, 'vnics', ({ maxEntries }) => maxEntries) : 1;
    for (const [keyBytes, bytes] of usedRows(map)) {
      const key = decodeRow(keyLayout.type, keyBytes);
      yield { key, name: keyName(name, key, site, perVnic), values: valuesOf(map, valueLayout.type, bytes) };
    }
  } finally {
    map.close();
  }
}

function valuesOf(map: RawMap, type: string, bytes: Buffer): MapRow['values'] {
  if (!map.isPerCpu) return [{ cpu: null, value: decodeRow(type, bytes) }];
  const stride = valueStride(map.valueSize);
  return Array.from({ length: possibleCpus() }, (_, cpu) => ({ cpu, bytes: bytes.subarray(cpu * stride, cpu * stride + map.valueSize) }))
    .filter(({ bytes: own }) => !isZero(own))
    .map(({ cpu, bytes: own }) => ({ cpu, value: decodeRow(type, own) }));
}

function* usedRows(map: RawMap): Generator<readonly [key: Buffer, value: Buffer]> {
  if (map.type !== MAP_TYPES.array && map.type !== MAP_TYPES.percpu_array) {
    yield* map.entries();
    return;
  }
  const perChunk = Math.max(1, Math.min(map.maxEntries, Math.floor(CHUNK_BYTES / map.entrySize)));
  const chunk = Buffer.alloc(perChunk * map.entrySize);
  for (let first = 0; first < map.maxEntries; first += perChunk) {
    const count = Math.min(perChunk, map.maxEntries - first);
    map.readRows(first, count, chunk);
    for (let row = 0; row < count; row++) {
      const bytes = chunk.subarray(row * map.entrySize, (row + 1) * map.entrySize);
      if (isZero(bytes)) continue;
      const key = Buffer.alloc(4);
      key.writeUInt32LE(first + row);
      yield [key, bytes];
    }
  }
}

const ZEROS = Buffer.alloc(64 * 1024);

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length);
    if (piece.compare(ZEROS, 0, piece.length) !== 0) return false;
  }
  return true;
}
