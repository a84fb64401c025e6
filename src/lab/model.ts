/** What a lab consists of: hosts with adapters of some make, guests with one vNIC each, an outside world. Pure. */
import type { EMULATED_MODELS } from '../config/schema.js';
import { parseMacAddress, type MacAddress } from '../core/model.js';

/** What guests are: network namespaces with the plug-in, or virtual machines of QEMU with net_failover. */
export const GUEST_KINDS = ['netns', 'qemu'] as const;
export type GuestKind = (typeof GUEST_KINDS)[number];

/** What distinguishes one adapter from another make's: how many VFs, and how many queues each has. */
export interface AdapterMake {
  readonly name: string;
  readonly vfs: number;
  readonly queuesPerVf: number;
  readonly uplinkQueues: number;
  /** The NIC that QEMU makes on a tap in the place of a VF; null: a VF is a veth pair. */
  readonly model: (typeof EMULATED_MODELS)[number] | null;
}

export interface LabHost {
  readonly name: string;
  readonly make: AdapterMake;
}

export interface LabGuest {
  readonly name: string;
  readonly mac: MacAddress;
  readonly ipv4: string;
  readonly ipv6: string;
  /** `tap`: a real tap device, joined to the guest's by a VMM process; `veth`: a veth pair stands for it; `qemu`: QEMU has the tap. */
  readonly attachedBy: 'tap' | 'veth' | 'qemu';
  /** Queues of the software path's port. */
  readonly queues: number;
  /** Where it is after `lab up`. */
  readonly host: string;
  /** Has a tap on every host, so that it can be re-homed. */
  readonly mobile: boolean;
}

export interface LabWorld {
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface LabSpec {
  readonly kind: GuestKind;
  readonly mtu: number;
  readonly world: LabWorld;
  readonly hosts: readonly LabHost[];
  readonly guests: readonly LabGuest[];
}

export const IPV4_PREFIX_LENGTH = 24;
export const IPV6_PREFIX_LENGTH = 64;

const MAKE_A: AdapterMake = { name: 'A', vfs: 4, queuesPerVf: 2, uplinkQueues: 2, model: null };
const MAKE_B: AdapterMake = { name: 'B', vfs: 2, queuesPerVf: 4, uplinkQueues: 2, model: null };
const MAKE_NONE: AdapterMake = { name: 'none', vfs: 0, queuesPerVf: 0, uplinkQueues: 1, model: null };

/** The lab of the main job: a and b differ in make, c has no VFs, g1 is the guest that travels. */
export const defaultLab: LabSpec = {
  kind: 'netns',
  mtu: 1500,
  world: { ipv4: '10.77.0.1', ipv6: 'fd77::1' },
  hosts: [
    { name: 'a', make: MAKE_A },
    { name: 'b', make: MAKE_B },
    { name: 'c', make: MAKE_NONE },
  ],
  guests: [
    {
      name: 'g1',
      mac: parseMacAddress('52:54:00:77:00:01'),
      ipv4: '10.77.0.11',
      ipv6: 'fd77::11',
      attachedBy: 'tap',
      queues: 2,
      host: 'a',
      mobile: true,
    },
    {
      name: 'g2',
      mac: parseMacAddress('52:54:00:77:00:02'),
      ipv4: '10.77.0.12',
      ipv6: 'fd77::12',
      attachedBy: 'veth',
      queues: 2,
      host: 'a',
      mobile: false,
    },
    {
      name: 'g3',
      mac: parseMacAddress('52:54:00:77:00:03'),
      ipv4: '10.77.0.13',
      ipv6: 'fd77::13',
      attachedBy: 'veth',
      queues: 1,
      host: 'b',
      mobile: false,
    },
  ],
};

const emulated = (name: string, model: AdapterMake['model'], vfs: number): AdapterMake => ({ name, vfs, queuesPerVf: 1, uplinkQueues: 2, model });

/** The same with real guests: a, b and d differ in make, c has no VFs. a has a VF to spare, for when one dies. */
export const machineLab: LabSpec = {
  ...defaultLab,
  kind: 'qemu',
  hosts: [
    { name: 'a', make: emulated('vmxnet3', 'vmxnet3', 3) },
    { name: 'b', make: emulated('e1000e', 'e1000e', 2) },
    { name: 'c', make: MAKE_NONE },
    { name: 'd', make: emulated('rtl8139', 'rtl8139', 2) },
  ],
  guests: defaultLab.guests
    .filter(({ name }) => name !== 'g3')
    .map((guest) => ({ ...guest, attachedBy: 'qemu', queues: 1 })),
};

export const labOf = (kind: GuestKind): LabSpec => (kind === 'qemu' ? machineLab : defaultLab);

/** @throws RangeError for what is no kind of guest */
export function parseGuestKind(text: string): GuestKind {
  const kind = GUEST_KINDS.find((each) => each === text);
  if (kind === undefined) throw new RangeError(`"${text}" is no kind of guest: the lab has ${GUEST_KINDS.join(' and ')}`);
  return kind;
}

/** The first thing in a description that cannot be built, in words; null when there is none. */
export function labProblem({ kind, hosts, guests }: LabSpec): string | null {
  const names = ['world', ...hosts.map(({ name }) => name), ...guests.map(({ name }) => name)];
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) return `there are two of the name "${twice}"`;
  for (const { name, make } of hosts) {
    if (make.vfs > 0 && kind === 'qemu' && make.model === null) return `host ${name}: guests of QEMU can be given no veth pair; its make needs a model`;
    if (make.model !== null && kind === 'netns') return `host ${name}: ${make.model} is a NIC of QEMU, and guests are namespaces`;
    if (make.model !== null && make.queuesPerVf !== 1) return `host ${name}: the tap of ${make.model} has one queue, not ${make.queuesPerVf}`;
  }
  for (const { name, host, attachedBy } of guests) {
    if (!hosts.some((each) => each.name === host)) return `guest ${name} is on host "${host}", which there is not`;
    if ((attachedBy === 'qemu') !== (kind === 'qemu')) return `guest ${name} is attached by ${attachedBy} in a lab of kind ${kind}`;
  }
  return null;
}

/** @throws RangeError when the lab has no such guest */
export function guestOf(spec: LabSpec, name: string): LabGuest {
  const guest = spec.guests.find((each) => each.name === name);
  if (guest !== undefined) return guest;
  throw new RangeError(`the lab has no guest "${name}"; it has ${spec.guests.map((each) => each.name).join(', ')}`);
}

/** @throws RangeError when the lab has no such host */
export function hostOf(spec: LabSpec, name: string): LabHost {
  const host = spec.hosts.find((each) => each.name === name);
  if (host !== undefined) return host;
  throw new RangeError(`the lab has no host "${name}"; it has ${spec.hosts.map((each) => each.name).join(', ')}`);
}

/** Where everyone is after `lab up`: guest name -> host name. */
export function initialHomes(spec: LabSpec): Map<string, string> {
  return new Map(spec.guests.map((guest) => [guest.name, guest.host]));
}

/** Name of the software path's port on a host. */
export const tapOf = (guest: LabGuest): string => `tap-${guest.name}`;
