import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { version } from '../../../src/version.js';
import { type Run, run } from '../../support/cli.js';
import { fakeDaemon, temporaryFolder } from '../../support/control_socket.js';
import { adapterStatus, monitorEvent, vnicStatus } from '../../support/fake_controller.js';
import { needs, testWith } from '../../support/require.js';

test('status: tables, what is degraded, exit code 4', async (t) => {
  const { socket } = await fakeDaemon(t);
  const { code, out, err } = await run(`-S ${socket} status`);
  t.is(
    out,
    `unipathd 1.2.3, pid ${process.pid}, last reconcile 1.5 s ago

ADAPTER  UPLINK  BRIDGE  XDP     VFS  QUEUES
nic0     pf0     br0     native  1/2  4/64

VNIC  ADAPTER  PATH         PHASE        WANT         VF    REASON
g1    nic0     accelerated  accelerated  accelerated  vfp0  -
g2    nic0     software     software     accelerated  -     no_free_vf

degraded  vNIC g2: accelerated
`,
  );
  t.is(err, '');
  t.is(code, 4);
});

test('status: all is well', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  controller.vnics = [
    vnicStatus(),
    vnicStatus({ name: 'g2', want: 'software', path: 'software', phase: 'software', reason: 'policy_software', vf: null }),
  ];
  const { code, out } = await run(`-S ${socket} status --brief`);
  t.is(out, 'OK uplinks 1/1 native, vNICs accelerated 1/2, VFs used 1/2, last reconcile 1.5 s ago\n');
  t.is(code, 0);
});

test('status: each thing that is wrong is degraded', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  controller.vnics = [vnicStatus()];
  const brief = async (): Promise<string> => {
    const { code, out } = await run(`-S ${socket} status --brief`);
    t.is(code, 4);
    return out;
  };
  controller.state = { lastReconcileAgeMs: null, error: null };
  t.regex(await brief(), /^DEGRADED .*last reconcile never; the first reconcile is not done yet\n$/);
  controller.state = { lastReconcileAgeMs: 61_000, error: null };
  t.regex(await brief(), /; the last reconcile was 61 s ago\n$/);
  controller.state = { lastReconcileAgeMs: 1, error: 'no room' };
  t.regex(await brief(), /; the last reconcile failed: no room\n$/);
  controller.state = { lastReconcileAgeMs: 1, error: null };
  controller.adapters = [adapterStatus({ attached: false, xdp_mode: null })];
  t.regex(await brief(), /^DEGRADED uplinks 0\/1, .*; adapter nic0: no program is attached to pf0\n$/);
});

test('status --wait ends when all is well, and with code 5 when it is not in time', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const start = Date.now();
  t.is((await run(`-S ${socket} status --brief --wait 0.3`)).code, 5);
  t.true(Date.now() - start >= 300);
  const waiting = run(`-S ${socket} status --brief --wait 20`);
  await sleep(250);
  controller.vnics = [vnicStatus()];
  t.is((await waiting).code, 0);
  t.true(Date.now() - start < 10_000);
});

test('-j: one document with its schema, before or behind the command; -p for reading', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  controller.vnics = [vnicStatus()];
  const before = await run(`-j -S ${socket} status`);
  const behind = await run(`status -j -S ${socket}`);
  t.is(before.out, behind.out);
  t.like(JSON.parse(before.out), { schema: 1, pid: process.pid, degraded: [] });
  t.is(before.out.split('\n').length, 2);
  t.true((await run(`-p -S ${socket} status`)).out.startsWith('{\n  "schema": 1,'));
  t.like(JSON.parse((await run(`-j -S ${socket} vnic show g1`)).out), { schema: 1, vnics: [{ name: 'g1' }] });
  t.like(JSON.parse((await run(`-j -S ${socket} adapter show`)).out), { schema: 1, adapters: [{ name: 'nic0' }] });
  t.like(JSON.parse((await run(`-j -S ${socket} vnic software g1`)).out), { schema: 1, reached: true, vnic: { name: 'g1' } });
  t.like(JSON.parse((await run('-j version')).out), { schema: 1, node_version: process.version });
});

