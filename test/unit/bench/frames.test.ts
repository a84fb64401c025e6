import test from 'ava';
import { benchFrame, CHECKSUM, FLOWS_PER_VNIC, type Shape } from '../../../src/bench/frames.js';
import { encodeVariation } from '../../../src/bench/variation.js';
import { frame } from '../../support/packet_builder.js';

const STATION = '02:00:00:be:7c:ff';
const VNIC = '52:54:00:be:7c:01';
const bytesOf = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const toVnic = { from: bytesOf(STATION), to: bytesOf(VNIC) };
const fromVnic = { from: bytesOf(VNIC), to: bytesOf(STATION) };

/** What the builder of the tests makes of the same words; it pads with other bytes. */
function unpadded(bytes: Buffer, length: number): string {
  return Buffer.concat([bytes.subarray(0, length), Buffer.alloc(Math.max(0, bytes.length - length))]).toString('hex');
}

test('a frame to the vNIC, of flow 7', (t) => {
  const built = frame().ethernet({ from: STATION, to: VNIC }).ipv4({ from: '192.0.16.7', to: '192.0.2.1' });
  const expected = built.checksum(CHECKSUM).udp(4096 + 7, 53).fillTo(60).build();
  t.is(benchFrame(toVnic, { version: 4, l4: 'udp' }, 7).bytes.toString('hex'), unpadded(expected, 42));
});

test('the reply is the other way round', (t) => {
  const built = frame().ethernet({ from: VNIC, to: STATION }).ip('2001:db8::1', '2001:db8::10:7');
  const expected = built.checksum(CHECKSUM).udp(53, 4096 + 7).build();
  t.is(benchFrame(fromVnic, { version: 6, l4: 'udp' }, 7, true).bytes.toString('hex'), expected.toString('hex'));
});

test('tags and extension headers', (t) => {
  const { bytes, portsAt } = benchFrame(toVnic, { version: 6, l4: 'tcp', tags: 2, extensions: 6 });
  t.is(bytes.toString('hex', 12, 24), '88a80064810000c886dd6000');
  let [next, at] = [bytes.readUInt8(22 + 6), 22 + 40];
  const types: number[] = [];
  for (; next !== 6; next = bytes.readUInt8(at), at += 8) types.push(next);
  t.deepEqual(types, [0, 60, 43, 60, 60, 60]);
  t.is(at, portsAt);
  t.is(bytes.readUInt16BE(22 + 4), bytes.length - 22 - 40);
});

const SHAPES: readonly Shape[] = [
  { version: 4, l4: 'udp' }, { version: 4, l4: 'tcp', options: 40, tags: 1 }, { version: 6, l4: 'udp' },
  { version: 6, l4: 'tcp', extensions: 6, tags: 2 },
];

test('the places that change are those of station and ports', (t) => {
  for (const shape of SHAPES) {
    for (const reply of [false, true]) {
      const macs = reply ? fromVnic : toVnic;
      const [zero, other] = [benchFrame(macs, shape, 0, reply), benchFrame(macs, shape, 4095, reply)];
      t.is(zero.bytes.readUInt32BE(zero.addressAt), zero.address);
      t.is(other.bytes.readUInt32BE(zero.addressAt), zero.address + 4095);
      t.is(other.bytes.readUInt16BE(zero.portsAt + (reply ? 2 : 0)), 4096 + 4095);
      t.is(zero.bytes.toString('hex', zero.macAt, zero.macAt + 2), '7c01');
      t.true(zero.bytes.length >= 60);
    }
  }
});

/** As a sender that leaves the checksum to its device would have it. */
function pseudoHeaderSum({ bytes, portsAt }: ReturnType<typeof benchFrame>, { version, l4 }: Shape, ip: number): number {
  const [from, to] = version === 4 ? [ip + 12, ip + 20] : [ip + 8, ip + 40];
  let sum = l4 === 'tcp' ? 6 : 17;
  for (let at = from; at < to; at += 2) sum += bytes.readUInt16BE(at);
  sum += version === 4 ? bytes.readUInt16BE(ip + 2) - (portsAt - ip) : bytes.readUInt16BE(ip + 4) - (portsAt - ip - 40);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

test('no flow\'s checksum looks unfinished', (t) => {
  for (const shape of SHAPES) {
    const ip = 14 + 4 * (shape.tags ?? 0);
    for (let flow = 0; flow < FLOWS_PER_VNIC; flow++) {
      if (pseudoHeaderSum(benchFrame(toVnic, shape, flow), shape, ip) === CHECKSUM) t.fail(`flow ${flow}`);
    }
  }
  t.pass();
});

test('a variation says where and how a frame changes', (t) => {
  const it = benchFrame(toVnic, { version: 4, l4: 'udp' });
  const row = encodeVariation({ flows: 254, order: 'turns', firstVnic: 1, vnics: 254 }, it);
  t.deepEqual([0, 4, 8, 12].map((at) => row.readUInt32LE(at)), [254, 254, 0, 1]);
  t.deepEqual([16, 18, 20, 22].map((at) => row.readUInt16LE(at)), [4, 26, 34, 0]);
  t.is(row.readUInt32LE(24), 0xc0001000);
  t.throws(() => encodeVariation({ flows: 1, order: 'turns', firstVnic: 2, vnics: 255 }, it), { instanceOf: RangeError });
});
