/** What is asked of the VFs of a PF, and what is read of the answer. */
import test from 'ava';
import fc from 'fast-check';
import { bytesOfU32, writeAttribute, writeNested } from '../../../src/host/netlink_messages.js';
import { readVfList, vfListPayload } from '../../../src/host/vf_messages.js';

const HEADER = Buffer.alloc(16);
const u32s = (...values: readonly number[]): Buffer => Buffer.concat(values.map((value) => bytesOfU32(value >>> 0)));

interface Wish {
  readonly mac?: readonly number[];
  readonly vlan?: readonly [vlan: number, qos: number, protocol: number];
  readonly spoofCheck?: number;
  readonly trust?: number;
  readonly linkState?: number;
  readonly rate?: readonly [min: number, max: number];
}

/** One entry as rtnl_fill_vfinfo() of the kernel writes it. */
function vfInfo(index: number, { mac = [0, 0, 0, 0, 0, 0], vlan = [0, 0, 0x8100], spoofCheck = -1, trust = -1, linkState = 0, rate = [0, 0] }: Wish): Buffer {
  const protocol = Buffer.alloc(4);
  protocol.writeUInt16BE(vlan[2]);
  return writeNested(
    1,
    writeAttribute(1, Buffer.concat([u32s(index), Buffer.from(mac), Buffer.alloc(26)])),
    writeAttribute(13, Buffer.alloc(32, 0xff)),
    writeAttribute(2, u32s(index, vlan[0], vlan[1])),
    writeAttribute(6, u32s(index, ...rate)),
    writeAttribute(3, u32s(index, rate[1])),
    writeAttribute(4, u32s(index, spoofCheck)),
    writeAttribute(5, u32s(index, linkState)),
    writeAttribute(7, u32s(index, -1)),
    writeAttribute(9, u32s(index, trust)),
    writeNested(12, writeAttribute(1, Buffer.concat([u32s(index, vlan[0], vlan[1]), protocol]))),
  );
}

const answer = (count: number, ...infos: readonly Buffer[]): Buffer =>
  Buffer.concat([HEADER, writeAttribute(21, bytesOfU32(count)), writeNested(22, ...infos)]);

test('one PF is asked about, with its VFs and without statistics', (t) => {
  const payload = vfListPayload(7);
  t.is(payload.readUInt32LE(4), 7);
  // IFLA_EXT_MASK: RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS.
  t.deepEqual([payload.readUInt16LE(18), payload.readUInt32LE(20)], [29, 9]);
});

test('what a driver with all settings says', (t) => {
  const vfs = readVfList(
    answer(2, vfInfo(0, {}), vfInfo(1, { mac: [0x52, 0x54, 0, 0x12, 0x34, 0x56], vlan: [7, 3, 0x88a8], spoofCheck: 1, trust: 0, linkState: 2, rate: [10, 100] })),
  );
  t.deepEqual(vfs?.[1], {
    index: 1, mac: '52:54:00:12:34:56', vlan: 7, qos: 3, protocol: '802.1ad', spoofCheck: true, trust: false, linkState: 'disable', minRate: 10, maxRate: 100,
  });
  // What the driver left as the kernel had put it in.
  t.like(vfs?.[0], { mac: '00:00:00:00:00:00', vlan: 0, protocol: '802.1Q', spoofCheck: null, trust: null, linkState: 'auto', maxRate: 0 });
});

test('a driver that says nothing of its VFs', (t) => {
  t.is(readVfList(Buffer.concat([HEADER, writeAttribute(21, bytesOfU32(4))])), null);
  t.deepEqual(readVfList(answer(0)), []);
});

test('a list that the kernel has cut is an error, not fewer VFs', (t) => {
  t.throws(() => readVfList(answer(3, vfInfo(0, {}), vfInfo(1, {}))), { message: 'the kernel lists 2 of 3 VFs' });
});

test('254 VFs fit without statistics', (t) => {
  const infos = Array.from({ length: 254 }, (_, i) => vfInfo(i, {}));
  // The length of an attribute has 16 bits.
  t.true(Buffer.concat(infos).length < 65_536 - 4, `${Buffer.concat(infos).length} bytes`);
  t.is(readVfList(answer(254, ...infos))?.length, 254);
});

test('no bytes, whatever they are, are read out of bounds', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        readVfList(Buffer.concat([HEADER, Buffer.from(bytes)]));
      } catch (error) {
        return error instanceof RangeError;
      }
      return true;
    }),
  );
  t.pass();
});
