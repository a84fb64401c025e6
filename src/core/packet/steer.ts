/** A frame for a vNIC of this host: which port, which queue, which CPU. From the uplink and from neighbours alike. */
import { ContractLimit, PortRole, Reason, type Vnic, VnicFlag } from '../../../maps/generated/contract.js';
import { isQuestion } from './answers.js';
import { type Decision, drop, pass, redirect, retagged, type Work } from './decision.js';
import { countedLength, type Ethernet, SOURCE_AT } from './ethernet.js';
import { HANDOVER_BYTES, pushHandover } from './handover.js';
import { keepBack, mustWait } from './hold.js';
import type { Packet } from './ip.js';
import { vnicKey } from './keys.js';
import { chooseQueue, cpuFor, type QueueChoice } from './queue.js';
import { findVnic, NOBODY } from './state.js';
import { changeTag, roomFor, type TagChange, toAccess, toWire } from './tags.js';
import { hasHeard, isAccelerated } from './vnic_path.js';

/** XDP_PACKET_HEADROOM without struct xdp_frame, which the kernel keeps there. */
export const USUAL_HEADROOM = 216;

interface TargetPort {
  readonly role: PortRole;
  readonly ifindex: number;
  readonly frameMax: number;
  /** Takes frames in several buffers. */
  readonly multiBuffer: boolean;
}

function portOf(vnic: Vnic, role: PortRole): TargetPort {
  return role === PortRole.VF
    ? { role, ifindex: vnic.vfIfindex, frameMax: vnic.vfFrameMax, multiBuffer: (vnic.flags & VnicFlag.VF_MULTI_BUFFER) !== 0 }
    : { role, ifindex: vnic.tapIfindex, frameMax: vnic.tapFrameMax, multiBuffer: (vnic.flags & VnicFlag.TAP_MULTI_BUFFER) !== 0 };
}

/** A VF behind the adapter's own switch is reached as if by the wire. */
function tagChangeFor(vnic: Vnic, port: TargetPort, ethernet: Ethernet, vlan: number): TagChange {
  const access = (vnic.flags & VnicFlag.ACCESS) !== 0 && port.ifindex !== vnic.uplinkIfindex;
  return access ? toAccess(ethernet) : toWire(ethernet, vlan);
}

/** Lets the frame wait as its guest's own port takes it. */
function hold(work: Work, id: number, vnic: Vnic, ethernet: Ethernet, vlan: number): Decision {
  const change = (vnic.flags & VnicFlag.ACCESS) !== 0 ? toAccess(ethernet) : toWire(ethernet, vlan);
  if (roomFor(change) > (work.arrival.headroom ?? USUAL_HEADROOM)) return pass(work, id, Reason.PASS_NO_HEADROOM);
  const frame = changeTag(work.frame, change, vlan);
  const kept = keepBack(work, id, frame, { segmentSize: 0, tag: 0, tagProtocol: 0 });
  return drop(work, id, kept ? Reason.HELD : Reason.DROP_HOLD_FULL, frame);
}

const SINGLE: QueueChoice = { queue: 0, reason: Reason.REDIRECT_SINGLE, hash: null, bucket: null };

/** @param vlan that the frame is in, whatever tag it carries now */
export function steer(work: Work, id: number, vnic: Vnic, ethernet: Ethernet, packet: Packet, vlan: number): Decision {
  const { state, arrival } = work;
  const path = state.paths.get(id);
  if (path === undefined) return pass(work, id, Reason.PASS_NO_TARGET);
  if (mustWait(work, id, path)) {
    return hasHeard(vnic, path, arrival.ifindex) || isQuestion(ethernet) ? drop(work, id, Reason.DROP_REFLECTED) : hold(work, id, vnic, ethernet, vlan);
  }
  const accelerated = isAccelerated(vnic, path);
  if (!accelerated && (vnic.flags & VnicFlag.CUT_THROUGH) === 0) return pass(work, id, Reason.PASS_SOFTWARE);
  const port = portOf(vnic, accelerated ? PortRole.VF : PortRole.TAP);
  if (port.ifindex === arrival.ifindex) {
    // The adapter's own switch gave it to the VF, and the bridge would take its sender to be behind the uplink.
    const sender = findVnic(state, vnicKey(work.frame, ethernet.vlan, SOURCE_AT));
    return port.ifindex === vnic.uplinkIfindex && sender !== NOBODY ? drop(work, id, Reason.DROP_REFLECTED) : pass(work, id, Reason.PASS_SAME_PORT);
  }
  if (accelerated && (vnic.flags & VnicFlag.VF_NO_TRANSMIT) !== 0) return pass(work, id, Reason.PASS_NO_TRANSMIT);
  if (countedLength(ethernet) > port.frameMax) return pass(work, id, Reason.PASS_OVERSIZE);
  if (ethernet.multiBuffer && !port.multiBuffer) return pass(work, id, Reason.PASS_MULTI_BUFFER);

  const steering = state.steerings.get(id * ContractLimit.PORTS_PER_VNIC + port.role);
  if (steering === undefined) return pass(work, id, Reason.PASS_NO_TARGET);
  const choice = steering.queues > 1 ? chooseQueue(work, id, steering, packet) : SINGLE;
  const { cpu, queue } = steering.queues > 1 ? cpuFor(steering, choice.queue, arrival.cpu) : { cpu: null, queue: 0 };
  const there = cpu === null ? state.txPorts.has(port.ifindex) : state.cpus.has(cpu);
  if (!there) return pass(work, id, Reason.PASS_NO_TARGET);

  const change = tagChangeFor(vnic, port, ethernet, vlan);
  const headroom = arrival.headroom ?? USUAL_HEADROOM;
  if (roomFor(change) > headroom) return pass(work, id, Reason.PASS_NO_HEADROOM);
  let frame = changeTag(work.frame, change, vlan);
  if (cpu !== null) {
    if (roomFor(change) + HANDOVER_BYTES > headroom) {
      return change === 'keep' ? pass(work, id, Reason.PASS_NO_HEADROOM) : retagged(work, id, frame);
    }
    const wire = port.ifindex === vnic.uplinkIfindex;
    frame = pushHandover(frame, { key: vnicKey(work.frame, vlan), retagged: change !== 'keep', wire });
    work.effects.push({ kind: 'tally', vnic: id, tally: 'cpuHandovers' });
  }
  work.effects.push({ kind: 'queue', vnic: id, role: port.role, queue });
  const { hash, bucket } = choice;
  return redirect(work, id, choice.reason, { target: port.ifindex, role: port.role, queue, cpu, hash, bucket }, frame);
}
