/** Netlink framing: message headers, nested attributes; the link request and what is read of its answer. Pure. */
import { endianness } from 'node:os';
import type { ObservedLink } from '../core/model.js';

const LITTLE = endianness() === 'LE';
const u16 = (buf: Buffer, at: number): number => (LITTLE ? buf.readUInt16LE(at) : buf.readUInt16BE(at));
const u32 = (buf: Buffer, at: number): number => (LITTLE ? buf.readUInt32LE(at) : buf.readUInt32BE(at));
const i32 = (buf: Buffer, at: number): number => u32(buf, at) | 0;
const put16 = (buf: Buffer, value: number, at: number): number => (LITTLE ? buf.writeUInt16LE(value, at) : buf.writeUInt16BE(value, at));
const put32 = (buf: Buffer, value: number, at: number): number => (LITTLE ? buf.writeUInt32LE(value, at) : buf.writeUInt32BE(value, at));

const HEADER_SIZE = 16;
const ATTRIBUTE_HEADER_SIZE = 4;
const align4 = (length: number): number => (length + 3) & ~3;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;

const NLM_F_REQUEST = 0x1;
const NLM_F_DUMP = 0x300;
/** The list changed while it was being read: it may lack or repeat entries. */
export const NLM_F_DUMP_INTR = 0x10;

const IFINFOMSG_SIZE = 16;
const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_EXT_MASK = 29;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const IFLA_XDP = 43;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_TUN_MULTI_QUEUE = 7;
const IFLA_TUN_NUM_QUEUES = 8;
const IFLA_BR_VLAN_FILTERING = 7;
const IFLA_XDP_ATTACHED = 2;
const IFLA_XDP_PROG_ID = 4;
const IFLA_XDP_DRV_PROG_ID = 5;
/** No statistics; and by leaving out RTEXT_FILTER_VF no list of VFs, which some drivers take milliseconds to make. */
const RTEXT_FILTER_SKIP_STATS = 8;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

/** Splits a datagram. @throws RangeError when a length does not fit. */
export function* splitMessages(datagram: Buffer): Generator<NetlinkMessage> {
  let offset = 0;
  while (offset + HEADER_SIZE <= datagram.length) {
    const length = u32(datagram, offset);
    if (length < HEADER_SIZE || offset + length > datagram.length) throw new RangeError(`netlink message of ${length} bytes at ${offset}`);
    yield {
      type: u16(datagram, offset + 4),
      flags: u16(datagram, offset + 6),
      sequence: u32(datagram, offset + 8),
      payload: datagram.subarray(offset + HEADER_SIZE, offset + length),
    };
    offset += align4(length);
  }
}

/** Attributes by type, the nested flag removed. A repeated type keeps its last. @throws RangeError when a length does not fit. */
export function readAttributes(buf: Buffer): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  let offset = 0;
  while (offset + ATTRIBUTE_HEADER_SIZE <= buf.length) {
    const length = u16(buf, offset);
    if (length < ATTRIBUTE_HEADER_SIZE || offset + length > buf.length) throw new RangeError(`netlink attribute of ${length} bytes at ${offset}`);
    attributes.set(u16(buf, offset + 2) & 0x3fff, buf.subarray(offset + ATTRIBUTE_HEADER_SIZE, offset + length));
    offset += align4(length);
  }
  return attributes;
}

/** Error number of an NLMSG_ERROR or NLMSG_DONE: 0 or a positive errno. */
export function messageErrno(message: NetlinkMessage): number {
  return message.payload.length >= 4 ? -i32(message.payload, 0) : 0;
}

/** Request for every link of the network namespace. */
export function linkDumpRequest(sequence: number): Buffer {
  const request = Buffer.alloc(HEADER_SIZE + IFINFOMSG_SIZE + ATTRIBUTE_HEADER_SIZE + 4);
  put32(request, request.length, 0);
  put16(request, RTM_GETLINK, 4);
  put16(request, NLM_F_REQUEST | NLM_F_DUMP, 6);
  put32(request, sequence, 8);
  const attribute = HEADER_SIZE + IFINFOMSG_SIZE;
  put16(request, ATTRIBUTE_HEADER_SIZE + 4, attribute);
  put16(request, IFLA_EXT_MASK, attribute + 2);
  put32(request, RTEXT_FILTER_SKIP_STATS, attribute + ATTRIBUTE_HEADER_SIZE);
  return request;
}

