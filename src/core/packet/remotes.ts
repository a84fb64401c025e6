/** Stations behind the uplinks: direct-mapped, a newcomer takes the slot; believed for REMOTE_LIFETIME. */
import { ContractLimit } from '../../../maps/generated/contract.js';
import type { Work } from './decision.js';
import { remoteSlot } from './keys.js';
import { ticksSince } from './ticks.js';

/** A station has sent by the uplink that the frame came in by. */
export function learnRemote(work: Work, key: bigint): void {
  const slot = remoteSlot(key);
  const uplinkIfindex = work.arrival.ifindex;
  const known = work.state.remotes.get(slot);
  if (known === undefined || (known.key === key && known.uplinkIfindex === uplinkIfindex)) return;
  work.effects.push({ kind: 'remote', slot, remote: { key, uplinkIfindex, learnt: work.state.tick } });
}

/** Is the station behind that uplink? What is believed no longer is forgotten, so that it can be learnt anew. */
export function isRemote(work: Work, key: bigint, uplinkIfindex: number): boolean {
  const slot = remoteSlot(key);
  const known = work.state.remotes.get(slot);
  if (known === undefined || known.key !== key || known.uplinkIfindex !== uplinkIfindex) return false;
  if (ticksSince(known.learnt, work.state.tick) <= ContractLimit.REMOTE_LIFETIME) return true;
  work.effects.push({ kind: 'remote', slot, remote: { ...known, key: 0n } });
  return false;
}
