/**
 * Frames that are kept back while their guest changes its path: all that waited arrives, intact and in order, and nothing overtakes it;
 * what there was no room for is counted; a hold survives who began it, and ends without anyone.
 */
import type { ExecutionContext } from 'ava';
import type { HoldReport } from '../../src/dataplane/port.js';
import { bedTest, runOnBed } from './bed/run.js';
import type { AdapterSeen, FlowSeen, KindsSeen } from './hold_scenarios.js';

const scenarios = new URL('./hold_scenarios.js', import.meta.url);
const run = <T>(t: ExecutionContext, scenario: string, ...stations: string[]): Promise<T> => runOnBed<T>(t, scenarios, scenario, stations);
const numbers = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

for (const [scenario, what] of [
  ['kinds1500', 'MTU 1500'],
  ['kindsAggregates', 'MTU 1500, to a tap whose reader takes aggregates, and to a VF that cuts them up'],
  ['kinds9000', 'MTU 9000'],
  ['kindsAccess', 'an access vNIC'],
  ['kindsTrunk', 'a trunk'],
  ['kindsTrunk9000', 'a trunk, MTU 9000, aggregates'],
] as const) {
  bedTest(`frames of every kind wait, and arrive intact and in order: ${what}`, async (t) => {
    const steps = await run<KindsSeen[]>(t, scenario, 'g1', 'g2', 'world');
    t.is(steps.length, 2);
    for (const { to, early, report, expected, arrived, strange, risen, heldAfterwards } of steps) {
      t.is(early, 0, `${to}: frames that did not wait`);
      t.deepEqual(arrived, expected, to);
      t.is(strange, 0, `${to}: frames that nobody sent, or to the other port`);
      t.is(report.delivered, risen['g1 held'] ?? 0, to);
      t.deepEqual([report.lost, report.stale, risen['g1 drop_hold_full'] ?? 0], [0, 0, 0], to);
      t.false(heldAfterwards, to);
    }
  });
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

function isInOrder(t: ExecutionContext, { sent, arrived, late, strange, report, risen }: FlowSeen): void {
  const noRoom = risen['g1 drop_hold_full'] ?? 0;
  // Where the sender is faster than who reads the port.
  const refused = sum(Object.entries(risen).flatMap(([name, count]) => (name.startsWith('error ') ? [count] : [])));
  t.is(late, 0, 'frames that came after a later one of their flow');
  t.is(strange, 0, 'frames that nobody sent');
  t.is(report.delivered, risen['g1 held'] ?? 0);
  t.true(report.delivered > 100 && (risen['g1 redirect_single'] ?? 0) > 100, 'some waited, some did not');
  t.is(sum(arrived), sum(sent) - noRoom - refused, `${noRoom} frames had no room, ${refused} not in the port's queue; ${JSON.stringify(risen)}`);
}

for (const scenario of ['pacedToTap', 'pacedToVf']) {
  bedTest(`frames that keep coming during the release: none is lost, none overtakes another (${scenario})`, async (t) => {
    const seen = await run<FlowSeen>(t, scenario, 'g1', 'world');
    isInOrder(t, seen);
    t.deepEqual(seen.arrived, seen.sent);
  });
}

for (const scenario of ['fullToTap', 'fullToVf']) {
  bedTest(`more frames than are delivered: the release ends, what has no room is counted, none overtakes another (${scenario})`, async (t) => {
    const seen = await run<FlowSeen>(t, scenario, 'g1', 'world');
    isInOrder(t, seen);
    t.true((seen.risen['g1 drop_hold_full'] ?? 0) > 0);
  });
}

bedTest('a full ring: the first frames are delivered, the others counted as drop_hold_full', async (t) => {
  interface Full { readonly risen: Record<string, number>; readonly report: HoldReport; readonly numbers: number[] }
  const { risen, report, numbers: arrived } = await run<Full>(t, 'full', 'g1', 'world');
  // 8192 bytes, and 8 + 24 + 256 for each: never quite full.
  t.deepEqual([risen['g1 held'], risen['g1 drop_hold_full']], [28, 12]);
  t.like(report, { delivered: 28, lost: 0, stale: 0 });
  t.deepEqual(arrived, numbers(0, 28));
});

bedTest('a hold that nobody ends ends by itself; what is left of it is delivered by the next release', async (t) => {
  const seen = await run<Record<string, unknown>>(t, 'deadline', 'g1', 'world');
  t.deepEqual(seen.during, []);
  t.deepEqual(seen.after, numbers(10, 5), 'past its end frames go straight on');
  t.true(seen.left);
  t.deepEqual(seen.putOff, [], 'the end of a second one was put off');
  t.deepEqual(seen.released, [...numbers(0, 5), ...numbers(20, 5)]);
  t.like(seen.report, { delivered: 10, lost: 0, stale: 0 });
  t.true(seen.gone);
  t.deepEqual(seen.again, numbers(30, 5));
  t.deepEqual(seen.path, { path: 'software', vfAllowed: false, hold: 'none', generation: 0 });
});

bedTest('a hold that is begun anew while it is released goes on, and nothing is lost', async (t) => {
  interface Again {
    readonly interrupted: HoldReport; readonly meanwhile: number; readonly held: boolean; readonly second: HoldReport; readonly numbers: number[];
  }
  const { interrupted, meanwhile, held, second, numbers: arrived } = await run<Again>(t, 'again', 'g1', 'world');
  t.is(interrupted.delivered, meanwhile);
  t.true(held);
  t.is(interrupted.delivered + second.delivered, 605);
  t.deepEqual(arrived, numbers(meanwhile, 605 - meanwhile));
});

bedTest('whoever began the hold is killed: frames wait on, and the next process delivers them', async (t) => {
  const { filters, ...seen } = await run<Record<string, unknown>>(t, 'killed', 'g1', 'world');
  t.is(seen.signal, 'SIGKILL');
  const path = { path: 'software', vfAllowed: false, hold: 'holding', generation: 0 };
  t.deepEqual(seen.before, { adopted: true, held: true, path, taps: [true] });
  t.is(seen.early, 0);
  t.like(seen.report, { delivered: 5, lost: 0, stale: 0 });
  t.deepEqual(seen.numbers, numbers(0, 5));
  t.notRegex(String(filters), /clsact/, 'the qdisc goes with the filter, by a note of the process before');
});

interface TapSeen {
  readonly steps: Record<string, { readonly risen: Record<string, number>; readonly events: string[] } & Record<string, unknown>>;
  readonly ipv4: string;
  readonly withGone: number;
  readonly withoutGone: number;
  readonly adopted: number;
  /** By another object's program. */
  readonly replaced: boolean;
  readonly detached: number;
}

bedTest('what the bridge gives to the tap of a guest on its VF; answers; taps that go', async (t) => {
  const { steps, ipv4, ...taps } = await run<TapSeen>(t, 'tap', 'g1', 'g2', 'world');
  const is = (what: string, counts: readonly number[], reason: string | null, events: string[] = []): void => {
    const { risen = {}, events: told, ...arrived } = steps[what] ?? {};
    t.deepEqual(Object.values(arrived), counts, `${what}: g1 tap, g1 vf, g2 tap, world`);
    t.deepEqual(told, events, what);
    if (reason !== null) t.is((risen as Record<string, number>)[`g1 ${reason}`], 1, what);
  };
  is('software: a broadcast of the world', [1, 0, 1, 0], null);
  is('accelerated: a broadcast of the world', [0, 1, 1, 0], 'redirect_vf');
  is('accelerated: a broadcast of g2', [0, 1, 0, 1], 'redirect_vf');
  is('accelerated: its own broadcast', [0, 0, 1, 1], 'drop_reflected');
  is('accelerated: an answer on the VF', [0, 0, 0, 0], 'control', ['heard']);
  is('held: an answer on the tap', [0, 0, 0, 0], 'control', ['heard']);
  t.is(ipv4, '10.6.0.1', 'by the ARP of its own broadcast');
  t.deepEqual(taps, { withGone: 2, withoutGone: 1, adopted: 1, replaced: true, detached: 0 });
});

for (const [scenario, tag] of [['adapter', null], ['adapterAccess', 7]] as const) {
  bedTest(`an adapter that switches by itself: nothing goes out on the wire twice (${scenario})`, async (t) => {
    const { steps, report, tags } = await run<AdapterSeen>(t, scenario, 'g1', 'g2', 'nic', 'world');
    const reflected = { 'g1 drop_reflected': 1 };
    const [world, g2, host] = [{ 'g1 vf': 1, 'g2 tap': 1 }, { 'g1 vf': 1, 'world wire': 1 }, { 'g1 vf': 1, 'g2 tap': 1, 'world wire': 1 }];
    t.deepEqual(steps, {
      'on the VF: a broadcast of the world': { ...world, ...reflected },
      'on the VF: a broadcast of g2': { ...g2, ...reflected },
      'on the VF: a broadcast of the host': { ...host, ...reflected },
      'on the VF: an unfinished datagram of g2': { 'g1 vf': 1, 'g1 redirect_vf': 1 },
      'held: a broadcast of the world': { ...world, 'g1 held': 1 },
      'held: a broadcast of g2': { ...g2, 'g1 held': 1 },
      'held: a broadcast of the host': { ...host, 'g1 held': 1 },
      'held: datagrams of g2': { 'g1 held': 2 },
      'released to the VF': { 'g1 vf': 2 },
    });
    t.like(report, { delivered: 2, stale: 3, lost: 0 });
    // As on the wire: the adapter would take it off.
    t.deepEqual([tags[3], ...tags.slice(-2)], [tag, tag, tag]);
  });
}
