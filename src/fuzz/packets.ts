/** What a frame carries: IPv4 and IPv6 with everything that may stand in them, ARP, neighbour discovery, control frames. */
import { ContractLimit } from '../../maps/generated/contract.js';
import { internetChecksum, onesSum } from '../core/checksum.js';
import { GUEST_MACS, IPV4, IPV6, L4_PORTS, UNSPECIFIED_IPV4, UNSPECIFIED_IPV6 } from './pools.js';
import type { Random } from './random.js';
import type { FrameWriter } from './writer.js';

/** One flow, from the side that began it. */
export interface Flow {
  readonly family: 4 | 6;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly fromPort: number;
  readonly toPort: number;
  readonly protocol: number;
}

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const ICMPV6 = 58;
const FRAGMENT = 44;
const ROUTING = 43;

export function anyFlow(random: Random): Flow {
  const family = random.chance(0.55) ? 4 : 6;
  const pool = family === 4 ? IPV4 : IPV6;
  const port = (): number => (random.chance(0.9) ? random.pick(L4_PORTS) : random.below(0x1_0000));
  return {
    family, from: random.pick(pool), to: random.pick(pool), fromPort: port(), toPort: port(),
    protocol: random.pick([TCP, TCP, UDP, UDP, UDP, SCTP]),
  };
}

export function reversed({ family, from, to, fromPort, toPort, protocol }: Flow): Flow {
  return { family, from: to, to: from, fromPort: toPort, toPort: fromPort, protocol };
}

/** Where the things are that a checksum is made of. */
interface Segment {
  readonly addressesAt: number;
  readonly addressBytes: number;
  readonly at: number;
  readonly protocol: number;
}

function writeChecksum(random: Random, writer: FrameWriter, segment: Segment, fieldAt: number): void {
  const { addressesAt, addressBytes, at, protocol } = segment;
  const length = writer.length - at;
  const addresses = writer.bytes.subarray(addressesAt, addressesAt + addressBytes);
  const pseudo = onesSum(addresses, Uint8Array.of(0, protocol, length >> 8, length));
  switch (random.weighted({ finished: 16, partial: 3, zero: 2, ones: 1, off: 1, any: 3 })) {
    case 'finished':
      writer.patch16(fieldAt, internetChecksum(Uint8Array.of(pseudo >> 8, pseudo), writer.bytes.subarray(at, writer.length)));
      break;
    case 'partial': writer.patch16(fieldAt, pseudo); break;
    case 'zero': writer.patch16(fieldAt, 0); break;
    case 'ones': writer.patch16(fieldAt, 0xffff); break;
    case 'off': writer.patch16(fieldAt, pseudo + random.pick([1, -1, 0x100])); break;
    case 'any': writer.patch16(fieldAt, random.word()); break;
  }
}

function writePayload(random: Random, writer: FrameWriter): void {
  const size = random.weighted({ none: 3, short: 8, mtu: 2, jumbo: 1 });
  const room = Math.max(0, 9100 - writer.length);
  const length = { none: 0, short: random.below(120), mtu: random.between(1300, 1500), jumbo: random.between(1500, 9100) }[size];
  writer.fill(Math.min(room, length), random.word());
}

/** Its header and what it carries. Returns nothing: the protocol says what is written, whatever was announced. */
function writeUpper(random: Random, writer: FrameWriter, flow: Flow, segment: Omit<Segment, 'at'>): void {
  const at = writer.length;
  const whole = { ...segment, at };
  switch (segment.protocol) {
    case TCP:
      writer.u16(flow.fromPort).u16(flow.toPort).u32(random.word()).u32(random.word()).u16(0x5010).u16(512).u16(0).u16(0);
      writePayload(random, writer);
      writeChecksum(random, writer, whole, at + 16);
      break;
    case UDP: {
      writer.u16(flow.fromPort).u16(flow.toPort).u16(0).u16(0);
      writePayload(random, writer);
      writer.patch16(at + 4, writer.length - at);
      writeChecksum(random, writer, whole, at + 6);
      break;
    }
    case SCTP: {
      const crc = random.chance(0.15) ? 0 : random.pick([1, 0x100, 0x1_0000, 0x100_0000, random.word()]);
      writer.u16(flow.fromPort).u16(flow.toPort).u32(random.word()).u32(crc);
      writePayload(random, writer);
      break;
    }
    case ICMPV6:
      writeNeighbour(random, writer);
      break;
    default:
      writer.u32(random.word()).u32(random.word());
      writePayload(random, writer);
  }
}

/** Neighbour discovery, MLD, echo. */
function writeNeighbour(random: Random, writer: FrameWriter): void {
  const type = random.pick([135, 135, 136, 136, 133, 134, 137, 143, 128, random.below(256)]);
  const target = random.chance(0.85) ? random.pick(IPV6) : UNSPECIFIED_IPV6;
  writer.u8(type).u8(0).u16(random.word()).u32(random.word()).put(target);
  if (random.chance(0.3)) writer.u8(type === 135 ? 1 : 2).u8(1).put(random.pick(GUEST_MACS));
}

