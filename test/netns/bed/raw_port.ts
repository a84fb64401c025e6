/**
 * A port as bytes: frames are sent and seen exactly as they are on the wire, VLAN tags included. A tap is read and written itself;
 * the far end of a veth gets a tap beside it in a bridge of two ports that floods everything and learns nothing.
 */
import { writeFileSync } from 'node:fs';
import { closeFd, readNonBlocking, writeNonBlocking } from '../../../src/native/io.js';
import { inNetns } from '../../../src/native/netns.js';
import { openTap } from '../../../src/native/tap.js';
import { bridge, ip, setFeatures } from './commands.js';

/** Largest GSO frame and its virtio header. */
const BUFFER_BYTES = 70_000;
/** IFF_VNET_HDR: struct virtio_net_hdr, ten bytes without a count of buffers. */
const VIRTIO_HEADER_BYTES = 10;
const NEEDS_CSUM = 1;
const ETHERNET_HEADER = 14;

/** What a virtio guest leaves to its device. */
export interface Unfinished {
  /** From the start of the frame. */
  readonly checksumStart: number;
  /** From there. */
  readonly checksumOffset: number;
  /** Bytes of payload of each segment; 0 = one frame as it is. */
  readonly segment: number;
  readonly headerBytes: number;
  readonly kind: 'none' | 'tcp4' | 'tcp6';
}

const GSO_CODES = { none: 0, tcp4: 1, tcp6: 4 } as const;

function virtioHeader(unfinished: Unfinished | null): Buffer {
  const header = Buffer.alloc(VIRTIO_HEADER_BYTES);
  if (unfinished === null) return header;
  header.writeUInt8(NEEDS_CSUM, 0);
  header.writeUInt8(GSO_CODES[unfinished.kind], 1);
  header.writeUInt16LE(unfinished.headerBytes, 2);
  header.writeUInt16LE(unfinished.segment, 4);
  header.writeUInt16LE(unfinished.checksumStart, 6);
  header.writeUInt16LE(unfinished.checksumOffset, 8);
  return header;
}

export interface Arrived {
  readonly queue: number;
  readonly frame: Buffer;
  /** Of a tap whose reader takes aggregates: payload bytes of each frame that this one stands for; 0 = it is whole. */
  readonly segment: number;
  /** Likewise: the reader is to finish the checksum. */
  readonly partial: boolean;
}

/** No address, no neighbour discovery: only what the test sends is there. */
export function silence(netns: string): void {
  inNetns(`/run/netns/${netns}`, () => {
    for (const scope of ['all', 'default']) writeFileSync(`/proc/sys/net/ipv6/conf/${scope}/disable_ipv6`, '1');
  });
}

export class RawPort {
  readonly #fds: readonly number[];
  readonly #vnetHeader: boolean;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #arrived: Arrived[] = [];

  private constructor(fds: readonly number[], vnetHeader: boolean) {
    this.#fds = fds;
    this.#vnetHeader = vnetHeader;
  }

  /** Makes the tap; it goes with this process. `vnetHeader`: as QEMU opens it, so that frames can be left unfinished. */
  static tap(
    name: string, netns: string, options: { readonly queues?: number; readonly vnetHeader?: boolean; readonly aggregates?: boolean } = {},
  ): RawPort {
    const { queues = 1, vnetHeader = false, aggregates = false } = options;
    const open = () => openTap(name, { multiQueue: queues > 1, vnetHeader, aggregates, netns: `/run/netns/${netns}` });
    return new RawPort(Array.from({ length: queues }, open), vnetHeader);
  }

  /** Everything that arrives at a device of another namespace. The device gets another MAC address: to its own a bridge would listen. */
  static behind(device: string, netns: string): RawPort {
    const [hub, end] = [`hub-${device}`, `raw-${device}`];
    const port = RawPort.tap(end, netns);
    ip(netns, `link add ${hub} type bridge mcast_snooping 0 stp_state 0 group_fwd_mask 0xfff8`);
    ip(netns, `link set dev ${device} address 02:00:00:00:00:0f`);
    const mtu = /mtu (\d+)/.exec(ip(netns, `link show dev ${device}`))?.[1] ?? '1500';
    for (const each of [device, end]) {
      ip(netns, `link set dev ${each} mtu ${mtu} master ${hub} up`);
      bridge(netns, `link set dev ${each} learning off flood on`);
    }
    // Or the tag would travel beside the frame, where no XDP program sees it.
    setFeatures(netns, device, 'txvlan', 'off', 'gro', 'on');
    ip(netns, `link set dev ${hub} up`);
    return port;
  }

  /** @throws Error when the device does not take it now */
  send(frame: Buffer, unfinished: Unfinished | null = null, queue = 0): void {
    const bytes = this.#vnetHeader ? Buffer.concat([virtioHeader(unfinished), frame]) : frame;
    if (!writeNonBlocking(this.#fds[queue] ?? -1, bytes, bytes.length)) throw new Error(`no room for a frame of ${frame.length} bytes`);
  }

  /** Reads what is there; returns how many frames. */
  pump(): number {
    let count = 0;
    for (const [queue, fd] of this.#fds.entries()) {
      for (let length = readNonBlocking(fd, this.#buffer); length > 0; length = readNonBlocking(fd, this.#buffer)) {
        const start = this.#vnetHeader ? VIRTIO_HEADER_BYTES : 0;
        const [flags, kind] = this.#vnetHeader ? this.#buffer.subarray(0, 2) : [0, 0];
        const segment = kind === 0 ? 0 : this.#buffer.readUInt16LE(4);
        const frame = Buffer.from(this.#buffer.subarray(start, length));
        this.#arrived.push({ queue, frame, segment, partial: ((flags ?? 0) & NEEDS_CSUM) !== 0 });
        count++;
      }
    }
    return count;
  }

  /** All that was read since the last time. */
  take(): Arrived[] {
    const arrived = this.#arrived;
    this.#arrived = [];
    return arrived;
  }

  close(): void {
    for (const fd of this.#fds) closeFd(fd);
  }
}

/** The frame without its outer VLAN tag, and the tag; null when it has none. */
export function splitTag(frame: Buffer): { readonly tci: number | null; readonly rest: Buffer } {
  if (frame.readUInt16BE(ETHERNET_HEADER - 2) !== 0x8100) return { tci: null, rest: frame };
  return { tci: frame.readUInt16BE(ETHERNET_HEADER), rest: Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]) };
}
