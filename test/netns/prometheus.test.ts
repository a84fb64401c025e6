/**
 * A real Prometheus scrapes the hosts of a lab in which traffic flows, vNICs change their path, a guest goes to another host and a daemon is
 * killed: every query of every dashboard and rule returns data, and what is counted is what went over the wire.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { forwardScrapes } from '../../grafana/live/forward.js';
import { Prometheus, type Series } from '../../grafana/live/prometheus.js';
import { dashboardQueries, filledIn, type NamedQuery, rules, rulesFile } from '../../grafana/queries.js';
import { ControlClient } from '../../src/control/client.js';
import type { VnicPath } from '../../src/core/model.js';
import { labDown } from '../../src/lab/down.js';
import { defaultLab } from '../../src/lab/model.js';
import { hostSocketPath, labPlace, type LabPlace, namespaceOf } from '../../src/lab/place.js';
import { allFailures, type RunResults } from '../../src/lab/results.js';
import { progressOn } from '../../src/lab/run/progress.js';
import { runScenario } from '../../src/lab/run/runner.js';
import { NEIGHBOUR, type ScenarioStep, SUBJECT } from '../../src/lab/scenario.js';
import { labUp } from '../../src/lab/up.js';
import { measureRuns } from '../../src/native/run_statistics.js';
import { allFamilies } from '../../src/metrics/families.js';
import { needsProgram, promtool } from '../support/prometheus_programs.js';
import { ip } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const labTest = testWith(
  needs.root(),
  needs.bpffs(),
  ...['ip', 'bridge', 'tc', 'ethtool', 'nsenter', 'sysctl', 'setpriv'].map(needs.tool),
  needsProgram('prometheus'),
  needsProgram('promtool'),
).serial;

const HOLD_SECONDS = 1.5;
/** A scrape a second, and one more until it can be asked for. */
const SCRAPES_MS = 2_500;
/** Stays where it is, on its software path: all that it sends goes through one device. */
const BYSTANDER = 'g3';
const BYSTANDER_HOST = 'b';
/** The Ethernet header: a veth counts a frame where it arrives, when that is off (drivers/net/veth.c, __dev_forward_skb and then veth_xdp_rcv_skb). */
const UNCOUNTED_BYTES = 14;

const want = (path: VnicPath, guest = SUBJECT) => ({ kind: 'want', guest, path, reaches: true }) as const;

function step(name: string, changes: ScenarioStep['changes'], host = 'a', path: VnicPath = 'accelerated'): ScenarioStep {
  const reason = path === 'accelerated' ? 'none' : 'operator_software';
  return { name, title: name, kind: 'planned', changes, expect: { host, path, reason, others: { [NEIGHBOUR]: 'accelerated' } } };
}

const scenario: readonly ScenarioStep[] = [
  step('both plugged', [want('accelerated', NEIGHBOUR), want('accelerated')]),
  step('unplugged', [want('software')], 'a', 'software'),
  step('daemon killed', [
    want('accelerated'),
    { kind: 'kill-daemon', host: 'a' },
    { kind: 'wait', seconds: 1.5 },
    { kind: 'start-daemon', host: 'a' },
  ]),
  step('re-homed', [want('software'), { kind: 'rehome', guest: SUBJECT, to: 'b' }, want('accelerated')], 'b'),
];

interface Counted {
  readonly packets: number;
  readonly bytes: number;
}

interface SentAndGot {
  readonly sent: Counted;
  readonly got: Counted;
}

/** What the bystander has sent and got, as its own kernel counts. What it sends, with the Ethernet headers, that it leaves out; a port leaves them out, too. */
function trafficOf(place: LabPlace): SentAndGot {
  const [link] = JSON.parse(ip(namespaceOf(place, BYSTANDER), '-j -s link show dev eth0')) as { stats64: { tx: Counted; rx: Counted } }[];
  if (link === undefined) throw new Error(`${BYSTANDER} has no eth0`);
  const { tx, rx } = link.stats64;
  return { sent: { packets: tx.packets, bytes: tx.bytes + tx.packets * UNCOUNTED_BYTES }, got: rx };
}

