/** The frame by which a guest shows that it transmits on a VF: switches learn from it, and the host's data plane follows it. Pure. */

const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_RARP = 0x8035;
const ETHERTYPE_VLAN = 0x8100;
const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;
const ARP_REQUEST = 1;
const RARP_REQUEST = 3;
/** Without the checksum; shorter frames are not Ethernet. */
const MIN_FRAME_BYTES = 60;

export interface Announcement {
  /** Six octets. */
  readonly mac: Buffer;
  /** Four octets, or null when the interface has no IPv4 address. */
  readonly ipv4: Buffer | null;
  /** 802.1Q id; 0 = untagged. */
  readonly vlan: number;
}

/**
 * A gratuitous ARP request (RFC 5944 section 4.6), or without an IPv4 address the reverse ARP request that hypervisors send
 * after a migration: it teaches bridges and no host answers it.
 */
export function announcementFrame({ mac, ipv4, vlan }: Announcement): Buffer {
  const header = Buffer.alloc(vlan === 0 ? 14 : 18);
  header.fill(0xff, 0, 6);
  mac.copy(header, 6);
  if (vlan !== 0) {
    header.writeUInt16BE(ETHERTYPE_VLAN, 12);
    header.writeUInt16BE(vlan, 14);
  }
  header.writeUInt16BE(ipv4 === null ? ETHERTYPE_RARP : ETHERTYPE_ARP, header.length - 2);
  const body = Buffer.alloc(28);
  body.writeUInt16BE(HARDWARE_ETHERNET, 0);
  body.writeUInt16BE(PROTOCOL_IPV4, 2);
  body.writeUInt8(6, 4);
  body.writeUInt8(4, 5);
  body.writeUInt16BE(ipv4 === null ? RARP_REQUEST : ARP_REQUEST, 6);
  mac.copy(body, 8);
  ipv4?.copy(body, 14);
  if (ipv4 === null) mac.copy(body, 18);
  ipv4?.copy(body, 24);
  const frame = Buffer.concat([header, body]);
  return Buffer.concat([frame, Buffer.alloc(Math.max(0, MIN_FRAME_BYTES - frame.length))]);
}
