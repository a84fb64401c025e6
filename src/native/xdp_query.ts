/** Asks a device which XDP program it runs. */
import { E } from './errno.js';
import { check, NativeError } from './errors.js';
import { libc } from './libc.js';
import { AddressFamily } from './sockaddr.js';

export interface AttachedXdp {
  readonly programId: number;
  readonly mode: 'native' | 'generic' | 'offload';
}

const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;

// linux/netlink.h, linux/rtnetlink.h, linux/if_link.h
const HEADER_BYTES = 16;
const IFINFO_BYTES = 16;
const NLMSG_ERROR = 2;
const RTM_GETLINK = 18;
const NLM_F_REQUEST = 1;
const IFLA_EXT_MASK = 29;
const IFLA_XDP = 43;
const IFLA_XDP_ATTACHED = 2;
const IFLA_XDP_PROG_ID = 4;
const IFLA_XDP_DRV_PROG_ID = 5;
const IFLA_XDP_SKB_PROG_ID = 6;
/** No statistics, and no list of VFs: answers stay small. */
const RTEXT_FILTER_SKIP_STATS = 8;
const ATTRIBUTE_TYPE = 0x3fff;

const MODES = [null, 'native', 'generic', 'offload'] as const;
/** Programs in more than one mode. */
const XDP_ATTACHED_MULTI = 4;

const answerBytes = 32_768;

/** An attribute's value, among those of `bytes` from `offset` on. */
function findAttribute(bytes: Buffer, type: number, offset = 0): Buffer | null {
  for (let at = offset; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4) return null;
    if ((bytes.readUInt16LE(at + 2) & ATTRIBUTE_TYPE) === type) return bytes.subarray(at + 4, at + length);
    at += (length + 3) & ~3;
  }
  return null;
}

function makeRequest(ifindex: number): Buffer {
  const request = Buffer.alloc(HEADER_BYTES + IFINFO_BYTES + 8);
  request.writeUInt32LE(request.length, 0);
  request.writeUInt16LE(RTM_GETLINK, 4);
  request.writeUInt16LE(NLM_F_REQUEST, 6);
  request.writeInt32LE(ifindex, HEADER_BYTES + 4);
  request.writeUInt16LE(8, HEADER_BYTES + IFINFO_BYTES);
  request.writeUInt16LE(IFLA_EXT_MASK, HEADER_BYTES + IFINFO_BYTES + 2);
  request.writeUInt32LE(RTEXT_FILTER_SKIP_STATS, HEADER_BYTES + IFINFO_BYTES + 4);
  return request;
}

/** The kernel answers while it takes the request, so nothing is waited for. */
function ask(ifindex: number): Buffer {
  const what = `ifindex ${ifindex}`;
  const fd = check('socket', libc().socket(AddressFamily.NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), 'AF_NETLINK');
  try {
    const [request, answer] = [makeRequest(ifindex), Buffer.alloc(answerBytes)];
    check('write', libc().write(fd, request, request.length), what);
    return answer.subarray(0, check('read', libc().read(fd, answer, answer.length), what));
  } finally {
    libc().close(fd);
  }
}

/**
 * The program of a device in the calling thread's network namespace, or null when it has none or there is no such device. A
 * native one is named before a generic one. (libbpf's bpf_xdp_query() has the kernel list every device to find one: a second per
 * fifty devices when each is asked about.)
 */
export function queryXdp(ifindex: number): AttachedXdp | null {
  if (ifindex === 0) return null; // which the kernel would call invalid
  const answer = ask(ifindex);
  if (answer.readUInt16LE(4) === NLMSG_ERROR) {
    const errno = -answer.readInt32LE(HEADER_BYTES);
    if (errno === E.NODEV) return null;
    throw new NativeError('RTM_GETLINK', errno, `ifindex ${ifindex}`);
  }
  const xdp = findAttribute(answer.subarray(0, answer.readUInt32LE(0)), IFLA_XDP, HEADER_BYTES + IFINFO_BYTES);
  const attached = xdp === null ? 0 : (findAttribute(xdp, IFLA_XDP_ATTACHED)?.[0] ?? 0);
  if (xdp === null || attached === 0) return null;
  const idOf = (type: number): number => findAttribute(xdp, type)?.readUInt32LE() ?? 0;
  if (attached === XDP_ATTACHED_MULTI) {
    const native = idOf(IFLA_XDP_DRV_PROG_ID);
    return native > 0 ? { programId: native, mode: 'native' } : { programId: idOf(IFLA_XDP_SKB_PROG_ID), mode: 'generic' };
  }
  return { programId: idOf(IFLA_XDP_PROG_ID), mode: MODES[attached] ?? 'native' };
}
