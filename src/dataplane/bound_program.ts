/**
 * steer_uplink_hw: the uplink's program that may ask one device's driver for what its NIC knows of a frame. It is loaded for that device alone, onto the
 * pinned maps, and pinned beside the others as steer_uplink_hw-IFINDEX.
 */
import { BpfObject } from '../native/object.js';
import type { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';
import { RawMap } from '../native/raw_map.js';
import type { ProgramSettings } from './identity.js';
import { knobs } from './loader.js';

const NAME = 'steer_uplink_hw';
const PIN = new RegExp(`^${NAME}-(\\d+)$`);

export const boundPin = (pins: Pins, ifindex: number): string => pins.program(`${NAME}-${ifindex}`);

/** The ifindexes that have one. */
export function listBound(pins: Pins): number[] {
  return pins.listPrograms().flatMap((name) => PIN.exec(name)?.[1] ?? []).map(Number);
}

/** The one that is pinned for a device; null: there is none. */
export function openBound(pins: Pins, ifindex: number): BpfProgram | null {
  return listBound(pins).includes(ifindex) ? BpfProgram.fromPin(boundPin(pins, ifindex)) : null;
}

/**
 * Loads and pins it, in place of one that is there.
 * @throws VerifierError, NativeError where the kernel or the driver has no such programs
 */
export async function loadBound(pins: Pins, objectPath: string, settings: ProgramSettings, ifindex: number): Promise<BpfProgram> {
  const pinned = pins.listMaps().map((name) => [name, RawMap.fromPin(pins.map(name))] as const);
  const object = BpfObject.open(objectPath, {
    rodata: knobs(settings), boundTo: ifindex, maps: Object.fromEntries(pinned.map(([name, map]) => [name, map.fd])),
  });
  try {
    await object.load();
    pins.remove(boundPin(pins, ifindex));
    object.program(NAME).pin(boundPin(pins, ifindex));
  } finally {
    object.close();
    for (const [, map] of pinned) map.close();
  }
  return BpfProgram.fromPin(boundPin(pins, ifindex));
}
