import { release } from 'node:os';
import test from 'ava';
import { verdictOf } from '../../../src/core/verdict.js';
import type { Attachment, DataPlaneEvent, GuestDropTally, MapUsage, ProgramRuns, RedirectErrorTally, VnicTally } from '../../../src/dataplane/port.js';
import { listenForScrapes } from '../../../src/metrics/listener.js';
import type { PortStatistics } from '../../../src/metrics/port_counts.js';
import { Metrics } from '../../../src/metrics/registry.js';
import { adapterStatus, FakeController, monitorEvent, vnicStatus } from '../../support/fake_controller.js';
import { needsProgram, promtool } from '../../support/prometheus_programs.js';
import { testWith } from '../../support/require.js';

const tally = (packets: number) => ({ packets, bytes: packets * 100 });

function row(id: number, change: Partial<VnicTally> = {}): VnicTally {
  return {
    id,
    reasons: { redirect_rss: tally(7), pass_software: tally(0), control: tally(2) },
    tapQueues: [1, 0, 3],
    vfQueues: [0, 4],
    fromTap: tally(5),
    fromVf: tally(6),
    cpuHandovers: 8,
    flowsLearnt: 9,
    flowsMoved: 10,
    flowsReplaced: 12,
    flowsExpired: 13,
    pathChanges: 11,
    ...change,
  };
}

class FakeCounts {
  rows: VnicTally[] = [row(0, { reasons: { pass_unknown_mac: tally(12) } }), row(1), row(77)];
  errors: RedirectErrorTally[] = [
    { kind: 'devmap', ifindex: 3, errno: 100, packets: 2n },
    { kind: 'devmap', ifindex: 4, errno: 100, packets: 3n },
    { kind: 'cpumap', ifindex: 0, errno: 0, packets: 4n },
  ];

  tallies(ids: readonly number[]): readonly VnicTally[] {
    return this.rows.filter(({ id }) => ids.includes(id));
  }

  redirectErrors(): readonly RedirectErrorTally[] {
    return this.errors;
  }

  drops: GuestDropTally[] = [];
  lost = 0n;

  guestDrops(): readonly GuestDropTally[] {
    return this.drops;
  }

  eventsLost(): bigint {
    return this.lost;
  }

  /** By ifindex, as of FakeController. */
  devices: PortStatistics = new Map();

  async statistics(): Promise<PortStatistics> {
    return this.devices;
  }

  mapUsage(): readonly MapUsage[] {
    return [{ map: 'tx_ports', entries: 3, maxEntries: 2112 }];
  }

  attachments(): readonly Attachment[] {
    return [
      { ifindex: 2, program: 'steer_uplink', mode: 'native', fallbackReason: null, insteadOf: null },
      { ifindex: 3, program: 'steer_guest', mode: 'native', fallbackReason: null, insteadOf: null },
      { ifindex: 4, program: 'steer_guest', mode: 'generic', fallbackReason: 'a reason', insteadOf: null },
      { ifindex: 5, program: 'steer_guest', mode: 'native', fallbackReason: null, insteadOf: null },
    ];
  }

  programRuns(): readonly ProgramRuns[] {
    return [{ program: 'steer_uplink', count: 10n, nanoseconds: 2_500_000_000n }];
  }
}

function setUp(): { metrics: Metrics; controller: FakeController; counts: FakeCounts; failures: string[] } {
  const controller = new FakeController();
  const counts = new FakeCounts();
  const failures: string[] = [];
  const metrics = new Metrics({
    version: '1.2.3',
    controller,
    dataPlane: counts,
    statistics: () => counts.statistics(),
    vms: () => ({ vms: [], problems: { vm2: 'its monitor is held by somebody else' } }),
    failed: (collector, error) => failures.push(`${collector}: ${error.message}`),
  });
  return { metrics, controller, counts, failures };
}

const scrape = async (metrics: Metrics): Promise<string> => Buffer.concat(await metrics.render()).toString();

