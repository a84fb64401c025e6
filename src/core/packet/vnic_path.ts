/** The path of a vNIC: which of its two ports it is reached by, and how its own transmission moves it. */
import {
  ContractLimit, EventKind, type PathWord, PathBit, PortRole, type Vnic, VnicFlag, VnicPath,
} from '../../../maps/generated/contract.js';
import { tellHeard } from './answers.js';
import type { Work } from './decision.js';
import { type Ethernet, EtherType } from './ethernet.js';
import { isHolding, isReleasing } from './hold.js';
import { ticksSince } from './ticks.js';

const GENERATION = 1n << BigInt(PathBit.GENERATION_SHIFT);

function pathOf(word: bigint): number {
  return Number(word & 0xffn);
}

/** On the VF, and there is one. */
export function isAccelerated(vnic: Vnic, path: PathWord): boolean {
  return vnic.vfIfindex !== 0 && pathOf(path.word) === VnicPath.ACCELERATED;
}

/** The path that the frame shows the guest to have taken, if that is another than now and it may. */
function shownPath(work: Work, vnic: Vnic, path: PathWord, role: PortRole, ethernet: Ethernet): VnicPath | null {
  const accelerated = pathOf(path.word) === VnicPath.ACCELERATED;
  if (role === PortRole.VF) {
    const allowed = (path.word & BigInt(PathBit.VF_ALLOWED)) !== 0n;
    return allowed && !accelerated ? VnicPath.ACCELERATED : null;
  }
  if (pathOf(path.word) === VnicPath.SOFTWARE) return null;
  // What was sent before the guest went to its VF may arrive after what it has sent there.
  if (ticksSince(path.vfSeen, work.state.tick) < ContractLimit.QUIET_TICKS) return null;
  // The plug-in sends these by the tap whatever its path is; the standby of a guest with Linux before 6.2 has an IPv6 stack of its own.
  if (ethernet.multicast && ((vnic.flags & VnicFlag.PLUGIN) !== 0 || ethernet.type === EtherType.ipv6)) return null;
  // What the guest sends on a VF behind the adapter's own switch is not seen here, so its silence says nothing.
  if (vnic.vfIfindex === vnic.uplinkIfindex) return null;
  return VnicPath.SOFTWARE;
}

/** While its frames are kept back, the path is the holder's to choose; but who transmits on its VF hears there, and the holder is told. */
function transmitInHold(work: Work, id: number, path: PathWord, role: PortRole): void {
  if (role !== PortRole.VF || path.vfSeen === work.state.tick) return;
  work.effects.push({ kind: 'path', vnic: id, path: { ...path, vfSeen: work.state.tick } });
  if (pathOf(path.word) === VnicPath.SOFTWARE && !isReleasing(path)) tellHeard(work, id, path, VnicPath.ACCELERATED);
}

/** Receive follows transmit. */
export function followTransmission(work: Work, id: number, vnic: Vnic, role: PortRole, ethernet: Ethernet): void {
  const before = work.state.paths.get(id);
  if (before === undefined) return;
  // An adapter that switches by itself may give it back to the uplink.
  const tapMulticast = role === PortRole.TAP && ethernet.multicast ? work.state.tick : before.tapMulticast;
  const path = { ...before, tapMulticast };
  if (tapMulticast !== before.tapMulticast) work.effects.push({ kind: 'path', vnic: id, path });
  if (isHolding(path, work.state.nowNs)) {
    transmitInHold(work, id, path, role);
    return;
  }
  const next = shownPath(work, vnic, path, role, ethernet);
  const vfSeen = role === PortRole.VF ? work.state.tick : path.vfSeen;
  let { word } = path;
  if (next !== null) word = BigInt.asUintN(64, (word & ~BigInt(PathBit.MASK)) + BigInt(next) + GENERATION);
  if (word !== path.word || vfSeen !== path.vfSeen) work.effects.push({ kind: 'path', vnic: id, path: { ...path, word, vfSeen } });
  if (next === null) return;
  work.effects.push({ kind: 'tally', vnic: id, tally: 'pathChanges' });
  const generation = Number(word >> BigInt(PathBit.GENERATION_SHIFT));
  const event = { vnic: id, generation, ifindex: work.arrival.ifindex, kind: EventKind.PATH_CHANGED, path: next, command: 0 };
  work.effects.push({ kind: 'event', event });
}

/**
 * Has the guest's VF heard it already? While what waits is released to a VF behind the adapter's own switch, that switch gives what comes in by
 * the uplink to the VF, too.
 */
export function hasHeard(vnic: Vnic, path: PathWord, ingressIfindex: number): boolean {
  return isReleasing(path) && isAccelerated(vnic, path) && vnic.vfIfindex === vnic.uplinkIfindex && ingressIfindex === vnic.uplinkIfindex;
}
