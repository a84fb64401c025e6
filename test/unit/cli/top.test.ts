import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { ratesBetween, type Sample, type TopRow } from '../../../src/cli/top_rates.js';
import { eventLines, pageSize, picture, type Picture, queuesText } from '../../../src/cli/top_screen.js';
import { chosenRows, FIRST_VIEW, type Key, press, type View } from '../../../src/cli/top_view.js';
import type { CountersReply, VnicStatus } from '../../../src/control/protocol.js';
import { run } from '../../support/cli.js';
import { fakeDaemon } from '../../support/control_socket.js';
import { monitorEvent, vnicStatus } from '../../support/fake_controller.js';
import { needs, testWith } from '../../support/require.js';

type Counters = CountersReply['vnics'][number];

const tally = (packets: number, bytes = packets * 100) => ({ packets, bytes });

function counters(change: Partial<Counters> = {}): Counters {
  return {
    name: 'g1', reasons: {}, tap_queues: [], vf_queues: [], from_tap: tally(0), from_vf: tally(0),
    cpu_handovers: 0, flows_learnt: 0, flows_moved: 0, flows_replaced: 0, flows_expired: 0, path_changes: 0,
    ...change,
  };
}

function sample(atMs: number, all: readonly Counters[], vnics: readonly VnicStatus[] = [vnicStatus()]): Sample {
  const status = { schema: 1, version: '', pid: 1, pins: '', config_file: '', adopted: false, last_reconcile_age_ms: 1, reconcile_error: null, adapters: [], quotas: [], vnics };
  return { atMs, status, counters: { schema: 1, vnics: all, unknown: {}, redirect_errors: [] } };
}

function row(change: Partial<TopRow> = {}): TopRow {
  const still = { packets_per_second: 0, bits_per_second: 0 };
  return {
    vnic: 'g1', adapter: 'nic0', path: 'accelerated', as_wanted: true, reason: 'none', tap: still, vf: still,
    bridge_packets_per_second: 0, drops_per_second: 0, queue_percents: [], ...change,
  };
}

test('rates: per path, from the guest and to it', (t) => {
  const before = counters({ from_vf: tally(100), vf_queues: [10, 10], reasons: { redirect_rss: tally(20) } });
  const after = counters({
    from_vf: tally(300),
    from_tap: tally(2),
    vf_queues: [40, 80],
    reasons: { redirect_rss: tally(60), redirect_rfs: tally(60), redirect_vf: tally(4), pass_multicast: tally(8), drop_spoofed_mac: tally(6) },
  });
  t.deepEqual(ratesBetween(sample(1000, [before]), sample(3000, [after])), [
    row({
      // 200 from the guest, 100 to it, and 4 by the bridge, in 2 s.
      vf: { packets_per_second: 152, bits_per_second: 152 * 800 },
      tap: { packets_per_second: 1, bits_per_second: 800 },
      bridge_packets_per_second: 4,
      drops_per_second: 3,
      queue_percents: [30, 70, 0, 0].slice(0, 2),
    }),
  ]);
});

test('rates: what was redirected in an interval with a change of path is shared out by frames', (t) => {
  const after = counters({ tap_queues: [30], vf_queues: [10], reasons: { redirect_single: { packets: 40, bytes: 4000 } } });
  const [first] = ratesBetween(sample(0, [counters()]), sample(1000, [after]));
  t.deepEqual([first?.tap.bits_per_second, first?.vf.bits_per_second], [24_000, 8000]);
});

test('rates: counters that begin anew, a vNIC that has just come, one whose counters are not there', (t) => {
  const [anew] = ratesBetween(sample(0, [counters({ from_vf: tally(1000) })]), sample(1000, [counters({ from_vf: tally(5) })]));
  t.is(anew?.vf.packets_per_second, 5);
  const [come] = ratesBetween(sample(0, []), sample(1000, [counters({ from_vf: tally(1000) })]));
  t.is(come?.vf.packets_per_second, 0);
  const [unknown] = ratesBetween(sample(0, []), sample(0, []));
  t.like(unknown, { vnic: 'g1', drops_per_second: 0, queue_percents: [] });
});

const keyed = (view: View, ...keys: readonly (Key | string)[]): View | null =>
  keys.reduce<View | null>((now, key) => (now === null ? null : press(now, typeof key === 'string' ? { name: key, sequence: key } : key, 10)), view);

