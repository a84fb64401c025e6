import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { enhancedPacket, interfaceDescription, interfaceStatistics, sectionHeader } from '../../../src/capture/pcapng.js';
import { PcapngFile } from '../../../src/capture/pcapng_file.js';
import { CaptureFileError, readPackets } from '../../../src/capture/pcap_reader.js';
import type { CapturedFrame } from '../../../src/capture/record.js';
import { temporaryFolder } from '../../support/control_socket.js';
import { frame } from '../../support/packet_builder.js';
import { needs, testWith } from '../../support/require.js';

const SECTION = sectionHeader({ hardware: 'x64', os: 'Linux 6', application: 'unipath' });
const hex = (bytes: Buffer): string => bytes.toString('hex');

test('blocks byte for byte', (t) => {
  t.is(
    hex(SECTION),
    [
      '0a0d0d0a 40000000 4d3c2b1a 0100 0000 ffffffffffffffff',
      '0200 0300 78363400', // shb_hardware
      '0300 0700 4c696e7578203600', // shb_os
      '0400 0700 756e697061746800', // shb_userappl
      '00000000 40000000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
  t.is(
    hex(interfaceDescription({ name: 'pf0', snaplen: 4096 })),
    ['01000000 28000000 0100 0000 00100000', '0200 0300 70663000', '0900 0100 09000000', '00000000 28000000'].join('').replaceAll(' ', ''),
  );
  const packet = enhancedPacket({
    interface: 1,
    timeNs: 0x1122334455667788n,
    bytes: Buffer.from('abcde'),
    length: 9,
    comment: 'hi',
    packetId: 7n,
    queue: 3,
    xdpVerdict: 4,
  });
  t.is(
    hex(packet),
    [
      '06000000 60000000 01000000 44332211 88776655 05000000 09000000 6162636465000000',
      '0100 0200 68690000', // comment
      '0200 0400 01000000', // flags: inbound
      '0500 0800 0700000000000000', // packet id
      '0600 0400 03000000', // queue
      '0700 0900 02 0400000000000000 000000', // verdict: Linux_eBPF_XDP, XDP_REDIRECT
      '00000000 60000000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
  t.is(
    hex(interfaceStatistics({ interface: 2, startNs: 1n, endNs: 2n, delivered: 5n })),
    [
      '05000000 40000000 02000000 00000000 02000000',
      '0200 0800 0000000001000000',
      '0300 0800 0000000002000000',
      '0800 0800 0500000000000000',
      '00000000 40000000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

test('an option that is too long is refused', (t) => {
  t.throws(() => interfaceDescription({ name: 'x'.repeat(65_536), snaplen: 1 }), { message: /option 2 has 65536 bytes/ });
});

const UDP = frame()
  .ethernet({ from: '52:54:00:00:00:02', to: '52:54:00:00:00:01' })
  .ip('10.0.0.2', '10.0.0.1')
  .udp(4000, 7000)
  .payload('hello')
  .build();

function captured(change: Partial<CapturedFrame> = {}): CapturedFrame {
  return {
    timeNs: 1_000_000_123n,
    ifindex: 5,
    rxQueue: 2,
    cpu: 1,
    length: UDP.length,
    code: 4,
    verdict: 'redirect',
    reason: 'redirect_rss',
    vnic: 3,
    targetIfindex: 7,
    queue: 1,
    toCpu: 0,
    hash: 0x51ccc178,
    bytes: UDP,
    ...change,
  };
}

const NAMES = { link: (ifindex: number) => `if${ifindex}`, vnic: (id: number) => `g${id}` };

function wholeFile(): Buffer {
  const parts: Buffer[] = [];
  const file = new PcapngFile((bytes) => parts.push(bytes), 'unipath test', NAMES, 4096, 1_700_000_000_000_000_000n);
  file.addInterface(7);
  file.add(captured());
  file.add(
    captured({
      ifindex: 7,
      reason: 'drop_spoofed_mac',
      verdict: 'drop',
      code: 1,
      targetIfindex: 0,
      queue: null,
      toCpu: null,
      hash: null,
      bytes: UDP.subarray(0, 20),
    }),
  );
  file.end(0n, 5n, { seen: 10n, sampled: 8n, matched: 3n, lost: 1n });
  return Buffer.concat(parts);
}

test('a file that is read back', (t) => {
  const packets = readPackets(wholeFile());
  t.deepEqual(
    packets.map(({ number, length, interface: on }) => [number, length, on]),
    [
      [1, UDP.length, 'if5'],
      [2, UDP.length, 'if7'],
    ],
  );
  t.deepEqual(packets[0]?.bytes, UDP);
  t.is(packets[1]?.bytes.length, 20);
});

const tsharkTest = testWith(needs.tool('tshark'), needs.tool('capinfos'));

tsharkTest('Wireshark reads interface, time, queue, verdict, decision, and what was lost', (t) => {
  const path = join(temporaryFolder(t), 'x.pcapng');
  writeFileSync(path, wholeFile());
  const fields = ['interface_name', 'time_epoch', 'len', 'cap_len', 'interface_queue', 'packet_id', 'verdict.ebpf_xdp', 'comment']
    .map((field) => ['-e', `frame.${field}`])
    .flat();
  const lines = execFileSync('tshark', ['-r', path, '-T', 'fields', '-E', 'separator=|', ...fields], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
    .trim()
    .split('\n');
  t.is(
    lines[0],
    `if5|1700000001.000000123|${UDP.length}|${UDP.length}|2|1|4|redirect_rss vnic=g3 target=if7 queue=1 cpu=1->0 hash=0x51ccc178`,
  );
  t.is(lines[1], `if7|1700000001.000000123|${UDP.length}|20|2|2|1|drop_spoofed_mac vnic=g3`);
  const info = execFileSync('capinfos', [path], { encoding: 'utf8' });
  t.regex(info, /Number of packets: +2\n/);
  t.regex(info, /Capture application: unipath test/);
  t.regex(info, /Number of interfaces in file: 2/);
  t.is(info.match(/Number of stat entries = 1\n/g)?.length, 2);
});

/** pcap, in the byte order and resolution of the first word. */
function pcap(magic: number, little: boolean, linktype = 1): Buffer {
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (little) bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  };
  const head = Buffer.concat([word(magic), word(0x0004_0002), word(0), word(0), word(65_535), word(linktype)]);
  return Buffer.concat([head, word(1), word(2), word(UDP.length), word(UDP.length + 4), UDP]);
}

test('pcap of either byte order and resolution', (t) => {
  for (const magic of [0xa1b2c3d4, 0xa1b23c4d]) {
    for (const little of [true, false]) {
      t.deepEqual(readPackets(pcap(magic, little)), [{ number: 1, bytes: UDP, length: UDP.length + 4, interface: null }]);
    }
  }
});

test('pcapng in the other byte order, simple packets, several sections, blocks that mean nothing', (t) => {
  const big = (numbers: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(numbers.length * 4);
    numbers.forEach((number, i) => bytes.writeUInt32BE(number >>> 0, i * 4));
    return bytes;
  };
  const padded = Buffer.concat([UDP, Buffer.alloc(-UDP.length & 3)]);
  const length = 16 + padded.length;
  const section = big([0x0a0d0d0a, 28, 0x1a2b3c4d, 0x0001_0000, 0xffff_ffff, 0xffff_ffff, 28]);
  const device = big([1, 20, 0x0001_0000, 0, 20]);
  const simple = Buffer.concat([big([3, length, UDP.length]), padded, big([length])]);
  const strange = big([0x0bad_0bad, 12, 12]);
  const packets = readPackets(Buffer.concat([wholeFile(), section, strange, device, simple]));
  t.deepEqual(
    packets.map(({ number, interface: on }) => [number, on]),
    [
      [1, 'if5'],
      [2, 'if7'],
      [3, null],
    ],
  );
  t.deepEqual(packets[2]?.bytes, UDP);
});

test('what is no capture file, is cut short, or is not Ethernet', (t) => {
  const refused = (bytes: Buffer, message: RegExp) => t.throws(() => readPackets(bytes), { instanceOf: CaptureFileError, message });
  refused(Buffer.from('hello'), /too short/);
  refused(Buffer.alloc(100), /neither a pcap nor a pcapng/);
  refused(pcap(0xa1b2c3d4, true).subarray(0, -1), /ends within packet 1/);
  refused(pcap(0xa1b2c3d4, true, 113), /link type is 113/);
  refused(Buffer.concat([wholeFile(), Buffer.from([6, 0, 0, 0])]), /ends within packet 3/);
  refused(
    Buffer.concat([SECTION, enhancedPacket({ interface: 0, timeNs: 0n, bytes: UDP, length: 1 })]),
    /interface that was not described/,
  );
  const lie = enhancedPacket({ interface: 0, timeNs: 0n, bytes: UDP, length: 1 });
  lie.writeUInt32LE(10_000, 20);
  refused(Buffer.concat([SECTION, interfaceDescription({ name: 'x', snaplen: 1 }), lie]), /ends within packet 1/);
});
