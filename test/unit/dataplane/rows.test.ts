/** Rows of the maps in the control plane's words: vNICs, steerings, counters, events, the RSS tables. */
import test from 'ava';
import { type Event, hostMaps, EventKind, VnicPath } from '../../../maps/generated/contract.js';
import { encode } from '../../../src/btf/codec.js';
import { parseMacAddress } from '../../../src/core/model.js';
import { toeplitzHash } from '../../../src/core/toeplitz.js';
import { toDataPlaneEvent } from '../../../src/dataplane/events.js';
import type { SteeringRow, VnicRow } from '../../../src/dataplane/port.js';
import { rssRow } from '../../../src/dataplane/rss_table.js';
import { fromSteering, steeringKey, toSteering, unusedSteering } from '../../../src/dataplane/steering_row.js';
import { sumBlocks, toRedirectErrorTally, toVnicTally } from '../../../src/dataplane/tallies.js';
import { fromVnic, isUsed, toVnic, unusedVnic } from '../../../src/dataplane/vnic_row.js';

const row: VnicRow = {
  mac: parseMacAddress('52:54:00:aa:bb:cc'), vlan: 7, tapIfindex: 3, vfIfindex: 4, uplinkIfindex: 2, tapFrameMax: 1514, vfFrameMax: 9014,
  uplinkFrameMax: 1514, cutThrough: false, plugin: false, operatorWant: null,
};

test('a vNIC row comes back as it was written, with every flag', (t) => {
  for (const [cutThrough, plugin] of [[false, false], [false, true], [true, false], [true, true]] as const) {
    for (const operatorWant of [null, 'software', 'accelerated'] as const) {
      const written = { ...row, cutThrough, plugin, operatorWant };
      t.deepEqual(fromVnic(hostMaps.vnics.value.read(encode(hostMaps.vnics.value, toVnic(written)))), written);
    }
  }
  t.is(toVnic({ ...row, cutThrough: true, plugin: true, operatorWant: 'accelerated' }).flags, 0b1011);
  t.throws(() => toVnic({ ...row, vlan: 4095 }), { instanceOf: RangeError });
});

test('an all-zero row is not in use', (t) => {
  t.false(isUsed(unusedVnic));
  t.true(isUsed(toVnic(row)));
  t.true(encode(hostMaps.vnics.value, unusedVnic).every((byte) => byte === 0));
  t.true(encode(hostMaps.steerings.value, unusedSteering).every((byte) => byte === 0));
});

const steering: SteeringRow = { queues: 3, reta: Array.from({ length: 128 }, (_, i) => i % 3), queueCpus: [0, 4, null] };

test('a steering row comes back as it was written; unreachable queues are marked to the end', (t) => {
  t.deepEqual(fromSteering(toSteering(steering)), steering);
  t.deepEqual(toSteering(steering).queueCpus.slice(0, 4), [0, 4, 0xffff, 0xffff]);
  t.is(fromSteering(unusedSteering), null);
  t.is(steeringKey(5, 'tap'), 10);
  t.is(steeringKey(5, 'vf'), 11);
});

test('a steering row that the programs could not follow is refused', (t) => {
  const refuse = (change: Partial<SteeringRow>, message: RegExp) =>
    t.throws(() => toSteering({ ...steering, ...change }), { instanceOf: RangeError, message });
  refuse({ queues: 0 }, /^0 queues/);
  refuse({ queues: 65 }, /^65 queues; a port has 1\.\.64/);
  refuse({ reta: [0] }, /has 128 entries, not 1/);
  refuse({ reta: Array.from({ length: 128 }, () => 3) }, /names queue 3, and there are 3/);
  refuse({ queueCpus: [0, 1] }, /^2 CPUs for 3 queues/);
  refuse({ queueCpus: [0, 2, null] }, /^CPU 2 does not reach queue 1 of 3/);
  refuse({ queueCpus: [513, null, null] }, /^CPU 513 is not in/);
});

