/** The hashes as the packet programs compute them: against the published RSS vectors, and against the same in TypeScript. */
import { join } from 'node:path';
import fc from 'fast-check';
import test from 'ava';
import { HashType, hostMaps } from '../../maps/generated/contract.js';
import { encode, u32 } from '../../src/btf/codec.js';
import { rssInput2Tuple, rssInput4Tuple, toeplitzHash } from '../../src/core/toeplitz.js';
import { rssRow } from '../../src/dataplane/rss_table.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { BpfObject } from '../../src/native/object.js';
import { packageRoot } from '../../src/paths.js';
import { BROADCAST, frame, type FrameBuilder, IpProtocol } from '../support/packet_builder.js';
import { addressBytes } from '../support/packet_layers.js';
import { needs, testWith } from '../support/require.js';
import { rssVectorKey, rssVectors } from '../support/rss_vectors.js';
import { Bed, rises } from './bed/bed.js';
import { flowHash } from './bed/flow_hash.js';
import { accelerated } from './bed/given.js';
import { STATION, VNICS } from './bed/world.js';

const probePath = join(packageRoot, 'bpf', 'probe.bpf.o');
const hashTest = testWith(
  needs.root(), needs.tool('ip'), needs.file(probePath, 'bpf/probe.bpf.o (make -C bpf)'), onlineCpus().includes(1) ? null : 'CPU 1',
);

let probe: BpfObject;
let bed: Bed;
test.before(async () => {
  if (process.getuid?.() !== 0) return;
  probe = BpfObject.open(probePath);
  await probe.load();
  bed = await Bed.create();
});
test.after.always(() => {
  bed?.close();
  probe?.close();
});

function setKey(key: Uint8Array): void {
  probe.map('rss').set(encode(u32, 0), encode(hostMaps.rss.value, rssRow(key)));
}

function result(program: string, built: FrameBuilder): number {
  return probe.program(program).testRun({ data: built.build() }).verdict;
}

