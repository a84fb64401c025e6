/**
 * Where the NIC's own RSS hash can be taken for ours: the adapter's NIC has our key, and its driver tells programs the hash of each frame. Pure.
 * Only the key of the first adapter's uplink is known, and only with `rss.key: nic`.
 */
import type { AdapterSpec, Desired, Observed, ObservedLink, ProgramName } from './model.js';

/** Has the NIC of this adapter the key of this row? */
export function hasNicKey(rssRow: number, adapter: Pick<AdapterSpec, 'name'>, desired: Pick<Desired, 'adapters'>, { rss }: Pick<Observed, 'rss'>): boolean {
  const { nicKey, keys } = rss;
  return adapter.name === desired.adapters[0]?.name && nicKey !== null && 'key' in nicKey && keys[rssRow] === nicKey.key;
}

/** The program for an uplink. One that asks the NIC runs natively only. */
export function uplinkProgram(uplink: Pick<ObservedLink, 'tellsHash'>, asksNic: boolean): ProgramName {
  return asksNic && uplink.tellsHash === true ? 'steer_uplink_hw' : 'steer_uplink';
}

export const isUplinkProgram = (program: ProgramName | undefined): boolean => program === 'steer_uplink' || program === 'steer_uplink_hw';