/** The lines of our own families, without comments. */
function samples(text: string, prefix = 'unipath_'): string[] {
  return text.split('\n').filter((line) => line.startsWith(prefix));
}

test('counters of vNICs, by reason and by queue', async (t) => {
  const { metrics } = setUp();
  const text = await scrape(metrics);
  t.deepEqual(samples(text, 'unipath_vnic_frames_total'), [
    'unipath_vnic_frames_total{vnic="g1",verdict="redirect",reason="redirect_rss"} 7',
    'unipath_vnic_frames_total{vnic="g1",verdict="pass",reason="pass_software"} 0',
    'unipath_vnic_frames_total{vnic="g1",verdict="drop",reason="control"} 2',
  ]);
  t.true(text.includes('unipath_vnic_bytes_total{vnic="g1",verdict="redirect",reason="redirect_rss"} 700\n'));
  t.deepEqual(samples(text, 'unipath_vnic_queue_frames_total'), [
    'unipath_vnic_queue_frames_total{vnic="g1",path="software",queue="0"} 1',
    'unipath_vnic_queue_frames_total{vnic="g1",path="software",queue="2"} 3',
    'unipath_vnic_queue_frames_total{vnic="g1",path="accelerated",queue="1"} 4',
  ]);
  t.deepEqual(samples(text, 'unipath_vnic_transmit_frames_total'), [
    'unipath_vnic_transmit_frames_total{vnic="g1",path="software"} 5',
    'unipath_vnic_transmit_frames_total{vnic="g1",path="accelerated"} 6',
  ]);
  for (const [name, value] of [
    ['cpu_handovers', 8],
    ['flows_learnt', 9],
    ['flows_moved', 10],
    ['flows_replaced', 12],
    ['flows_expired', 13],
    ['path_changes', 11],
  ]) {
    t.deepEqual(samples(text, `unipath_vnic_${name}_total`), [`unipath_vnic_${name}_total{vnic="g1"} ${value}`]);
  }
  t.deepEqual(samples(text, 'unipath_unknown_frames_total'), ['unipath_unknown_frames_total{verdict="pass",reason="pass_unknown_mac"} 12']);
});

test('what guests sent and was dropped, by the path on which they did', async (t) => {
  const { metrics, counts } = setUp();
  t.deepEqual(samples(await scrape(metrics), 'unipath_vnic_transmit_drops_total{vnic="g2"').map((line) => line.split(' ')[1]), Array(14).fill('0'));
  counts.drops = [
    { vnic: 1, path: 'accelerated', reason: 'drop_rate', packets: 3n },
    { vnic: 1, path: 'software', reason: 'drop_rate', packets: 2n },
    { vnic: 77, path: 'software', reason: 'drop_rate', packets: 9n },
  ];
  t.deepEqual(samples(await scrape(metrics), 'unipath_vnic_transmit_drops_total').filter((line) => !line.endsWith(' 0')), [
    'unipath_vnic_transmit_drops_total{vnic="g1",path="software",reason="drop_rate"} 2',
    'unipath_vnic_transmit_drops_total{vnic="g1",path="accelerated",reason="drop_rate"} 3',
  ]);
});

test('events for which there was no room', async (t) => {
  const { metrics, counts } = setUp();
  t.deepEqual(samples(await scrape(metrics), 'unipath_events_lost_total'), ['unipath_events_lost_total 0']);
  counts.lost = 12n;
  t.deepEqual(samples(await scrape(metrics), 'unipath_events_lost_total'), ['unipath_events_lost_total 12']);
});