interface Tuple {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

const ethernet = frame().ethernet({ from: STATION, to: VNICS.g1.mac });
const groups = (bytes: Uint8Array): readonly string[] => Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? [];
const ipOf = (bytes: Uint8Array): string => (bytes.length === 4 ? bytes.join('.') : groups(bytes).join(':'));
const isV4 = (tuple: Tuple): boolean => tuple.source.includes('.');

function tcp(tuple: Tuple): FrameBuilder {
  return ethernet.ip(tuple.source, tuple.destination).tcp(tuple.sourcePort, tuple.destinationPort);
}

function udp(tuple: Tuple): FrameBuilder {
  return ethernet.ip(tuple.source, tuple.destination).udp(tuple.sourcePort, tuple.destinationPort);
}

/** Frames of which only the addresses are hashed. */
function portless(tuple: Tuple): FrameBuilder[] {
  const addresses = { from: tuple.source, to: tuple.destination };
  const first = { offset: 0, more: true };
  const last = { offset: 8, more: false };
  const middle = 'what stands where the ports would be';
  if (isV4(tuple)) {
    return [
      ethernet.ipv4(addresses).echo(),
      ethernet.ipv4({ ...addresses, fragment: first }).udp(tuple.sourcePort, tuple.destinationPort),
      ethernet.ipv4({ ...addresses, fragment: last, protocol: IpProtocol.tcp }).payload(middle),
      ethernet.ipv4({ ...addresses, protocol: IpProtocol.sctp }).payload(middle),
    ];
  }
  return [
    ethernet.ipv6(addresses).echoV6(),
    ethernet.ipv6({ ...addresses, fragment: first }).tcp(tuple.sourcePort, tuple.destinationPort),
    ethernet.ipv6({ ...addresses, fragment: last, protocol: IpProtocol.udp }).payload(middle),
    ethernet.ipv6(addresses).echoV6(),
    ethernet.ipv6({ ...addresses, protocol: IpProtocol.sctp }).payload(middle),
  ];
}

const vectors = rssVectors.map(({ title, source, destination, sourcePort, destinationPort, hash2Tuple, hash4Tuple }) => ({
  title, hash2Tuple, hash4Tuple, tuple: { source: ipOf(source), destination: ipOf(destination), sourcePort, destinationPort },
}));

test('there are the eight published vectors', (t) => {
  t.is(vectors.length, 8);
});

for (const { title, tuple, hash2Tuple, hash4Tuple } of vectors) {
  hashTest.serial(`published vector, all 32 bits: ${title}`, (t) => {
    setKey(rssVectorKey);
    t.is(result('probe_toeplitz', tcp(tuple)), hash4Tuple);
    t.is(result('probe_toeplitz', udp(tuple)), hash4Tuple);
    for (const built of portless(tuple)) t.is(result('probe_toeplitz', built), hash2Tuple);
  });

  // A setting of the RETA in which the queue is one bit of the bucket, for each of its seven bits.
  hashTest.serial(`published vector, bucket that steer_uplink takes: ${title}`, (t) => {
    for (const [built, hash] of [[tcp(tuple), hash4Tuple], [udp(tuple), hash4Tuple], [portless(tuple)[0]!, hash2Tuple]] as const) {
      let bucket = 0;
      for (let bit = 0; bit < 7; bit++) bucket |= queueOf(built, (index) => (index >> bit) & 1) << bit;
      t.is(bucket, hash & 127);
    }
  });
}

/** The queue that steer_uplink counts for a frame to g1 on its VF with two queues. */
function queueOf(built: FrameBuilder, reta: (bucket: number) => number): number {
  accelerated('g1')(bed);
  bed.setSteering('g1', 'vf', { queues: 2, reta });
  bed.forgetFlows();
  const before = bed.tallies();
  if (bed.run(built.build(), { on: 'pf0' }) !== 'redirect') throw new Error('not redirected');
  const risen = rises(before, bed.tallies());
  if (risen['g1 redirect_rss'] !== 1n) throw new Error('not by RSS');
  return risen['g1 vf queue 1'] === 1n ? 1 : 0;
}

const port = fc.integer({ min: 0, max: 65535 });
const address = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(ipOf);
const tupleOf = (bytes: number): fc.Arbitrary<Tuple> =>
  fc.record({ source: address(bytes), destination: address(bytes), sourcePort: port, destinationPort: port });
const anyTuple = fc.oneof(tupleOf(4), tupleOf(16));
const anyKey = fc.uint8Array({ minLength: 40, maxLength: 40 });

hashTest.serial('any key, any tuple: as the definition says', (t) => {
  fc.assert(fc.property(anyKey, anyTuple, (key, tuple) => {
    setKey(key);
    const [source, destination] = [addressBytes(tuple.source), addressBytes(tuple.destination)];
    const hash4 = toeplitzHash(key, rssInput4Tuple(source, destination, tuple.sourcePort, tuple.destinationPort));
    const hash2 = toeplitzHash(key, rssInput2Tuple(source, destination));
    t.is(result('probe_toeplitz', tcp(tuple)), hash4);
    t.is(result('probe_toeplitz', udp(tuple)), hash4);
    for (const built of portless(tuple)) t.is(result('probe_toeplitz', built), hash2);
  }), { numRuns: 200 });
});

const v4 = { from: '192.0.2.1', to: '192.0.2.2' };
const v6 = { from: '2001:db8::1', to: '2001:db8::2' };
const ipAt = 14;

/** Not IP, cut short, or lying about itself. */
const unreadable: readonly (readonly [title: string, built: FrameBuilder])[] = [
  ['ARP', frame().ethernet({ from: STATION, to: BROADCAST }).arp({ senderMac: STATION, sender: v4.from, target: v4.to })],
  ['nothing after Ethernet', ethernet.ipv4(v4).truncate(ipAt)],
  ['IPv4 one byte short', ethernet.ipv4(v4).truncate(ipAt + 19)],
  ['IPv6 one byte short', ethernet.ipv6(v6).truncate(ipAt + 39)],
  ['IPv4 of version 5', ethernet.ipv4({ ...v4, version: 5 }).udp(1, 2)],
  ['IPv4 with a header of 16 bytes', ethernet.ipv4({ ...v4, headerWords: 4 }).udp(1, 2)],
  ['IPv6 of version 4', ethernet.ipv6({ ...v6, version: 4 }).udp(1, 2)],
];

for (const [title, built] of unreadable) {
  hashTest.serial(`hash 0: ${title}`, (t) => {
    setKey(rssVectorKey);
    t.is(result('probe_toeplitz', built), 0);
  });
}

/** The addresses can be read, the ports cannot. */
const withoutPorts: readonly (readonly [title: string, built: FrameBuilder, addresses: { from: string; to: string }])[] = [
  ['UDP one byte short', ethernet.ipv4(v4).udp(1, 2).truncate(ipAt + 20 + 7), v4],
  ['TCP one byte short', ethernet.ipv6(v6).tcp(1, 2).truncate(ipAt + 40 + 19), v6],
  ['an IPv4 header longer than the frame', ethernet.ipv4({ ...v4, headerWords: 15 }).udp(1, 2), v4],
];

for (const [title, built, { from, to }] of withoutPorts) {
  hashTest.serial(`addresses alone: ${title}`, (t) => {
    setKey(rssVectorKey);
    t.is(result('probe_toeplitz', built), toeplitzHash(rssVectorKey, rssInput2Tuple(addressBytes(from), addressBytes(to))));
  });
}

hashTest.serial('behind IPv4 options the ports are found', (t) => {
  setKey(rssVectorKey);
  const input = rssInput4Tuple(addressBytes(v4.from), addressBytes(v4.to), 7, 8);
  t.is(result('probe_toeplitz', ethernet.ipv4({ ...v4, options: Buffer.alloc(40, 1) }).udp(7, 8)), toeplitzHash(rssVectorKey, input));
});

hashTest.serial('behind IPv6 extension headers the ports are found, up to six of them', (t) => {
  setKey(rssVectorKey);
  const hash4 = toeplitzHash(rssVectorKey, rssInput4Tuple(addressBytes(v6.from), addressBytes(v6.to), 7, 8));
  const hash2 = toeplitzHash(rssVectorKey, rssInput2Tuple(addressBytes(v6.from), addressBytes(v6.to)));
  const six = ethernet.ipv6(v6).hopByHop(16).destinationOptions().routing(0, 24).destinationOptions(2048).destinationOptions().hopByHop();
  t.is(result('probe_toeplitz', ethernet.ipv6(v6).hopByHop().udp(7, 8)), hash4);
  t.is(result('probe_toeplitz', six.udp(7, 8)), hash4);
  t.is(result('probe_toeplitz', six.tcp(7, 8)), hash4);
  t.is(result('probe_toeplitz', six.destinationOptions().udp(7, 8)), hash2, 'a seventh is one too many');
});

hashTest.serial('behind two VLAN tags, too; behind three there is no hash', (t) => {
  setKey(rssVectorKey);
  const hash = toeplitzHash(rssVectorKey, rssInput4Tuple(addressBytes(v4.from), addressBytes(v4.to), 7, 8));
  t.is(result('probe_toeplitz', ethernet.serviceVlan(5).vlan(6).ipv4(v4).udp(7, 8)), hash);
  t.is(result('probe_toeplitz', ethernet.vlan(4).vlan(5).vlan(6).ipv4(v4).udp(7, 8)), 0);
});

hashTest.serial('any RETA: the queue is the one of the bucket', (t) => {
  const anyReta = fc.uint8Array({ minLength: 128, maxLength: 128 });
  const manyTuples = fc.array(anyTuple, { minLength: 20, maxLength: 20 });
  fc.assert(fc.property(anyReta, manyTuples, (bytes, tuples) => {
    for (const tuple of tuples) {
      const input = rssInput4Tuple(addressBytes(tuple.source), addressBytes(tuple.destination), tuple.sourcePort, tuple.destinationPort);
      const expected = (bytes[toeplitzHash(rssVectorKey, input) & 127] ?? 0) & 1;
      t.is(queueOf(udp(tuple), (bucket) => (bytes[bucket] ?? 0) & 1), expected);
    }
  }), { numRuns: 10 });
});

hashTest.serial('the flow hash is the same from both sides, and the one of the TypeScript oracle', (t) => {
  fc.assert(fc.property(anyTuple, fc.constantFrom('tcp', 'udp'), (tuple, l4) => {
    const hash = flowHash({
      from: tuple.source, to: tuple.destination, fromPort: tuple.sourcePort, toPort: tuple.destinationPort, protocol: IpProtocol[l4],
    });
    const folded = Number((hash ^ (hash >> 32n)) & 0xffffffffn);
    const { source, destination, sourcePort, destinationPort } = tuple;
    const back = { source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort };
    const make = l4 === 'tcp' ? tcp : udp;
    t.is(result('probe_flow', make(tuple)), folded);
    t.is(result('probe_reverse', make(back)), folded);
  }), { numRuns: 300 });
});

hashTest.serial('a partial checksum is recognised, and nothing else is', (t) => {
  const payload = fc.uint8Array({ maxLength: 64 });
  fc.assert(fc.property(anyTuple, payload, fc.constantFrom('tcp', 'udp'), (tuple, bytes, l4) => {
    const ip = ethernet.ip(tuple.source, tuple.destination);
    const make = (builder: FrameBuilder): FrameBuilder => builder[l4](tuple.sourcePort, tuple.destinationPort).payload(bytes);
    t.is(result('probe_partial', make(ip.partialChecksum())), 1);
    // One finished checksum in 65535 looks partial, and a UDP tunnel may carry one; such a frame only takes the slower way.
    const looksPartial = make(ip).build().equals(make(ip.partialChecksum()).build());
    const isTunnel = l4 === 'udp' && [4789, 8472, 6081].includes(tuple.destinationPort);
    t.is(result('probe_partial', make(ip)), looksPartial || isTunnel ? 1 : 0);
    t.is(result('probe_partial', make(ip.noChecksum())), l4 === 'udp' ? 1 : 0);
  }), { numRuns: 300 });
});

/** enum xdp_rss_hash_type of include/net/xdp.h. */
const Told = { ipv4: 1, ipv6: 2, options: 4, l4: 8, tcp: 16, udp: 32, sctp: 64 } as const;
const told = (...fields: readonly (keyof typeof Told)[]): number => fields.reduce((bits, field) => bits | Told[field], 0);

function tell({ hash = 0x1234_5678, fields, types = HashType.DEFAULT as number, error = 0 }: { hash?: number; fields: number; types?: number; error?: number }): void {
  const bytes = Buffer.alloc(16);
  for (const [i, word] of [error, hash, fields, types].entries()) bytes.writeUInt32LE(word >>> 0, 4 * i);
  probe.map('told').set(encode(u32, 0), bytes);
}

hashTest.serial("a NIC's hash is taken when it is over just the fields that would be hashed here", (t) => {
  const v4 = { source: '192.0.2.1', destination: '192.0.2.2', sourcePort: 1, destinationPort: 2 };
  const v6 = { ...v4, source: '2001:db8::1', destination: '2001:db8::2' };
  const sctp = ethernet.ip(v4.source, v4.destination).sctp(1, 2);
  const arp = ethernet.arp({ senderMac: STATION, sender: v4.source, target: v4.destination });
  const [echo4, fragment4] = portless(v4) as [FrameBuilder, FrameBuilder];
  const all = 0xff;
  const frames: readonly (readonly [what: string, frame: FrameBuilder, types: number, fields: number])[] = [
    ['TCP over IPv4', tcp(v4), all, told('ipv4', 'l4', 'tcp')],
    ['UDP over IPv4', udp(v4), all, told('ipv4', 'l4', 'udp')],
    ['SCTP over IPv4', sctp, all, told('ipv4', 'l4', 'sctp')],
    ['SCTP, whose ports are not hashed', sctp, HashType.DEFAULT, told('ipv4')],
    ['TCP over IPv6', tcp(v6), all, told('ipv6', 'l4', 'tcp')],
    ['UDP, whose ports are not hashed', udp(v6), HashType.IPV6 | HashType.TCP_IPV6, told('ipv6')],
    ['an echo', echo4, all, told('ipv4')],
    ['a fragment', fragment4, all, told('ipv4')],
  ];
  for (const [what, built, types, fields] of frames) {
    for (let said = 0; said < 128; said++) {
      tell({ fields: said, types });
      t.is(result('probe_nic_hash', built), said === fields ? 0x1234_5678 : 0, `${what}, NIC says ${said}`);
    }
  }
  for (const [what, built, types] of [['ARP', arp, all], ['nothing is hashed', tcp(v4), 0]] as const) {
    for (const fields of [0, told('ipv4'), told('ipv4', 'l4', 'tcp')]) {
      tell({ fields, types });
      t.is(result('probe_nic_hash', built), 0, what);
    }
  }
  tell({ fields: told('ipv4', 'l4', 'tcp'), error: -95 });
  t.is(result('probe_nic_hash', tcp(v4)), 0, 'the driver has none of this frame');
});
