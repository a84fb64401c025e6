/** Every shared struct, written by hand byte by byte, against its generated codec. */
import test from 'ava';
import * as contract from '../../maps/generated/contract.js';
import { type Codec, encode } from '../../src/btf/codec.js';

/** Bytes of pieces such as "01000000" and of [piece, times]. */
function bytes(...pieces: (string | readonly [piece: string, times: number])[]): Buffer {
  const text = pieces.map((piece) => (typeof piece === 'string' ? piece : piece[0].repeat(piece[1]))).join('');
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

interface Golden {
  readonly codec: Codec<unknown>;
  readonly value: unknown;
  readonly bytes: Buffer;
}

function golden<T>(codec: Codec<T>, value: T, expected: Buffer): Golden {
  return { codec: codec as Codec<unknown>, value, bytes: expected };
}

const counter = (packets: bigint, byteCount: bigint): contract.Counter => ({ packets, bytes: byteCount });

const rows: Readonly<Record<string, Golden>> = {
  metaCodec: golden(
    contract.metaCodec,
    { contractVersion: 2, cpusMapId: 0x0a0b0c0d, objectSha256: Buffer.alloc(32, 0xee), capturing: 1 },
    bytes('02000000', '0d0c0b0a', ['ee', 32], '01000000', '00000000'),
  ),
  vnicCodec: golden(
    contract.vnicCodec,
    {
      tapIfindex: 0x01020304, vfIfindex: 5, uplinkIfindex: 0xfffffffe,
      flags: contract.VnicFlag.PLUGIN | contract.VnicFlag.WANT_ACCELERATED | contract.VnicFlag.UPLINK_MULTI_BUFFER,
      tapFrameMax: 1514, vfFrameMax: 9014, uplinkFrameMax: 0xffff, vlan: 4094, mac: Buffer.from('525400aabbcc', 'hex'),
      vlanCount: 2, vlans: [4094, 258, ...new Array<number>(14).fill(0)],
    },
    bytes('04030201', '05000000', 'feffffff', '0a010000', 'ea05', '3623', 'ffff', 'fe0f', '525400aabbcc',
      '0200', 'fe0f', '0201', ['0000', 14]),
  ),
  vnicSlotCodec: golden(
    contract.vnicSlotCodec,
    { key: 0x8fff_ccbb_aa00_5452n, vnic: 1023, role: contract.PortRole.VF },
    bytes('525400aabbccff8f', 'ff030000', '01', '000000'),
  ),
  pathWordCodec: golden(
    contract.pathWordCodec,
    { word: 0x0000_0007_0000_0101n, vfSeen: 0x11223344, tapMulticast: 0x55667788, holdUntilNs: 0x0102030405060708n },
    bytes('0101000007000000', '44332211', '88776655', '0807060504030201'),
  ),
  vnicRateCodec: golden(
    contract.vnicRateCodec,
    { freeAtNs: 0x0102030405060708n, burstNs: 10_000_000n, psPerByte: 8_000_000 },
    bytes('0807060504030201', '8096980000000000', '00127a00', '00000000'),
  ),
  eventCodec: golden(
    contract.eventCodec,
    {
      timeNs: 0x0102030405060708n, vnic: 3, generation: 7, ifindex: 9, kind: contract.EventKind.CONTROL,
      path: contract.VnicPath.ACCELERATED, command: contract.ControlCommand.RESUMED,
    },
    bytes('0807060504030201', '03000000', '07000000', '09000000', '01', '01', '04', '00'),
  ),
  handoverCodec: golden(contract.handoverCodec, { key: 0x8123_0605_0403_0201n }, bytes('010203040506', '2381')),
  decisionCodec: golden(
    contract.decisionCodec,
    {
      vnic: 258, targetIfindex: 77, hash: 0xcafebabe, cpu: contract.DecisionNone.CPU, queue: contract.DecisionNone.QUEUE,
      reason: contract.Reason.DROP_SPOOFED_IP,
    },
    bytes('02010000', '4d000000', 'bebafeca', 'ffff', 'ff', '18'),
  ),
  captureConfigCodec: golden(
    contract.captureConfigCodec,
    { untilNs: 0x0102030405060708n, snaplen: 192, sample: 64, ifindex: 2, vnic: 3, tapIfindex: 4, vfIfindex: 5, reasons: 0x01ffffff, verdicts: 0x12 },
    bytes('0807060504030201', 'c0000000', '40000000', '02000000', '03000000', '04000000', '05000000', 'ffffff01', '12000000'),
  ),
  captureHeadCodec: golden(
    contract.captureHeadCodec,
    {
      timeNs: 0x0102030405060708n, ifindex: 9, length: 1514, captured: 64, verdict: 4, rxQueue: 3, cpu: 258,
      decision: { vnic: 1, targetIfindex: 2, hash: 3, cpu: 4, queue: 5, reason: contract.Reason.REDIRECT_RFS },
    },
    bytes('0807060504030201', '09000000', 'ea050000', '40000000', '04000000', '0300', '0201', ['00', 4], '01000000', '02000000', '03000000', '0400', '05', '01'),
  ),
  captureScratchCodec: golden(
    contract.captureScratchCodec,
    {
      head: { timeNs: 0n, ifindex: 0, length: 0, captured: 0, verdict: 0, rxQueue: 0, cpu: 0, decision: { vnic: 0, targetIfindex: 0, hash: 0, cpu: 0, queue: 0, reason: contract.Reason.REDIRECT_RSS } },
      bytes: Buffer.alloc(4096, 0x5a),
    },
    bytes(['00', 48], ['5a', 4096]),
  ),
  captureCountsCodec: golden(
    contract.captureCountsCodec,
    { seen: 4n, sampled: 3n, matched: 2n, lost: 1n },
    bytes('0400000000000000', '0300000000000000', '0200000000000000', '0100000000000000'),
  ),
  // In network order: 192.0.2.0/24 and 2001:db8::/33 as they lie in a frame.
  ipv4PrefixCodec: golden(contract.ipv4PrefixCodec, { prefix: 0xc0000200, mask: 0xffffff00 }, bytes('c0000200', 'ffffff00')),
  ipv6PrefixCodec: golden(
    contract.ipv6PrefixCodec,
    { prefix: [0x20010db8, 0, 0, 1], mask: [0xffffffff, 0x80000000, 0, 0] },
    bytes('20010db8', ['00', 8], '00000001', 'ffffffff', '80000000', ['00', 8]),
  ),
  vnicAddressesCodec: golden(
    contract.vnicAddressesCodec,
    {
      ipv4Count: 2, ipv6Count: 1,
      ipv4: Array.from({ length: 16 }, (_, i) => ({ prefix: i < 2 ? 0x0a000001 + i : 0, mask: i < 2 ? 0xffffffff : 0 })),
      ipv6: Array.from({ length: 16 }, (_, i) => ({
        prefix: [i === 0 ? 0xfe800000 : 0, 0, 0, i === 15 ? 0x0f : 0], mask: [i === 0 ? 0xffc00000 : 0, 0, 0, 0],
      })),
    },
    bytes('02000000', '01000000', '0a000001 ffffffff', '0a000002 ffffffff', ['00', 14 * 8],
      'fe800000', ['00', 12], 'ffc00000', ['00', 12], ['00', 14 * 32], ['00', 12], '0000000f', ['00', 16]),
  ),
  bpfDevmapValCodec: golden(contract.bpfDevmapValCodec, { ifindex: 77, bpfProg: 12 }, bytes('4d000000', '0c000000')),
  bpfCpumapValCodec: golden(contract.bpfCpumapValCodec, { qsize: 2048, bpfProg: 12 }, bytes('00080000', '0c000000')),
  remoteCodec: golden(
    contract.remoteCodec,
    { key: 1n << 63n, uplinkIfindex: 2, learnt: 0xffffffff },
    bytes('0000000000000080', '02000000', 'ffffffff'),
  ),
  counterCodec: golden(contract.counterCodec, counter(1n, 0xffff_ffff_ffff_ffffn), bytes('0100000000000000', ['ff', 8])),
  vnicCountersCodec: golden(
    contract.vnicCountersCodec,
    {
      reasons: Array.from({ length: 32 }, (_, i) => counter(BigInt(i === 31 ? 0x99 : 1), 2n)),
      tapQueues: Array.from({ length: 64 }, () => 3n),
      vfQueues: Array.from({ length: 64 }, (_, i) => BigInt(i === 63 ? 0x88 : 4)),
      fromTap: counter(5n, 6n), fromVf: counter(7n, 8n),
      cpuHandovers: 9n, flowsLearnt: 10n, flowsMoved: 11n, pathChanges: 12n, flowsReplaced: 13n, flowsExpired: 14n,
    },
    bytes(['0100000000000000 0200000000000000', 31], '9900000000000000 0200000000000000',
      ['0300000000000000', 64], ['0400000000000000', 63], '8800000000000000',
      '0500000000000000 0600000000000000', '0700000000000000 0800000000000000',
      '0900000000000000', '0a00000000000000', '0b00000000000000', '0c00000000000000',
      '0d00000000000000', '0e00000000000000'),
  ),
  guestDropKeyCodec: golden(
    contract.guestDropKeyCodec,
    { vnic: 1023, role: contract.PortRole.VF, reason: contract.Reason.DROP_RATE },
    bytes('ff030000', '01', '1e', '0000'),
  ),
  redirectErrorKeyCodec: golden(
    contract.redirectErrorKeyCodec,
    { ifindex: 6, error: -28, kind: contract.RedirectError.CPUMAP },
    bytes('06000000', 'e4ffffff', '02', '000000'),
  ),
  heldFrameCodec: golden(
    contract.heldFrameCodec,
    { timeNs: 0x0102030405060708n, length: 0x0001_0203, segmentSize: 1448, tag: 0x6064, tagProtocol: 0x88a8 },
    bytes('0807060504030201', '03020100', 'a805', '6460', 'a888', ['00', 6]),
  ),
  seenAddressesCodec: golden(
    contract.seenAddressesCodec,
    { ipv4: 0xc0000201, ipv6: [0x20010db8, 0, 0, 0x1234] },
    bytes('c0000201', '20010db8', '00000000', '00000000', '00001234'),
  ),
  tapProgramCodec: golden(contract.tapProgramCodec, { madeQdisc: 1 }, bytes('01000000')),
  steeringCodec: golden(
    contract.steeringCodec,
    {
      queues: 4, hashTypes: contract.HashType.DEFAULT, rssRow: 1, nicHash: 1, reta: Buffer.alloc(128, 3).fill(1, 127),
      queueCpus: Array.from({ length: 64 }, (_, i) => (i === 0 ? 0x0102 : contract.ContractLimit.QUEUE_UNREACHABLE)),
    },
    bytes('04000000', '77', '01', '01', '00', ['03', 127], '01', '0201', ['ffff', 63]),
  ),
  rssCodec: golden(
    contract.rssCodec,
    {
      key: Buffer.alloc(40, 0x6d),
      tables: Array.from({ length: 36 }, (_, row) => new Array<number>(256).fill(0x51).fill(row === 1 ? 0xdeadbeef : 0x51, 2, 3)),
    },
    bytes(['6d', 40], ['51000000', 256 + 2], 'efbeadde', ['51000000', 34 * 256 + 253]),
  ),
  rssWishCodec: golden(
    contract.rssWishCodec,
    {
      flags: contract.RssWishFlag.HASH_TYPES | contract.RssWishFlag.RANDOM, hashTypes: contract.HashType.DEFAULT, rssRow: 1,
      weights: Buffer.from([2, 255, ...new Array<number>(62).fill(0)]),
    },
    bytes('09', '77', '01', '00', '02ff', ['00', 62]),
  ),
  bridgeVlanKeyCodec: golden(contract.bridgeVlanKeyCodec, { ifindex: 0x01020304, vid: 4094 }, bytes('04030201', 'fe0f', '0000')),
  bridgeVlanNoteCodec: golden(
    contract.bridgeVlanNoteCodec,
    { before: contract.BridgeVlanFlag.PRESENT | contract.BridgeVlanFlag.UNTAGGED },
    bytes('05', '000000'),
  ),
  flowRecordCodec: golden(
    contract.flowRecordCodec, { tag: 0xcafe, seen: 0x1234, queue: 9, valid: 1 }, bytes('feca0000', '3412', '09', '01'),
  ),
  flowCodec: golden(
    contract.flowCodec,
    { learnt: { tag: 0xcafe, seen: 0x1234, queue: 9, valid: 1 }, steered: { tag: 0xbeef0001, seen: 2, queue: 63, valid: 0 } },
    bytes('feca0000', '3412', '09', '01', '0100efbe', '0200', '3f', '00'),
  ),
  pluginPathCodec: golden(
    contract.pluginPathCodec,
    { rxPackets: 1n, txPackets: 2n, rxFirstNs: 3n, rxLastNs: 4n, txFirstNs: 5n, txLastNs: 6n },
    bytes('0100000000000000', '0200000000000000', '0300000000000000', '0400000000000000', '0500000000000000', '0600000000000000'),
  ),
  pluginStateCodec: golden(
    contract.pluginStateCodec,
    {
      vfIfindex: 11, interfaceIfindex: 12, drained: 1, mac: Buffer.from('02aabbccddee', 'hex'),
      tap: { rxPackets: 1n, txPackets: 0n, rxFirstNs: 0n, rxLastNs: 0n, txFirstNs: 0n, txLastNs: 0n },
      vf: { rxPackets: 0n, txPackets: 0n, rxFirstNs: 0n, rxLastNs: 0n, txFirstNs: 0n, txLastNs: 2n },
    },
    bytes('0b000000', '0c000000', '01', '02aabbccddee', ['00', 9], '0100000000000000', ['00', 40], ['00', 40], '0200000000000000'),
  ),
  controlFrameCodec: golden(
    contract.controlFrameCodec,
    { magic: 0x554e4950, sequence: 0x01020304, command: contract.ControlCommand.DRAIN },
    bytes('554e4950', '01020304', '01', ['00', 39]),
  ),
};

for (const [name, row] of Object.entries(rows)) {
  test(`${name}: bytes written by hand`, (t) => {
    t.is(row.bytes.length, row.codec.size);
    t.deepEqual(encode(row.codec, row.value), row.bytes);
    t.deepEqual(row.codec.read(row.bytes), row.value);
  });
}

test('every codec of the contract has its bytes here', (t) => {
  t.deepEqual(Object.keys(rows).sort(), Object.keys(contract).filter((name) => name.endsWith('Codec')).sort());
});

test('a program reference is written as a descriptor and read as an id', (t) => {
  t.deepEqual(encode(contract.bpfCpumapValCodec, { qsize: 1, bpfProg: -1 }), bytes('01000000', 'ffffffff'));
  t.is(contract.bpfCpumapValCodec.read(bytes('01000000', 'ffffffff')).bpfProg, 0xffffffff);
});

test('values that do not fit are refused', (t) => {
  const slot = Buffer.alloc(16);
  t.throws(() => contract.vnicSlotCodec.write({ key: 1n << 64n, vnic: 0, role: 0 }, slot), { instanceOf: RangeError });
  t.throws(() => contract.vnicSlotCodec.write({ key: 0n, vnic: -1, role: 0 }, slot), { instanceOf: RangeError });
  const steering: contract.Steering = {
    queues: 1, hashTypes: contract.HashType.DEFAULT, rssRow: 0, nicHash: 0, reta: Buffer.alloc(127), queueCpus: Array.from({ length: 64 }, () => 0),
  };
  t.throws(() => encode(contract.steeringCodec, steering), { instanceOf: RangeError, message: '127 bytes where the contract has 128' });
  t.throws(() => encode(contract.steeringCodec, { ...steering, reta: Buffer.alloc(128), queueCpus: [0] }), {
    instanceOf: RangeError, message: '1 values where the contract has 64',
  });
});

test('names of an enum leave out the prefix and the count', (t) => {
  t.is(contract.reasonNames[contract.Reason.PASS_RUNT], 'pass_runt');
  t.is(Object.keys(contract.reasonNames).length, contract.Reason.COUNT);
  t.deepEqual(contract.controlCommandNames, { 1: 'drain', 2: 'drained', 3: 'resume', 4: 'resumed' });
});
