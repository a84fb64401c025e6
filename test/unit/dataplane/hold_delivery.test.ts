/** Frames that waited, to a port that takes them, takes them later, or does not; a socket that only notes them. */
import test from 'ava';
import { heldFrameCodec } from '../../../maps/generated/contract.js';
import { encode } from '../../../src/btf/codec.js';
import type { UnfinishedFrame } from '../../../src/core/packet/offload.js';
import { HoldDelivery, type HoldPort } from '../../../src/dataplane/hold_delivery.js';
import { NativeError } from '../../../src/native/errors.js';
import { BROADCAST, frame } from '../../support/packet_builder.js';

const GUEST = '52:54:00:00:00:01';
const STATION = '02:00:00:00:00:aa';
const NEVER = 1n << 62n;
const [EINVAL, EMSGSIZE, ENOBUFS, EAGAIN, ENETDOWN] = [22, 90, 105, 11, 100];
const port: HoldPort = { ifindex: 5, adapter: null };
const toGuest = frame().ethernet({ from: STATION, to: GUEST });
const plain = toGuest.ip('192.0.2.10', '192.0.2.1').udp(1, 2).payload('x').build();
const aggregate = toGuest.ip('192.0.2.10', '192.0.2.1').partialChecksum().tcp(1, 2).payload(Buffer.alloc(2500)).build();

interface Sent {
  readonly ifindex: number;
  readonly bytes: Buffer;
  readonly unfinished: UnfinishedFrame | null;
}

/** `answers`: errno of each call in turn, 0 = sent; then all are sent. */
function socket(...answers: readonly number[]) {
  const sent: Sent[] = [];
  let call = 0;
  const send = (ifindex: number, bytes: Uint8Array, unfinished: UnfinishedFrame | null = null): void => {
    const errno = answers[call++] ?? 0;
    if (errno !== 0) throw new NativeError('sendto', errno);
    sent.push({ ifindex, bytes: Buffer.from(bytes), unfinished });
  };
  return { sent, send };
}

function record(bytes: Uint8Array, ageMs: number, beside: { segmentSize?: number; tag?: number; tagProtocol?: number } = {}): Buffer {
  const timeNs = process.hrtime.bigint() - BigInt(ageMs) * 1_000_000n;
  const head = encode(heldFrameCodec, { timeNs, length: bytes.length, segmentSize: 0, tag: 0, tagProtocol: 0, ...beside });
  // Behind the frame lies what was there before.
  return Buffer.concat([head, bytes, Buffer.alloc(50, 0xee)]);
}

test('a frame is given to the port; how long the first one waited', (t) => {
  const { sent, send } = socket();
  const delivery = new HoldDelivery({ send }, port, NEVER);
  t.true(delivery.take(record(plain, 500)));
  t.true(delivery.take(record(plain, 20)));
  t.deepEqual(sent, [{ ifindex: 5, bytes: plain, unfinished: null }, { ifindex: 5, bytes: plain, unfinished: null }]);
  t.like(delivery.report, { delivered: 2, stale: 0, lost: 0 });
  t.true(delivery.report.longestMs >= 500 && delivery.report.longestMs < 600, String(delivery.report.longestMs));
});

test('what waited ten seconds is given to nobody', (t) => {
  const { sent, send } = socket();
  const delivery = new HoldDelivery({ send }, port, NEVER);
  t.true(delivery.take(record(plain, 10_050)));
  t.true(delivery.take(record(plain, 9_500)));
  t.is(sent.length, 1);
  t.like(delivery.report, { delivered: 1, stale: 1 });
});

test('a tag beside the frame is put in', (t) => {
  const { sent, send } = socket();
  new HoldDelivery({ send }, port, NEVER).take(record(plain, 0, { tag: 0x6007, tagProtocol: 0x8100 }));
  t.deepEqual(sent[0]?.bytes, toGuest.vlan(7, 3).ip('192.0.2.10', '192.0.2.1').udp(1, 2).payload('x').build());
});