test('colour only where asked for', async (t) => {
  const { socket } = await fakeDaemon(t);
  t.false((await run(`-S ${socket} vnic show`)).out.includes('\u001b['));
  const coloured = (await run(`-S ${socket} vnic show`, { colour: true })).out;
  t.true(coloured.includes('\u001b['));
  // The columns are where they are without colour.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours are made of
  t.is(coloured.replace(/\u001b\[[0-9;]*m/g, ''), (await run(`-S ${socket} vnic show`)).out);
});

test('-br: a line for each, without headings, before or behind the command', async (t) => {
  const { socket } = await fakeDaemon(t);
  const lines = `g1  accelerated  vfp0    -\ng2  software     tap-g2  no_free_vf\n`;
  for (const line of ['-br vnic show', 'vnic show -br', 'vnic --brief show']) t.is((await run(`-S ${socket} ${line}`)).out, lines, line);
  t.is((await run(`-S ${socket} vnic show g2 -br`)).out, 'g2  software  tap-g2  no_free_vf\n');
  t.is((await run(`-S ${socket} -br -s vnic show g2`)).out, 'g2  software  tap-g2  0  0  no_free_vf\n');
  t.regex((await run(`-S ${socket} -br status`)).out, /^DEGRADED uplinks/);
  t.regex((await run(`-S ${socket} -br adapter show nic0`)).out, /^nic0 {2}pf0 {2}native {2}1\/2\n/);
  t.regex((await run(`-S ${socket} -br rss show`)).out, /^g1 {2}tap-g1 {2}2 {2}50\.0\/50\.0\n$/);
  t.is((await run(`-S ${socket} -br vm show`)).out, '');
});

test('-d: everything about each', async (t) => {
  const nic = { id: 'net0', mac: '52:54:00:00:00:01', tap: 'tap-g1', failover: true, failover_negotiated: null, queues: 2 };
  const vm = { name: 'web', run_state: 'running', migration: null, version: '7.2.0', nics: [nic], free_ports: ['rp1'], vnics: ['g1'] };
  const vms = { status: () => ({ vms: [vm], problems: { db: 'no socket' } }), receive: async () => undefined, cancel: async () => undefined };
  const { socket } = await fakeDaemon(t, { vms: { ...vms, migrate: () => new Promise(() => undefined) } });
  const both = (await run(`-S ${socket} -d vnic show`)).out;
  t.regex(both, /^name {9}g1$[^]*\n\nname {9}g2$/m);
  const machine = await run(`-S ${socket} vm show -d`);
  t.regex(machine.out, /^version {5}7\.2\.0$/m);
  t.regex(machine.out, /^net0 {2}52:54:00:00:00:01 {2}tap-g1 +2 {2}on, unknown$/m);
  t.is(machine.err, 'db: no socket\n');
  t.is((await run(`-S ${socket} vm show web`)).out, machine.out);
});

test('-t: when it was so, as a line or a key', async (t) => {
  const { socket } = await fakeDaemon(t);
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n/;
  for (const line of ['status', 'vnic show', 'adapter show', 'vm show', 'rss show', 'explain g1']) t.regex((await run(`-S ${socket} -t ${line}`)).out, time, line);
  t.notRegex((await run(`-S ${socket} status`)).out, time);
  t.regex((JSON.parse((await run(`-S ${socket} -t -j vnic show`)).out) as { time: string }).time, /^\d{4}-/);
});

test('monitor of a vNIC that does not exist suggests the near one', async (t) => {
  const { socket } = await fakeDaemon(t);
  t.deepEqual(await run(`-S ${socket} monitor --vnic g11`), { code: 1, out: '', err: 'unipath: there is no vNIC "g11"\n  did you mean "g1"?\n' });
});

test('--color decides against the terminal, and for it', async (t) => {
  const { socket } = await fakeDaemon(t);
  const isColoured = async (line: string, colour: boolean): Promise<boolean> => (await run(`-S ${socket} ${line}`, { colour })).out.includes('\u001b[');
  t.true(await isColoured('--color always vnic show', false));
  t.true(await isColoured('vnic show -c always', false));
  t.false(await isColoured('-c never status', true));
  t.true(await isColoured('-c auto status', true));
  t.false(await isColoured('-c auto status', false));
  const { code, err } = await run('--color sometimes version');
  t.is(code, 2);
  t.regex(err, /Allowed choices are auto, always, never/);
});

test('vnic show', async (t) => {
  const { socket } = await fakeDaemon(t);
  t.is(
    (await run(`-S ${socket} vnic show`)).out,
    `VNIC  ID  MAC                VLAN      ADAPTER  TAP     PATH         WANT         VF    REASON
g1     1  52:54:00:00:00:01  untagged  nic0     tap-g1  accelerated  accelerated  vfp0  -
g2     2  52:54:00:00:00:02  untagged  nic0     tap-g2  software     accelerated  -     no_free_vf
`,
  );
  const one = (await run(`-S ${socket} vnic show g1`)).out;
  t.regex(one, /^vf queues {4}4, no CPU reaches 2, 3$/m);
  t.regex(one, /^vlan {9}untagged$/m);
  t.regex(one, /^addresses {4}not checked$/m);
  t.regex(one, /^cut-through {2}off \(auto\): tap-g1 takes aggregated TCP frames/m);
  t.regex(one, /^vf shares {4}0: 50 %, 1: 50 %, 2: 0 %, 3: 0 %$/m);
  const { vnics } = JSON.parse((await run(`-S ${socket} -j vnic show g1`)).out) as { vnics: readonly object[] };
  t.like(vnics[0], { vlans: [0], access: false, addresses: null, hash_types: ['ipv4', 'tcp_ipv4'], cut_through: { setting: 'auto', in_force: false } });
});

test('vnic show --stats', async (t) => {
  const tally = (packets: number) => ({ packets, bytes: packets * 100 });
  const { socket } = await fakeDaemon(t, {
    counters: () => ({
      vnics: [
        {
          name: 'g1',
          reasons: { redirect_rss: tally(7), pass_software: tally(0) },
          tap_queues: [1, 0, 2],
          vf_queues: [0, 4],
          from_tap: tally(5),
          from_vf: tally(6),
          cpu_handovers: 3,
          flows_learnt: 2,
          flows_moved: 1,
          flows_replaced: 8,
          flows_expired: 9,
          path_changes: 9,
        },
      ],
      unknown: {},
      redirect_errors: [],
    }),
  });
  const one = (await run(`-S ${socket} vnic show -s g1`)).out;
  t.regex(one, /^redirect_rss {7}7 {4}700$/m);
  t.notRegex(one, /pass_software/);
  t.regex(one, /^to tap queues {10}0:1 2:2$/m);
  t.regex((await run(`-S ${socket} vnic show -s`)).out, /TO-GUEST {2}FROM-GUEST {2}REASON\ng1 .* 7 {10}11 {2}-\n/);
});

test('vnic accelerate, software, auto: with and without waiting', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  t.deepEqual(await run(`-S ${socket} vnic accelerate g1 --wait 2.5`), {
    code: 0,
    out: 'g1 is on the accelerated path by vfp0\n',
    err: '',
  });
  controller.reached = false;
  const asked = await run(`-S ${socket} vnic software g2`);
  t.deepEqual([asked.code, asked.out], [0, 'g2 is asked to be on the accelerated path; now software: accelerated\n']);
  const late = await run(`-S ${socket} vnic auto g2 --wait 1`);
  t.deepEqual([late.code, late.out], [5, '']);
  t.regex(late.err, /^g2 is not on the accelerated path after 1 s: /);
  t.deepEqual(controller.calls, ['want g1 accelerated 2500', 'want g2 software 0', 'want g2 null 1000']);
});