test('keys: order, filter, paths, pace, scrolling, the end', (t) => {
  t.is(keyed(FIRST_VIEW, 'q'), null);
  t.is(keyed(FIRST_VIEW, { name: 'c', ctrl: true }), null);
  t.like(keyed(FIRST_VIEW, 'p'), { sort: 'pps', reverse: true });
  t.like(keyed(FIRST_VIEW, 'd'), { sort: 'drops', reverse: false });
  t.like(keyed(FIRST_VIEW, 'd', 'd', 'n'), { sort: 'name', reverse: false });
  t.like(keyed(FIRST_VIEW, 'a', 'a', 'a'), { paths: 'not as wanted' });
  t.like(keyed(FIRST_VIEW, 'a', 'a', 'a', 'a'), { paths: 'all' });
  // What is typed is no key: also q.
  t.like(keyed(FIRST_VIEW, '/', 'q', 'b', '1', { name: 'backspace' }), { filter: 'qb', typing: true });
  t.like(keyed(FIRST_VIEW, '/', 'q', { name: 'return' }), { filter: 'q', typing: false });
  t.like(keyed(FIRST_VIEW, '/', 'q', { name: 'escape' }), { filter: '', typing: false });
  t.like(keyed(FIRST_VIEW, 'a', '/', 'x', { name: 'return' }, { name: 'escape' }), { filter: '', paths: 'all' });
  t.like(keyed(FIRST_VIEW, '+'), { intervalMs: 2000 });
  t.like(keyed({ ...FIRST_VIEW, intervalMs: 100 }, '-'), { intervalMs: 100 });
  t.like(keyed(FIRST_VIEW, { name: 'pagedown' }, 'j', 'k', 'k'), { scroll: 9 });
  t.like(keyed(FIRST_VIEW, 'up'), { scroll: 0 });
  t.like(keyed(FIRST_VIEW, { name: 'space' }), { paused: true });
  t.deepEqual(keyed(FIRST_VIEW, 'x', { name: 'f5' }), FIRST_VIEW);
});

test('rows: sorted either way, by name among equals, filtered by name, adapter and path', (t) => {
  const fast = { packets_per_second: 9, bits_per_second: 1 };
  const rows = [
    row({ vnic: 'g10', tap: fast, path: 'software', adapter: 'nic1' }),
    row({ vnic: 'g9', vf: { packets_per_second: 1, bits_per_second: 9 }, queue_percents: [50, 50] }),
    row({ vnic: 'g2', drops_per_second: 1, as_wanted: false, queue_percents: [90, 10] }),
  ];
  const names = (change: Partial<View>): string => chosenRows(rows, { ...FIRST_VIEW, ...change }).map(({ vnic }) => vnic).join(' ');
  t.is(names({}), 'g10 g9 g2');
  t.is(names({ reverse: true }), 'g2 g9 g10');
  t.is(names({ sort: 'bps' }), 'g9 g10 g2');
  t.is(names({ sort: 'drops' }), 'g2 g9 g10');
  t.is(names({ sort: 'imbalance' }), 'g2 g9 g10');
  t.is(names({ sort: 'name' }), 'g2 g9 g10');
  t.is(names({ sort: 'name', reverse: true }), 'g10 g9 g2');
  t.is(names({ filter: 'G1' }), 'g10');
  t.is(names({ filter: 'nic0' }), 'g9 g2');
  t.is(names({ paths: 'software' }), 'g10');
  t.is(names({ paths: 'not as wanted' }), 'g2');
});

function page(change: Partial<Picture> = {}): Picture {
  return { columns: 80, lines: 24, colour: false, time: '10:11:12', rows: [row()], events: [], problems: [], view: FIRST_VIEW, ...change };
}

test('the picture at 80 columns', (t) => {
  const rows = [
    row({ vnic: 'web', vf: { packets_per_second: 123_456, bits_per_second: 1_234_567_890 }, queue_percents: [28, 72] }),
    row({ vnic: 'a-name-longer-than-that', path: 'software', as_wanted: false, reason: 'no_free_vf', tap: { packets_per_second: 999, bits_per_second: 1000 }, drops_per_second: 7 }),
  ];
  const events = [monitorEvent({ message: 'first' }), monitorEvent({ message: 'second', vnic: null, adapter: 'nic0' })];
  const problems = ['vNIC x: no VF', 'another'];
  t.is(
    picture(page({ rows, events, problems, lines: 15 })).join('\n'),
    `unipath top 10:11:12 DEGRADED every 1 s, accelerated 1/2, by pps
VNIC           PATH  TAP-PPS TAP-BPS  VF-PPS  VF-BPS  BRIDGE   DROPS QUEUES-%
web            accel       0       0  123.5k    1.2G       0       0 28/72
a-name-longer~ soft      999    1.0k       0       0       0       7 -






${''}
vNIC x: no VF (and 1 more)
03:04:05 g1: first
03:04:05 nic0: second
q quit  sort: p pps b bps d drops i imbalance n name  / filter  a paths  +- pace`,
  );
  t.regex(picture(page({ rows, columns: 120 }))[3] ?? '', / -           no_free_vf$/);
  t.is(picture(page({ view: { ...FIRST_VIEW, typing: true, filter: 'we' } })).at(-1), 'filter: we_   Enter keeps it, Esc clears it');
  t.is(queuesText([10, 10, 10, 10, 10, 50]), 'max 50/6');
});

test('the picture without rows says why there are none', (t) => {
  const body = (change: Partial<Picture>): string | undefined => picture(page({ lines: 5, ...change }))[2];
  t.is(body({ rows: [] }), 'there are no vNICs');
  t.is(body({ rows: [], problems: ['unipathd is not reachable'] }), 'unipathd is not reachable');
  t.is(body({ view: { ...FIRST_VIEW, filter: 'x' } }), 'no vNIC is like that: Esc shows all');
  t.is(picture(page({ columns: 30 }))[0], 'unipath top 10:11:12 OK every~');
});

