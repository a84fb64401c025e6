/**
 * The reference model of the packet programs, pure: a state and a frame give a decision. It is written from what the programs shall
 * do - maps/*.h, bpf/README.md, the RFCs - and not from their code, so that the two can be held against each other (src/fuzz), and
 * so that `unipath flow explain` can tell what would become of a frame.
 *
 * What it leaves out: other CPUs that write at the same time, and maps that are full of what they never hold.
 */
import type { Arrival, Decision, Effect, Work } from './decision.js';
import { decideGuest } from './guest.js';
import type { MutablePacketState, PacketState } from './state.js';
import { decideUplink } from './uplink.js';

export type { Arrival, Decision, Effect, Tally, Verdict } from './decision.js';
export type { Held, HoldRing } from './hold.js';
export type { Knobs, Lookup, Members, MutablePacketState, Owner, PacketState, Store } from './state.js';
export { NOBODY } from './state.js';
export { steerQueue } from './second_stage.js';
export { decideTap, type TapArrival } from './tap.js';
export { portKey, remoteSlot, slotOf, vnicKey } from './keys.js';

/**
 * What `steer_uplink` or `steer_guest` does with a frame. Changes nothing: see `applyEffects`.
 * @param frame from the destination MAC address on, of all buffers
 */
export function decide(state: PacketState, frame: Uint8Array, arrival: Arrival): Decision {
  const work: Work = { state, arrival, frame, effects: [], fresh: false };
  return arrival.program === 'steer_uplink' ? decideUplink(work) : decideGuest(work);
}

/** Writes what a frame changes in the maps that the next frame is decided by. Counters and events are the caller's. */
export function applyEffects(state: MutablePacketState, effects: readonly Effect[]): void {
  for (const effect of effects) {
    switch (effect.kind) {
      case 'path':
        state.paths.set(effect.vnic, effect.path);
        break;
      case 'learnt':
      case 'steered': {
        const flow = state.flows.get(effect.row);
        if (flow !== undefined) state.flows.set(effect.row, { ...flow, [effect.kind]: effect.record });
        break;
      }
      case 'remote':
        state.remotes.set(effect.slot, effect.remote);
        break;
      case 'seen':
        state.seen.set(effect.vnic, effect.seen);
        break;
      case 'held': {
        const ring = state.holds.get(effect.vnic);
        if (ring !== undefined) state.holds.set(effect.vnic, { ...ring, taken: ring.taken + effect.record });
        break;
      }
      default:
    }
  }
}
