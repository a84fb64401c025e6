/** What a device would still have to do to a frame, and the same done here. */
import test, { type ExecutionContext } from 'ava';
import { internetChecksum, onesSum } from '../../../../src/core/checksum.js';
import { crc32c } from '../../../../src/core/crc32c.js';
import { finishSctp, unfinished } from '../../../../src/core/packet/offload.js';
import { segmentsOf } from '../../../../src/core/packet/segments.js';
import { frame, type FrameBuilder } from '../../../support/packet_builder.js';
import { MAC } from './state.js';

const ethernet = frame().ethernet({ from: MAC.station, to: MAC.g1 });
const v4 = ethernet.ip('192.0.2.10', '192.0.2.1');
const v6 = ethernet.ip('2001:db8::10', '2001:db8::1');
const SEGMENT = 1000;

test('nothing is left to do: finished, no checksum, no L4 header, a fragment, too short', (t) => {
  const frames: readonly FrameBuilder[] = [
    v4.udp(1, 2).payload('x'), v6.tcp(1, 2).payload('x'), v4.noChecksum().udp(1, 2).payload('x'), v4.echo(), v4.sctp(1, 2, 0),
    ethernet.arp({ senderMac: MAC.station, sender: '192.0.2.10', target: '192.0.2.1' }),
    ethernet.ipv4({ from: '192.0.2.10', to: '192.0.2.1', protocol: 17, fragment: { offset: 8, more: false } }).payload('xxxxxxxxxxxx'),
    v4.partialChecksum().udp(1, 2).truncate(20),
  ];
  for (const each of frames) t.is(unfinished(each.build(), 0), null);
});

test('a checksum that is the pseudo-header sum alone: where it is, whatever lies before', (t) => {
  const is = (builder: FrameBuilder, checksumStart: number, checksumOffset: number): void => {
    t.deepEqual(unfinished(builder.build(), 0), { checksumStart, checksumOffset, segment: null });
  };
  is(v4.partialChecksum().udp(1, 2).payload('x'), 34, 6);
  is(v4.partialChecksum().tcp(1, 2).payload('x'), 34, 16);
  is(v6.partialChecksum().tcp(1, 2).payload('x'), 54, 16);
  is(v6.hopByHop().destinationOptions().partialChecksum().udp(1, 2).payload('x'), 70, 6);
  is(ethernet.vlan(7).ip('192.0.2.10', '192.0.2.1').partialChecksum().udp(1, 2).payload('x'), 38, 6);
  is(ethernet.serviceVlan(7).vlan(8).ip('192.0.2.10', '192.0.2.1').partialChecksum().udp(1, 2).payload('x'), 42, 6);
  is(ethernet.ipv4({ from: '192.0.2.10', to: '192.0.2.1', options: Buffer.alloc(8, 1) }).partialChecksum().udp(1, 2), 42, 6);
});

test('padding behind a short packet is not part of it', (t) => {
  t.like(unfinished(v4.partialChecksum().udp(1, 2).payload('x').padTo(60).build(), 0), { checksumStart: 34 });
  t.is(unfinished(v4.udp(1, 2).payload('x').padTo(60).build(), 0), null);
});

test('a checksum that is finished, and happens to look unfinished, is the same when it is finished again', (t) => {
  const withPayload = (word: number): FrameBuilder => v4.udp(1, 2).payload(Buffer.from([word >> 8, word & 0xff]));
  const [field, partial] = [40, v4.partialChecksum().udp(1, 2).payload('xx').build().readUInt16BE(40)];
  const zero = withPayload(0).build().readUInt16BE(field);
  // Such that the sum of all comes out as what the pseudo-header's sum is.
  const bytes = withPayload(onesSum(Buffer.from([~partial >> 8, ~partial, zero >> 8, zero]))).build();
  t.is(bytes.readUInt16BE(field), partial);
  t.deepEqual(unfinished(bytes, 0), { checksumStart: 34, checksumOffset: 6, segment: null });
  t.is(internetChecksum(bytes.subarray(34)), partial, 'over all from the start on, the field itself included');
});

