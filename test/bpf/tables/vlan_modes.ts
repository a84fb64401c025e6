/** Access and trunk vNICs: the tag is put in and taken off where the port wants it, and nobody leaves his VLANs. */
import { frame } from '../../support/packet_builder.js';
import { accelerated, access, cutThrough, legacy, queues, remote, trunk } from '../bed/given.js';
import type { Row } from '../bed/row.js';
import { IP, NOBODY, STATION, VNICS } from '../bed/world.js';

const toG1 = frame().ethernet({ from: STATION, to: VNICS.g1.mac });
const fromG1 = frame().ethernet({ from: VNICS.g1.mac, to: STATION });
const g1ToG2 = frame().ethernet({ from: VNICS.g1.mac, to: VNICS.g2.mac });
/** Packets that no flow is learnt from. */
const packet = { ...{ from: IP.station, to: IP.g1 }, protocol: 2 } as const;
const answer = { ...{ from: IP.g1, to: IP.station }, protocol: 2 } as const;

export const accessRows: readonly Row[] = [
  {
    title: 'wire to access vNIC on its VF: the tag is taken off', given: [access('g1', 7), accelerated('g1')],
    frame: toG1.vlan(7, 3).ipv4(packet), on: 'pf0', verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_single'],
    leaves: toG1.ipv4(packet),
  },
  {
    title: '... on its tap, with cut-through', given: [access('g1', 7), cutThrough('g1')],
    frame: toG1.vlan(7).ipv4(packet), on: 'pf0', verdict: 'redirect', to: 'tap1', counted: ['g1', 'redirect_single'],
    leaves: toG1.ipv4(packet),
  },
  {
    title: '... by way of another CPU, which finds it by its VLAN', given: [access('g1', 7), accelerated('g1'), queues('vf1', 2, 1)],
    frame: toG1.vlan(7).ipv4(packet), on: 'pf0', verdict: 'redirect', to: 'vf1', toQueue: 1, byCpu: 1, inVlan: 7,
    counted: ['g1', 'redirect_rss'], leaves: toG1.ipv4(packet),
  },
  {
    title: '... to the bridge: as it came', given: [access('g1', 7)], frame: toG1.vlan(7).ipv4(packet), on: 'pf0', verdict: 'pass',
    counted: ['g1', 'pass_software'],
  },
  {
    title: '... an inner tag stays', given: [access('g1', 7), accelerated('g1')],
    frame: toG1.serviceVlan(7).vlan(9).ipv4(packet), on: 'pf0', verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_single'],
    leaves: toG1.vlan(9).ipv4(packet),
  },
  {
    title: 'untagged from the wire is not for an access vNIC', given: [access('g1', 7), accelerated('g1')],
    frame: toG1.ipv4(packet), on: 'pf0', verdict: 'pass', counted: ['nobody', 'pass_unknown_mac'],
  },
  {
    title: 'access vNIC to the wire: the tag is put in', given: [access('g1', 7), accelerated('g1'), remote(STATION, 'pf0', { vlan: 7 })],
    frame: fromG1.ipv4(answer), on: 'vf1', verdict: 'redirect', to: 'pf0', counted: ['g1', 'redirect_uplink'],
    leaves: fromG1.vlan(7).ipv4(answer),
  },
  {
    title: '... from the tap, with cut-through', given: [access('g1', 7), cutThrough('g1'), remote(STATION, 'pf0', { vlan: 7 })],
    frame: fromG1.ipv4(answer), on: 'tap1', verdict: 'redirect', to: 'pf0', counted: ['g1', 'redirect_uplink'],
    leaves: fromG1.vlan(7).ipv4(answer),
  },
  {
    title: '... a priority tag is filled in', given: [access('g1', 7), accelerated('g1'), remote(STATION, 'pf0', { vlan: 7 })],
    frame: fromG1.vlan(0, 5).ipv4(answer), on: 'vf1', verdict: 'redirect', to: 'pf0', counted: ['g1', 'redirect_uplink'],
    leaves: fromG1.vlan(7, 5).ipv4(answer),
  },
  {
    title: '... a station of another VLAN is not there', given: [access('g1', 7), accelerated('g1'), remote(STATION)],
    frame: fromG1.ipv4(answer), on: 'vf1', verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
  },
  {
    title: '... its software path, to the bridge: as it came', given: [access('g1', 7), remote(STATION, 'pf0', { vlan: 7 })],
    frame: fromG1.ipv4(answer), on: 'tap1', verdict: 'pass', counted: ['g1', 'pass_software'],
  },
  {
    title: 'an access vNIC may not tag, not even with its own VLAN', given: [access('g1', 7)],
    frame: fromG1.vlan(7).ipv4(answer), on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_spoofed_vlan'],
  },
  {
    title: 'nobody sends a priority tag before another tag: a switch that takes it off would see the other as the VLAN',
    frame: fromG1.vlan(0).vlan(7).ipv4(answer), on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_spoofed_vlan'],
  },
  {
    title: 'access to access in one VLAN: no tag at all', given: [access('g1', 7), access('g2', 7), accelerated('g1'), accelerated('g2')],
    frame: g1ToG2.ipv4(packet), on: 'vf1', verdict: 'redirect', to: 'vf2', counted: ['g2', 'redirect_single'],
  },
  {
    title: 'access to access in another VLAN: unknown', given: [access('g1', 7), access('g2', 8), accelerated('g1'), accelerated('g2')],
    frame: g1ToG2.ipv4(packet), on: 'vf1', verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
  },
];

