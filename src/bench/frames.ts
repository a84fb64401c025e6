/** The frames that the bench sends, and where in them a flow shows. UDP ones have 64 bytes with the 4 of the frame check sequence. */
import { internetChecksum } from '../core/checksum.js';

/** Varied by bench.bpf.c, which has the same numbers. */
const PORT = { from: 4096, to: 53 } as const;
const V4 = { from: Buffer.from([192, 0, 16, 0]), to: Buffer.from([192, 0, 2, 1]) } as const;
const V6 = {
  from: Buffer.from('20010db8000000000000000000100000', 'hex'),
  to: Buffer.from('20010db8000000000000000000000001', 'hex'),
} as const;
const SMALLEST = 60;
/**
 * Any finished checksum: what a VF delivers is not checked on the way. It is the pseudo-header sum of no flow, which would mean "not
 * finished".
 */
export const CHECKSUM = 0x1db1;
/** Outer and inner. */
export const VLANS = [100, 200] as const;
/** Flows of one vNIC that can be told apart. */
export const FLOWS_PER_VNIC = 4096;

const ETHERTYPE = { v4: 0x0800, v6: 0x86dd, customer: 0x8100, service: 0x88a8 } as const;
const PROTOCOL = { hopByHop: 0, tcp: 6, udp: 17, routing: 43, destination: 60 } as const;

export interface Shape {
  readonly version: 4 | 6;
  readonly l4: 'udp' | 'tcp';
  /** VLAN tags. */
  readonly tags?: 0 | 1 | 2;
  /** Bytes of IPv4 options, a multiple of 4. */
  readonly options?: number;
  /** IPv6 extension headers of 8 bytes. */
  readonly extensions?: number;
  /** The first fragment of a datagram: it has ports, but they may not be used. IPv4 only. */
  readonly fragment?: boolean;
}

export interface Macs {
  readonly from: Buffer;
  readonly to: Buffer;
}

export interface BenchFrame {
  readonly bytes: Buffer;
  /** Offsets of what bench.bpf.c changes: last two bytes of the vNIC's MAC address, last four of the station's address, ports. */
  readonly macAt: number;
  readonly addressAt: number;
  readonly portsAt: number;
  /** Last four bytes of the station's address in flow 0, host order. */
  readonly address: number;
  /** Sent by the vNIC. */
  readonly reply: boolean;
}

function segment(l4: 'udp' | 'tcp', from: number, to: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt16BE(from, 0);
  bytes.writeUInt16BE(to, 2);
  if (l4 === 'udp') {
    bytes.writeUInt16BE(length, 4);
    bytes.writeUInt16BE(CHECKSUM, 6);
  } else {
    bytes.writeUInt16BE(0x5010, 12); // five words of header, ACK
    bytes.writeUInt16BE(CHECKSUM, 16);
  }
  return bytes;
}

function ethernet({ from, to }: Macs, tags: number, type: number): Buffer {
  const types = tags === 2 ? [ETHERTYPE.service, ETHERTYPE.customer] : tags === 1 ? [ETHERTYPE.customer] : [];
  const header = Buffer.alloc(14 + 4 * tags);
  to.copy(header, 0);
  from.copy(header, 6);
  types.forEach((tag, i) => {
    header.writeUInt16BE(tag, 12 + 4 * i);
    header.writeUInt16BE(VLANS[i] ?? 0, 14 + 4 * i);
  });
  header.writeUInt16BE(type, 12 + 4 * tags);
  return header;
}

/**
 * Hop-by-hop options first, then destination options and a routing header with nothing left to visit. RFC 8200 recommends an order,
 * and section 4.1 has nodes accept any.
 */
function extensionTypes(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? PROTOCOL.hopByHop : i === 2 ? PROTOCOL.routing : PROTOCOL.destination));
}

function ipv6(from: Buffer, to: Buffer, protocol: number, extensions: number, payload: Buffer): Buffer {
  const types = extensionTypes(extensions);
  const headers = types.map((type, i) => {
    const next = types[i + 1] ?? protocol;
    // PadN over the rest; a routing header of a type that nobody knows, with no segments left, is skipped.
    return type === PROTOCOL.routing ? Buffer.from([next, 0, 253, 0, 0, 0, 0, 0]) : Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]);
  });
  const length = headers.length * 8 + payload.length;
  const header = Buffer.from([0x60, 0, 0, 0, length >> 8, length & 0xff, types[0] ?? protocol, 64, ...from, ...to]);
  return Buffer.concat([header, ...headers, payload]);
}

function ipv4(from: Buffer, to: Buffer, protocol: number, options: number, fragment: boolean, payload: Buffer): Buffer {
  const header = Buffer.alloc(20 + options, 1); // options: no operation
  header.set([0x45 + options / 4, 0, 0, 0, 0, 0, fragment ? 0x20 : 0, 0, 64, protocol, 0, 0, ...from, ...to]);
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, payload]);
}

/**
 * @param flow 0..4095: of the station's address and port
 * @param reply what the vNIC sends on that flow
 */
export function benchFrame(mac: Macs, shape: Shape, flow = 0, reply = false): BenchFrame {
  const { version, l4, tags = 0, options = 0, extensions = 0, fragment = false } = shape;
  const addresses = version === 4 ? V4 : V6;
  const station = Buffer.from(addresses.from);
  const address = station.readUInt32BE(station.length - 4);
  station.writeUInt32BE(address + flow, station.length - 4);
  const [from, to] = reply ? [addresses.to, station] : [station, addresses.to];
  const [fromPort, toPort] = reply ? [PORT.to, PORT.from + flow] : [PORT.from + flow, PORT.to];
  const link = ethernet(mac, tags, version === 4 ? ETHERTYPE.v4 : ETHERTYPE.v6);
  const network = version === 4 ? 20 + options : 40 + 8 * extensions;
  const least = l4 === 'tcp' ? 20 : 8;
  const payload = segment(l4, fromPort, toPort, l4 === 'tcp' ? least : Math.max(least, SMALLEST - link.length - network));
  const protocol = PROTOCOL[l4];
  const packet = version === 4 ? ipv4(from, to, protocol, options, fragment, payload) : ipv6(from, to, protocol, extensions, payload);
  const bytes = Buffer.concat([link, packet, Buffer.alloc(Math.max(0, SMALLEST - link.length - packet.length))]);
  const sourceEnd = link.length + (version === 4 ? 16 : 24);
  return {
    bytes, address, reply,
    macAt: (reply ? 6 : 0) + 4,
    addressAt: (reply ? sourceEnd + from.length : sourceEnd) - 4,
    portsAt: link.length + network,
  };
}
