import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { referenceOfUnipath } from '../../../src/cli/docs/reference.js';
import type { VmStatus } from '../../../src/control/vm_protocol.js';
import { run } from '../../support/cli.js';
import { fakeDaemon } from '../../support/control_socket.js';

const WEB: VmStatus = {
  name: 'web', run_state: 'running', migration: null, version: '7.2.0', free_ports: ['rp1'], vnics: ['g1'],
  nics: [{ id: 'net0', mac: '52:54:00:00:00:01', tap: 'tap-g1', failover: true, failover_negotiated: true, queues: 2 }],
};

/** Machines that nothing may be done to. */
function machines(calls: string[], all: readonly VmStatus[] = [WEB]) {
  const forbidden = (what: string) => (): never => {
    calls.push(what);
    throw new Error(what);
  };
  return { status: () => ({ vms: all, problems: {} }), receive: forbidden('receive'), cancel: forbidden('cancel'), migrate: forbidden('migrate') };
}

test('vnic: what would stand in the way; nothing is asked for', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const accelerate = await run(`-S ${socket} vnic accelerate g2 --dry-run`);
  t.deepEqual(accelerate, {
    code: 0,
    out: 'g2 would be asked to be on the accelerated path; now software, wanted on accelerated\nvf_pool: every VF is in use\n',
    err: '',
  });
  t.is((await run(`-S ${socket} vnic software g1 --dry-run`)).out, 'g1 would be asked to be on the software path; now accelerated, wanted on accelerated\n');
  const json = JSON.parse((await run(`-S ${socket} -j vnic auto g2 --dry-run`)).out) as { in_the_way: readonly object[] };
  t.like(json, { schema: 1, dry_run: true, vnic: { name: 'g2' } });
  t.like(json.in_the_way[0], { name: 'vf_pool', reason: 'no_free_vf' });
  t.regex((await run(`-S ${socket} vnic software g11 --dry-run`)).err, /did you mean "g1"/);
  t.deepEqual(controller.calls, []);
});

test('down: every step is named; nothing is undone', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  t.is(
    (await run(`-S ${socket} down --dry-run`)).out,
    [
      ...['VF vfp0 taken back from g1', 'g1 left to the bridge, program detached from tap-g1', 'g2 left to the bridge, program detached from tap-g2'],
      ...['program detached from pf0', `unipathd, pid ${process.pid}, ends`],
    ].map((step) => `would be undone: ${step}\n`).join(''),
  );
  t.like(JSON.parse((await run(`-S ${socket} -j down --dry-run`)).out), { dry_run: true });
  t.deepEqual(controller.calls, []);
});

test('config reload: what would change; the file is only read', async (t) => {
  const { socket } = await fakeDaemon(t);
  t.is((await run(`-S ${socket} config reload --dry-run`)).out, 'would be removed: vnic g2\n');
  t.like(JSON.parse((await run(`-S ${socket} -j config reload --dry-run`)).out), { dry_run: true, removed: ['vnic g2'] });
});

test('vm: both ends are asked, and no guest is moved', async (t) => {
  const calls: string[] = [];
  const { socket } = await fakeDaemon(t, { vms: machines(calls) });
  const there = await fakeDaemon(t, { vms: machines(calls) });
  const elsewhere = await fakeDaemon(t, { vms: machines(calls, [{ ...WEB, name: 'db' }]) });
  t.is(
    (await run(`-S ${socket} vm migrate web --to ${there.socket} --uri tcp:192.0.2.1:4444 --dry-run`)).out,
    'web (running) would be sent to tcp:192.0.2.1:4444: vfp0 from g1 taken back first\n',
  );
  t.regex((await run(`-S ${socket} vm migrate web --to ${elsewhere.socket} --dry-run`)).err, /the destination has no virtual machine "web"\n {2}start its QEMU there with -incoming defer.*; there are: db/);
  t.is((await run(`-S ${socket} vm receive web --uri tcp:0.0.0.0:4444 --dry-run`)).out, 'web (running) would be told to wait for its guest at tcp:0.0.0.0:4444\n');
  t.is((await run(`-S ${socket} vm cancel web --dry-run`)).out, 'web is not being migrated: nothing would be stopped\n');
  t.regex((await run(`-S ${socket} vm cancel wep --dry-run`)).err, /did you mean "web"/);
  const { code, out } = await run(`-S ${socket} -j vm cancel wep --dry-run`);
  // As the daemon calls it, when it is asked itself.
  t.is((JSON.parse(out) as { error: { code: string } }).error.code, 'unknown_vm');
  t.is(code, 1);
  t.deepEqual(calls, []);
});

test('flow copy: how many flows, and whether the other host knows the vNIC', async (t) => {
  const { socket } = await fakeDaemon(t);
  const there = await fakeDaemon(t);
  t.is((await run(`-S ${socket} flow copy --vnic g1 --to ${there.socket} --dry-run`)).out, 'g1: 1 learnt flows would be copied\n');
  there.controller.vnics = [];
  t.regex((await run(`-S ${socket} flow copy --vnic g1 --to ${there.socket} --dry-run`)).out, /; the other unipathd has no such vNIC\n$/);
});

test('batch: each line by its own dry run, those without one are named', async (t) => {
  const { socket, folder, controller } = await fakeDaemon(t);
  const file = join(folder, 'commands');
  writeFileSync(file, 'vnic software g1\ndown\nbugreport never-written\n');
  const { code, out } = await run(`-S ${socket} batch ${file} --dry-run`);
  t.is(code, 0);
  const lines = out.trim().split('\n');
  t.regex(lines[0] ?? '', /^g1 would be asked/);
  t.regex(lines[1] ?? '', /^would be undone: VF vfp0/);
  t.is(lines.at(-1), 'would run: unipath bugreport never-written');
  t.deepEqual(controller.calls, []);
  writeFileSync(file, 'vnic softwear g1\n');
  t.is((await run(`-S ${socket} batch ${file} --dry-run`)).code, 2);
});

/** Look only; or, of the lab, change only what the lab itself made. */
const WITHOUT = [
  'status', 'explain', 'vnic show', 'vm show', 'adapter show', 'vf show', 'monitor', 'top', 'capture', 'flow explain', 'flow top', 'flow show', 'map list',
  'map dump', 'map stats', 'prog list', 'prog stats', 'config check', 'config show', 'config diff', 'config schema', 'metrics', 'version',
  'rss show', 'rss hash', 'guest check', 'doctor', 'bugreport', 'completion', 'lab run', 'lab status', 'lab exec',
];

test('whatever command changes something has a dry run', async (t) => {
  const { commands } = await referenceOfUnipath();
  const leaves = commands.filter((command) => command.commands.length === 0).map(({ name, options }) => ({ name: name.replace('unipath ', ''), options }));
  const without = leaves.filter(({ options }) => !options.some(({ term }) => term.includes('--dry-run'))).map(({ name }) => name);
  t.deepEqual(without.sort(), [...WITHOUT].sort());
  t.true(leaves.length - without.length >= 14);
});
