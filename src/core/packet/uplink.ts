/** On the PF: frames from the wire. A frame for a vNIC goes to its port; everything else to the bridge, as if nobody were there. */
import { ContractLimit, Reason, type Vnic, VnicPath } from '../../../maps/generated/contract.js';
import { answeringVnic, takeAnswer } from './answers.js';
import { isControl } from './control.js';
import { type Decision, drop, pass, type Work } from './decision.js';
import { type Ethernet, parseEthernet, SOURCE_AT } from './ethernet.js';
import { parsePacket } from './ip.js';
import { vnicKey } from './keys.js';
import { mayBePartial } from './partial_checksum.js';
import { learnRemote } from './remotes.js';
import { findVnic, NOBODY } from './state.js';
import { steer } from './steer.js';
import { ticksSince } from './ticks.js';

export function decideUplink(work: Work): Decision {
  const { state, arrival, frame } = work;
  const ethernet = parseEthernet(frame, arrival.firstBuffer ?? frame.length);
  if (ethernet === null) return pass(work, NOBODY, Reason.PASS_RUNT);

  const id = findVnic(state, vnicKey(frame, ethernet.vlan));
  const vnic = id === NOBODY ? undefined : state.vnics.get(id);
  if (isControl(ethernet)) return drop(work, vnic === undefined ? NOBODY : id, Reason.DROP_CONTROL);
  const decision = fromWire(work, id, vnic, ethernet);
  if (!work.fresh) learnRemote(work, vnicKey(frame, ethernet.vlan, SOURCE_AT));
  return decision;
}

/** What becomes of it; the sender is looked at only where it answers a question, or comes back. */
function fromWire(work: Work, id: number, vnic: Vnic | undefined, ethernet: Ethernet): Decision {
  const { state, arrival } = work;
  if (ethernet.multicast) {
    const reflected = reflectedVnic(work, ethernet);
    if (reflected === null) return pass(work, NOBODY, Reason.PASS_MULTICAST);
    // Who sent it is not behind the uplink.
    work.fresh = true;
    return drop(work, reflected, Reason.DROP_REFLECTED);
  }
  if (vnic === undefined) {
    const answering = answeringVnic(work, ethernet);
    return answering === null ? pass(work, NOBODY, Reason.PASS_UNKNOWN_MAC) : takeAnswer(work, answering, VnicPath.ACCELERATED);
  }
  if (vnic.uplinkIfindex !== arrival.ifindex) return pass(work, id, Reason.PASS_OTHER_DOMAIN);
  if (ethernet.tooManyTags) return pass(work, id, Reason.PASS_TOO_MANY_TAGS);
  const packet = parsePacket(ethernet);
  if (state.knobs.uplinkPartialChecksum && mayBePartial(ethernet, packet)) return pass(work, id, Reason.PASS_PARTIAL_CHECKSUM);
  return steer(work, id, vnic, ethernet, packet, ethernet.vlan);
}

/** Whose broadcast or multicast, sent by its tap a moment ago, the adapter's own switch gives back to the PF; null: nobody's. */
function reflectedVnic({ state, arrival, frame }: Work, { vlan }: Ethernet): number | null {
  const id = findVnic(state, vnicKey(frame, vlan, SOURCE_AT));
  const path = id === NOBODY ? undefined : state.paths.get(id);
  if (path === undefined || state.vnics.get(id)?.uplinkIfindex !== arrival.ifindex) return null;
  return ticksSince(path.tapMulticast, state.tick) < ContractLimit.REFLECTED_TICKS ? id : null;
}