/** As Grafana would: a variable that stands for one is the guest that travels and where it began, others are all. */
const asked = ({ expr, where }: NamedQuery): string =>
  filledIn(expr, {
    instance: where.startsWith('unipath / Host,') ? 'a' : '.+',
    vnic: where.startsWith('unipath / vNIC,') ? SUBJECT : '.+',
    __rate_interval: '5s',
    __range: '1m',
  });

const isMeasured = (series: readonly Series[]): boolean => series.some(({ values }) => values.some(([, value]) => Number.isFinite(value)));
const last = (series: readonly Series[]): number => series.reduce((sum, { values }) => sum + (values.at(-1)?.[1] ?? Number.NaN), 0);
const seconds = (): number => Date.now() / 1000;

/** Guests with the plug-in hear on both paths, so nothing is kept back for them. */
const NOTHING_WAITS = ['A', 'B'].map((query) => `unipath / Migration, panel How long frames waited ${query}`);

interface Observed {
  readonly place: LabPlace;
  readonly prometheus: Prometheus;
  readonly from: number;
  readonly to: number;
  readonly results: RunResults;
  /** Of the bystander, before and after the last scrape that `from` has, and that `to` has: what was scraped lies between. */
  readonly outsideFrom: readonly [SentAndGot, SentAndGot];
  readonly outsideTo: readonly [SentAndGot, SentAndGot];
}

async function observe(t: ExecutionContext): Promise<Observed> {
  const statistics = measureRuns();
  t.teardown(() => statistics.close());
  const place = labPlace(`p${process.pid}`);
  t.teardown(async () => {
    await labDown(place);
  });
  const lab = await labUp(place);
  t.teardown(() => lab.journal.close());
  const forwarder = await forwardScrapes(new Map(defaultLab.hosts.map(({ name }) => [`/${name}`, hostSocketPath(place, name)])));
  t.teardown(() => forwarder.close());
  const targets = defaultLab.hosts.map(({ name }) => ({ instance: name, address: forwarder.address, path: `/${name}` }));
  const prometheus = await Prometheus.start(targets, rulesFile);
  t.teardown(() => prometheus.close());
  const early = trafficOf(place);
  await sleep(SCRAPES_MS);
  const from = seconds();
  const outsideFrom = [early, trafficOf(place)] as const;
  const progress = progressOn({ write: (text) => t.log(text.trimEnd()) });
  const pace = { holdSeconds: HOLD_SECONDS, deadSeconds: 1 };
  const results = await runScenario(lab, scenario, { pace, quick: true, progress, signal: new AbortController().signal, takeDown: false, notes: [] });
  const late = trafficOf(place);
  await sleep(SCRAPES_MS);
  const to = seconds();
  return { place, prometheus, from, to, results, outsideFrom, outsideTo: [late, trafficOf(place)] };
}

async function everyQueryReturnsData(t: ExecutionContext, { prometheus, from, to }: Observed): Promise<void> {
  const empty: string[] = [];
  const unmeasured: string[] = [];
  const queries = dashboardQueries();
  for (const query of queries) {
    const expr = asked(query);
    const series = query.instant ? await prometheus.query(expr, to) : await prometheus.queryRange(expr, from, to);
    if (series.length === 0) empty.push(`${query.where}: ${expr}`);
    else if (!isMeasured(series)) unmeasured.push(query.where);
  }
  t.deepEqual(empty, []);
  t.deepEqual(unmeasured, NOTHING_WAITS);
  t.true(queries.length > 90);
  t.log(`${queries.length} queries of dashboards return data`);
}

async function everyRuleWorks(t: ExecutionContext, { prometheus, from, to }: Observed): Promise<void> {
  const states = await prometheus.rules();
  t.deepEqual(states.filter(({ health }) => health !== 'ok'), []);
  t.is(states.length, rules().length);
  for (const { record } of rules()) if (record !== undefined) t.true(isMeasured(await prometheus.queryRange(record, from, to)), record);
  t.deepEqual(await prometheus.query('ALERTS{alertstate="firing"}', to), [], 'nothing is wrong for long here');
}

