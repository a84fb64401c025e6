/** VFs that are not handed out because they misbehaved, or because the operator says so. Pure. */
import type { NotAcceleratedReason } from './model.js';

export interface Quarantine {
  readonly reason: string;
  readonly by: 'unipath' | 'operator';
}

/** By port of the VF. */
export type Quarantines = ReadonlyMap<string, Quarantine>;

/** Failures of one VF since it last carried traffic for a while. */
export interface Strikes {
  readonly count: number;
  /** Names of the vNICs that it failed. */
  readonly vnics: readonly string[];
}

/** So many failures in a row are too many, of so many vNICs: one alone may have a guest that is at fault. */
export const MOST_STRIKES = 3;
export const LEAST_VNICS = 2;

/** What is never the VF's own fault. */
const NOT_THE_VF: ReadonlySet<NotAcceleratedReason> = new Set([
  'guest_refuses', 'guest_paused', 'guest_leaving', 'no_hotplug_port', 'hypervisor_unreachable',
]);

export function isVfFault(reason: NotAcceleratedReason): boolean {
  return !NOT_THE_VF.has(reason);
}

export function strike(before: Strikes | undefined, vnic: string): Strikes {
  const vnics = before?.vnics ?? [];
  return { count: (before?.count ?? 0) + 1, vnics: vnics.includes(vnic) ? vnics : [...vnics, vnic] };
}

/**
 * Why the VF is put in quarantine; null: not yet. @param message of the last failure
 * @param othersWork another VF of the adapter carries traffic: else it may be everything that fails, and no VF's own fault
 */
export function verdict({ count, vnics }: Strikes, message: string, othersWork: boolean): string | null {
  if (count < MOST_STRIKES || vnics.length < LEAST_VNICS || !othersWork) return null;
  return `failed ${count} times in a row, for ${vnics.join(', ')}; last: ${message}`;
}