/** A link, and for a bridge whether it looks at VLAN tags. */
export interface DumpedLink {
  readonly link: ObservedLink;
  readonly vlanFiltering: boolean;
}

const text = (buf: Buffer | undefined): string | null => (buf === undefined ? null : buf.toString('utf8').replace(/\0.*$/s, ''));
const number = (buf: Buffer | undefined): number | null => (buf === undefined || buf.length < 4 ? null : u32(buf, 0));

function readXdp(buf: Buffer | undefined): ObservedLink['xdp'] {
  if (buf === undefined) return null;
  const attributes = readAttributes(buf);
  const attached = attributes.get(IFLA_XDP_ATTACHED)?.[0] ?? 0;
  switch (attached) {
    case 0:
      return null;
    case 4: {
      // Several at once; the one in the driver sees the frame first.
      const driver = number(attributes.get(IFLA_XDP_DRV_PROG_ID));
      if (driver !== null) return { mode: 'native', programId: driver };
      return { mode: 'offload', programId: number(attributes.get(IFLA_XDP_PROG_ID)) ?? 0 };
    }
    default:
      return {
        mode: attached === 1 ? 'native' : attached === 2 ? 'generic' : 'offload',
        programId: number(attributes.get(IFLA_XDP_PROG_ID)) ?? 0,
      };
  }
}

/**
 * Queues that a redirected frame can reach. For a tap the allocated number (256 when multi-queue) says nothing:
 * tun_xdp_xmit() spreads over the queues that someone has opened and enabled.
 */
function tapQueues(data: ReadonlyMap<number, Buffer>): number {
  const multiQueue = (data.get(IFLA_TUN_MULTI_QUEUE)?.[0] ?? 0) !== 0;
  return multiQueue ? (number(data.get(IFLA_TUN_NUM_QUEUES)) ?? 0) : 1;
}

/** Reads the payload of an RTM_NEWLINK. null: a message that is not about a link itself. @throws RangeError when malformed. */
export function readLink(payload: Buffer): DumpedLink | null {
  if (payload.length < IFINFOMSG_SIZE) throw new RangeError(`link message of ${payload.length} bytes`);
  const ifindex = i32(payload, 4);
  const flags = u32(payload, 8);
  const attributes = readAttributes(payload.subarray(IFINFOMSG_SIZE));
  const name = text(attributes.get(IFLA_IFNAME));
  if (name === null) return null;
  const info = readAttributes(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0));
  const kind = text(info.get(IFLA_INFO_KIND));
  const data = kind === 'tun' || kind === 'bridge' ? readAttributes(info.get(IFLA_INFO_DATA) ?? Buffer.alloc(0)) : new Map<number, Buffer>();
  return {
    link: {
      ifindex,
      name,
      mac: [...(attributes.get(IFLA_ADDRESS) ?? [])].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
      mtu: number(attributes.get(IFLA_MTU)) ?? 0,
      up: (flags & IFF_UP) !== 0,
      carrier: (flags & IFF_LOWER_UP) !== 0,
      master: number(attributes.get(IFLA_MASTER)),
      kind,
      rxQueues: kind === 'tun' ? tapQueues(data) : (number(attributes.get(IFLA_NUM_RX_QUEUES)) ?? 1),
      txQueues: kind === 'tun' ? tapQueues(data) : (number(attributes.get(IFLA_NUM_TX_QUEUES)) ?? 1),
      xdp: readXdp(attributes.get(IFLA_XDP)),
    },
    vlanFiltering: kind === 'bridge' && (data.get(IFLA_BR_VLAN_FILTERING)?.[0] ?? 0) !== 0,
  };
}
