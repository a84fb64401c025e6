/**
 * On the guest-facing ports: frames from a guest. Who may send is checked, the guest's choice of path and queue is learnt, and
 * the frame goes straight to a neighbour's port or to the uplink where that is right.
 */
import { PortRole, Reason, type Vnic, VnicFlag, VnicPath } from '../../../maps/generated/contract.js';
import { refuseAddresses } from './addresses.js';
import { isAnswer, noteAddresses, takeAnswer } from './answers.js';
import { isControl, takeControl } from './control.js';
import { type Decision, drop, pass, redirect, type Work } from './decision.js';
import { countedLength, type Ethernet, parseEthernet, SOURCE_AT } from './ethernet.js';
import { learnFlow } from './flows.js';
import { type Packet, parsePacket } from './ip.js';
import { portKey, sameMac, vnicKey } from './keys.js';
import { mayBePartial } from './partial_checksum.js';
import { isRemote } from './remotes.js';
import { findVnic, NOBODY } from './state.js';
import { steer, USUAL_HEADROOM } from './steer.js';
import { changeTag, roomFor, toWire } from './tags.js';
import { followTransmission } from './vnic_path.js';

function has(vnic: Vnic, flag: number): boolean {
  return (vnic.flags & flag) !== 0;
}

/**
 * An access vNIC sends untagged, or with a priority; the others in any VLAN that leads to them. Nobody sends a priority tag before
 * another tag: a switch that takes it off would see the other as the VLAN.
 */
function isOwnVlan({ state, frame }: Work, id: number, vnic: Vnic, { vlan, tags }: Ethernet): boolean {
  if (tags > 1 && vlan === 0) return false;
  if (has(vnic, VnicFlag.ACCESS)) return vlan === 0;
  return vlan === vnic.vlan || state.index.get(vnicKey(frame, vlan, SOURCE_AT))?.vnic === id;
}

/** As things are now; the time that a frame takes of its guest's is not followed. */
function exceedsRate({ state }: Work, id: number): boolean {
  const rate = state.rates.get(id);
  return rate !== undefined && rate.psPerByte !== 0 && rate.freeAtNs > state.nowNs + rate.burstNs;
}

export function decideGuest(work: Work): Decision {
  const { state, arrival, frame } = work;
  const ethernet = parseEthernet(frame, arrival.firstBuffer ?? frame.length);
  if (ethernet === null) return pass(work, NOBODY, Reason.PASS_RUNT);
  const port = state.index.get(portKey(arrival.ifindex));
  const vnic = port === undefined || port.vnic === NOBODY ? undefined : state.vnics.get(port.vnic);
  if (port === undefined || vnic === undefined) {
    return isControl(ethernet) ? drop(work, NOBODY, Reason.DROP_CONTROL) : pass(work, NOBODY, Reason.PASS_UNKNOWN_PORT);
  }
  const id = port.vnic;
  if (!sameMac(frame, SOURCE_AT, vnic.mac, 0)) return drop(work, id, Reason.DROP_SPOOFED_MAC);
  // The plug-in answers untagged, whatever the VLAN of its vNIC.
  if (!isControl(ethernet) && !isOwnVlan(work, id, vnic, ethernet)) return drop(work, id, Reason.DROP_SPOOFED_VLAN);
  work.effects.push({ kind: 'received', vnic: id, role: port.role, bytes: frame.length });
  if (isControl(ethernet)) return takeControl(work, id, ethernet);
  if (isAnswer(ethernet)) return takeAnswer(work, id, port.role === PortRole.VF ? VnicPath.ACCELERATED : VnicPath.SOFTWARE);

  const packet = parsePacket(ethernet);
  if (has(vnic, VnicFlag.CHECK_ADDRESSES)) {
    const own = state.addresses.get(id);
    const refusal = own === undefined ? Reason.DROP_SPOOFED_IP : refuseAddresses(ethernet, own, vnic, packet);
    if (refusal !== null) return drop(work, id, refusal);
  }
  // Who has the plug-in answers control frames.
  if (!has(vnic, VnicFlag.PLUGIN)) noteAddresses(work, id, ethernet, packet);
  followTransmission(work, id, vnic, port.role, ethernet);
  if (has(vnic, VnicFlag.LIMITED) && exceedsRate(work, id)) return drop(work, id, Reason.DROP_RATE);
  if (ethernet.multicast) return pass(work, id, Reason.PASS_MULTICAST);
  if (ethernet.tooManyTags) return pass(work, id, Reason.PASS_TOO_MANY_TAGS);
  learnFlow(work, id, packet, arrival.rxQueue);
  return forward(work, id, vnic, port.role, ethernet, packet);
}

/** A unicast frame of an honest guest. */
function forward(work: Work, id: number, vnic: Vnic, from: PortRole, ethernet: Ethernet, packet: Packet): Decision {
  const { state, frame } = work;
  const vlan = has(vnic, VnicFlag.ACCESS) ? vnic.vlan : ethernet.vlan;
  const destination = vnicKey(frame, vlan);
  const partial = mayBePartial(ethernet, packet);
  const neighbourId = findVnic(state, destination);
  if (neighbourId !== NOBODY) {
    const neighbour = state.vnics.get(neighbourId);
    if (neighbour === undefined || neighbourId === id) return pass(work, id, Reason.PASS_UNKNOWN_MAC);
    if (neighbour.uplinkIfindex !== vnic.uplinkIfindex) return pass(work, id, Reason.PASS_OTHER_DOMAIN);
    if (partial) return pass(work, neighbourId, Reason.PASS_PARTIAL_CHECKSUM);
    return steer(work, neighbourId, neighbour, ethernet, packet, vlan);
  }
  if (!isRemote(work, destination, vnic.uplinkIfindex)) return pass(work, id, Reason.PASS_UNKNOWN_MAC);
  if (from === PortRole.TAP && !has(vnic, VnicFlag.CUT_THROUGH)) return pass(work, id, Reason.PASS_SOFTWARE);
  if (partial) return pass(work, id, Reason.PASS_PARTIAL_CHECKSUM);
  return toUplink(work, id, vnic, ethernet, vlan);
}

/** To a station that is known to be behind the uplink. */
function toUplink(work: Work, id: number, vnic: Vnic, ethernet: Ethernet, vlan: number): Decision {
  if (has(vnic, VnicFlag.UPLINK_NO_TRANSMIT)) return pass(work, id, Reason.PASS_NO_TRANSMIT);
  if (countedLength(ethernet) > vnic.uplinkFrameMax) return pass(work, id, Reason.PASS_OVERSIZE);
  if (ethernet.multiBuffer && !has(vnic, VnicFlag.UPLINK_MULTI_BUFFER)) return pass(work, id, Reason.PASS_MULTI_BUFFER);
  if (!work.state.txPorts.has(vnic.uplinkIfindex)) return pass(work, id, Reason.PASS_NO_TARGET);
  const change = toWire(ethernet, vlan);
  if (roomFor(change) > (work.arrival.headroom ?? USUAL_HEADROOM)) return pass(work, id, Reason.PASS_NO_HEADROOM);
  const way = { target: vnic.uplinkIfindex, role: null, queue: null, cpu: null, hash: null, bucket: null };
  return redirect(work, id, Reason.REDIRECT_UPLINK, way, changeTag(work.frame, change, vlan));
}