test('adapter show', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  t.is(
    (await run(`-S ${socket} adapter show`)).out,
    `ADAPTER  UPLINK  BRIDGE  XDP     VFS  VFS-LIMIT  LOST  QUEUES
nic0     pf0     br0     native  1/2          8     0  4/64
`,
  );
  controller.adapters = [adapterStatus({ xdp_mode: 'generic', fallback_reason: 'the driver refused' })];
  const one = (await run(`-S ${socket} adapter show nic0`)).out;
  t.regex(one, /^why not native {2}the driver refused$/m);
  t.regex(one, /^PORT {2}DEVICE {2}STATE {2}QUEUES {2}VNIC\nvfp0 {2}vf0 {5}used {8}4 {2}g1\nvfp1 {2}vf1 {5}free {8}4 {2}-\n/m);
});

test('adapter show needs no daemon for what the machine itself shows', async (t) => {
  const folder = temporaryFolder(t);
  const { code, err } = await run(`-S ${folder}/none adapter show`);
  t.deepEqual([code, err], [0, 'unipath: unipathd does not answer: this is what the machine itself shows\n']);
  const json = await run(`-S ${folder}/none -j adapter show`);
  t.like(JSON.parse(json.out), { schema: 1, daemon: 'unreachable', adapters: [] });
  t.is((await run(`-S ${folder}/none adapter show no-such-pf`)).code, 1);
});