test('what ports took, read also when a vNIC changes its port; without an answer the rest is there', async (t) => {
  const { metrics, controller, counts, failures } = setUp();
  const device = (txFrames: number) => ({ txFrames, txBytes: txFrames * 100, txDropped: 1 });
  counts.devices = new Map([[101, device(5)], [201, device(50)]]);
  await scrape(metrics);
  counts.devices = new Map([[101, device(8)], [201, device(70)]]);
  controller.vnics = controller.vnics.map((vnic) => ({ ...vnic, vf: null }));
  controller.emit(monitorEvent({ kind: 'phase', vnic: 'g1', fields: { phase: 'software' } }));
  await new Promise((resolve) => setImmediate(resolve));
  counts.devices = new Map([[101, device(9)], [201, device(90)]]);
  const text = await scrape(metrics);
  t.deepEqual(samples(text, 'unipath_port_delivered_frames_total{vnic="g1"'), [
    'unipath_port_delivered_frames_total{vnic="g1",path="software"} 4',
    'unipath_port_delivered_frames_total{vnic="g1",path="accelerated"} 20',
  ]);
  t.true(text.includes('unipath_port_delivered_bytes_total{vnic="g1",path="software"} 400\n'));
  t.true(text.includes('unipath_port_dropped_frames_total{vnic="g1",path="software"} 0\n'));
  counts.statistics = async () => {
    throw new Error('no answer');
  };
  t.deepEqual(samples(await scrape(metrics), 'unipath_port_'), []);
  t.deepEqual(failures, ['ports: no answer']);
});

test('redirect errors are summed over interfaces and named by errno', async (t) => {
  const { metrics } = setUp();
  t.deepEqual(samples(await scrape(metrics), 'unipath_redirect_errors_total').sort(), [
    'unipath_redirect_errors_total{kind="cpumap",error="none"} 4',
    'unipath_redirect_errors_total{kind="devmap",error="ENETDOWN"} 5',
    'unipath_redirect_errors_total{kind="devmap",error="none"} 0',
    'unipath_redirect_errors_total{kind="exception",error="none"} 0',
    'unipath_redirect_errors_total{kind="redirect",error="none"} 0',
  ]);
});

test('where each vNIC is and why', async (t) => {
  const { metrics } = setUp();
  const text = await scrape(metrics);
  t.deepEqual(samples(text, 'unipath_vnic_path{'), [
    'unipath_vnic_path{vnic="g1",path="software"} 0',
    'unipath_vnic_path{vnic="g1",path="accelerated"} 1',
    'unipath_vnic_path{vnic="g2",path="software"} 1',
    'unipath_vnic_path{vnic="g2",path="accelerated"} 0',
  ]);
  t.deepEqual(samples(text, 'unipath_vnic_reason'), [
    'unipath_vnic_reason{vnic="g1",reason="none"} 1',
    'unipath_vnic_reason{vnic="g2",reason="no_free_vf"} 1',
  ]);
  t.true(text.includes('unipath_vnic_info{vnic="g1",mac="52:54:00:00:00:01",vlan="0",adapter="nic0",tap="tap-g1"} 1\n'));
  t.true(text.includes('unipath_vnic_queues_unreachable{vnic="g1",path="accelerated"} 2\n'));
});

test('the VF pool and the queue budget', async (t) => {
  const { metrics } = setUp();
  const text = await scrape(metrics);
  t.deepEqual(samples(text, 'unipath_adapter_'), [
    'unipath_adapter_info{adapter="nic0",uplink="pf0",bridge="br0",xdp_mode="native"} 1',
    'unipath_adapter_attached{adapter="nic0"} 1',
    'unipath_adapter_vfs{adapter="nic0",state="free"} 1',
    'unipath_adapter_vfs{adapter="nic0",state="used"} 1',
    'unipath_adapter_vfs{adapter="nic0",state="reserved"} 0',
    'unipath_adapter_vfs{adapter="nic0",state="quarantined"} 0',
    'unipath_adapter_vfs{adapter="nic0",state="lost"} 0',
    'unipath_adapter_vfs_limit{adapter="nic0"} 8',
    'unipath_adapter_queues_used{adapter="nic0"} 4',
    'unipath_adapter_queues_limit{adapter="nic0"} 64',
    'unipath_adapter_vectors_used{adapter="nic0"} 0',
  ]);
});

