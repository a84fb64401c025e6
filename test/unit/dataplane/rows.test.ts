/** Rows of the maps in the control plane's words: vNICs, steerings, counters, events, the RSS tables. */
import test from 'ava';
import { type Event, EventKind, HashType, hostMaps, PortRole, Reason, VnicPath } from '../../../maps/generated/contract.js';
import { encode } from '../../../src/btf/codec.js';
import { parseMacAddress } from '../../../src/core/model.js';
import { toeplitzHash } from '../../../src/core/toeplitz.js';
import { canonicalAddresses } from '../../../src/core/addresses.js';
import { fromVnicAddresses, toVnicAddresses } from '../../../src/dataplane/address_row.js';
import { toDataPlaneEvent } from '../../../src/dataplane/events.js';
import type { SteeringRow, VnicRow } from '../../../src/dataplane/port.js';
import { rssRow } from '../../../src/dataplane/rss_table.js';
import { fromSteering, steeringKey, toSteering, unusedSteering } from '../../../src/dataplane/steering_row.js';
import { sumBlocks, toGuestDropTally, toRedirectErrorTally, toVnicTally } from '../../../src/dataplane/tallies.js';
import { fromVnic, isUsed, toVnic, unusedVnic } from '../../../src/dataplane/vnic_row.js';

const row: VnicRow = {
  mac: parseMacAddress('52:54:00:aa:bb:cc'), vlans: [7, 0], access: false, addresses: null, maxRate: null, tapIfindex: 3, vfIfindex: 4,
  uplinkIfindex: 2, tapFrameMax: 1514, vfFrameMax: 9014, uplinkFrameMax: 1514, tapMultiBuffer: false, vfMultiBuffer: false,
  uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false, cutThrough: false, plugin: false, operatorWant: null,
};

test('a vNIC row comes back as it was written, with every flag', (t) => {
  const flags = ['cutThrough', 'plugin', 'tapMultiBuffer', 'vfMultiBuffer', 'uplinkMultiBuffer', 'vfNoTransmit', 'uplinkNoTransmit'] as const;
  for (let set = 0; set < 1 << flags.length; set++) {
    const chosen = Object.fromEntries(flags.map((flag, i) => [flag, ((set >> i) & 1) === 1]));
    for (const operatorWant of [null, 'software', 'accelerated'] as const) {
      const { addresses: _, maxRate: __, ...written } = { ...row, ...chosen, operatorWant };
      t.deepEqual(fromVnic(hostMaps.vnics.value.read(encode(hostMaps.vnics.value, toVnic({ ...written, addresses: null, maxRate: null })))), written);
    }
  }
  t.like(fromVnic(toVnic({ ...row, vlans: [7], access: true })), { vlans: [7], access: true });
  t.is(toVnic({ ...row, maxRate: 8 }).flags, 1 << 9);
  t.is(toVnic({ ...row, cutThrough: true, plugin: true, operatorWant: 'accelerated' }).flags, 0b1011);
  t.is(toVnic({ ...row, vlans: [7], access: true, addresses: [] }).flags, 0b110000);
});

test('the first VLAN is the one that the programs compare first', (t) => {
  t.like(toVnic({ ...row, vlans: [4094, 0, 9] }), { vlan: 4094, vlanCount: 3, vlans: [4094, 0, 9, ...new Array<number>(13).fill(0)] });
});

test('VLANs that the programs could not follow are refused', (t) => {
  const refuse = (change: Partial<VnicRow>, message: RegExp) =>
    t.throws(() => toVnic({ ...row, ...change }), { instanceOf: RangeError, message });
  const many = (count: number) => Array.from({ length: count }, (_, i) => i);
  t.is(toVnic({ ...row, vlans: many(16) }).vlanCount, 16);
  refuse({ vlans: many(17) }, /^17 VLANs; a vNIC has 1\.\.16$/);
  refuse({ vlans: [] }, /^0 VLANs/);
  refuse({ vlans: [1, 4095] }, /^VLAN id 4095 is not in 0\.\.4094$/);
  refuse({ vlans: [-1] }, /^VLAN id -1/);
  refuse({ vlans: [0], access: true }, /^an access vNIC has one VLAN, not 0$/);
  refuse({ vlans: [5, 6], access: true }, /^an access vNIC has one VLAN/);
});