export const trunkRows: readonly Row[] = [
  ...[0, 7, 9].map((vlan): Row => ({
    title: `wire to trunk vNIC, VLAN ${vlan}: as it came`, given: [trunk('g1', 7, 9, 0), accelerated('g1')],
    frame: (vlan === 0 ? toG1 : toG1.vlan(vlan)).ipv4(packet), on: 'pf0', verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_single'],
  })),
  {
    title: '... a VLAN that is not its own', given: [trunk('g1', 7, 9), accelerated('g1')], frame: toG1.vlan(8).ipv4(packet), on: 'pf0',
    verdict: 'pass', counted: ['nobody', 'pass_unknown_mac'],
  },
  {
    title: 'trunk vNIC to the wire: as it came', given: [trunk('g1', 7, 9), accelerated('g1'), remote(STATION, 'pf0', { vlan: 9 })],
    frame: fromG1.vlan(9).ipv4(answer), on: 'vf1', verdict: 'redirect', to: 'pf0', counted: ['g1', 'redirect_uplink'],
  },
  {
    title: '... in a VLAN that is not its own', given: [trunk('g1', 7, 9), accelerated('g1')], frame: fromG1.vlan(8).ipv4(answer),
    on: 'vf1', verdict: 'drop', counted: ['g1', 'drop_spoofed_vlan'],
  },
  {
    title: '... untagged, which is not one of its own', given: [trunk('g1', 7, 9), accelerated('g1')], frame: fromG1.ipv4(answer),
    on: 'vf1', verdict: 'drop', counted: ['g1', 'drop_spoofed_vlan'],
  },
  {
    title: 'trunk to access: the tag is taken off', given: [trunk('g1', 7, 9), access('g2', 9), accelerated('g1'), accelerated('g2')],
    frame: g1ToG2.vlan(9).ipv4(packet), on: 'vf1', verdict: 'redirect', to: 'vf2', counted: ['g2', 'redirect_single'],
    leaves: g1ToG2.ipv4(packet),
  },
  {
    title: 'access to trunk: the tag is put in', given: [access('g1', 9), trunk('g2', 7, 9), accelerated('g1'), accelerated('g2')],
    frame: g1ToG2.ipv4(packet), on: 'vf1', verdict: 'redirect', to: 'vf2', counted: ['g2', 'redirect_single'],
    leaves: g1ToG2.vlan(9).ipv4(packet),
  },
  {
    title: '... by way of another CPU', given: [access('g1', 9), trunk('g2', 7, 9), accelerated('g1'), accelerated('g2'), queues('vf2', 2, 1)],
    frame: g1ToG2.ipv4(packet), on: 'vf1', verdict: 'redirect', to: 'vf2', toQueue: 1, byCpu: 1, inVlan: 9,
    counted: ['g2', 'redirect_rss'], leaves: g1ToG2.vlan(9).ipv4(packet),
  },
];

const neighbour = { frame: g1ToG2.ipv4(packet), counted: ['g2', 'redirect_single'], verdict: 'redirect', to: 'pf0', toVfOf: 'g2' } as const;

/** Adapters whose own switch delivers to the VFs: the host sees none of it, and reaches a VF by the uplink. */
export const legacyRows: readonly Row[] = [
  { title: 'a neighbour\'s frame for a VF behind the adapter\'s switch leaves by the uplink', given: [legacy('g2'), accelerated('g2')], ...neighbour, on: 'tap1' },
  {
    title: '... tagged, when the vNIC is an access one', ...neighbour, on: 'tap1',
    given: [access('g1', 7), access('g2', 7), legacy('g2'), accelerated('g2')], leaves: g1ToG2.vlan(7).ipv4(packet),
  },
  {
    title: '... which is on its software path: to the tap', given: [legacy('g2'), cutThrough('g2')], frame: neighbour.frame, on: 'tap1',
    verdict: 'redirect', to: 'tap2', counted: ['g2', 'redirect_single'],
  },
  {
    title: 'what comes by the uplink for such a VF does not go back there', given: [legacy('g1'), accelerated('g1')],
    frame: toG1.ipv4(packet), on: 'pf0', verdict: 'pass', counted: ['g1', 'pass_same_port'],
  },
  {
    title: '... and what a neighbour sent is not brought to the bridge by it, which would take the neighbour to be there', given: [legacy('g1'), accelerated('g1')],
    frame: frame().ethernet({ from: VNICS.g2.mac, to: VNICS.g1.mac }).ipv4(packet), on: 'pf0', verdict: 'drop', counted: ['g1', 'drop_reflected'],
  },
  {
    title: 'a frame from the tap does not end such a VF\'s path: what the guest sends on it is not seen', given: [legacy('g1'), accelerated('g1')],
    frame: frame().ethernet({ from: VNICS.g1.mac, to: NOBODY }).ipv4(packet), on: 'tap1', verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
  },
  {
    title: 'an address that is nobody\'s is still unknown', given: [legacy('g2'), accelerated('g2')],
    frame: frame().ethernet({ from: VNICS.g1.mac, to: NOBODY }).ipv4(packet), on: 'tap1', verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
  },
];
