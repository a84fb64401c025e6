import test from 'ava';
import fc from 'fast-check';
import { readChannels } from '../../../src/host/channel_messages.js';
import { readLink } from '../../../src/host/link_messages.js';
import {
  bytesOfU32,
  messageErrno,
  NLMSG_ERROR,
  readAttributes,
  readNumber,
  readText,
  splitMessages,
  writeAttribute,
  writeRequest,
} from '../../../src/host/netlink_messages.js';

const attribute = fc.record({
  type: fc.integer({ min: 1, max: 200 }),
  value: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});

test('attributes are read as they were written', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(attribute, { selector: ({ type }) => type }), (attributes) => {
      const read = readAttributes(Buffer.concat(attributes.map(({ type, value }) => writeAttribute(type, value))));
      t.deepEqual(
        [...read],
        attributes.map(({ type, value }) => [type, value]),
      );
    }),
  );
});

test('the nested flag is no part of the type', (t) => {
  t.deepEqual([...readAttributes(writeAttribute(0x8000 | 18, bytesOfU32(7)))], [[18, bytesOfU32(7)]]);
});

test('messages are split as they were joined', (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
        { maxLength: 5 },
      ),
      (payloads) => {
        const padded = payloads.map((payload, i) => {
          const request = writeRequest(16 + i, i, payload, true);
          return Buffer.concat([request, Buffer.alloc(-request.length & 3)]);
        });
        const messages = [...splitMessages(Buffer.concat(padded))];
        t.deepEqual(
          messages.map(({ payload }) => payload),
          payloads,
        );
        t.deepEqual(
          messages.map(({ type, sequence }) => [type, sequence]),
          payloads.map((_, i) => [16 + i, i]),
        );
      },
    ),
  );
});

test('no bytes, whatever they are, are read out of bounds', (t) => {
  const readers = [(buf: Buffer) => [...splitMessages(buf)], readAttributes, readLink, readChannels];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const read of readers) {
        try {
          read(Buffer.from(bytes));
        } catch (error) {
          if (!(error instanceof RangeError) || 'code' in error) throw error;
        }
      }
    }),
  );
  t.pass();
});

test('error numbers, texts and numbers', (t) => {
  const payload = Buffer.alloc(4);
  payload.writeInt32LE(-95);
  t.is(messageErrno({ type: NLMSG_ERROR, flags: 0, sequence: 1, payload }), 95);
  t.is(readText(Buffer.from('veth\0')), 'veth');
  t.is(readText(undefined), null);
  t.is(readNumber(bytesOfU32(4_000_000_000)), 4_000_000_000);
  t.is(readNumber(Buffer.alloc(2)), null);
});

const linkInfo = (kind: string, data: Buffer): Buffer =>
  writeAttribute(18, Buffer.concat([writeAttribute(1, Buffer.from(`${kind}\0`)), writeAttribute(2, data)]));

function linkMessage(...attributes: readonly Buffer[]): Buffer {
  return Buffer.concat([
    Buffer.alloc(4),
    bytesOfU32(7),
    bytesOfU32(0x10001),
    Buffer.alloc(4),
    writeAttribute(3, Buffer.from('x0\0')),
    ...attributes,
  ]);
}

test('a tap has as many queues as are open; another device those the kernel made', (t) => {
  const queues = [writeAttribute(31, bytesOfU32(256)), writeAttribute(32, bytesOfU32(255))];
  const tap = linkInfo('tun', Buffer.concat([writeAttribute(7, Buffer.from([1])), writeAttribute(8, bytesOfU32(3))]));
  t.like(readLink(linkMessage(...queues, tap)), { rxQueues: 3, txQueues: 3, kind: 'tun', up: true, carrier: true, ifindex: 7 });
  t.like(readLink(linkMessage(...queues)), { rxQueues: 255, txQueues: 256, kind: null });
});

test('XDP: native, generic, offloaded, and several at once', (t) => {
  const xdp = (attached: number, ...programs: readonly (readonly [number, number])[]): unknown => {
    const nested = [writeAttribute(2, Buffer.from([attached])), ...programs.map(([type, id]) => writeAttribute(type, bytesOfU32(id)))];
    return readLink(linkMessage(writeAttribute(43, Buffer.concat(nested))))?.xdp;
  };
  t.is(xdp(0), null);
  t.deepEqual(xdp(1, [4, 11], [5, 11]), { mode: 'native', programId: 11 });
  t.deepEqual(xdp(2, [4, 12], [6, 12]), { mode: 'generic', programId: 12 });
  t.deepEqual(xdp(3, [4, 13], [7, 13]), { mode: 'offload', programId: 13 });
  t.deepEqual(xdp(4, [5, 14], [6, 15]), { mode: 'native', programId: 14 });
});

test('a bridge says whether it looks at VLAN tags', (t) => {
  const filtering = (on: number, ...more: readonly Buffer[]): unknown =>
    readLink(linkMessage(linkInfo('bridge', Buffer.concat([writeAttribute(7, Buffer.from([on])), ...more]))))?.vlanFiltering;
  t.deepEqual(filtering(1, writeAttribute(39, Buffer.from([5, 1]))), { defaultPvid: 261 });
  t.deepEqual(filtering(1), { defaultPvid: 0 });
  t.is(filtering(0, writeAttribute(39, Buffer.from([1, 0]))), null);
});
