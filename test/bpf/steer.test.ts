/**
 * The packet programs as a table: each row is a frame, what held before, and everything that follows from it. What is not
 * proven here: that a redirected frame arrives, and the second stage on the other CPU (live.test.ts does that).
 */
import test from 'ava';
import { eventCodec, hostMaps } from '../../maps/generated/contract.js';
import { toVnicRate } from '../../src/dataplane/rate_row.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { hostObjectPath } from '../../src/paths.js';
import { frame } from '../support/packet_builder.js';
import { needs, testWith } from '../support/require.js';
import { ALL_REASONS, Bed, type ReasonName } from './bed/bed.js';
import { accelerated, limited } from './bed/given.js';
import { checkRow, type Row } from './bed/row.js';
import { IP, STATION, VNICS } from './bed/world.js';
import { checkTapRow } from './bed/tap_row.js';
import { controlRows as guestControlRows, neighbourRows, partialRows, policyRows, uplinkRows } from './tables/from_guest.js';
import { heardRows, holdRows, reflectedRows, seenRows, tapRows } from './tables/holds.js';
import { flowRows, pathRows } from './tables/path_and_flows.js';
import { hashTypeRows, multiBufferRows, noTransmitRows, queueChangeRows } from './tables/queue_changes.js';
import { rateRows } from './tables/rates.js';
import { spoofingRows } from './tables/spoofing.js';
import { accessRows, legacyRows, trunkRows } from './tables/vlan_modes.js';
import { bridgeOnlyRows, controlRows, portRows, queueRows, strangeRows, vlanRows } from './tables/wire_to_guest.js';

const bedTest = testWith(
  needs.root(), needs.tool('ip'), needs.kernel('6.1'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'),
  onlineCpus().includes(1) ? null : 'CPU 1',
);

/** Where answers to our questions go. */
const CONTROL = '02:00:00:00:00:01';
/** Records of a ring buffer have a header of eight bytes. */
const ROOM_FOR_EVENTS = hostMaps.events.maxEntries / (eventCodec.size + 8);

let bed: Bed;
test.before(async () => {
  if (process.getuid?.() === 0) bed = await Bed.create();
});
test.after.always(() => bed?.close());

const tables: readonly (readonly [prefix: string, rows: readonly Row[]])[] = [
  ['wire', portRows], ['wire', vlanRows], ['wire', queueRows], ['wire', bridgeOnlyRows], ['wire', strangeRows], ['wire', controlRows],
  ['guest', uplinkRows], ['guest', partialRows], ['guest', neighbourRows], ['guest', policyRows], ['guest', guestControlRows],
  ['guest', pathRows], ['guest', flowRows],
  ['access', accessRows], ['trunk', trunkRows], ['legacy', legacyRows], ['guest', spoofingRows], ['rate', rateRows],
  ['hold', holdRows], ['guest', heardRows], ['wire', reflectedRows], ['guest', seenRows], ['queue', queueChangeRows], ['queue', hashTypeRows], ['wire', multiBufferRows], ['wire', noTransmitRows],
];

for (const [prefix, rows] of tables) {
  for (const row of rows) bedTest.serial(`${prefix}: ${row.title}`, (t) => checkRow(t, bed, row));
}

for (const row of tapRows) bedTest.serial(`tap: ${row.title}`, (t) => checkTapRow(t, bed, row));

for (const on of ['tap1', 'vf1'] as const) {
  bedTest.serial(`rate: a guest gets its burst and its rate, and no more, by ${on}`, (t) => {
    bed.reset();
    if (on === 'vf1') accelerated('g1')(bed);
    limited('g1', 'fresh')(bed);
    const bytes = frame().ethernet({ from: VNICS.g1.mac, to: STATION }).ipv4({ from: IP.g1, to: IP.station, protocol: 2 }).payload('x'.repeat(1480)).build();
    const begin = process.hrtime.bigint();
    const verdicts = Array.from({ length: 1000 }, () => bed.run(bytes, { on }));
    const elapsedNs = Number(process.hrtime.bigint() - begin);
    const passed = verdicts.filter((verdict) => verdict !== 'drop').length;
    const { burstNs, psPerByte } = toVnicRate(8);
    const atOnce = (Number(burstNs) * 1000) / psPerByte / bytes.length;
    const since = (elapsedNs * 1000) / psPerByte / bytes.length;
    t.log(`${passed} of 1000; at once ${atOnce.toFixed(1)}, and ${since.toFixed(1)} in ${(elapsedNs / 1e6).toFixed(1)} ms`);
    t.true(passed >= Math.floor(atOnce));
    t.true(passed <= Math.ceil(atOnce + since) + 2);
  });
}

bedTest.serial('an event that finds no room is counted, and the frame is treated as ever', (t) => {
  bed.reset();
  const bytes = frame().ethernet({ from: VNICS.g1.mac, to: CONTROL }).ipv4({ from: IP.g1, to: IP.station, protocol: 2 }).build();
  const before = bed.lostEvents();
  const most = ROOM_FOR_EVENTS + 100;
  for (let i = 0; i < most; i++) if (bed.run(bytes, { on: 'tap1' }) !== 'drop') t.fail('an answer is not passed on');
  const heard = bed.takeEvents().length;
  t.true(heard > 0 && heard < most, `${heard} of ${most}`);
  t.is(bed.lostEvents() - before, BigInt(most - heard));
});

/** Far below the million at which it gives up, so that a change can be seen coming; kernels differ. */
const MOST_VERIFIED = 400_000;

bedTest.serial('no program is near what the verifier gives up at', (t) => {
  for (const { name, verified } of bed.programs) {
    t.log(`${name}: ${verified}`);
    t.true(verified > 0 && verified < MOST_VERIFIED, `${name}: ${verified}`);
  }
});

/** TEST_RUN always leaves room before a frame here; the fuzzer takes it away. */
const NOT_HERE: readonly ReasonName[] = ['pass_no_headroom', 'drop_retagged'];

test('no reason was left out', (t) => {
  const exercised = new Set<ReasonName>([
    ...tables.flatMap(([, rows]) => rows.map((row) => row.counted[1])), ...tapRows.flatMap(({ counted }) => (counted === null ? [] : counted[1])),
  ]);
  t.deepEqual(ALL_REASONS.filter((reason) => !exercised.has(reason)), NOT_HERE);
});
