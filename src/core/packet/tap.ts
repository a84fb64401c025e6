/**
 * Where the bridge hands a frame to a guest's tap. Only guests that hear on one path matter here: what is for them waits during a hold,
 * and goes to the VF while they are there.
 */
import { PortRole, Reason, type Vnic, VnicFlag } from '../../../maps/generated/contract.js';
import { type Decision, drop, redirect, type Work } from './decision.js';
import { SOURCE_AT } from './ethernet.js';
import { keepBack, mustWait } from './hold.js';
import { portKey, sameMac } from './keys.js';
import { findVnic, NOBODY, type PacketState } from './state.js';
import { changeTag } from './tags.js';
import { hasHeard, isAccelerated } from './vnic_path.js';

export interface TapArrival {
  /** Of the tap. */
  readonly ifindex: number;
  /** Where the frame came into the host; 0 = it was made here. */
  readonly cameIn: number;
  /** Payload bytes of each frame that an aggregated one stands for; 0 = it is not one. */
  readonly segmentSize: number;
  /** VLAN tag that is not among the bytes, as the kernel carries it. */
  readonly tag: { readonly protocol: number; readonly tci: number } | null;
}

/** Left to the tap, and not counted: nobody is in the way. */
function leave(work: Work, vnic: number): Decision {
  return {
    verdict: 'pass', reason: null, vnic, target: 0, role: null, queue: null, cpu: null, hash: null, bucket: null,
    effects: work.effects, frame: work.frame,
  };
}

/** With the plug-in a guest does; but its unicast reaches a VF port that takes nothing from the packet programs by here. */
function hearsOnTap({ flags }: Vnic, frame: Uint8Array): boolean {
  if ((flags & VnicFlag.PLUGIN) === 0) return false;
  return (flags & VnicFlag.VF_NO_TRANSMIT) === 0 || ((frame[0] ?? 0) & 1) !== 0;
}

/** What `steer_tap` does. @param frame from the destination MAC address on */
export function decideTap(state: PacketState, frame: Uint8Array, { ifindex, cameIn, segmentSize, tag }: TapArrival): Decision {
  const work: Work = { state, arrival: { program: 'steer_guest', ifindex, rxQueue: 0, cpu: 0 }, frame, effects: [], fresh: false };
  const id = findVnic(state, portKey(ifindex));
  const [vnic, path] = [state.vnics.get(id), state.paths.get(id)];
  if (id === NOBODY || vnic === undefined || path === undefined || hearsOnTap(vnic, frame)) return leave(work, NOBODY);
  // The guest sent it by its VF, and the bridge floods.
  if (sameMac(frame, SOURCE_AT, vnic.mac, 0)) return drop(work, id, Reason.DROP_REFLECTED);
  if (mustWait(work, id, path)) {
    if (hasHeard(vnic, path, cameIn)) return drop(work, id, Reason.DROP_REFLECTED);
    const beside = { segmentSize, tag: tag?.tci ?? 0, tagProtocol: tag?.protocol ?? 0 };
    return drop(work, id, keepBack(work, id, frame, beside) ? Reason.HELD : Reason.DROP_HOLD_FULL);
  }
  if (!isAccelerated(vnic, path)) return leave(work, id);
  const target = vnic.vfIfindex;
  const adapterSwitches = target === vnic.uplinkIfindex;
  if (adapterSwitches) {
    // The adapter's own switch gives it to all whom it is for, or has done so.
    if (!sameMac(frame, 0, vnic.mac, 0)) return drop(work, id, Reason.DROP_REFLECTED);
    if (cameIn === target) return leave(work, id);
  }
  const tagged = adapterSwitches && (vnic.flags & VnicFlag.ACCESS) !== 0;
  const way = { target, role: PortRole.VF, queue: null, cpu: null, hash: null, bucket: null };
  return redirect(work, id, Reason.REDIRECT_VF, way, tagged ? changeTag(frame, 'push', vnic.vlan) : frame);
}
