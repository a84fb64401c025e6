/** The host's object into the kernel: configured, loaded, its maps and programs made ready. Nothing is pinned or attached here. */
import { ContractLimit, hostKnobs, hostMaps } from '../../maps/generated/contract.js';
import { encode } from '../btf/codec.js';
import { possibleCpus } from '../native/cpus.js';
import { isNativeError } from '../native/errors.js';
import { BpfObject, type OpenOptions } from '../native/object.js';
import { timerFrequencyHz } from '../native/timer_frequency.js';
import type { ProgramSettings } from './identity.js';

export type MapName = keyof typeof hostMaps;
export const MAP_NAMES = Object.keys(hostMaps) as readonly MapName[];

/** Programs that are pinned, because a later daemon attaches them or puts them into a map. */
export const PINNED_PROGRAMS = ['steer_uplink', 'steer_guest', 'steer_queue', 'steer_tap'] as const;
export type PinnedProgram = (typeof PINNED_PROGRAMS)[number];

export const OBSERVER_PREFIX = 'observe_';

const SHORTEST_TICK_SECONDS = 0.0128;

/** Knob `tick_shift`: the smallest power of two of timer interrupts that lasts 12.8 ms or longer. */
export function tickShift(timerHz: number): number {
  return Math.max(0, Math.ceil(Math.log2(timerHz * SHORTEST_TICK_SECONDS)));
}

export interface LoadedObject {
  readonly object: BpfObject;
  /** Tracing programs that were loaded, by name. */
  readonly observers: readonly string[];
}

/** Entries of the maps whose size is not in the source. */
export function mapSizes(settings: ProgramSettings): Readonly<Partial<Record<MapName, number>>> {
  return {
    cpus: Math.min(possibleCpus(), ContractLimit.MAX_CPUS),
    flows: settings.maxVnics * settings.flowsPerVnic,
  };
}

/** What becomes constant in the programs. */
export function knobs(settings: ProgramSettings): Readonly<Record<string, Buffer>> {
  return {
    flows_per_vnic: encode(hostKnobs.flows_per_vnic, settings.flowsPerVnic),
    tick_shift: encode(hostKnobs.tick_shift, tickShift(timerFrequencyHz())),
    own_netns: encode(hostKnobs.own_netns, settings.netns),
  };
}

/**
 * @param pins maps to take from there instead of making them
 * @param warn told when the kernel refuses the tracing programs; the others are then loaded without them
 * @throws VerifierError, NativeError
 */
export async function loadObject(
  path: string, settings: ProgramSettings, pins: Readonly<Record<string, string>>, warn: (message: string) => void,
): Promise<LoadedObject> {
  const options: OpenOptions = {
    maxEntries: mapSizes(settings) as Record<string, number>,
    rodata: knobs(settings),
    pins,
  };
  const object = BpfObject.open(path, options);
  const observers = object.programNames().filter((name) => name.startsWith(OBSERVER_PREFIX));
  const refusal = await load(object);
  if (refusal === null) return { object, observers };
  // A tracepoint may be missing or have other arguments in this kernel; frames are steered without it.
  const steering = BpfObject.open(path, { ...options, programs: PINNED_PROGRAMS });
  if ((await load(steering)) !== null) throw refusal;
  warn(`redirect errors will not be counted: ${refusal.message}`);
  return { object: steering, observers: [] };
}

/** Null, or why not; the object is closed then. */
async function load(object: BpfObject): Promise<Error | null> {
  try {
    await object.load();
    return null;
  } catch (error) {
    object.close();
    if (isNativeError(error)) return error;
    throw error;
  }
}
