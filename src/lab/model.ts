/** What a lab consists of: hosts with adapters of some make, guests with one vNIC each, an outside world. Pure. */
import { parseMacAddress, type MacAddress } from '../core/model.js';

/** What distinguishes one adapter from another make's: how many VFs, and how many queues each has. */
export interface AdapterMake {
  readonly name: string;
  readonly vfs: number;
  readonly queuesPerVf: number;
  readonly uplinkQueues: number;
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
  /** `tap`: a real tap device, joined to the guest's by a VMM process; `veth`: a veth pair stands for it. */
  readonly attachedBy: 'tap' | 'veth';
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
  readonly mtu: number;
  readonly world: LabWorld;
  readonly hosts: readonly LabHost[];
  readonly guests: readonly LabGuest[];
}

export const IPV4_PREFIX_LENGTH = 24;
export const IPV6_PREFIX_LENGTH = 64;

const MAKE_A: AdapterMake = { name: 'A', vfs: 4, queuesPerVf: 2, uplinkQueues: 2 };
const MAKE_B: AdapterMake = { name: 'B', vfs: 2, queuesPerVf: 4, uplinkQueues: 2 };
const MAKE_NONE: AdapterMake = { name: 'none', vfs: 0, queuesPerVf: 0, uplinkQueues: 1 };

/** The lab of the main job: a and b differ in make, c has no VFs, g1 is the guest that travels. */
export const defaultLab: LabSpec = {
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
