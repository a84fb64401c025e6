/**
 * From a lab's description to the steps that build it. Pure: nothing here touches the machine.
 *
 * The world is one namespace whose bridge `sw0` is the switch between the hosts, and whose own address on it is the client.
 * A host's PF is a veth pair, `pf0` in the host and `port-HOST` on the switch; a VF is a veth pair, `vfpN` stays and `vfN` is
 * the device that a guest is given; of a make with a model it is a tap `vfpN`, on which QEMU makes the guest's device. A redirect into a veth needs NAPI on its peer, which `gro on` switches on; a sender in a
 * namespace must finish its checksums (`tx off`), for the programs see frames as the wire would carry them.
 */
import { IPV4_PREFIX_LENGTH, IPV6_PREFIX_LENGTH, type LabGuest, type LabHost, type LabSpec, tapOf } from './model.js';
import { type LabPlace, namespaceOf, namespacePath } from './place.js';
import type { Action, Step, Undo } from './steps.js';
import { awaitMachineStep, type MachineFiles, machinePortStep, machineStep, tapActions } from './topology_machines.js';
import { type LabPrograms, programSteps, vmmStep } from './topology_programs.js';

export { tapOf } from './model.js';

export interface TopologyOptions {
  /** Start unipathd on the hosts and the agent in the guests; without, the lab is its software paths only. */
  readonly daemons: boolean;
  /** No BPF file system is mounted where the pins go. */
  readonly mountBpffs: boolean;
  /** `ip netns` has not been used since boot: it will make and mount /run/netns. */
  readonly netnsDirectory: 'mounted' | 'present' | 'missing';
  /** How to start what runs in the lab. */
  readonly programs: LabPrograms;
  /** null when guests are namespaces. */
  readonly machines: MachineFiles | null;
}

export const BPFFS = '/sys/fs/bpf';
const NETNS_DIRECTORY = '/run/netns';

const SETTINGS = {
  // Addresses are static: nothing may speak or wait on its own.
  'net.ipv6.conf.default.addr_gen_mode': '1',
  'net.ipv6.conf.default.accept_ra': '0',
  'net.ipv6.conf.default.accept_dad': '0',
  // A packet filter below the bridge would cost more than the bridge.
  'net.bridge.bridge-nf-call-iptables': '0',
  'net.bridge.bridge-nf-call-ip6tables': '0',
  'net.bridge.bridge-nf-call-arptables': '0',
};

const command = (...argv: string[]): Action => ({ kind: 'command', argv });
const ip = (netns: string, ...argv: string[]): Action => command('ip', '-n', netns, ...argv);
const inNetns = (netns: string, ...argv: string[]): Action => command('nsenter', `--net=${namespacePath(netns)}`, ...argv);
/** An IPv6 station needs a link-local address: without, it cannot ask whether its neighbours are still there. */
const linkLocal = (netns: string, device: string): Action => ip(netns, 'link', 'set', 'dev', device, 'addrgenmode', 'eui64');
const features = (netns: string, device: string, ...argv: string[]): Action => inNetns(netns, 'ethtool', '-K', device, ...argv);

const step = (title: string, actions: Action[], undo: Undo[], inside: string[] = []): Step => ({ title, actions, undo, inside });

export const vfPort = (index: number): string => `vfp${index}`;
export const vfDevice = (index: number): string => `vf${index}`;
export const switchPort = (host: string): string => `port-${host}`;

/** Hosts on which a guest has a tap. */
export function tapHosts(spec: LabSpec, guest: LabGuest): readonly string[] {
  return guest.mobile ? spec.hosts.map((host) => host.name) : [guest.host];
}

/** Name every namespace of the lab, in the order in which they are made. */
export function namespaces(place: LabPlace, spec: LabSpec): string[] {
  const guests = spec.kind === 'netns' ? spec.guests : [];
  const names = ['world', ...spec.hosts.map((host) => host.name), ...guests.map((guest) => guest.name)];
  return names.map((name) => namespaceOf(place, name));
}

function startSteps(place: LabPlace, options: TopologyOptions): Step[] {
  const steps: Step[] = [];
  if (options.mountBpffs) {
    const undo: Undo = { kind: 'unmount-if-empty', path: BPFFS };
    steps.push(step(`mount a BPF file system on ${BPFFS}`, [{ kind: 'mount-bpffs', path: BPFFS }], [undo]));
  }
  if (options.netnsDirectory !== 'mounted') {
    const undo: Undo[] = [{ kind: 'unmount-if-empty', path: NETNS_DIRECTORY }];
    if (options.netnsDirectory === 'missing') undo.push({ kind: 'remove-empty-directory', path: NETNS_DIRECTORY });
    steps.push(step(`let "ip netns" make ${NETNS_DIRECTORY}`, [], undo));
  }
  steps.push(step('pins', [], [{ kind: 'remove-tree', path: place.pins }]));
  return steps;
}

