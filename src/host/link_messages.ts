/** The rtnetlink request for every link, and what is read of its answer. Pure. */
import type { ObservedLink } from '../core/model.js';
import { bytesOfU32, readAttributes, readNumber, readText, readU16, readU32, writeAttribute } from './netlink_messages.js';

export const RTM_NEWLINK = 16;
export const RTM_GETLINK = 18;

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
const IFLA_BR_VLAN_DEFAULT_PVID = 39;
const IFLA_XDP_ATTACHED = 2;
const IFLA_XDP_PROG_ID = 4;
const IFLA_XDP_DRV_PROG_ID = 5;
const IFLA_XDP_SKB_PROG_ID = 6;
const XDP_ATTACHED_NONE = 0;
const XDP_ATTACHED_DRV = 1;
const XDP_ATTACHED_SKB = 2;
const XDP_ATTACHED_MULTI = 4;
/** No statistics; and by leaving out RTEXT_FILTER_VF no list of VFs, which some drivers take milliseconds to make. */
const RTEXT_FILTER_SKIP_STATS = 8;

/** Payload of the RTM_GETLINK that asks for every link of the network namespace. */
export function linkDumpPayload(): Buffer {
  return Buffer.concat([Buffer.alloc(IFINFOMSG_SIZE), writeAttribute(IFLA_EXT_MASK, bytesOfU32(RTEXT_FILTER_SKIP_STATS))]);
}

/** The same for one link. */
export function linkPayload(ifindex: number): Buffer {
  const payload = linkDumpPayload();
  bytesOfU32(ifindex).copy(payload, 4);
  return payload;
}

/** What rtnetlink says of a link; what it takes is asked elsewhere. */
export type DumpedLink = Omit<ObservedLink, 'xdpFeatures' | 'takesRedirects' | 'tellsHash' | 'takesAggregates'>;

function readXdp(buf: Buffer | undefined): ObservedLink['xdp'] {
  if (buf === undefined) return null;
  const attributes = readAttributes(buf);
  const attached = attributes.get(IFLA_XDP_ATTACHED)?.[0] ?? XDP_ATTACHED_NONE;
  if (attached === XDP_ATTACHED_NONE) return null;
  if (attached === XDP_ATTACHED_MULTI) {
    // In more than one mode; the one in the driver sees the frame first.
    const driver = readNumber(attributes.get(IFLA_XDP_DRV_PROG_ID));
    if (driver !== null) return { mode: 'native', programId: driver };
    return { mode: 'generic', programId: readNumber(attributes.get(IFLA_XDP_SKB_PROG_ID)) ?? 0 };
  }
  const mode = attached === XDP_ATTACHED_DRV ? 'native' : attached === XDP_ATTACHED_SKB ? 'generic' : 'offload';
  return { mode, programId: readNumber(attributes.get(IFLA_XDP_PROG_ID)) ?? 0 };
}

/**
 * Queues that a redirected frame can reach. For a tap the allocated number (256 when multi-queue) says nothing:
 * tun_xdp_xmit() spreads over the queues that someone has opened and enabled.
 */
function tapQueues(data: ReadonlyMap<number, Buffer>): number {
  const multiQueue = (data.get(IFLA_TUN_MULTI_QUEUE)?.[0] ?? 0) !== 0;
  return multiQueue ? (readNumber(data.get(IFLA_TUN_NUM_QUEUES)) ?? 0) : 1;
}

function readVlanFiltering(data: ReadonlyMap<number, Buffer>): ObservedLink['vlanFiltering'] {
  if ((data.get(IFLA_BR_VLAN_FILTERING)?.[0] ?? 0) === 0) return null;
  const pvid = data.get(IFLA_BR_VLAN_DEFAULT_PVID);
  return { defaultPvid: pvid === undefined || pvid.length < 2 ? 0 : readU16(pvid, 0) };
}

/**
 * Reads the payload of an RTM_NEWLINK; null when it names no link. Of a device that is no tap the queues are those allocated:
 * the kernel has the number in use only for ethtool, see channel_messages.ts. @throws RangeError when malformed.
 */
export function readLink(payload: Buffer): DumpedLink | null {
  if (payload.length < IFINFOMSG_SIZE) throw new RangeError(`link message of ${payload.length} bytes`);
  const ifindex = readU32(payload, 4);
  const flags = readU32(payload, 8);
  const attributes = readAttributes(payload.subarray(IFINFOMSG_SIZE));
  const name = readText(attributes.get(IFLA_IFNAME));
  if (name === null) return null;
  const info = readAttributes(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0));
  const kind = readText(info.get(IFLA_INFO_KIND));
  const data = readAttributes(info.get(IFLA_INFO_DATA) ?? Buffer.alloc(0));
  return {
    ifindex,
    name,
    mac: [...(attributes.get(IFLA_ADDRESS) ?? [])].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    mtu: readNumber(attributes.get(IFLA_MTU)) ?? 0,
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    master: readNumber(attributes.get(IFLA_MASTER)),
    kind,
    rxQueues: kind === 'tun' ? tapQueues(data) : (readNumber(attributes.get(IFLA_NUM_RX_QUEUES)) ?? 1),
    txQueues: kind === 'tun' ? tapQueues(data) : (readNumber(attributes.get(IFLA_NUM_TX_QUEUES)) ?? 1),
    xdp: readXdp(attributes.get(IFLA_XDP)),
    vlanFiltering: kind === 'bridge' ? readVlanFiltering(data) : null,
  };
}