test('quotas: what counts against them, and limits where there are any', async (t) => {
  const { metrics, controller } = setUp();
  const used = { vfs_used: 2, queues_used: 8, vectors_used: 6 };
  controller.quotas = [{ name: 'blue', ...used, vfs_limit: 2, queues_limit: null, vectors_limit: 64 }];
  controller.adapters = [adapterStatus({ vectors_used: 6, vectors_limit: 99 })];
  const text = await scrape(metrics);
  t.deepEqual(samples(text, 'unipath_quota_'), [
    'unipath_quota_used{quota="blue",resource="vfs"} 2',
    'unipath_quota_used{quota="blue",resource="queues"} 8',
    'unipath_quota_used{quota="blue",resource="vectors"} 6',
    'unipath_quota_limit{quota="blue",resource="vfs"} 2',
    'unipath_quota_limit{quota="blue",resource="vectors"} 64',
  ]);
  t.deepEqual(samples(text, 'unipath_adapter_vectors'), ['unipath_adapter_vectors_used{adapter="nic0"} 6', 'unipath_adapter_vectors_limit{adapter="nic0"} 99']);
});

test('up, age and error of the reconcile', async (t) => {
  const { metrics, controller } = setUp();
  const state = async (): Promise<string[]> =>
    samples(await scrape(metrics)).filter((line) => /^unipath_(up|last_reconcile_age_seconds|reconcile_failed) /.test(line));
  t.deepEqual(await state(), ['unipath_up 1', 'unipath_last_reconcile_age_seconds 1.5', 'unipath_reconcile_failed 0']);
  controller.state = { lastReconcileAgeMs: null, error: null };
  t.deepEqual(await state(), ['unipath_up 0', 'unipath_reconcile_failed 0']);
  controller.state = { lastReconcileAgeMs: 1000, error: 'x' };
  t.deepEqual(await state(), ['unipath_up 0', 'unipath_last_reconcile_age_seconds 1', 'unipath_reconcile_failed 1']);
  controller.state = { lastReconcileAgeMs: 1000, error: null };
  controller.adapters = [adapterStatus({ attached: false })];
  t.deepEqual((await state())[0], 'unipath_up 0');
});

test('a counter never goes down from one scrape to the next, and does not add up what it read before', async (t) => {
  const { metrics, counts } = setUp();
  const line = async (): Promise<string[]> => samples(await scrape(metrics), 'unipath_vnic_flows_learnt_total');
  t.deepEqual(await line(), ['unipath_vnic_flows_learnt_total{vnic="g1"} 9']);
  t.deepEqual(await line(), ['unipath_vnic_flows_learnt_total{vnic="g1"} 9']);
  counts.rows = [row(1, { flowsLearnt: 20 })];
  // Scrapes that overlap see whole readings.
  const [first, second] = await Promise.all([line(), line()]);
  t.deepEqual(first, ['unipath_vnic_flows_learnt_total{vnic="g1"} 20']);
  t.deepEqual(second, first);
});

test('a vNIC that is gone leaves no series behind', async (t) => {
  const { metrics, controller } = setUp();
  t.true((await scrape(metrics)).includes('vnic="g2"'));
  controller.vnics = [vnicStatus({ id: 5, name: 'g5' })];
  const text = await scrape(metrics);
  t.false(/vnic="g[12]"/.test(text));
  t.true(text.includes('vnic="g5"'));
});

test('a collector that fails costs its own families only, and is counted', async (t) => {
  const { metrics, counts, failures } = setUp();
  const errors = async (): Promise<string[]> => samples(await scrape(metrics), 'unipath_scrape_collector_errors_total');
  t.deepEqual(
    await errors(),
    ['reconcile', 'adapters', 'vnics', 'traffic', 'guest_drops', 'ports', 'holds', 'announcements', 'machines', 'lost_events', 'maps', 'programs'].map(
      (name) => `unipath_scrape_collector_errors_total{collector="${name}"} 0`,
    ),
  );
  counts.redirectErrors = () => {
    throw new Error('map is gone');
  };
  const text = await scrape(metrics);
  t.true(text.includes('unipath_scrape_collector_errors_total{collector="traffic"} 1\n'));
  t.true(text.includes('unipath_up 1\n'));
  t.true(text.includes('unipath_vnic_path{vnic="g1",path="accelerated"} 1\n'));
  t.deepEqual(failures, ['traffic: map is gone']);
});

