/** The ports, vNICs and stations that the tables of packets speak of. */
import { frame, type FrameBuilder } from '../../support/packet_builder.js';
import type { VnicPath } from '../../../src/core/model.js';

/** Netdevs of the bed; each has PORT_QUEUES receive queues. `stray` belongs to no vNIC. */
export const PORTS = ['pf0', 'pf1', 'tap1', 'vf1', 'tap2', 'vf2', 'tap3', 'tap4', 'vf4', 'stray'] as const;
export type PortName = (typeof PORTS)[number];
export const PORT_QUEUES = 4;

export interface BedVnic {
  readonly id: number;
  readonly mac: string;
  readonly vlan: number;
  readonly tap: PortName;
  readonly vf: PortName | null;
  readonly uplink: PortName;
}

/** g1 and g2 are neighbours; g3 hangs on another uplink and has no VF; g4 has g1's MAC address on another VLAN. */
export const VNICS = {
  g1: { id: 1, mac: '52:54:00:00:00:01', vlan: 0, tap: 'tap1', vf: 'vf1', uplink: 'pf0' },
  g2: { id: 2, mac: '52:54:00:00:00:02', vlan: 0, tap: 'tap2', vf: 'vf2', uplink: 'pf0' },
  g3: { id: 3, mac: '52:54:00:00:00:03', vlan: 0, tap: 'tap3', vf: null, uplink: 'pf1' },
  g4: { id: 4, mac: '52:54:00:00:00:01', vlan: 100, tap: 'tap4', vf: 'vf4', uplink: 'pf0' },
} as const satisfies Record<string, BedVnic>;
export type VnicName = keyof typeof VNICS;
export const VNIC_NAMES = Object.keys(VNICS) as VnicName[];

export function bedVnic(name: VnicName): BedVnic {
  return VNICS[name];
}

/** Whose counters: row 0 counts frames of no known vNIC. */
export type CounterOwner = VnicName | 'nobody';
export const COUNTER_OWNERS: readonly CounterOwner[] = ['nobody', ...VNIC_NAMES];

export function counterRow(owner: CounterOwner): number {
  return owner === 'nobody' ? 0 : VNICS[owner].id;
}

export function ownerOf(port: PortName): VnicName | null {
  return VNIC_NAMES.find((name) => VNICS[name].tap === port || VNICS[name].vf === port) ?? null;
}

export function portOf(name: VnicName, path: VnicPath): PortName {
  const port = path === 'accelerated' ? bedVnic(name).vf : bedVnic(name).tap;
  if (port === null) throw new RangeError(`${name} has no VF`);
  return port;
}

export function isUplink(port: PortName): boolean {
  return port === 'pf0' || port === 'pf1';
}

/** A station behind the uplinks, and a MAC address that nobody has. */
export const STATION = '02:00:00:00:00:aa';
export const NOBODY = '02:00:00:00:00:ee';
export const MULTICAST = '01:00:5e:00:00:01';

export const IP = { station: '192.0.2.10', g1: '192.0.2.1', g2: '192.0.2.2' } as const;
export const IP6 = { station: '2001:db8::10', g1: '2001:db8::1', g2: '2001:db8::2' } as const;

/** From the station to a vNIC, up to the Ethernet (and VLAN) header. */
export function wireTo(name: VnicName, from = STATION): FrameBuilder {
  const { mac, vlan } = bedVnic(name);
  const ethernet = frame().ethernet({ from, to: mac });
  return vlan === 0 ? ethernet : ethernet.vlan(vlan);
}

/** From a vNIC to a MAC address. */
export function guestFrame(name: VnicName, to: string): FrameBuilder {
  const { mac, vlan } = bedVnic(name);
  const ethernet = frame().ethernet({ from: mac, to });
  return vlan === 0 ? ethernet : ethernet.vlan(vlan);
}

export const wireUdp = wireTo('g1').ip(IP.station, IP.g1).udp(1000, 53).payload('question');
export const guestUdp = guestFrame('g1', STATION).ip(IP.g1, IP.station).udp(53, 1000).payload('answer');
export const toNeighbour = guestFrame('g1', VNICS.g2.mac).ip(IP.g1, IP.g2).udp(4000, 5000).payload('hello');
