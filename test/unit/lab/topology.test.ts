import test from 'ava';
import { parse } from 'yaml';
import { daemonConfigFor } from '../../../src/lab/daemon_config.js';
import { defaultLab, hostOf } from '../../../src/lab/model.js';
import { labPlace } from '../../../src/lab/place.js';
import type { Action, Step } from '../../../src/lab/steps.js';
import { labSteps, namespaces, vfActions, type TopologyOptions } from '../../../src/lab/topology.js';

const place = labPlace();
const options: TopologyOptions = {
  daemons: true,
  mountBpffs: false,
  netnsDirectory: 'mounted',
  programs: { node: 'node', daemon: 'daemon.js', agent: 'agent.js', vmm: 'vmm.js' },
  machines: null,
};

const commandsOf = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) => step.actions).flatMap((action) => (action.kind === 'command' ? [action.argv.join(' ')] : []));

const processesOf = (steps: readonly Step[]) =>
  steps
    .flatMap((step) => step.actions)
    .filter((action): action is Extract<Action, { kind: 'start-process' }> => action.kind === 'start-process');

test('namespaces are those of the plan', (t) => {
  t.deepEqual(namespaces(place, defaultLab), ['up-world', 'up-a', 'up-b', 'up-c', 'up-g1', 'up-g2', 'up-g3']);
  t.deepEqual(namespaces(labPlace('x1'), defaultLab)[0], 'up-x1-world');
});

test('a lab name that would not be a safe path or namespace is refused', (t) => {
  for (const name of ['', '../a', 'A', 'a b', 'a'.repeat(21)]) t.throws(() => labPlace(name), { instanceOf: RangeError }, name);
});

test('every step has an undo, or is inside namespaces that an earlier step has an undo for', (t) => {
  const removed = new Set<string>();
  for (const step of labSteps(place, defaultLab, options)) {
    for (const undo of step.undo) if (undo.kind === 'delete-netns') removed.add(undo.name);
    for (const netns of step.inside) t.true(removed.has(netns), `${step.title}: nobody removes ${netns}`);
    const changesSomething = step.actions.some((action) => action.kind !== 'await-daemon' && action.kind !== 'await-ready');
    if (changesSomething) t.true(step.undo.length + step.inside.length > 0, `${step.title} is never undone`);
  }
});

test('every process that is started is stopped', (t) => {
  const steps = labSteps(place, defaultLab, options);
  for (const step of steps) {
    for (const start of processesOf([step])) t.deepEqual(step.undo, [{ kind: 'stop-process', name: start.name }], step.title);
  }
  t.deepEqual(
    processesOf(steps).map(({ name }) => name),
    ['vmm g1', 'agent g1', 'agent g2', 'agent g3', 'unipathd a', 'unipathd b', 'unipathd c'],
  );
});

test('nothing is made outside the namespaces of the lab', (t) => {
  for (const command of commandsOf(labSteps(place, defaultLab, options))) {
    t.regex(command, /^ip netns add up-|^(ip|bridge|tc) -n up-|^nsenter --net=\/run\/netns\/up-/, command);
  }
});

test("a host has as many VFs, with as many queues at both ends, as its adapter's make says", (t) => {
  const commands = commandsOf(labSteps(place, defaultLab, options));
  const vfs = (netns: string) => commands.filter((command) => command.startsWith(`ip -n ${netns} link add name vfp`));
  t.is(vfs('up-a').length, 4);
  t.is(vfs('up-b').length, 2);
  t.is(vfs('up-c').length, 0);
  for (const [netns, queues] of [
    ['up-a', 2],
    ['up-b', 4],
  ] as const) {
    for (const command of vfs(netns)) {
      t.is(command.match(new RegExp(`numtxqueues ${queues}`, 'g'))?.length, 2);
      t.is(command.match(new RegExp(`numrxqueues ${queues}`, 'g'))?.length, 2);
    }
  }
});

test('a VF made again is the VF that was made first', (t) => {
  const steps = labSteps(place, defaultLab, options);
  t.deepEqual(
    steps.find((step) => step.title === 'VF 1 of host b')?.actions,
    vfActions('up-b', hostOf(defaultLab, 'b'), 1, defaultLab.mtu),
  );
});

test('the guest that travels has a tap on every host, the others on their own', (t) => {
  const commands = commandsOf(labSteps(place, defaultLab, options));
  t.deepEqual(
    commands.filter((command) => command.includes('tuntap add dev tap-')),
    ['a', 'b', 'c'].map((host) => `ip -n up-${host} tuntap add dev tap-g1 mode tap multi_queue`),
  );
  t.is(commands.filter((command) => command.includes('link add name tap-g2')).length, 1);
});

test('without daemons there are the software paths only', (t) => {
  const steps = labSteps(place, defaultLab, { ...options, daemons: false });
  t.deepEqual(
    processesOf(steps).map(({ name }) => name),
    ['vmm g1'],
  );
});

test('what the lab mounts, it unmounts; what was there, it leaves', (t) => {
  const undos = (change: Partial<TopologyOptions>) =>
    labSteps(place, defaultLab, { ...options, ...change })
      .flatMap((step) => step.undo)
      .filter(({ kind }) => kind.startsWith('unmount') || kind === 'remove-empty-directory');
  t.deepEqual(undos({}), []);
  t.deepEqual(undos({ mountBpffs: true }), [{ kind: 'unmount-if-empty', path: '/sys/fs/bpf' }]);
  t.deepEqual(undos({ netnsDirectory: 'missing' }), [
    { kind: 'unmount-if-empty', path: '/run/netns' },
    { kind: 'remove-empty-directory', path: '/run/netns' },
  ]);
});

test("a host's configuration names its VFs and the guests it serves", (t) => {
  const config = parse(daemonConfigFor(place, defaultLab, 'b', ['g3', 'g1']));
  t.is(config.socket, '/run/unipath-lab/b/unipath.sock');
  t.deepEqual(config.adapters[0].vfs, [
    { port: 'vfp0', device: 'vf0' },
    { port: 'vfp1', device: 'vf1' },
  ]);
  t.deepEqual(
    config.vnics.map((vnic: { name: string }) => vnic.name),
    ['g1', 'g3'],
  );
  t.deepEqual(config.vnics[0].guest, { netns: 'up-g1' });
  t.throws(() => daemonConfigFor(place, defaultLab, 'z', []), { message: /no host "z"/ });
});
