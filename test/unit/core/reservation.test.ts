import test from 'ava';
import { idleTimes, nextActivity } from '../../../src/core/idleness.js';
import { isVfFault, strike, verdict, type Strikes } from '../../../src/core/quarantine.js';
import { keepReservation, keptPort, type Reservation } from '../../../src/core/reservation.js';

const LEASE_MS = 1000;
const keep = (before: Reservation | null, nowMs: number, expected = true, served = false): Reservation | null =>
  keepReservation(before, { expected, served }, nowMs, LEASE_MS);

test('for a guest on its way a VF is kept for as long as the lease, once', (t) => {
  const begun = keep(null, 100);
  t.deepEqual(begun, { port: null, untilMs: 1100, by: 'migration' });
  const kept: Reservation = { port: 'vfp0', untilMs: 1100, by: 'migration' };
  t.is(keep(kept, 1099), kept);
  t.is(keptPort(kept, 1099), 'vfp0');
  t.is(keptPort(kept, 1100), null);
  // It stays away: nothing is kept, and no new lease begins.
  const over = keep(kept, 1100);
  t.deepEqual([keptPort(over, 5000), keep(over, 5000)], [null, over]);
  // When it comes again, that is another time.
  t.is(keep(over, 6000, false), null);
  t.is(keep(kept, 1200, false), null);
  t.is(keep(null, 100, false), null);
});

test('it ends when the vNIC has its VF, and survives the moment between arrival and plug', (t) => {
  const kept: Reservation = { port: 'vfp0', untilMs: 1100, by: 'migration' };
  t.is(keep(kept, 500, false), kept);
  t.is(keep(kept, 500, false, true), null);
});

test("the operator's ends with its lease, whatever the guest does", (t) => {
  const kept: Reservation = { port: 'vfp0', untilMs: 1100, by: 'operator' };
  t.is(keep(kept, 1000, false), kept);
  t.is(keep(kept, 1100, true), null);
});

test('a vNIC is idle from its last frames on; neighbour solicitation is no traffic; who has just come is not idle', (t) => {
  let activity = nextActivity(new Map(), new Map([[1, 0], [2, 500]]), 0);
  t.deepEqual([...idleTimes(activity, 0)], [[1, 0], [2, 0]]);
  activity = nextActivity(activity, new Map([[1, 10], [2, 700]]), 2000);
  t.deepEqual([...idleTimes(activity, 2000)], [[1, 2000], [2, 0]]);
  activity = nextActivity(activity, new Map([[1, 40], [2, 700], [3, 0]]), 4000);
  t.deepEqual([...idleTimes(activity, 4000)], [[1, 0], [2, 2000], [3, 0]]);
  // Counters that begin anew are another vNIC's.
  activity = nextActivity(activity, new Map([[2, 3]]), 6000);
  t.deepEqual([...idleTimes(activity, 6500)], [[2, 500]]);
});

test('three failures of two vNICs in a row are the VF’s own, when others work', (t) => {
  const after = (...vnics: readonly string[]): Strikes =>
    vnics.reduce<Strikes | undefined>((before, vnic) => strike(before, vnic), undefined) ?? { count: 0, vnics: [] };
  t.is(verdict(after('g1', 'g2', 'g1'), 'no frame', true), 'failed 3 times in a row, for g1, g2; last: no frame');
  t.is(verdict(after('g1', 'g2'), 'no frame', true), null);
  t.is(verdict(after('g1', 'g1', 'g1', 'g1'), 'no frame', true), null);
  t.is(verdict(after('g1', 'g2', 'g1'), 'no frame', false), null);
  t.deepEqual([isVfFault('guest_silent'), isVfFault('vf_lost'), isVfFault('no_hotplug_port')], [true, true, false]);
});