test('an aggregate is always unfinished, and tells how it is cut', (t) => {
  const payload = Buffer.alloc(3 * SEGMENT);
  const is = (builder: FrameBuilder, kind: string, headerBytes: number): void => {
    t.deepEqual(unfinished(builder.payload(payload).build(), SEGMENT)?.segment, { kind: kind as 'udp', payloadBytes: SEGMENT, headerBytes });
  };
  is(v4.partialChecksum().tcp(1, 2), 'tcp4', 54);
  is(v6.partialChecksum().tcp(1, 2), 'tcp6', 74);
  is(v6.partialChecksum().udp(1, 2), 'udp', 62);
  is(v4.tcp(1, 2), 'tcp4', 54);
});

function whole(t: ExecutionContext, segment: Uint8Array, expected: Buffer): void {
  const left = unfinished(segment, 0);
  t.truthy(left);
  t.is(left?.segment, null);
  const bytes = Buffer.from(segment);
  const { checksumStart, checksumOffset } = left!;
  const field = checksumStart + checksumOffset;
  // As the kernel finishes it: over all from the start on, the field's own value included.
  bytes.writeUInt16BE(internetChecksum(bytes.subarray(checksumStart)), field);
  t.deepEqual(bytes, expected);
}

test('TCP is cut into segments: numbers, flags, lengths, identification, checksums', (t) => {
  const FIN_PSH_ACK_CWR = 0x99;
  const payload = Buffer.from(Array.from({ length: 2500 }, (_, i) => i & 0xff));
  for (const family of [v4, v6]) {
    const bytes = family.partialChecksum().tcp(1, 2, FIN_PSH_ACK_CWR).payload(payload).build();
    const l4 = family === v4 ? 34 : 54;
    bytes.writeUInt32BE(0xffff_ff00, l4 + 4);
    const segments = segmentsOf(bytes, unfinished(bytes, SEGMENT)!);
    t.deepEqual(segments.map(({ length }) => length - l4 - 20), [1000, 1000, 500]);
    for (const [i, segment] of segments.entries()) {
      const flags = [0x90, 0x10, 0x19][i]!;
      const expected = family.tcp(1, 2, flags).payload(payload.subarray(i * SEGMENT, (i + 1) * SEGMENT)).build();
      expected.writeUInt32BE((0xffff_ff00 + i * SEGMENT) >>> 0, l4 + 4);
      expected.writeUInt16BE(0, l4 + 16);
      if (family === v4) {
        expected.writeUInt16BE(i, 18);
        expected.writeUInt16BE(0, 24);
        expected.writeUInt16BE(internetChecksum(expected.subarray(14, 34)), 24);
      }
      const addresses = family === v4 ? expected.subarray(26, 34) : expected.subarray(22, 54);
      const length = expected.length - l4;
      const pseudo = Buffer.concat([addresses, Buffer.from([0, 6, length >> 8, length & 0xff])]);
      expected.writeUInt16BE(internetChecksum(pseudo, expected.subarray(l4)), l4 + 16);
      whole(t, segment, expected);
    }
  }
});

test('UDP is cut into datagrams', (t) => {
  const payload = Buffer.from(Array.from({ length: 1500 }, (_, i) => i & 0xff));
  const bytes = ethernet.vlan(7).ip('2001:db8::10', '2001:db8::1').partialChecksum().udp(1, 2).payload(payload).build();
  const segments = segmentsOf(bytes, unfinished(bytes, SEGMENT)!);
  t.is(segments.length, 2);
  for (const [i, segment] of segments.entries()) {
    const part = payload.subarray(i * SEGMENT, (i + 1) * SEGMENT);
    whole(t, segment, ethernet.vlan(7).ip('2001:db8::10', '2001:db8::1').udp(1, 2).payload(part).build());
  }
  const single = v4.partialChecksum().udp(1, 2).build();
  t.deepEqual(segmentsOf(single, unfinished(single, 0)!), [single], 'what is none is not cut');
});

test('CRC32c: the check value of the catalogues, and SCTP that was left to the device', (t) => {
  t.is(crc32c(Buffer.from('123456789')), 0xe306_9283);
  const left = v4.sctp(1, 2, 0).payload('data').padTo(80).build();
  const finished = Buffer.from(finishSctp(left));
  const crc = finished.readUInt32LE(42);
  t.is(crc, crc32c(left.subarray(34, 50)), 'over the packet, not over what pads it');
  finished.writeUInt32LE(0, 42);
  t.deepEqual(finished, left);
  for (const each of [v4.sctp(1, 2, 0xfeed).build(), v4.udp(1, 2).build(), Buffer.alloc(10)]) t.is(finishSctp(each), each);
});
