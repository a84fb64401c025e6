/** Sockets that Node cannot make itself: with a forced receive buffer, and raw ones. */
import type { UnfinishedFrame } from '../core/packet/offload.js';
import { check } from './errors.js';
import { libc } from './libc.js';
import { inNetns } from './netns.js';
import { AddressFamily, encodeInternetAddress } from './sockaddr.js';
import { sockaddrLl } from './structs.js';

const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;

export interface UdpSocketOptions {
  /** IPv4 or IPv6 address of this host. */
  readonly address: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Beyond net.core.rmem_max; needs CAP_NET_ADMIN. The kernel doubles it for its own bookkeeping. */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes?: number;
  /** Where the socket lives: e.g. `/run/netns/NAME`. Default: where the caller is. */
  readonly netns?: string;
}

function setNumber(fd: number, option: number, value: number, name: string): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  check('setsockopt', libc().setsockopt(fd, SOL_SOCKET, option, bytes, bytes.length), name);
}

function inNamespace<T>(netns: string | undefined, call: () => T): T {
  return netns === undefined ? call() : inNetns(netns, call);
}

/**
 * A bound UDP socket. @returns its descriptor, for `dgram.createSocket(...).bind({ fd })`, which then owns it (and is
 *   listening when bind() returns)
 * @throws NativeError EADDRINUSE, EADDRNOTAVAIL, EPERM without CAP_NET_ADMIN
 */
export function openUdpSocket(options: UdpSocketOptions): number {
  const { family, bytes } = encodeInternetAddress(options.address, options.port);
  const what = `UDP ${options.address} port ${options.port}`;
  const fd = inNamespace(options.netns, () =>
    check('socket', libc().socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), what));
  try {
    setNumber(fd, SO_RCVBUFFORCE, options.receiveBufferBytes, what);
    if (options.sendBufferBytes !== undefined) setNumber(fd, SO_SNDBUFFORCE, options.sendBufferBytes, what);
    check('bind', libc().bind(fd, bytes, bytes.length), what);
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

// linux/if_packet.h
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const PACKET_QDISC_BYPASS = 20;

/** Largest frame that send() takes. */
const frameBytes = 66_048;
const macBytes = 6;
/** struct virtio_net_hdr (linux/virtio_net.h). */
const vnetHeaderBytes = 10;


const SEGMENT_KINDS = { tcp4: 1, tcp6: 4, udp: 5 } as const;
const NEEDS_CHECKSUM = 1;

/** Sends whole Ethernet frames on any device of its network namespace, past its queueing discipline; receives nothing. */
export class PacketSocket {
  #fd: number;
  /** The header comes first, then the frame. */
  readonly #frame = Buffer.alloc(vnetHeaderBytes + frameBytes);
  readonly #target = Buffer.alloc(sockaddrLl.size);

  /** @param netns e.g. `/run/netns/NAME`; default: where the caller is. @throws NativeError EPERM without CAP_NET_RAW */
  constructor(netns?: string) {
    // Protocol 0: nothing is received.
    this.#fd = inNamespace(netns, () => check('socket', libc().socket(AddressFamily.PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), 'AF_PACKET'));
    for (const option of [PACKET_VNET_HDR, PACKET_QDISC_BYPASS]) {
      const one = Buffer.from([1, 0, 0, 0]);
      check('setsockopt', libc().setsockopt(this.#fd, SOL_PACKET, option, one, one.length), 'AF_PACKET');
    }
    this.#target.writeUInt16LE(AddressFamily.PACKET, sockaddrLl.at.sll_family);
    this.#target.writeUInt8(macBytes, sockaddrLl.at.sll_halen);
  }

  /**
   * @param frame from its destination MAC address on, without frame check sequence
   * @param unfinished what the kernel or the device still does to it
   * @throws NativeError ENXIO or ENETDOWN when the device is gone or down, ENOBUFS or EAGAIN when it takes no more now
   */
  send(ifindex: number, frame: Uint8Array, unfinished: UnfinishedFrame | null = null): void {
    if (this.#fd < 0) throw new Error('the packet socket is closed');
    if (frame.length > frameBytes) throw new RangeError(`a frame of ${frame.length} bytes`);
    this.#writeHeader(unfinished);
    this.#frame.set(frame, vnetHeaderBytes);
    this.#target.writeInt32LE(ifindex, sockaddrLl.at.sll_ifindex);
    const length = vnetHeaderBytes + frame.length;
    check('sendto', libc().sendto(this.#fd, this.#frame, length, MSG_DONTWAIT, this.#target, sockaddrLl.size), `ifindex ${ifindex}`);
  }

  #writeHeader(unfinished: UnfinishedFrame | null): void {
    const header = this.#frame;
    header.fill(0, 0, vnetHeaderBytes);
    if (unfinished === null) return;
    const { checksumStart, checksumOffset, segment } = unfinished;
    header.writeUInt8(NEEDS_CHECKSUM, 0);
    header.writeUInt16LE(checksumStart, 6);
    header.writeUInt16LE(checksumOffset, 8);
    if (segment === null) return;
    header.writeUInt8(SEGMENT_KINDS[segment.kind], 1);
    header.writeUInt16LE(segment.headerBytes, 2);
    header.writeUInt16LE(segment.payloadBytes, 4);
  }

  close(): void {
    if (this.#fd < 0) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}