testWith(needs.root())('words of adapter commands that are none', async (t) => {
  for (const line of [
    'adapter setup --vfs 2',
    'adapter setup eth0 --driver kernel',
    'adapter setup eth0 --vfs 0',
    'adapter setup eth0 --vfs some',
    'adapter setup eth0 --vfs 2 --driver uio',
    'adapter vf eth0 x --trust on',
    'adapter vf eth0 0 --trust perhaps',
    'adapter vf eth0 0 --mac 01:00:5e:00:00:01',
    'adapter vf eth0 0 --vlan 4095',
    'adapter vf eth0 0 --vlan 7:9',
    'adapter vf eth0 0 --link-state maybe',
    'adapter vf eth0 0 --restore --trust on',
  ]) {
    const { code, out } = await run(line);
    t.deepEqual([code, out], [2, ''], line);
  }
});

test('names that do not exist suggest the near one', async (t) => {
  const { socket } = await fakeDaemon(t);
  t.deepEqual(await run(`-S ${socket} vnic show g11`), {
    code: 1,
    out: '',
    err: 'unipath: there is no vNIC "g11"\n  did you mean "g1"?\n',
  });
  t.deepEqual(await run(`-S ${socket} adapter show x`), { code: 1, out: '', err: 'unipath: there is no adapter "x"\n  there are: nic0\n' });
  const act = await run(`-S ${socket} vnic software g22`);
  t.deepEqual([act.code, act.err], [1, 'unipath: there is no vNIC "g22"\n  did you mean "g2"?\n']);
  const json = await run(`-S ${socket} -j vnic show g11`);
  t.deepEqual(JSON.parse(json.out), {
    schema: 1,
    error: { code: 'unknown_vnic', message: 'there is no vNIC "g11"', hint: 'did you mean "g1"?' },
  });
  t.is(json.err, '');
});

test('wrong usage is code 2', async (t) => {
  for (const line of [
    '',
    'statuss',
    'status --nothing',
    'vnic',
    'vnic software',
    'vnic software a b',
    'status --wait soon',
    'status --wait -1',
    '--timeout x status',
    '--timeout 0 status',
    'vnic auto g1 --wait 3601',
    'top --sort pps,bps',
  ]) {
    const { code, out } = await run(line);
    t.is(code, 2, line);
    t.is(out, '', line);
  }
  t.is((await run('statuss')).err, 'unipath: unknown command \'statuss\'\n  did you mean "status"?\n');
});

