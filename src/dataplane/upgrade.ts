/** Other programs onto the pinned maps, and into every link that runs the old ones: no frame sees neither. */
import { renameSync } from 'node:fs';
import { bpfDevmapValCodec } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import { isNativeError } from '../native/errors.js';
import { XdpLink } from '../native/link.js';
import { RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';
import { boundPin, listBound } from './bound_program.js';
import type { ProgramSettings } from './identity.js';
import { type LoadedObject, MAP_NAMES, type MapName, mapSizes, PINNED_PROGRAMS } from './loader.js';
import { NO_IDENTITY, writeIdentity } from './meta_row.js';
import { attachObservers } from './observers.js';
import { NEXT } from './pinned_handles.js';

/**
 * The pinned maps that the new programs can work on. Not `tx_ports`: the kernel adds a flag to a devmap that libbpf then
 * takes for a difference, so that one is made anew and copied. Not `flows` when its size changes: flows are learnt again.
 */
export function reusablePins(pins: Pins, settings: ProgramSettings): Record<string, string> {
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
  if (!pins.listMaps().includes('tx_ports')) return;
  const from = RawMap.fromPin(pins.map('tx_ports'));
  for (const key of from.keys()) {
    try {
      to.set(key, encode(bpfDevmapValCodec, { ifindex: u32.read(key), bpfProg: 0 }));
    } catch (error) {
      if (!isNativeError(error, 'EINVAL')) throw error; // the device has just gone
    }
  }
  from.close();
}

/** Closes the object; may stop at any point, and the next start does it again. */
export function upgrade(pins: Pins, loaded: LoadedObject, identity: Buffer, warn: (message: string) => void): void {
  const { object } = loaded;
  try {
    const [metas, cpus] = [object.map('metas'), object.map('cpus')];
    // From here on until the end, whatever starts next upgrades again.
    writeIdentity(metas, cpus, NO_IDENTITY);
    rollBack(pins);
    copyTxPorts(pins, object.map('tx_ports'));
    for (const name of PINNED_PROGRAMS) object.program(name).pin(pins.program(name + NEXT));
    // Those for one device are loaded anew, by whoever wants them.
    const bound = listBound(pins).map((ifindex) => boundPin(pins, ifindex));
    swapInLinks(pins, [
      ...PINNED_PROGRAMS.map((name) => [pins.program(name), pins.program(name + NEXT)] as const),
      ...bound.map((path) => [path, pins.program(`steer_uplink${NEXT}`)] as const),
    ]);
    for (const path of bound) pins.remove(path);
    for (const name of PINNED_PROGRAMS) renameSync(pins.program(name + NEXT), pins.program(name));
    for (const name of MAP_NAMES) pinAnew(object.map(name), name, pins);
    attachObservers(pins, loaded, warn);
    writeIdentity(metas, cpus, identity);
  } finally {
    object.close();
  }
}

/** After an upgrade that did not come to its end: every link back to the programs that are pinned under their own names. */
function rollBack(pins: Pins): void {
  const leftovers = PINNED_PROGRAMS.filter((name) => pins.listPrograms().includes(name + NEXT));
  swapInLinks(pins, leftovers.map((name) => [pins.program(name + NEXT), pins.program(name)]));
  for (const name of leftovers) pins.remove(pins.program(name + NEXT));
  for (const name of MAP_NAMES) pins.remove(pins.map(name + NEXT));
}

/** In every link that runs the program pinned at `from`, puts the one pinned at `to`. Links of gone devices are removed. */
function swapInLinks(pins: Pins, paths: readonly (readonly [from: string, to: string])[]): void {
  const changes = paths.map(([from, to]) => ({ from: BpfProgram.fromPin(from), to: BpfProgram.fromPin(to) }));
  for (const ifindex of pins.listLinks()) {
    const link = XdpLink.fromPin(pins.link(ifindex));
    const { programId } = link.info();
    const found = changes.find(({ from }) => from.id === programId);
    try {
      if (found !== undefined) link.replace(found.to, found.from);
    } catch (error) {
      if (!isNativeError(error, 'ENOLINK')) throw error; // the device is gone
      pins.remove(pins.link(ifindex));
    }
    link.close();
  }
  for (const { from, to } of changes) for (const program of [from, to]) program.close();
}

/** A map that could not be taken from its pin takes the pin's place. */
function pinAnew(map: RawMap, name: MapName, pins: Pins): void {
  if (pins.listMaps().includes(name)) {
    const pinned = RawMap.fromPin(pins.map(name));
    const isSame = pinned.id === map.id;
    pinned.close();
    if (isSame) return;
  }
  map.pin(pins.map(name + NEXT));
  renameSync(pins.map(name + NEXT), pins.map(name));
}