test('addresses are written as they lie in a frame, and come back in canonical form', (t) => {
  const row = toVnicAddresses(['2001:DB8::1', '192.0.2.77/24', '10.1.2.3', 'fe80::/10', '0.0.0.0/0', '::/0']);
  const bytes = encode(hostMaps.vnic_addresses.value, row);
  t.is(bytes.subarray(0, 16).toString('hex'), '03000000' + '03000000' + 'c0000200' + 'ffffff00');
  t.is(bytes.subarray(8 + 16 * 8, 8 + 16 * 8 + 32).toString('hex'), '20010db8000000000000000000000001' + 'ff'.repeat(16));
  const read = fromVnicAddresses(hostMaps.vnic_addresses.value.read(bytes));
  t.deepEqual(read, ['192.0.2.0/24', '10.1.2.3', '0.0.0.0/0', '2001:db8::1', 'fe80::/10', '::/0']);
  t.deepEqual(canonicalAddresses(read), read);
});

test('addresses that are none, and more than there is room for, are refused', (t) => {
  const address = (family: 4 | 6, i: number) => (family === 4 ? `10.0.0.${i}` : `2001:db8::${i + 1}`);
  const many = (count: number, family: 4 | 6) => Array.from({ length: count }, (_, i) => address(family, i));
  t.like(toVnicAddresses([...many(16, 4), ...many(16, 6)]), { ipv4Count: 16, ipv6Count: 16 });
  t.throws(() => toVnicAddresses(many(17, 4)), { instanceOf: RangeError, message: '17 IPv4 addresses; a vNIC has at most 16' });
  t.throws(() => toVnicAddresses(many(17, 6)), { instanceOf: RangeError, message: '17 IPv6 addresses; a vNIC has at most 16' });
  const wrong = ['', '10.0.0', '10.0.0.1/33', '2001:db8::/129', '10.0.0.1/', '10.0.0.1/-1', '10.0.0.1/8/8', 'fe80::1%eth0', '0x7f.1'];
  for (const text of wrong) {
    t.throws(() => toVnicAddresses([text]), { instanceOf: RangeError }, text);
  }
});

test('an all-zero row is not in use', (t) => {
  t.false(isUsed(unusedVnic));
  t.true(isUsed(toVnic(row)));
  t.true(encode(hostMaps.vnics.value, unusedVnic).every((byte) => byte === 0));
  t.true(encode(hostMaps.steerings.value, unusedSteering).every((byte) => byte === 0));
});

const steering: SteeringRow = {
  queues: 3, reta: Array.from({ length: 128 }, (_, i) => i % 2), queueCpus: [0, 4, null], hashTypes: HashType.DEFAULT, rssRow: 1, nicHash: false,
};

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
  refuse({ reta: Array.from({ length: 128 }, (_, i) => (i === 127 ? 2 : 0)) }, /names queue 2, which no CPU reaches$/);
  refuse({ hashTypes: 256 }, /^256 is not a set of hash types/);
  refuse({ rssRow: 16, nicHash: false }, /^there is no row 16 of RSS keys/);
});

test('counters are summed over CPUs, field by field, past 2^53', (t) => {
  const { value } = hostMaps.counters;
  const cpu = (n: bigint) => encode(value, {
    reasons: Array.from({ length: Reason.COUNT }, (_, i) => ({ packets: n + BigInt(i), bytes: n })),
    tapQueues: Array.from({ length: 64 }, () => n), vfQueues: Array.from({ length: 64 }, (_, i) => n * BigInt(i)),
    fromTap: { packets: n, bytes: 1n }, fromVf: { packets: 2n, bytes: n },
    cpuHandovers: n, flowsLearnt: 3n, flowsMoved: 4n, pathChanges: 5n, flowsReplaced: 6n, flowsExpired: n,
  });
  const tally = toVnicTally(9, Buffer.concat([cpu(1n << 40n), cpu(1n)]));
  const sum = 2 ** 40 + 1;
  t.is(tally.id, 9);
  t.deepEqual(tally.reasons.redirect_rss, { packets: sum, bytes: sum });
  t.deepEqual(tally.reasons.control, { packets: sum + 34, bytes: sum });
  t.deepEqual(tally.reasons.drop_spoofed_ip, { packets: sum + 48, bytes: sum });
  t.is(Object.keys(tally.reasons).length, Reason.COUNT);
  t.is(tally.vfQueues[63], sum * 63);
  t.deepEqual([tally.fromTap, tally.fromVf], [{ packets: sum, bytes: 2 }, { packets: 4, bytes: sum }]);
  t.deepEqual([tally.cpuHandovers, tally.flowsLearnt, tally.flowsMoved, tally.pathChanges], [sum, 6, 8, 10]);
  t.deepEqual([tally.flowsReplaced, tally.flowsExpired], [12, sum]);
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

test('where and why a guest was not let through', (t) => {
  t.deepEqual(toGuestDropTally({ vnic: 3, role: PortRole.VF, reason: Reason.DROP_RATE }, 5n), { vnic: 3, path: 'accelerated', reason: 'drop_rate', packets: 5n });
  t.is(toGuestDropTally({ vnic: 3, role: PortRole.TAP, reason: Reason.DROP_CONTROL }, 5n).path, 'software');
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
