/** What a guest without the plug-in tells of itself: that it hears on a path, and by which addresses it can be asked. */
import { ContractLimit, EventKind, type PathWord, PathBit, Reason, VnicPath } from '../../../maps/generated/contract.js';
import { NEIGHBOUR_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, readArpSender } from './addresses.js';
import { u16, u32 } from './bytes.js';
import { type Decision, drop, type Work } from './decision.js';
import { type Ethernet, EtherType, SOURCE_AT } from './ethernet.js';
import { type Packet, Protocol } from './ip.js';
import { sameMac } from './keys.js';

const { CONTROL_MAC_HIGH, CONTROL_MAC_LOW, QUESTION_MAC_HIGH } = ContractLimit;
const IPV6_WORDS = 4;
const NONE = { ipv4: 0, ipv6: [0, 0, 0, 0] } as const;

/** Sent to where our questions come from. */
export function isAnswer({ bytes }: Ethernet): boolean {
  return u16(bytes, 0) === CONTROL_MAC_HIGH && u32(bytes, 2) === CONTROL_MAC_LOW;
}

/** Sent from there: by us, and given back by an adapter that switches by itself. */
export function isQuestion({ bytes }: Ethernet): boolean {
  return u32(bytes, SOURCE_AT) === QUESTION_MAC_HIGH;
}

export function tellHeard(work: Work, vnic: number, path: PathWord, heardOn: VnicPath): void {
  const generation = Number(path.word >> BigInt(PathBit.GENERATION_SHIFT));
  const event = { vnic, generation, ifindex: work.arrival.ifindex, kind: EventKind.HEARD, path: heardOn, command: 0 };
  work.effects.push({ kind: 'event', event });
}

/**
 * The vNIC that answers a question by the uplink, from a VF behind the adapter's own switch: the address that was asked from says which,
 * whatever VLAN the frame is in. Null: it is no such answer.
 */
export function answeringVnic({ state, arrival }: Work, { bytes }: Ethernet): number | null {
  if (u32(bytes, 0) !== QUESTION_MAC_HIGH) return null;
  const id = u16(bytes, 4);
  const vnic = state.vnics.get(id);
  return vnic !== undefined && vnic.vfIfindex === arrival.ifindex && sameMac(bytes, SOURCE_AT, vnic.mac, 0) ? id : null;
}

/** It proves that the guest hears on this path, and goes no further. */
export function takeAnswer(work: Work, vnic: number, heardOn: VnicPath): Decision {
  const path = work.state.paths.get(vnic);
  if (path !== undefined) tellHeard(work, vnic, path, heardOn);
  return drop(work, vnic, Reason.CONTROL);
}

/** Of neighbour discovery; null for another packet, or one from ::. */
function readNeighbour({ bytes, end }: Ethernet, packet: Packet): number[] | null {
  if (packet.family !== 6 || packet.protocol !== Protocol.icmpv6 || packet.at >= end) return null;
  const type = bytes[packet.at];
  if (type !== NEIGHBOUR_SOLICITATION && type !== NEIGHBOUR_ADVERTISEMENT) return null;
  const source = Array.from({ length: IPV6_WORDS }, (_, i) => u32(bytes, packet.addressesAt + 4 * i));
  return source.some((word) => word !== 0) ? source : null;
}

/** Remembers by which address a guest speaks ARP (RFC 826) and neighbour discovery (RFC 4861). */
export function noteAddresses(work: Work, vnic: number, ethernet: Ethernet, packet: Packet): void {
  const known = work.state.seen.get(vnic) ?? NONE;
  const sender = ethernet.type === EtherType.arp ? readArpSender(ethernet) : null;
  if (sender !== null && sender !== 0) work.effects.push({ kind: 'seen', vnic, seen: { ...known, ipv4: sender } });
  const ipv6 = readNeighbour(ethernet, packet);
  if (ipv6 !== null) work.effects.push({ kind: 'seen', vnic, seen: { ...known, ipv6 } });
}