test('help is code 0 and names the exit codes', async (t) => {
  const { code, out } = await run('--help');
  t.is(code, 0);
  t.regex(out, /Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 daemon unreachable, 4 degraded \(status, guest check, doctor\), 5 timed out\./);
  for (const command of ['status', 'vnic', 'vm', 'guest', 'adapter', 'monitor', 'config', 'down', 'metrics', 'version', 'rss', 'map', 'prog', 'lab'])
    t.regex(out, new RegExp(`^  ${command} `, 'm'));
});

test('help of a command of several words is its own', async (t) => {
  const help = await run('help vnic show');
  t.deepEqual(help, await run('vnic show --help'));
  t.regex(help.out, /^Usage: unipath vnic show /);
  t.regex((await run('help vnic')).out, /^Usage: unipath vnic \[options\] \[command\]/);
});

test('no daemon is code 3, one that does not answer code 5', async (t) => {
  const { folder, socket, controller } = await fakeDaemon(t);
  t.deepEqual(await run(`-S ${folder}/none status`), {
    code: 3,
    out: '',
    err: `unipath: unipathd is not reachable: there is no socket ${folder}/none; start unipathd, or name its socket with -S\n`,
  });
  t.is((await run(`-S ${folder}/none status --wait 0.2`)).code, 3);
  controller.want = () => new Promise(() => undefined);
  t.is((await run(`-S ${socket} --timeout 0.1 vnic auto g1`)).code, 5);
});

test('monitor prints until interrupted', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const stop = new AbortController();
  const monitor = (line: string): Promise<Run> => run(`-S ${socket} ${line}`, { signal: stop.signal });
  const all = [monitor('monitor'), monitor('monitor -j'), monitor('monitor --vnic g2')];
  while (controller.listeners < 3) await sleep(5);
  controller.emit(monitorEvent());
  controller.emit(monitorEvent({ kind: 'error', vnic: null, adapter: 'nic0', message: 'no room' }));
  await sleep(50);
  stop.abort();
  const [plain, json, filtered] = await Promise.all(all);
  t.is(plain?.code, 0);
  t.is(
    plain?.out,
    '2030-01-02 03:04:05.678  path    g1        software -> accelerated\n2030-01-02 03:04:05.678  error   nic0      no room\n',
  );
  t.deepEqual(
    (json?.out ?? '')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string }).kind),
    ['path', 'error'],
  );
  t.is(filtered?.out, '');
});

test('monitor says when the daemon ends', async (t) => {
  const { socket, controller, server } = await fakeDaemon(t);
  const monitoring = run(`-S ${socket} monitor`);
  while (controller.listeners < 1) await sleep(5);
  await server.close();
  t.deepEqual(await monitoring, { code: 3, out: '', err: 'unipath: unipathd ended\n  start it again\n' });
});

test('config check needs no daemon and lists everything that is wrong', async (t) => {
  const folder = temporaryFolder(t);
  const [good, bad] = [join(folder, 'good.yaml'), join(folder, 'bad.yaml')];
  writeFileSync(good, 'adapters: [{name: nic0, uplink: pf0, bridge: br0}]');
  writeFileSync(bad, 'sockett: x\nadapters: [{name: nic0, uplink: pf0}]\n');
  t.deepEqual(await run(`config check ${good}`), { code: 0, out: `${good}: ok: 1 adapter, 0 vNICs\n`, err: '' });
  const { code, out, err } = await run(`config check ${bad}`);
  t.is(code, 1);
  t.is(out, '');
  t.is(err, `unipath: ${bad}:1:1: sockett: unknown key; did you mean "socket"?\n${bad}:2:12: adapters[0].bridge: is missing\n`);
  const json = await run(`config check -j ${bad}`);
  t.is(json.code, 1);
  t.like(JSON.parse(json.out), {
    schema: 1,
    ok: false,
    problems: [
      { line: 1, column: 1, field: 'sockett' },
      { line: 2, column: 12, field: 'adapters[0].bridge' },
    ],
  });
});

