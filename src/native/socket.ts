/** Sockets that Node cannot make itself: with a forced receive buffer, and raw ones. */
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

/** Largest frame that send() takes. */
const frameBytes = 65_536;
const macBytes = 6;

/** Sends whole Ethernet frames on any device of its network namespace; receives nothing. */
export class PacketSocket {
  #fd: number;
  readonly #frame = Buffer.alloc(frameBytes);
  readonly #target = Buffer.alloc(sockaddrLl.size);

  /** @param netns e.g. `/run/netns/NAME`; default: where the caller is. @throws NativeError EPERM without CAP_NET_RAW */
  constructor(netns?: string) {
    // Protocol 0: nothing is received.
    this.#fd = inNamespace(netns, () => check('socket', libc().socket(AddressFamily.PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), 'AF_PACKET'));
    this.#target.writeUInt16LE(AddressFamily.PACKET, sockaddrLl.at.sll_family);
    this.#target.writeUInt8(macBytes, sockaddrLl.at.sll_halen);
  }

  /**
   * @param frame from its destination MAC address on, without frame check sequence
   * @throws NativeError ENXIO or ENETDOWN when the device is gone or down, ENOBUFS or EAGAIN when it takes no more now
   */
  send(ifindex: number, frame: Buffer): void {
    if (this.#fd < 0) throw new Error('the packet socket is closed');
    if (frame.length > frameBytes) throw new RangeError(`a frame of ${frame.length} bytes`);
    frame.copy(this.#frame);
    this.#target.writeInt32LE(ifindex, sockaddrLl.at.sll_ifindex);
    check('sendto', libc().sendto(this.#fd, this.#frame, frame.length, MSG_DONTWAIT, this.#target, sockaddrLl.size), `ifindex ${ifindex}`);
  }

  close(): void {
    if (this.#fd < 0) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}
