/** May a vNIC speak for the addresses in its frame? ARP (RFC 826), neighbour discovery (RFC 4861) and IP sources. */
import { Reason, type Vnic, type VnicAddresses } from '../../../maps/generated/contract.js';
import { u16, u32 } from './bytes.js';
import { type Ethernet, EtherType } from './ethernet.js';
import { destinationPort, L4, type Packet, Protocol } from './ip.js';
import { sameMac } from './keys.js';

const ARP_BYTES = 28;
const DHCP_SERVER_PORT = 67;
const ND_BYTES = 24;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;

function ownsIpv4(own: VnicAddresses, address: number): boolean {
  return own.ipv4.slice(0, own.ipv4Count).some(({ prefix, mask }) => (address & mask) >>> 0 === prefix);
}

function ownsIpv6(own: VnicAddresses, bytes: Uint8Array, at: number): boolean {
  return own.ipv6.slice(0, own.ipv6Count).some(({ prefix, mask }) =>
    prefix.every((word, i) => (u32(bytes, at + 4 * i) & (mask[i] ?? 0)) >>> 0 === word));
}

/** The IPv4 address of its sender; null for what is cut short, or no ARP for IPv4 over Ethernet. */
export function readArpSender({ bytes, end, at }: Ethernet): number | null {
  if (at + ARP_BYTES > end) return null;
  if (u16(bytes, at + 2) !== EtherType.ipv4 || bytes[at + 4] !== 6 || bytes[at + 5] !== 4) return null;
  return u32(bytes, at + 14);
}

/** Its sender: both addresses. 0.0.0.0 asks whether an address is free (RFC 5227 section 1.1). What is no ARP for IPv4 proves nothing. */
function isHonestArp(ethernet: Ethernet, own: VnicAddresses, vnic: Vnic): boolean {
  const sender = readArpSender(ethernet);
  if (sender === null) return false;
  return sameMac(ethernet.bytes, ethernet.at + 8, vnic.mac, 0) && (sender === 0 || ownsIpv4(own, sender));
}

/** The unspecified source is for those who have none yet: DHCP (RFC 2131) and IGMP (RFC 3376 section 4.2.13). */
function isHonestIpv4({ bytes }: Ethernet, own: VnicAddresses, packet: Packet): boolean {
  if (packet.family === 0) return false;
  const source = u32(bytes, packet.addressesAt);
  if (source !== 0) return ownsIpv4(own, source);
  if (packet.protocol === Protocol.igmp) return true;
  return packet.l4 === L4.udp && destinationPort(bytes, packet) === DHCP_SERVER_PORT;
}

function isUnspecified(bytes: Uint8Array, at: number): boolean {
  return u32(bytes, at) === 0 && u32(bytes, at + 4) === 0 && u32(bytes, at + 8) === 0 && u32(bytes, at + 12) === 0;
}

/**
 * The unspecified source is for duplicate address detection (RFC 4862 section 5.4.2) and MLD (RFC 3590), so for ICMPv6. Who asks
 * whether an address is free claims it, and who advertises one has it.
 */
function refuseIpv6({ bytes, end }: Ethernet, own: VnicAddresses, packet: Packet): Reason | null {
  if (packet.family === 0) return Reason.DROP_SPOOFED_IP;
  const unspecified = isUnspecified(bytes, packet.addressesAt);
  if (!unspecified && !ownsIpv6(own, bytes, packet.addressesAt)) return Reason.DROP_SPOOFED_IP;
  // What is behind more headers than are followed may be neighbour discovery (RFC 7113 section 2, of the same trick).
  if (packet.unresolved) return Reason.DROP_SPOOFED_IP;
  if (packet.protocol !== Protocol.icmpv6) return unspecified ? Reason.DROP_SPOOFED_IP : null;
  if (packet.at >= end) return Reason.DROP_SPOOFED_ND;
  const type = bytes[packet.at];
  const claims = type === NEIGHBOUR_ADVERTISEMENT || (type === NEIGHBOUR_SOLICITATION && unspecified);
  if (!claims) return null;
  return packet.at + ND_BYTES <= end && ownsIpv6(own, bytes, packet.at + 8) ? null : Reason.DROP_SPOOFED_ND;
}

/** Why the frame is refused; null when it is not. What cannot be read cannot be proven. */
export function refuseAddresses(ethernet: Ethernet, own: VnicAddresses, vnic: Vnic, packet: Packet): Reason | null {
  // A receiver may take all the tags off: Linux does so with any number of priority tags.
  if (ethernet.tooManyTags) return Reason.DROP_SPOOFED_IP;
  switch (ethernet.type) {
    case EtherType.arp: return isHonestArp(ethernet, own, vnic) ? null : Reason.DROP_SPOOFED_ARP;
    case EtherType.ipv4: return isHonestIpv4(ethernet, own, packet) ? null : Reason.DROP_SPOOFED_IP;
    case EtherType.ipv6: return refuseIpv6(ethernet, own, packet);
    default: return null;
  }
}