function namespaceStep(netns: string, undoFirst: Undo[] = []): Step {
  return step(
    `namespace ${netns}`,
    [command('ip', 'netns', 'add', netns), { kind: 'sysctl', netns, settings: SETTINGS }, ip(netns, 'link', 'set', 'dev', 'lo', 'up')],
    [...undoFirst, { kind: 'delete-netns', name: netns }],
  );
}

function worldSteps(place: LabPlace, spec: LabSpec): Step[] {
  const world = namespaceOf(place, 'world');
  const ports = spec.hosts.map((host) => switchPort(host.name));
  return [
    namespaceStep(world, [{ kind: 'await-links-gone', netns: world, names: ports }]),
    step(
      `switch sw0 in ${world}`,
      [
        ip(world, 'link', 'add', 'name', 'sw0', 'mtu', String(spec.mtu), 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0'),
        ip(world, 'address', 'add', `${spec.world.ipv4}/${IPV4_PREFIX_LENGTH}`, 'dev', 'sw0'),
        ip(world, 'address', 'add', `${spec.world.ipv6}/${IPV6_PREFIX_LENGTH}`, 'dev', 'sw0', 'nodad'),
        linkLocal(world, 'sw0'),
        ip(world, 'link', 'set', 'dev', 'sw0', 'up'),
      ],
      [],
      [world],
    ),
  ];
}

/** @param peer its name, and more about it alone */
function vethPair(netns: string, name: string, peer: readonly string[], mtu: number, queues: number): Action {
  const both = ['mtu', String(mtu), 'numtxqueues', String(queues), 'numrxqueues', String(queues)];
  return ip(netns, 'link', 'add', 'name', name, ...both, 'type', 'veth', 'peer', 'name', ...peer, ...both);
}

/** Makes one VF: a veth pair, both ends in the host's namespace, or a tap; down, as an unused VF is. */
export function vfActions(netns: string, host: LabHost, index: number, mtu: number): Action[] {
  if (host.make.model !== null) return tapActions(netns, vfPort(index), mtu);
  const [port, device] = [vfPort(index), vfDevice(index)];
  return [
    vethPair(netns, port, [device], mtu, host.make.queuesPerVf),
    features(netns, port, 'gro', 'on'),
    features(netns, device, 'gro', 'on', 'tx', 'off'),
  ];
}

function hostSteps(place: LabPlace, spec: LabSpec, host: LabHost): Step[] {
  const netns = namespaceOf(place, host.name);
  const world = namespaceOf(place, 'world');
  const mtu = String(spec.mtu);
  const port = switchPort(host.name);
  const steps = [
    namespaceStep(netns),
    step(
      `bridge and PF of host ${host.name}`,
      [
        ip(netns, 'link', 'add', 'name', 'br0', 'mtu', mtu, 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0'),
        vethPair(netns, 'pf0', [port, 'netns', world], spec.mtu, host.make.uplinkQueues),
        features(netns, 'pf0', 'gro', 'on', 'tx', 'off'),
        features(world, port, 'gro', 'on', 'tx', 'off'),
        ip(netns, 'link', 'set', 'dev', 'pf0', 'master', 'br0', 'up'),
        ip(netns, 'link', 'set', 'dev', 'br0', 'up'),
        ip(world, 'link', 'set', 'dev', port, 'master', 'sw0', 'up'),
      ],
      [],
      [netns, world],
    ),
  ];
  for (let index = 0; index < host.make.vfs; index += 1) {
    steps.push(step(`VF ${index} of host ${host.name}`, vfActions(netns, host, index, spec.mtu), [], [netns]));
  }
  return steps;
}

/** What libvirt calls macTableManager: frames for addresses that the bridge does not know are not given to guests. */
const portFlags = (netns: string, tap: string): Action => command('bridge', '-n', netns, 'link', 'set', 'dev', tap, 'flood', 'off');

/** Frames that a tap holds while the VMM is not let run. */
const TAP_QUEUE_FRAMES = '20000';

/**
 * A multi-queue tap has 256 transmit queues for the packet scheduler, whatever is opened: a default scheduler of this length
 * would be 120 MB, and half a second of a CPU that nobody else gets. The tap's own rings are all the queue that is needed.
 */
const tapQueue = (netns: string, tap: string): Action[] => [
  command('tc', '-n', netns, 'qdisc', 'replace', 'dev', tap, 'root', 'noqueue'),
  ip(netns, 'link', 'set', 'dev', tap, 'txqueuelen', TAP_QUEUE_FRAMES),
];

function softwarePortSteps(place: LabPlace, spec: LabSpec, guest: LabGuest): Step[] {
  const netns = namespaceOf(place, guest.name);
  const mtu = String(spec.mtu);
  const tap = tapOf(guest);
  if (guest.attachedBy === 'veth') {
    const host = namespaceOf(place, guest.host);
    return [
      step(
        `software path of guest ${guest.name} on host ${guest.host}`,
        [
          vethPair(host, tap, ['eth0', 'netns', netns, 'address', guest.mac], spec.mtu, guest.queues),
          features(host, tap, 'gro', 'on'),
          features(netns, 'eth0', 'gro', 'on', 'tx', 'off'),
          ip(host, 'link', 'set', 'dev', tap, 'master', 'br0', 'up'),
          portFlags(host, tap),
        ],
        [],
        [host, netns],
      ),
    ];
  }
  const multiQueue = guest.queues > 1 ? ['multi_queue'] : [];
  const steps = tapHosts(spec, guest).map((name) => {
    const host = namespaceOf(place, name);
    return step(
      `tap of guest ${guest.name} on host ${name}`,
      [
        ip(host, 'tuntap', 'add', 'dev', tap, 'mode', 'tap', ...multiQueue),
        ...tapQueue(host, tap),
        ip(host, 'link', 'set', 'dev', tap, 'mtu', mtu, 'master', 'br0', 'up'),
        portFlags(host, tap),
      ],
      [],
      [host],
    );
  });
  steps.push(
    step(
      `virtual NIC of guest ${guest.name}`,
      [
        ip(netns, 'tuntap', 'add', 'dev', 'eth0', 'mode', 'tap', ...multiQueue),
        ...tapQueue(netns, 'eth0'),
        ip(netns, 'link', 'set', 'dev', 'eth0', 'address', guest.mac, 'mtu', mtu),
        features(netns, 'eth0', 'tx', 'off'),
      ],
      [],
      [netns],
    ),
  );
  return steps;
}

function guestSteps(place: LabPlace, spec: LabSpec, guest: LabGuest): Step[] {
  if (guest.attachedBy === 'qemu') return tapHosts(spec, guest).map((host) => machinePortStep(place, guest, host, spec.mtu));
  const netns = namespaceOf(place, guest.name);
  return [
    namespaceStep(netns),
    ...softwarePortSteps(place, spec, guest),
    step(
      `addresses of guest ${guest.name}`,
      [
        ip(netns, 'address', 'add', `${guest.ipv4}/${IPV4_PREFIX_LENGTH}`, 'dev', 'eth0'),
        ip(netns, 'address', 'add', `${guest.ipv6}/${IPV6_PREFIX_LENGTH}`, 'dev', 'eth0', 'nodad'),
        linkLocal(netns, 'eth0'),
        ip(netns, 'link', 'set', 'dev', 'eth0', 'up'),
      ],
      [],
      [netns],
    ),
  ];
}

/** Every step of `lab up`, in order. `lab down` walks them backwards. @throws RangeError for guests of QEMU without their files */
export function labSteps(place: LabPlace, spec: LabSpec, options: TopologyOptions): Step[] {
  const steps = startSteps(place, options);
  steps.push(...worldSteps(place, spec));
  for (const host of spec.hosts) steps.push(...hostSteps(place, spec, host));
  for (const guest of spec.guests) steps.push(...guestSteps(place, spec, guest));
  for (const guest of spec.guests) if (guest.attachedBy === 'tap') steps.push(vmmStep(place, guest, options.programs));
  const machines = spec.guests.filter((guest) => guest.attachedBy === 'qemu');
  // They boot while everything else is started.
  for (const guest of machines) {
    if (options.machines === null) throw new RangeError(`guest ${guest.name} is a machine, and there is no kernel for it`);
    steps.push(machineStep(place, guest, spec.mtu, options.machines));
  }
  if (options.daemons) steps.push(...programSteps(place, spec, options.programs));
  for (const guest of machines) steps.push(awaitMachineStep(place, guest));
  return steps;
}