test('a port that takes nothing now gets the frame again; one that never does loses it after the deadline', (t) => {
  const { sent, send } = socket(ENOBUFS, EAGAIN, 0);
  const delivery = new HoldDelivery({ send }, port, NEVER);
  t.deepEqual([0, 1, 2].map(() => delivery.take(record(plain, 0))), [false, false, true]);
  t.is(sent.length, 1);
  const late = new HoldDelivery({ send: socket(ENOBUFS).send }, port, 1n);
  t.true(late.take(record(plain, 0)));
  t.like(late.report, { delivered: 0, lost: 1 });
});

test('what the port never takes is lost at once: too large, down', (t) => {
  for (const errno of [EMSGSIZE, ENETDOWN, EINVAL]) {
    const delivery = new HoldDelivery({ send: socket(errno).send }, port, NEVER);
    t.true(delivery.take(record(plain, 0)));
    t.like(delivery.report, { delivered: 0, lost: 1 });
  }
});

test('an aggregate goes whole, or cut up where the device does not do it', (t) => {
  const whole = socket();
  new HoldDelivery({ send: whole.send }, port, NEVER).take(record(aggregate, 0, { segmentSize: 1000 }));
  t.is(whole.sent.length, 1);
  t.like(whole.sent[0]?.unfinished?.segment, { payloadBytes: 1000, kind: 'tcp4' });

  const cut = socket(ENOBUFS);
  const delivery = new HoldDelivery({ send: cut.send }, port, NEVER);
  t.true(delivery.take(record(aggregate, 0, { segmentSize: 1000 })));
  t.deepEqual(cut.sent.map(({ bytes }) => bytes.length), [1054, 1054, 554]);
  t.true(cut.sent.every(({ unfinished }) => unfinished?.segment === null));
  t.like(delivery.report, { delivered: 1, lost: 0 });
});

test('of an aggregate that was taken in part, the rest follows, and no part twice', (t) => {
  const { sent, send } = socket(ENOBUFS, 0, ENOBUFS, ENOBUFS, 0, 0);
  const delivery = new HoldDelivery({ send }, port, NEVER);
  const waiting = record(aggregate, 0, { segmentSize: 1000 });
  t.deepEqual([delivery.take(waiting), delivery.take(waiting), delivery.take(waiting)], [false, false, true]);
  t.deepEqual(sent.map(({ bytes }) => bytes.readUInt32BE(38) - aggregate.readUInt32BE(38)), [0, 1000, 2000]);
  t.is(delivery.report.delivered, 1);
  t.true(delivery.take(record(plain, 0)));
  t.deepEqual(sent.at(-1)?.bytes, plain);
});

test('by the uplink goes only what is for the guest, with the tag that the wire wants', (t) => {
  const mac = Buffer.from(GUEST.replaceAll(':', ''), 'hex');
  const { sent, send } = socket();
  const delivery = new HoldDelivery({ send }, { ifindex: 9, adapter: { mac, vlan: 7 } }, NEVER);
  const toAll = frame().ethernet({ from: STATION, to: BROADCAST }).arp({ senderMac: STATION, sender: '192.0.2.10', target: '192.0.2.1' });
  for (const bytes of [plain, toAll.build(), toGuest.vlan(0, 5).ip('192.0.2.10', '192.0.2.1').udp(1, 2).payload('x').build()]) {
    t.true(delivery.take(record(bytes, 0)));
  }
  t.like(delivery.report, { delivered: 2, stale: 1 });
  const expected = [0, 5].map((priority) => toGuest.vlan(7, priority).ip('192.0.2.10', '192.0.2.1').udp(1, 2).payload('x').build());
  t.deepEqual(sent.map(({ bytes }) => bytes), expected);
  const trunk = socket();
  new HoldDelivery({ send: trunk.send }, { ifindex: 9, adapter: { mac, vlan: null } }, NEVER).take(record(plain, 0));
  t.deepEqual(trunk.sent[0]?.bytes, plain);
});