async function whatIsExportedIsDocumented(t: ExecutionContext, place: LabPlace): Promise<void> {
  const documented = allFamilies().map(({ name }) => name);
  for (const { name } of defaultLab.hosts) {
    const text = await new ControlClient(hostSocketPath(place, name)).metrics();
    t.deepEqual([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, family]) => family), documented);
    t.deepEqual(promtool(['check', 'metrics'], text), { content: true, output: '' });
  }
}

const FRAMES_AND_BYTES = [['packets', 'frames'], ['bytes', 'bytes']] as const;

async function countersAreRight(t: ExecutionContext, { prometheus, from, to, outsideFrom, outsideTo }: Observed): Promise<void> {
  for (const [direction, counter] of [['sent', 'unipath_vnic_transmit'], ['got', 'unipath_port_delivered']] as const) {
    for (const [what, metric] of FRAMES_AND_BYTES) {
      const series = `${counter}_${metric}_total{instance="${BYSTANDER_HOST}", vnic="${BYSTANDER}"}`;
      const inside = last(await prometheus.query(series, to)) - last(await prometheus.query(series, from));
      const [earlyFrom, lateFrom, earlyTo, lateTo] = [...outsideFrom, ...outsideTo].map((each) => each[direction][what]) as [number, number, number, number];
      const [least, most] = [earlyTo - lateFrom, lateTo - earlyFrom];
      t.true(least <= inside && inside <= most, `${what} of ${BYSTANDER}: ${inside} counted, ${least} to ${most} ${direction}`);
      // A neighbour solicitation or two, when nothing else is sent.
      t.true(least > 500 && most - least < least / 50, `${least} to ${most} ${what} ${direction}`);
      t.log(`${BYSTANDER}: ${inside} ${what} counted, ${least} to ${most} ${direction}`);
    }
  }
  // The VF was changed and the daemon killed meanwhile.
  const counters = allFamilies().filter(({ name, type }) => type === 'counter' && name.startsWith('unipath_vnic_'));
  t.true(counters.length > 8);
  for (const { name } of counters) {
    t.is(last(await prometheus.query(`sum(resets(${name}{instance="a", vnic="${NEIGHBOUR}"}[5m]))`, to)), 0, `${name} of ${NEIGHBOUR} begins anew`);
  }
  t.is(last(await prometheus.query('sum(changes(process_start_time_seconds{instance="a"}[5m]))', to)), 1, 'unipathd was started anew');
}

async function pathsAreShown(t: ExecutionContext, { prometheus, from, to }: Observed): Promise<void> {
  const accelerated = await prometheus.queryRange(`unipath_vnic_path{vnic="${SUBJECT}", path="accelerated"}`, from, to);
  t.deepEqual(accelerated.map(({ labels }) => labels['instance']).sort(), ['a', 'b']);
  const on = (host: string): number[] => accelerated.find(({ labels }) => labels['instance'] === host)?.values.map(([, value]) => value) ?? [];
  t.deepEqual([...new Set(on('a'))].sort(), [0, 1]);
  // It is on its software path there for less than a scrape.
  t.is(on('b').at(-1), 1);
  const [onB] = await prometheus.query(`unipath_vnic_info{vnic="${SUBJECT}"}`, to);
  t.is(onB?.labels['instance'], 'b');
  const switches = await prometheus.query('sum by (path) (unipath_vnic_switch_duration_seconds_count{outcome="completed", instance="b"})', to);
  t.true(switches.every(({ values }) => (values[0]?.[1] ?? 0) >= 0) && last(switches) >= 1);
}

labTest('a real Prometheus gets what the dashboards and rules ask for, and it is true', async (t) => {
  t.timeout(150_000);
  const observed = await observe(t);
  t.deepEqual(allFailures(observed.results), []);
  await everyQueryReturnsData(t, observed);
  await everyRuleWorks(t, observed);
  await countersAreRight(t, observed);
  await pathsAreShown(t, observed);
  await whatIsExportedIsDocumented(t, observed.place);
});
