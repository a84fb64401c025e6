/** What is captured is what was counted, and what is explained is what is then decided: on the real programs, in a namespace. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { onlineCpus } from '../../src/native/cpus.js';
import { hostObjectPath } from '../../src/paths.js';
import { createNetns, ip, run, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const kernelTest = testWith(
  needs.root(),
  needs.bpffs(),
  needs.tool('ip'),
  needs.tool('nsenter'),
  needs.tool('sysctl'),
  needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'),
  onlineCpus().includes(1) ? null : 'CPU 1',
).serial;
const scenarios = new URL('./capture_scenarios.js', import.meta.url);
const folder = join('/sys/fs/bpf', `unipath-test-capture-${process.pid}`);
let beds = 0;

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

async function runScenario<T>(t: ExecutionContext, scenario: string): Promise<T> {
  const pins = join(folder, String(++beds));
  t.teardown(() => rmSync(pins, { recursive: true, force: true }));
  const netns = createNetns(t);
  // Nothing of its own may be on its devices: every frame is one of ours.
  run(netns, 'sysctl', '-q', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
  for (const device of ['pf0', 'tap1', 'vf1', 'tap2', 'tap3', 'vf3', 'tap4']) {
    const queues = 'numrxqueues 4 numtxqueues 4';
    ip(netns, `link add ${device} ${queues} type veth peer name ${device}-far ${queues}`);
    for (const end of [device, `${device}-far`]) ip(netns, `link set dev ${end} up`);
  }
  return (await runModuleIn(netns, scenarios, scenario, pins)) as T;
}

interface Decided {
  readonly verdict: string;
  readonly reason: string;
  readonly vnic: string | null;
  readonly target: string | null;
  readonly queue: number | null;
  readonly cpu: number | null;
  readonly hash: string | null;
}

interface Row {
  readonly on: string;
  readonly queue: number;
  readonly cpu: number;
  readonly length: number;
  /** Did explaining change a map? */
  readonly changed: boolean;
  readonly verdict: string;
  readonly said: Decided;
  readonly captured: Decided;
  readonly facts: object;
  readonly number: number;
  readonly counted: Readonly<Record<string, number>>;
  readonly steps: number;
}

kernelTest('every frame: explained, decided, captured and counted alike', async (t) => {
  const rows = await runScenario<readonly Row[]>(t, 'explained');
  t.true(rows.length > 60);
  for (const [i, row] of rows.entries()) {
    const { on, queue, cpu, length, captured } = row;
    t.deepEqual(row.said, captured, `frame ${i}`);
    t.is(captured.verdict, row.verdict, `frame ${i}`);
    t.is(row.number, 1, `frame ${i}`);
    t.false(row.changed, `frame ${i}: explaining it changed a map`);
    t.deepEqual(row.counted, { [`${captured.vnic ?? 'nobody'} ${captured.reason}`]: 1 }, `frame ${i}`);
    t.deepEqual(row.facts, { interface: on, rxQueue: queue, cpu, length, sameBytes: true }, `frame ${i}`);
    t.true(row.steps >= 3);
  }
  const reasons = new Set(rows.map(({ captured }) => captured.reason));
  for (const reason of [
    'redirect_rss',
    'redirect_rfs',
    'redirect_single',
    'redirect_uplink',
    'pass_oversize',
    'drop_spoofed_ip',
    'control',
  ])
    t.true(reasons.has(reason), reason);
  t.true(
    rows.some(({ captured }) => captured.cpu !== null),
    'no frame was handed to another CPU',
  );
});

interface Counts {
  readonly seen: string;
  readonly sampled: string;
  readonly matched: string;
  readonly lost: string;
}

kernelTest('live frames: what is captured is what the counters say', async (t) => {
  const live = await runScenario<{ sent: number; captured: object; counted: object; counts: Counts; inOrder: boolean }>(t, 'live');
  t.deepEqual(live.captured, live.counted);
  t.is(
    Object.values(live.captured).reduce((sum: number, frames: number) => sum + frames, 0),
    live.sent,
  );
  t.deepEqual(live.counts, { seen: String(live.sent), sampled: String(live.sent), matched: String(live.sent), lost: '0' });
  t.true(live.inOrder);
});

interface Filtered {
  readonly tally: Readonly<Record<string, number>>;
  readonly on: readonly string[];
  readonly counts: Counts;
}

kernelTest('filters are applied before the ring', async (t) => {
  const seen = await runScenario<{
    frames: number;
    reasons: Filtered;
    verdicts: Filtered;
    ifindex: Filtered;
    vnic: Filtered;
    sample: { given: number; counts: Counts };
    snap: object;
  }>(t, 'filters');
  t.deepEqual(seen.reasons.tally, { 'g1 pass_oversize': 1, 'g2 drop_spoofed_ip': 1 });
  t.is(seen.reasons.counts.seen, String(seen.frames));
  t.is(seen.reasons.counts.matched, '2');
  t.true(Object.keys(seen.verdicts.tally).every((key) => /drop_|control/.test(key)));
  t.true(Object.keys(seen.verdicts.tally).length >= 5);
  t.deepEqual(seen.ifindex.on, ['tap2']);
  t.is(seen.ifindex.counts.seen, '4');
  // For g2, and from it: the one that goes to g1 is counted there.
  t.deepEqual(seen.vnic.on, ['pf0', 'tap2', 'vf1']);
  t.true(Object.keys(seen.vnic.tally).some((key) => key.startsWith('g1 ')));
  t.is(seen.sample.counts.seen, '10000');
  // One in ten of 10,000: five standard deviations are 150.
  t.true(Math.abs(seen.sample.given - 1000) < 150, String(seen.sample.given));
  t.is(seen.sample.counts.sampled, String(seen.sample.given));
  t.deepEqual(seen.snap, { length: 50, bytes: 20, head: true });
});

kernelTest('a full ring: no frame is held up, and those left out are counted', async (t) => {
  const { given, counts, counted } = await runScenario<{ given: number; counts: Counts; counted: object }>(t, 'full');
  // A test run goes on with the frame that it has made, so what becomes of it may change on the way.
  t.is(
    Object.values(counted).reduce((sum: number, frames: number) => sum + frames, 0),
    5000,
  );
  t.is(counts.matched, '5000');
  t.true(given > 1000 && given < 5000);
  t.is(Number(counts.lost), 5000 - given);
});

kernelTest('one captor at a time, and none is missed when it is gone', async (t) => {
  const seen = await runScenario<Record<string, unknown>>(t, 'ends');
  t.regex(String(seen.second), /^CaptureBusyError: another process captures from the programs at /);
  t.true(seen.before);
  t.false(seen.after, 'the programs went on for a captor that was away');
  t.is(seen.none, 0);
  t.regex(String(seen.nowhere), /^NothingToCaptureError: nothing is pinned at /);
  t.false(seen.exchanged, 'the captor did not notice that the programs were exchanged');
});
