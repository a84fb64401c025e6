import test from 'ava';
import { parse } from 'yaml';
import { daemonConfigFor } from '../../../src/lab/daemon_config.js';
import { defaultLab, type GuestKind, hostOf, labOf, labProblem, type LabSpec, machineLab, parseGuestKind } from '../../../src/lab/model.js';
import { labPlace } from '../../../src/lab/place.js';
import type { Action, Step } from '../../../src/lab/steps.js';
import { labSteps, namespaces, vfActions, type TopologyOptions } from '../../../src/lab/topology.js';
import { startMachine } from '../../../src/lab/topology_machines.js';

const place = labPlace();
const options: TopologyOptions = {
  daemons: true,
  mountBpffs: false,
  netnsDirectory: 'mounted',
  programs: { node: 'node', daemon: 'daemon.js', agent: 'agent.js', vmm: 'vmm.js' },
  machines: null,
};

const files = { emulator: ['qemu-system-x86_64'], kernel: '/vmlinux', image: '/base.cpio', accel: 'tcg' } as const;
const stepsOf = (kind: GuestKind): Step[] => labSteps(place, labOf(kind), { ...options, machines: kind === 'qemu' ? files : null });

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

for (const kind of ['netns', 'qemu'] as const) {
  test(`${kind}: every step has an undo, or is inside namespaces that an earlier step has an undo for`, (t) => {
    const removed = new Set<string>();
    for (const step of stepsOf(kind)) {
      for (const undo of step.undo) if (undo.kind === 'delete-netns') removed.add(undo.name);
      for (const netns of step.inside) t.true(removed.has(netns), `${step.title}: nobody removes ${netns}`);
      const changesSomething = step.actions.some((action) => !action.kind.startsWith('await-'));
      if (changesSomething) t.true(step.undo.length + step.inside.length > 0, `${step.title} is never undone`);
    }
  });

  test(`${kind}: nothing is made outside the namespaces of the lab`, (t) => {
    for (const command of commandsOf(stepsOf(kind))) {
      t.regex(command, /^ip netns add up-|^(ip|bridge|tc) -n up-|^nsenter --net=\/run\/netns\/up-/, command);
    }
  });
}

for (const [kind, started] of [
  ['netns', ['vmm g1', 'agent g1', 'agent g2', 'agent g3', 'unipathd a', 'unipathd b', 'unipathd c']],
  ['qemu', ['qemu g1 on a', 'qemu g2 on a', 'unipathd a', 'unipathd b', 'unipathd c', 'unipathd d']],
] as const) {
  test(`${kind}: every process that is started is stopped`, (t) => {
    const steps = stepsOf(kind);
    for (const step of steps) {
      for (const start of processesOf([step])) t.deepEqual(step.undo, [{ kind: 'stop-process', name: start.name }], step.title);
    }
    t.deepEqual(
      processesOf(steps).map(({ name }) => name),
      [...started],
    );
  });
}

test('guests of QEMU are no namespaces; their machines are waited for last, when everything else runs', (t) => {
  t.deepEqual(namespaces(place, machineLab), ['up-world', 'up-a', 'up-b', 'up-c', 'up-d']);
  const actions = stepsOf('qemu').flatMap((step) => step.actions);
  t.deepEqual(
    actions.slice(-2).map((action) => action.kind === 'await-machine' && [action.process, action.folder]),
    [
      ['qemu g1 on a', '/run/unipath-lab/guests/g1/a'],
      ['qemu g2 on a', '/run/unipath-lab/guests/g2/a'],
    ],
  );
  t.throws(() => labSteps(place, machineLab, options), { message: /there is no kernel for it/ });
});

test('a guest that travels has a tap and a folder on every host, and one machine', (t) => {
  const steps = stepsOf('qemu');
  const taps = commandsOf(steps).filter((command) => command.includes('tuntap add dev tap-g1 '));
  t.deepEqual(
    taps,
    ['a', 'b', 'c', 'd'].map((host) => `ip -n up-${host} tuntap add dev tap-g1 mode tap vnet_hdr`),
  );
  const folders = steps.flatMap((step) => step.actions).flatMap((action) => (action.kind === 'make-directory' ? [action.path] : []));
  for (const host of ['a', 'b', 'c', 'd']) t.true(folders.includes(`/run/unipath-lab/guests/g1/${host}`));
  t.false(folders.includes('/run/unipath-lab/guests/g2/b'));
});