test('events are counted, from zero', async (t) => {
  const { metrics, controller } = setUp();
  t.true((await scrape(metrics)).includes('unipath_events_total{kind="error"} 0\n'));
  controller.emit(monitorEvent({ kind: 'error' }));
  t.true((await scrape(metrics)).includes('unipath_events_total{kind="error"} 1\n'));
});

test('reload, build and process', async (t) => {
  const { metrics } = setUp();
  metrics.configReloaded(false);
  const text = await scrape(metrics);
  t.true(text.includes('unipath_config_last_reload_successful 0\n'));
  t.true(text.includes(`unipath_build_info{version="1.2.3",node_version="${process.version}",kernel="${release()}"} 1\n`));
  t.regex(text, /^process_resident_memory_bytes \d+$/m);
});

test('the verdict of every reason', (t) => {
  t.deepEqual(['redirect_rss', 'pass_runt', 'drop_spoofed_mac', 'control'].map(verdictOf), ['redirect', 'pass', 'drop', 'drop']);
});

test('every family has a unit or a kind in its name, a help text, and no sample twice', async (t) => {
  const { metrics } = setUp();
  const text = await scrape(metrics);
  for (const [, name = '', type] of text.matchAll(/^# TYPE (unipath_\S+) (\S+)$/gm)) {
    t.is(name.endsWith('_total'), type === 'counter', name);
    t.regex(text, new RegExp(`^# HELP ${name} [A-Z0-9].*\\.$`, 'm'));
  }
  const series = samples(text).map((line) => line.slice(0, line.lastIndexOf(' ')));
  t.is(new Set(series).size, series.length);
});

testWith(needsProgram('promtool'))('promtool has no complaint', async (t) => {
  const { metrics } = setUp();
  t.deepEqual(promtool(['check', 'metrics'], await scrape(metrics)), { content: true, output: '' });
});

test('over TCP: /metrics and nothing else', async (t) => {
  const { metrics } = setUp();
  const listener = await listenForScrapes(metrics, '127.0.0.1', 0);
  t.teardown(() => listener.close());
  const answer = await fetch(`http://127.0.0.1:${listener.port}/metrics`);
  t.is(answer.status, 200);
  t.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.true((await answer.text()).includes('unipath_up 1\n'));
  t.is((await fetch(`http://127.0.0.1:${listener.port}/v1/status`)).status, 404);
  t.is((await fetch(`http://127.0.0.1:${listener.port}/metrics`, { method: 'POST' })).status, 404);
  await t.throwsAsync(listenForScrapes(metrics, '127.0.0.1', listener.port), {
    message: /^cannot serve metrics on 127\.0\.0\.1 port \d+: something listens there already; choose another port in metrics\.listen$/,
  });
  await t.throwsAsync(listenForScrapes(metrics, '192.0.2.1', 1), { message: /this machine has no such address; correct metrics\.listen/ });
});

test('frames that were kept back are counted by what became of them; announcements, too', async (t) => {
  const { metrics, controller } = setUp();
  const hold = { path: 'accelerated', delivered: 7, stale: 0, lost: 1, waited_ms: 120 };
  controller.emit(monitorEvent({ kind: 'hold', vnic: 'g1', fields: hold }));
  controller.emit(monitorEvent({ kind: 'hold', vnic: 'g1', fields: { ...hold, delivered: 0, lost: 0 } }));
  controller.emit(monitorEvent({ kind: 'action', vnic: 'g1', fields: { action: 'announce' } }));
  const text = await scrape(metrics);
  t.regex(text, /^unipath_hold_frames_total\{vnic="g1",path="accelerated",result="delivered"\} 7$/m);
  t.regex(text, /^unipath_hold_frames_total\{vnic="g1",path="accelerated",result="lost"\} 1$/m);
  // One that nothing waited in says nothing of how long.
  t.regex(text, /^unipath_hold_duration_seconds_count\{path="accelerated"\} 1$/m);
  t.regex(text, /^unipath_hold_lost_frames_bucket\{le="0",path="accelerated"\} 1$/m);
  t.regex(text, /^unipath_hold_lost_frames_sum\{path="accelerated"\} 1$/m);
  t.regex(text, /^unipath_hold_lost_frames_count\{path="accelerated"\} 2$/m);
  t.regex(text, /^unipath_announcements_total\{vnic="g1"\} 1$/m);
});

test('announcements are there from zero before the vNIC is here, so that its arrival is seen to raise them', async (t) => {
  const { metrics, controller } = setUp();
  controller.vnicIds = () => new Map();
  t.deepEqual(samples(await scrape(metrics), 'unipath_announcements_total'), ['g1', 'g2'].map((name) => `unipath_announcements_total{vnic="${name}"} 0`));
  controller.emit(monitorEvent({ kind: 'action', vnic: 'g2', fields: { action: 'announce' } }));
  t.regex(await scrape(metrics), /^unipath_announcements_total\{vnic="g2"\} 1$/m);
});

test('what is counted for a vNIC is there from zero, and gone with it', async (t) => {
  const { metrics, controller } = setUp();
  t.regex(await scrape(metrics), /^unipath_hold_frames_total\{vnic="g2",path="software",result="lost"\} 0$/m);
  controller.emit(monitorEvent({ kind: 'action', vnic: 'g2', fields: { action: 'announce' } }));
  t.deepEqual(samples(await scrape(metrics), 'unipath_announcements_total'), [
    'unipath_announcements_total{vnic="g1"} 0',
    'unipath_announcements_total{vnic="g2"} 1',
  ]);
  controller.vnics = [vnicStatus()];
  const text = await scrape(metrics);
  t.deepEqual(samples(text, 'unipath_announcements_total'), ['unipath_announcements_total{vnic="g1"} 0']);
  t.false(text.includes('vnic="g2"'));
});

const histogram = (text: string, name: string, labels: string): [count: number, sum: number] => {
  const value = (what: string): number => Number(new RegExp(`^${name}_${what}\\{${labels}\\} (\\S+)$`, 'm').exec(text)?.[1]);
  return [value('count'), value('sum')];
};

test('how long a change of path took, and whether it came about', async (t) => {
  const { metrics, controller } = setUp();
  const phase = (name: string, atMs: number): void =>
    controller.emit(monitorEvent({ kind: 'phase', vnic: 'g1', monotonic_ms: atMs, fields: { phase: name, was: null } }));
  const taken = async (path: string, outcome: string): Promise<[number, number]> =>
    histogram(await scrape(metrics), 'unipath_vnic_switch_duration_seconds', `path="${path}",outcome="${outcome}"`);
  t.deepEqual(await taken('accelerated', 'failed'), [0, 0]);
  phase('software', 0);
  phase('plugging', 1000);
  phase('accelerated', 1500);
  t.deepEqual(await taken('accelerated', 'completed'), [1, 0.5]);
  phase('draining', 5000);
  phase('software', 5250);
  t.deepEqual(await taken('software', 'completed'), [1, 0.25]);
  phase('plugging', 6000);
  phase('draining', 8000);
  t.deepEqual(await taken('accelerated', 'failed'), [1, 2]);
  phase('accelerated', 9000);
  t.deepEqual(await taken('software', 'failed'), [1, 1]);
  t.deepEqual(await taken('accelerated', 'completed'), [1, 0.5], 'it did not go there, it stayed');
});

test('live migrations, and how long each phase took', async (t) => {
  const { metrics, controller } = setUp();
  const says = (migration: string, atMs: number): void => {
    const fields = { vm: 'vm1', direction: 'outgoing', migration };
    controller.emit(monitorEvent({ kind: 'guest', vnic: null, monotonic_ms: atMs, fields }));
  };
  const ended = async (): Promise<string[]> =>
    samples(await scrape(metrics), 'unipath_migrations_total{direction="outgoing"').map((line) => line.replace(/.*outcome=/, ''));
  t.deepEqual(await ended(), ['"completed"} 0', '"failed"} 0', '"cancelled"} 0']);
  const phases = async (phase: string): Promise<[number, number]> =>
    histogram(await scrape(metrics), 'unipath_migration_phase_duration_seconds', `direction="outgoing",phase="${phase}"`);
  says('setup', 0);
  says('active', 100);
  says('setup', 90_000);
  says('active', 90_500);
  says('device', 92_500);
  says('completed', 92_750);
  t.deepEqual(await ended(), ['"completed"} 1', '"failed"} 0', '"cancelled"} 0']);
  t.deepEqual(await phases('setup'), [2, 0.6]);
  t.deepEqual(await phases('active'), [1, 2], 'the one that never ended is left out');
  t.deepEqual(await phases('device'), [1, 0.25]);
  controller.emit(monitorEvent({ kind: 'guest', fields: { mode: 'plugin' } }));
  t.deepEqual(await ended(), ['"completed"} 1', '"failed"} 0', '"cancelled"} 0']);
});

test('looks at the host, and how long it takes until nothing is left to do', async (t) => {
  const { metrics, controller } = setUp();
  controller.look({ failed: false, durationMs: 20, settledMs: null });
  controller.look({ failed: false, durationMs: 30, settledMs: 500 });
  controller.look({ failed: true, durationMs: 250, settledMs: null });
  const text = await scrape(metrics);
  t.deepEqual(histogram(text, 'unipath_reconcile_duration_seconds', 'outcome="completed"'), [2, 0.05]);
  t.deepEqual(histogram(text, 'unipath_reconcile_duration_seconds', 'outcome="failed"'), [1, 0.25]);
  t.regex(text, /^unipath_reconcile_settle_duration_seconds_sum 0\.5$/m);
});

test('how late events of the packet programs are read', async (t) => {
  const { metrics } = setUp();
  let tell = (_: DataPlaneEvent): void => t.fail('nobody listens');
  metrics.follow({
    onEvent(listener) {
      tell = listener;
      return () => undefined;
    },
  });
  tell({ kind: 'heard', timeNs: process.hrtime.bigint() - 2_000_000n, vnic: 1, path: 'software', ifindex: 3 });
  const [count, seconds] = histogram(await scrape(metrics), 'unipath_event_delay_seconds', 'kind="heard"');
  t.is(count, 1);
  t.true(seconds >= 0.002 && seconds < 10, String(seconds));
});

test('maps, programs, machines, phases', async (t) => {
  const { metrics } = setUp();
  const text = await scrape(metrics);
  for (const line of [
    'unipath_bpf_map_entries{map="tx_ports"} 3',
    'unipath_bpf_map_max_entries{map="tx_ports"} 2112',
    'unipath_bpf_program_runs_total{program="steer_uplink"} 10',
    'unipath_bpf_program_run_seconds_total{program="steer_uplink"} 2.5',
    'unipath_bpf_program_interfaces{program="steer_uplink",xdp_mode="native"} 1',
    'unipath_bpf_program_interfaces{program="steer_uplink",xdp_mode="generic"} 0',
    'unipath_bpf_program_interfaces{program="steer_guest",xdp_mode="native"} 2',
    'unipath_bpf_program_interfaces{program="steer_guest",xdp_mode="generic"} 1',
    'unipath_vms 0',
    'unipath_vms_unreachable 1',
    'unipath_vnic_phase{vnic="g1",phase="accelerated"} 1',
    'unipath_vnic_phase{vnic="g1",phase="plugging"} 0',
  ]) {
    t.true(text.includes(`\n${line}\n`), line);
  }
});
