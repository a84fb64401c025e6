import test from 'ava';
import { readStatistics, statisticsDumpPayload } from '../../../src/host/statistics_messages.js';
import { writeAttribute } from '../../../src/host/netlink_messages.js';

/** struct if_stats_msg of ifindex 7. */
const head = Buffer.from('000000000700000001000000', 'hex');
const IFLA_STATS_LINK_64 = 1;
const IFLA_STATS_LINK_XSTATS = 2;

/** struct rtnl_link_stats64 whose fields are their own numbers, but for one of more than 32 bits. */
function counts(): Buffer {
  const buf = Buffer.alloc(25 * 8);
  for (let i = 0; i < 25; i++) buf.writeBigUInt64LE(BigInt(i), i * 8);
  buf.writeBigUInt64LE(2n ** 40n + 3n, 3 * 8);
  return buf;
}

test('asks for the plain numbers of every link', (t) => {
  t.deepEqual(statisticsDumpPayload(), Buffer.from('000000000000000001000000', 'hex'));
});

test('what was sent, and what was not', (t) => {
  const message = Buffer.concat([head, writeAttribute(IFLA_STATS_LINK_64, counts())]);
  t.deepEqual(readStatistics(message), { ifindex: 7, txFrames: 1, txBytes: 2 ** 40 + 3, txDropped: 7 });
});

test('a link without numbers, and what is cut short', (t) => {
  t.is(readStatistics(head), null);
  t.is(readStatistics(Buffer.concat([head, writeAttribute(IFLA_STATS_LINK_XSTATS, counts())])), null);
  t.is(readStatistics(Buffer.concat([head, writeAttribute(IFLA_STATS_LINK_64, counts().subarray(0, 56))])), null);
  t.throws(() => readStatistics(head.subarray(0, 8)), { message: 'message of 8 bytes about what a link has counted' });
});