test('a machine runs in the namespace of its host, takes a VF beside its NIC, and one that waits for a guest does not boot', (t) => {
  const [g1] = machineLab.guests;
  if (g1 === undefined) return t.fail();
  const here = startMachine(place, g1, 'a', 1500, files);
  t.is(here.netns, 'up-a');
  t.true(here.argv.some((word) => word.startsWith('virtio-net-pci') && word.includes('mac=52:54:00:77:00:01') && word.includes('failover=on')));
  t.true(here.argv.includes('unix:/run/unipath-lab/guests/g1/a/qmp,server=on,wait=off'));
  t.false(here.argv.includes('-incoming'));
  const there = startMachine(place, g1, 'b', 1500, files, true);
  t.is(there.netns, 'up-b');
  t.is(there.argv[there.argv.indexOf('-incoming') + 1], 'defer');
});

test('VFs of a make with a model are taps of one queue, down', (t) => {
  const commands = commandsOf(stepsOf('qemu')).filter((command) => command.includes('vfp'));
  for (const [netns, vfs] of [['up-a', 3], ['up-b', 2], ['up-c', 0], ['up-d', 2]] as const) {
    t.is(commands.filter((command) => command.startsWith(`ip -n ${netns} tuntap add dev vfp`)).length, vfs, netns);
  }
  for (const command of commands) t.notRegex(command, /multi_queue| up$|master/);
});

test("a host of machines has a configuration that finds them, wherever they may come to, and models as VFs", (t) => {
  const config = parse(daemonConfigFor(place, machineLab, 'b', []));
  t.deepEqual(config.hypervisors, [{ qmp: '/run/unipath-lab/guests/g1/b/qmp' }]);
  t.deepEqual(config.discover, { policy: 'software' });
  t.deepEqual(config.adapters[0].vfs, [
    { port: 'vfp0', model: 'e1000e', vectors: 2 },
    { port: 'vfp1', model: 'e1000e', vectors: 2 },
  ]);
  t.is(parse(daemonConfigFor(place, machineLab, 'a', [])).hypervisors.length, 2);
});

test('the three makes of VFs differ in model, and each can be had', (t) => {
  const models = machineLab.hosts.flatMap(({ make }) => make.model ?? []);
  t.deepEqual([...models].sort(), ['e1000e', 'rtl8139', 'vmxnet3']);
});

test('a lab that cannot be built is refused with the reason', (t) => {
  t.is(labProblem(defaultLab), null);
  t.is(labProblem(machineLab), null);
  const [host, ...hosts] = machineLab.hosts;
  const [guest, ...guests] = machineLab.guests;
  if (host === undefined || guest === undefined) return t.fail();
  const withHost = (make: object): LabSpec => ({ ...machineLab, hosts: [{ ...host, make: { ...host.make, ...make } }, ...hosts] });
  const withGuest = (change: object): LabSpec => ({ ...machineLab, guests: [{ ...guest, ...change }, ...guests] });
  t.regex(labProblem(withHost({ model: null })) ?? '', /host a: guests of QEMU can be given no veth pair/);
  t.regex(labProblem(withHost({ queuesPerVf: 2 })) ?? '', /host a: the tap of vmxnet3 has one queue, not 2/);
  t.regex(labProblem({ ...machineLab, kind: 'netns' }) ?? '', /vmxnet3 is a NIC of QEMU, and guests are namespaces/);
  t.regex(labProblem(withGuest({ host: 'z' })) ?? '', /guest g1 is on host "z", which there is not/);
  t.regex(labProblem(withGuest({ attachedBy: 'veth' })) ?? '', /guest g1 is attached by veth in a lab of kind qemu/);
  t.regex(labProblem(withGuest({ name: 'g2' })) ?? '', /two of the name "g2"/);
  t.throws(() => parseGuestKind('xen'), { message: /"xen" is no kind of guest: the lab has netns and qemu/ });
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
    { port: 'vfp0', device: 'vf0', vectors: 5 },
    { port: 'vfp1', device: 'vf1', vectors: 5 },
  ]);
  t.deepEqual(
    config.vnics.map((vnic: { name: string }) => vnic.name),
    ['g1', 'g3'],
  );
  t.deepEqual(config.vnics[0].guest, { netns: 'up-g1' });
  t.throws(() => daemonConfigFor(place, defaultLab, 'z', []), { message: /no host "z"/ });
});