test('counters are summed over CPUs, field by field, past 2^53', (t) => {
  const { value } = hostMaps.counters;
  const cpu = (n: bigint) => encode(value, {
    reasons: Array.from({ length: 18 }, (_, i) => ({ packets: n + BigInt(i), bytes: n })),
    tapQueues: Array.from({ length: 64 }, () => n), vfQueues: Array.from({ length: 64 }, (_, i) => n * BigInt(i)),
    fromTap: { packets: n, bytes: 1n }, fromVf: { packets: 2n, bytes: n },
    cpuHandovers: n, flowsLearnt: 3n, flowsMoved: 4n, pathChanges: 5n,
  });
  const tally = toVnicTally(9, Buffer.concat([cpu(1n << 57n), cpu(1n)]));
  const sum = (1n << 57n) + 1n;
  t.is(tally.id, 9);
  t.deepEqual(tally.reasons.redirect_rss, { packets: sum, bytes: sum });
  t.deepEqual(tally.reasons.control, { packets: sum + 34n, bytes: sum });
  t.is(Object.keys(tally.reasons).length, 18);
  t.is(tally.vfQueues[63], sum * 63n);
  t.deepEqual([tally.fromTap, tally.fromVf], [{ packets: sum, bytes: 2n }, { packets: 4n, bytes: sum }]);
  t.deepEqual([tally.cpuHandovers, tally.flowsLearnt, tally.flowsMoved, tally.pathChanges], [sum, 6n, 8n, 10n]);
});

test('a sum wraps where the counter would', (t) => {
  const block = Buffer.alloc(16, 0xff);
  t.is(sumBlocks(block, 8).readBigUInt64LE(), 0xffff_ffff_ffff_fffen);
});

test('redirect errors have a name, a positive errno and a sum', (t) => {
  const values = Buffer.alloc(24);
  values.writeBigUInt64LE(2n, 0);
  values.writeBigUInt64LE(3n, 16);
  t.deepEqual(toRedirectErrorTally({ ifindex: 5, error: -28, kind: 1 }, values), { kind: 'devmap', ifindex: 5, errno: 28, packets: 5n });
});

test('events in words; unknown ones are left out', (t) => {
  const event: Event = {
    timeNs: 5n, vnic: 1, generation: 6, ifindex: 7, kind: EventKind.PATH_CHANGED, path: VnicPath.ACCELERATED, command: 0,
  };
  t.deepEqual(toDataPlaneEvent(event), { kind: 'path-changed', timeNs: 5n, vnic: 1, path: 'accelerated', generation: 6, ifindex: 7 });
  const control: Event = { ...event, kind: EventKind.CONTROL, path: VnicPath.SOFTWARE, command: 2 };
  t.deepEqual(toDataPlaneEvent(control), { kind: 'control', timeNs: 5n, vnic: 1, command: 'drained', sequence: 6, ifindex: 7 });
  t.like(toDataPlaneEvent({ ...control, command: 4 }), { command: 'resumed' });
  t.is(toDataPlaneEvent({ ...control, command: 1 }), null);
  t.is(toDataPlaneEvent({ ...event, kind: 9 as EventKind }), null);
  t.is(toDataPlaneEvent({ ...event, path: 9 as VnicPath }), null);
});

test('the RSS row hashes like the definition', (t) => {
  const key = Buffer.from(Array.from({ length: 40 }, (_, i) => (i * 37 + 11) & 0xff));
  const { tables } = rssRow(key);
  const input = Buffer.from(Array.from({ length: 36 }, (_, i) => (i * 91 + 3) & 0xff));
  const hash = input.reduce((sum, byte, i) => sum ^ (tables[i]?.[byte] ?? 0), 0) >>> 0;
  t.is(hash, toeplitzHash(key, input));
  t.is(encode(hostMaps.rss.value, { key, tables }).length, 36904);
});