test('scrolling ends with the last row', (t) => {
  const rows = Array.from({ length: 40 }, (_, i) => row({ vnic: `g${i + 1}` }));
  const shown = picture(page({ rows, view: { ...FIRST_VIEW, scroll: 1000 } })).filter((line) => /^g\d/.test(line));
  t.is(shown.length, pageSize(24));
  t.regex(shown.at(-1) ?? '', /^g40 /);
});

test('no picture is larger than its terminal, whatever is shown', (t) => {
  const rows = fc.array(
    fc.record({
      vnic: fc.string({ minLength: 1, maxLength: 30 }),
      rate: fc.nat({ max: 2 ** 31 - 1 }),
      queues: fc.array(fc.nat({ max: 100 }), { maxLength: 20 }),
      path: fc.constantFrom('software' as const, 'accelerated' as const),
    }).map(({ vnic, rate, queues, path }) => {
      const busy = { packets_per_second: rate, bits_per_second: rate * 12_000 };
      return row({ vnic, path, tap: busy, vf: busy, bridge_packets_per_second: rate, drops_per_second: rate, queue_percents: queues, reason: 'bridge_without_vlan_filtering' });
    }),
    { maxLength: 60 },
  );
  const some = fc.record({
    rows,
    columns: fc.integer({ min: 20, max: 200 }),
    lines: fc.integer({ min: 3, max: 60 }),
    colour: fc.boolean(),
    events: fc.array(fc.string().map((message) => monitorEvent({ message })), { maxLength: 20 }),
    problems: fc.array(fc.string({ maxLength: 200 }), { maxLength: 3 }),
    typing: fc.boolean(),
    scroll: fc.nat({ max: 100 }),
  });
  fc.assert(
    fc.property(some, ({ typing, scroll, ...rest }) => {
      const lines = picture(page({ ...rest, view: { ...FIRST_VIEW, typing, scroll, filter: '' } }));
      const widest = Math.max(...lines.map((line) => [...stripVTControlCharacters(line)].length));
      return lines.length === rest.lines && widest <= rest.columns && eventLines(rest.lines) <= 5;
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('without a terminal: a table, a JSON document, as often as asked for', async (t) => {
  let asked = 0;
  const { socket } = await fakeDaemon(t, {
    counters: () => ({ vnics: [counters({ from_vf: tally(1000 * asked++) })], unknown: {}, redirect_errors: [] }),
  });
  const once = await run(`-S ${socket} top -i 0.1 --once`);
  t.is(once.code, 0);
  t.regex(once.out, /^VNIC +PATH +TAP-PPS .*\ng1 +accelerated +0 +0 +[\d.]+k +[\d.]+M /);
  t.regex(once.out, /^g2 .* no_free_vf$/m);
  const json = await run(`-S ${socket} -j top -i 0.1 --number 2 --sort name`);
  const documents = json.out.trim().split('\n').map((line) => JSON.parse(line) as { vnics: TopRow[]; seconds: number });
  t.is(documents.length, 2);
  t.like(documents[1], { schema: 1, vnics: [{ vnic: 'g1' }, { vnic: 'g2' }] });
  t.true((documents[1]?.vnics[0]?.vf.packets_per_second ?? 0) > 0);
  for (const line of ['top --interval 0', 'top --interval 61', 'top --sort size', 'top --number 0']) t.is((await run(`-S ${socket} ${line}`)).code, 2, line);
  t.is((await run('-S /nonexistent/x.sock top --once')).code, 3);
});

testWith(needs.tool('script'), needs.tool('stty'))('on a real terminal: drawn, keys, and everything as before at the end', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const program = fileURLToPath(new URL('../../../src/cli.js', import.meta.url));
  const line = `stty cols 80 rows 24; "${process.execPath}" "${program}" -S "${socket}" top -i 0.1; echo "exit $?"; stty -a`;
  const child = spawn('script', ['-qec', line, join('/dev', 'null')], { env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' } });
  t.teardown(() => child.kill('SIGKILL'));
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const waitFor = async (pattern: RegExp): Promise<void> => {
    for (let i = 0; i < 300; i++) {
      if (pattern.test(shown)) return void (shown = '');
      await sleep(100);
    }
    t.fail(`${pattern} was not shown: ${JSON.stringify(shown.slice(-500))}`);
  };
  await waitFor(/\u001b\[\?1049h.*by pps.*g1 /s);
  child.stdin.write('n');
  await waitFor(/by name/);
  child.stdin.write('/g2\r');
  await waitFor(/\/g2/);
  while (controller.listeners < 1) await sleep(10);
  controller.emit(monitorEvent({ message: 'it moves' }));
  await waitFor(/g1: it moves/);
  child.stdin.write('q');
  await ended;
  t.regex(shown, /\u001b\[\?25h\u001b\[\?1049l(?!.*\u001b\[\?1049h)/s);
  t.regex(shown, /exit 0/);
  t.regex(shown, / icanon/);
  t.regex(shown, / echo /);
});