/** Mostly the flow's own, so that flows are met again. */
function anyProtocol(random: Random, flow: Flow): number {
  if (random.chance(0.8)) return flow.protocol;
  return random.pick([1, 2, 4, 41, 47, 50, 51, ICMPV6, 59, FRAGMENT, 0, 60, ROUTING, 135, 253, TCP, UDP, SCTP, random.below(256)]);
}

/** A length that is true, or a lie. */
function told(random: Random, length: number): number {
  return random.chance(0.93) ? length : random.pick([0, 1, 8, 20, length - 1, length + 1, 0xffff, random.word()]);
}

export function writeIpv4(random: Random, writer: FrameWriter, flow: Flow): void {
  const at = writer.length;
  const options = random.chance(0.15) ? random.between(1, 10) : 0;
  const protocol = anyProtocol(random, flow);
  const fragment = random.chance(0.1) ? random.pick([0x2000, 0x2001, 0x0001, 0x1fff, 0x3fff, random.word() & 0x3fff]) : 0;
  const flags = random.chance(0.5) ? 0x4000 : random.chance(0.1) ? 0x8000 : 0;
  const headerWords = random.chance(0.96) ? 5 + options : random.below(16);
  const version = random.chance(0.97) ? 4 : random.below(16);
  const unspecified = random.chance(0.04);
  writer.u8((version << 4) | headerWords).u8(0).u16(0).u16(random.word()).u16(flags | fragment).u8(64).u8(protocol).u16(0);
  writer.put(unspecified ? UNSPECIFIED_IPV4 : flow.from).put(flow.to).fill(options * 4, 1);
  writeUpper(random, writer, flow, { addressesAt: at + 12, addressBytes: 8, protocol });
  writer.patch16(at + 2, told(random, writer.length - at));
}

const EXTENSIONS: readonly number[] = [0, 60, ROUTING, 0, 60, ROUTING, FRAGMENT, 51, 135, 139];

export function writeIpv6(random: Random, writer: FrameWriter, flow: Flow): void {
  const at = writer.length;
  const version = random.chance(0.97) ? 6 : random.below(16);
  const count = random.chance(0.7) ? 0 : random.chance(0.8) ? random.between(1, 3) : random.between(4, 9);
  // Of those with a length; what cannot be stepped over ends the chain more often than not.
  const chain = Array.from({ length: count }, () => EXTENSIONS[random.below(random.chance(0.85) ? 6 : EXTENSIONS.length)]!);
  const protocol = random.chance(0.15) ? ICMPV6 : anyProtocol(random, flow);
  const unspecified = random.chance(0.06);
  writer.u8((version << 4) | (random.word() & 15)).u8(random.word()).u16(random.word()).u16(0).u8(chain[0] ?? protocol).u8(255);
  writer.put(unspecified ? UNSPECIFIED_IPV6 : flow.from).put(flow.to);
  for (const [i, header] of chain.entries()) writeExtension(random, writer, header, chain[i + 1] ?? protocol);
  writeUpper(random, writer, flow, { addressesAt: at + 8, addressBytes: 32, protocol });
  writer.patch16(at + 4, told(random, writer.length - at - 40));
}

function writeExtension(random: Random, writer: FrameWriter, header: number, next: number): void {
  if (header === FRAGMENT) {
    writer.u8(next).u8(0).u16(random.chance(0.5) ? 1 : random.word()).u32(random.word());
    return;
  }
  const units = random.chance(0.9) ? random.below(4) : random.pick([31, 128, 255]);
  const room = 9000 - writer.length;
  const written = Math.min(Math.max(0, room), units * 8 + 4);
  const routingType = random.pick([0, 2, 4]);
  const segmentsLeft = random.chance(0.4) ? random.between(1, 3) : 0;
  writer.u8(next).u8(units);
  if (header === ROUTING) writer.u8(routingType).u8(segmentsLeft);
  else writer.u8(1).u8(random.chance(0.1) ? 4 : 0);
  writer.fill(written, 0);
}

export function writeArp(random: Random, writer: FrameWriter, source: Uint8Array, family: readonly Uint8Array[] = IPV4): void {
  const odd = (usual: number, others: readonly number[]): number => (random.chance(0.95) ? usual : random.pick(others));
  const senderMac = random.chance(0.85) ? source : random.pick(GUEST_MACS);
  const sender = random.chance(0.1) ? UNSPECIFIED_IPV4 : random.pick(family);
  writer.u16(odd(1, [0, 6, 256])).u16(odd(0x0800, [0x86dd, 0x0806, 0])).u8(odd(6, [0, 4, 8])).u8(odd(4, [0, 6, 16]));
  writer.u16(random.between(1, 4));
  writer.put(senderMac).put(sender).put(random.pick(GUEST_MACS)).put(random.pick(family));
  if (random.chance(0.5)) writer.fill(18, 0);
}

export function writeControl(random: Random, writer: FrameWriter): void {
  const magic = random.chance(0.92) ? ContractLimit.CONTROL_MAGIC : random.pick([0, 0x5049_4e55, random.word()]);
  const command = random.chance(0.8) ? random.pick([2, 4]) : random.pick([0, 1, 3, 5, 255]);
  writer.u32(magic).u32(random.word()).u8(command).fill(39, random.chance(0.9) ? 0 : 0xff);
}