test('config reload, down, metrics', async (t) => {
  const { socket } = await fakeDaemon(t);
  t.is((await run(`-S ${socket} config reload`)).out, 'added: g3\nchanged: g1\n');
  t.is((await run(`-S ${socket} metrics`)).out, 'unipath_up 1\n');
  t.is((await run(`-S ${socket} down`)).out, 'undone: VF vfp0 taken back from g1\nundone: program detached from pf0\n');
});

test('rss hash agrees with the published vectors', async (t) => {
  t.is((await run('rss hash 66.9.149.187 161.142.100.80 --sport 2794 --dport 1766')).out, '0x51ccc178 bucket 120 of 128\n');
  t.is((await run('rss hash 66.9.149.187 161.142.100.80')).out, '0x323e8fc2 bucket 66 of 128\n');
  const six = await run('-j rss hash 3ffe:2501:200:1fff::7 3ffe:2501:200:3::1 --sport 2794 --dport 1766');
  t.deepEqual(JSON.parse(six.out), { schema: 1, hash: '0x40207d3d', bucket: 61, buckets: 128 });
  t.is((await run(`rss hash 1.2.3.4 5.6.7.8 --key ${'00'.repeat(40)}`)).out, '0x00000000 bucket 0 of 128\n');
});

test('rss hash refuses what is no flow', async (t) => {
  const wrong = [
    '1.2.3.4 ::1',
    '1.2.3 4.5.6.7',
    'x y',
    '1.2.3.4 5.6.7.8 --sport 1',
    '1.2.3.4 5.6.7.8 --sport 1 --dport 65536',
    '1.2.3.4 5.6.7.8 --key 00',
  ];
  for (const line of wrong) t.is((await run(`rss hash ${line}`)).code, 2, line);
});

test('the program itself: exit code, and no complaint when its reader goes away', async (t) => {
  const program = fileURLToPath(new URL('../../../src/cli.js', import.meta.url));
  const end = await new Promise<Run>((resolve) => {
    execFile(process.execPath, [program, '-S', '/nonexistent/x.sock', 'status'], (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
  t.is(end.code, 3);
  t.regex(end.err, /^unipath: unipathd is not reachable: there is no socket/);
  const piped = await new Promise<string>((resolve) => {
    execFile('sh', ['-c', `"${process.execPath}" "${program}" --help | true`], (_error, _out, err) => resolve(err));
  });
  t.is(piped, '');
});

test('a wrong word is answered with the near one', async (t) => {
  const rows: readonly (readonly [string, string])[] = [
    ['statuss', 'status'],
    ['map dmp', 'dump'],
    ['config check --jsn x', '--json'],
    ['status --waitt 1', '--wait'],
    ['completion bsh', 'bash'],
    ['status --color nevr', 'never'],
  ];
  for (const [line, near] of rows) {
    const { code, err } = await run(line);
    t.is(code, 2, line);
    t.true(err.startsWith('unipath: ') && err.endsWith(`\n  did you mean "${near}"?\n`), `${line}: ${err}`);
  }
  t.false((await run('completion powershell')).err.includes('did you mean'));
});

test('wrong usage is JSON, too, where JSON is asked for', async (t) => {
  const rows: readonly (readonly [string, object])[] = [
    ['-j statuss', { code: 'usage', message: "unknown command 'statuss'", hint: 'did you mean "status"?' }],
    ['status --waitt 1 -j', { code: 'usage', message: "unknown option '--waitt'", hint: 'did you mean "--wait"?' }],
    ['explain -j', { code: 'usage', message: "missing required argument 'vnic'", hint: null }],
    ['-j vnic', { code: 'usage', message: 'no command is named', hint: 'unipath --help, or unipath OBJECT --help' }],
  ];
  for (const [line, error] of rows) {
    const { code, out } = await run(line);
    t.is(code, 2, line);
    t.deepEqual(JSON.parse(out), { schema: 1, error }, line);
  }
});

test('the version, as every program says it', async (t) => {
  for (const line of ['--version', '-V']) t.deepEqual(await run(line), { code: 0, out: `${version}\n`, err: '' });
});
