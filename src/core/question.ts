/**
 * Frames that a guest answers when it hears them: an ARP request for its IPv4 address, a neighbour solicitation for its IPv6 one, to
 * its own MAC address, so that no one else hears of it. Pure.
 */
import { ContractLimit } from '../../maps/generated/contract.js';
import { internetChecksum } from './checksum.js';
import { type MacAddress, macBytes } from './model.js';

export interface AskedAddresses {
  /** Four octets; null: not known. */
  readonly ipv4: Buffer | null;
  /** Sixteen octets; null: not known. */
  readonly ipv6: Buffer | null;
}

const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;
const ICMPV6 = 58;
const NEIGHBOUR_SOLICITATION = 135;
const HOP_LIMIT = 255;

/** 02:00:00:00:00:01: what is sent to it is an answer to us (maps/contract.h). */
function controlMac(): Buffer {
  const mac = Buffer.alloc(6);
  mac.writeUInt16BE(ContractLimit.CONTROL_MAC_HIGH, 0);
  mac.writeUInt32BE(ContractLimit.CONTROL_MAC_LOW, 2);
  return mac;
}

/** Link-local, of the control MAC address (RFC 4291 appendix A). */
function linkLocal(mac: Buffer): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16BE(0xfe80, 0);
  mac.copy(address, 8, 0, 3);
  address[8] = (address[8] ?? 0) ^ 2;
  address.writeUInt16BE(0xfffe, 11);
  mac.copy(address, 13, 3, 6);
  return address;
}

/** Who is asked, in which VLAN, and where the answer goes. */
interface Asking {
  readonly mac: MacAddress;
  /** 0 = untagged. */
  readonly vlan: number;
  readonly from: Buffer;
}

function ethernet({ mac, vlan, from }: Asking, type: number): Buffer {
  const header = Buffer.alloc(vlan === 0 ? 14 : 18);
  macBytes(mac).copy(header, 0);
  from.copy(header, 6);
  if (vlan !== 0) {
    header.writeUInt16BE(0x8100, 12);
    header.writeUInt16BE(vlan, 14);
  }
  header.writeUInt16BE(type, header.length - 2);
  return header;
}

/** An ARP probe (RFC 5227 section 1.1): it claims no address, and the owner of the asked one answers it. */
function arpRequest(asking: Asking, target: Buffer): Buffer {
  const body = Buffer.alloc(46);
  body.writeUInt16BE(1, 0);
  body.writeUInt16BE(0x0800, 2);
  body.writeUInt8(6, 4);
  body.writeUInt8(4, 5);
  body.writeUInt16BE(1, 6);
  asking.from.copy(body, 8);
  target.copy(body, 24);
  return Buffer.concat([ethernet(asking, ETHERTYPE_ARP), body]);
}

/** RFC 4861 section 4.3, with the source link-layer address, so that the answer needs no question of its own. */
function neighbourSolicitation(asking: Asking, target: Buffer): Buffer {
  const own = asking.from;
  const source = linkLocal(own);
  const icmp = Buffer.alloc(32);
  icmp.writeUInt8(NEIGHBOUR_SOLICITATION, 0);
  target.copy(icmp, 8);
  icmp.writeUInt8(1, 24);
  icmp.writeUInt8(1, 25);
  own.copy(icmp, 26);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(icmp.length, 0);
  pseudo.writeUInt8(ICMPV6, 7);
  icmp.writeUInt16BE(internetChecksum(source, target, pseudo, icmp), 2);
  const ip = Buffer.alloc(40);
  ip.writeUInt8(0x60, 0);
  ip.writeUInt16BE(icmp.length, 4);
  ip.writeUInt8(ICMPV6, 6);
  ip.writeUInt8(HOP_LIMIT, 7);
  source.copy(ip, 8);
  target.copy(ip, 24);
  return Buffer.concat([ethernet(asking, ETHERTYPE_IPV6), ip, icmp]);
}

/**
 * Where no address is known, the one is tried that a guest makes of its MAC address.
 * @param vlan that the frames carry; 0 = untagged
 * @param from where the answer goes: six octets; default: the address by which the programs on a guest's own ports know an answer
 */
export function questions(mac: MacAddress, { ipv4, ipv6 }: AskedAddresses, vlan: number, from: Buffer = controlMac()): Buffer[] {
  const asking: Asking = { mac, vlan, from };
  const frames: Buffer[] = [];
  if (ipv4 !== null) frames.push(arpRequest(asking, ipv4));
  if (ipv6 !== null) frames.push(neighbourSolicitation(asking, ipv6));
  if (frames.length === 0) frames.push(neighbourSolicitation(asking, linkLocal(macBytes(mac))));
  return frames;
}
