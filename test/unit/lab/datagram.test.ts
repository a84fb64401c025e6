import test from 'ava';
import fc from 'fast-check';
import {
  checkDatagram,
  type DatagramHeader,
  encodeDatagram,
  HEADER_BYTES,
  MAX_DATAGRAM_BYTES,
  STREAMS,
} from '../../../src/lab/traffic/datagram.js';

const header = fc.record<DatagramHeader>({
  flow: fc.integer({ min: 0, max: 0xffffffff }),
  stream: fc.constantFrom(...Object.values(STREAMS)),
  sequence: fc.maxSafeNat(),
  sentNs: fc.maxSafeNat(),
  length: fc.integer({ min: HEADER_BYTES, max: 2000 }),
});
const blank = (): DatagramHeader => ({ flow: 0, stream: 0, sequence: 0, sentNs: 0, length: 0 });

test('what is encoded is read back and found good', (t) => {
  fc.assert(
    fc.property(header, (sent) => {
      const received = blank();
      t.is(checkDatagram(encodeDatagram(sent), received), 'good');
      t.deepEqual(received, sent);
    }),
  );
});

test('one changed bit anywhere is found', (t) => {
  fc.assert(
    fc.property(header, fc.nat(), (sent, position) => {
      const datagram = encodeDatagram(sent);
      const bit = position % (datagram.length * 8);
      datagram[bit >> 3] = (datagram[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const expected = bit < 32 ? 'foreign' : bit < HEADER_BYTES * 8 ? 'bad-header' : 'bad-payload';
      t.is(checkDatagram(datagram, blank()), expected);
    }),
  );
});

test('a datagram cut short or grown is found', (t) => {
  const datagram = encodeDatagram({ flow: 1, stream: 0, sequence: 5, sentNs: 7, length: 200 });
  t.is(checkDatagram(datagram.subarray(0, 199), blank()), 'bad-payload');
  t.is(checkDatagram(Buffer.concat([datagram, Buffer.alloc(1)]), blank()), 'bad-payload');
  t.is(checkDatagram(datagram.subarray(0, HEADER_BYTES - 1), blank()), 'foreign');
});

test('two datagrams of a flow do not carry the same bytes', (t) => {
  const first = encodeDatagram({ flow: 1, stream: 0, sequence: 1, sentNs: 7, length: 64 });
  const second = encodeDatagram({ flow: 1, stream: 0, sequence: 2, sentNs: 7, length: 64 });
  t.false(first.subarray(HEADER_BYTES).equals(second.subarray(HEADER_BYTES)));
});

test('sizes that cannot be made are refused', (t) => {
  const base = { flow: 1, stream: 0, sequence: 0, sentNs: 0 };
  t.throws(() => encodeDatagram({ ...base, length: HEADER_BYTES - 1 }), { instanceOf: RangeError });
  t.throws(() => encodeDatagram({ ...base, length: MAX_DATAGRAM_BYTES + 1 }), { instanceOf: RangeError });
});
