/** The hashes of the model: against the published vectors and definitions, not against the programs. */
import test from 'ava';
import fc from 'fast-check';
import type { HashType } from '../../../../maps/generated/contract.js';
import { parseEthernet } from '../../../../src/core/packet/ethernet.js';
import { flowHash } from '../../../../src/core/packet/flow_hash.js';
import { type Packet, parsePacket } from '../../../../src/core/packet/ip.js';
import { hashedFields, rssHash } from '../../../../src/core/packet/rss.js';
import { frame, type FrameBuilder, IpProtocol } from '../../../support/packet_builder.js';
import { rssVectorKey, rssVectors } from '../../../support/rss_vectors.js';
import { MAC } from './state.js';

const DEFAULT = 0x77 as HashType;
const ethernet = frame().ethernet({ from: MAC.station, to: MAC.g1 });
const ipOf = (bytes: Uint8Array): string =>
  bytes.length === 4 ? bytes.join('.') : Buffer.from(bytes).toString('hex').match(/.{4}/g)!.join(':');

function parsed(builder: FrameBuilder): { readonly bytes: Uint8Array; readonly packet: Packet } {
  const bytes = builder.build();
  return { bytes, packet: parsePacket(parseEthernet(bytes, bytes.length)!) };
}

function hash(builder: FrameBuilder, types: HashType = DEFAULT): number {
  const { bytes, packet } = parsed(builder);
  return rssHash(bytes, packet, types, rssVectorKey);
}

for (const { title, source, destination, sourcePort, destinationPort, hash2Tuple, hash4Tuple } of rssVectors) {
  const isV4 = source.length === 4;
  const ip = ethernet.ip(ipOf(source), ipOf(destination));
  test(`published vector: ${title}`, (t) => {
    t.is(hash(ip.tcp(sourcePort, destinationPort)), hash4Tuple);
    t.is(hash(ip.udp(sourcePort, destinationPort)), hash4Tuple);
    t.is(hash(isV4 ? ip.echo() : ip.echoV6()), hash2Tuple);
  });

  test(`published vector, by hash types: ${title}`, (t) => {
    const [addresses, tcp, udp] = (isV4 ? [0x01, 0x02, 0x04] : [0x10, 0x20, 0x40]) as [number, number, number];
    const of = (bits: number, builder: FrameBuilder): number => hash(builder, bits as HashType);
    const [tcpFrame, udpFrame] = [ip.tcp(sourcePort, destinationPort), ip.udp(sourcePort, destinationPort)];
    t.is(of(tcp, tcpFrame), hash4Tuple);
    t.is(of(tcp, udpFrame), 0, 'neither UDP nor addresses');
    t.is(of(udp | addresses, tcpFrame), hash2Tuple, 'TCP falls back to addresses');
    t.is(of(0, tcpFrame), 0);
    t.is(of(0xff ^ (addresses | tcp | udp), tcpFrame), 0, 'the other family\'s bits and SCTP');
  });
}

test('a fragment has no ports, the first one too', (t) => {
  const [from, to] = ['192.0.2.1', '192.0.2.2'];
  const first = ethernet.ipv4({ from, to, fragment: { offset: 0, more: true } }).udp(1, 2);
  const last = ethernet.ipv4({ from, to, fragment: { offset: 8, more: false }, protocol: IpProtocol.udp }).payload('12345678');
  const whole = ethernet.ipv4({ from, to }).echo();
  t.is(hash(first), hash(whole));
  t.is(hash(last), hash(whole));
  t.is(hashedFields(parsed(first).packet, DEFAULT), 'addresses');
});

test('ports are found behind extension headers, as NICs find them', (t) => {
  const ip = ethernet.ip('2001:db8::1', '2001:db8::2');
  t.is(hash(ip.hopByHop().udp(7, 8)), hash(ip.udp(7, 8)));
});

test('what is not IP has hash 0', (t) => {
  t.is(hash(ethernet.arp({ senderMac: MAC.station, sender: '192.0.2.1', target: '192.0.2.2' })), 0);
});

const port = fc.integer({ min: 0, max: 65535 });
const anySeed = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const pairOf = (length: number) => fc.tuple(...[0, 1].map(() => fc.uint8Array({ minLength: length, maxLength: length }).map(ipOf)));

test('the flow hash is the same for both directions of a flow once one is turned round', (t) => {
  fc.assert(fc.property(fc.oneof(pairOf(4), pairOf(16)), port, port, anySeed, fc.boolean(), ([a, b], p, q, seed, isTcp) => {
    const make = (from: string, to: string, fromPort: number, toPort: number): FrameBuilder =>
      isTcp ? ethernet.ip(from, to).tcp(fromPort, toPort) : ethernet.ip(from, to).udp(fromPort, toPort);
    const there = parsed(make(a!, b!, p, q));
    const back = parsed(make(b!, a!, q, p));
    t.deepEqual(flowHash(there.bytes, there.packet, seed, false), flowHash(back.bytes, back.packet, seed, true));
  }), { numRuns: 300 });
});

test('the flow hash tells protocols, directions and ports apart', (t) => {
  const ip = ethernet.ip('192.0.2.1', '192.0.2.2');
  const hashes = [ip.tcp(1, 2), ip.udp(1, 2), ip.udp(2, 1), ip.udp(1, 3)].map((builder) => {
    const { bytes, packet } = parsed(builder);
    const { low, high } = flowHash(bytes, packet, 1n, false);
    return `${high} ${low}`;
  });
  t.is(new Set(hashes).size, 4);
});
