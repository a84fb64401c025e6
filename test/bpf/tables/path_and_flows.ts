/** What the programs learn from a guest's transmission: its path and the queues of its flows. */
import { BROADCAST } from '../../support/packet_builder.js';
import {
  accelerated, acceleratedAndBusy, acceleratedAndBusyElsewhere, earlier, flowsForgotten, flowsQuiet, type Given, remote, vfAllowed,
  vfNotAllowed, withoutPlugin,
} from '../bed/given.js';
import { collidingPort } from '../bed/flow_hash.js';
import type { Row } from '../bed/row.js';
import { guestFrame, guestUdp, IP, IP6, NOBODY, STATION, VNICS } from '../bed/world.js';

/** No ports, so that nothing is learnt beside the path. */
const plain = guestFrame('g1', NOBODY).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station });
const toAll = guestFrame('g1', BROADCAST).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station });
const unicast = { frame: plain, verdict: 'pass', counted: ['g1', 'pass_unknown_mac'] } as const;
const broadcast = { frame: toAll, verdict: 'pass', counted: ['g1', 'pass_multicast'] } as const;
const toVf = { on: 'vf1', moves: ['g1', 'accelerated'] } as const;
const toSoftware = { on: 'tap1', moves: ['g1', 'software'] } as const;

export const pathRows: readonly Row[] = [
  { title: 'path: unicast from the VF moves there', ...unicast, ...toVf, given: [vfAllowed('g1')] },
  { title: 'path: broadcast from the VF moves there, too', ...broadcast, ...toVf, given: [vfAllowed('g1')] },
  { title: 'path: not while the VF is not allowed', ...unicast, on: 'vf1' },
  { title: 'path: already on the VF', ...unicast, on: 'vf1', given: [accelerated('g1')] },
  { title: 'path: already on the tap', ...unicast, on: 'tap1', given: [vfAllowed('g1')] },
  { title: 'path: unicast from the tap moves back once the VF is quiet', ...unicast, ...toSoftware, given: [accelerated('g1')] },
  {
    title: 'path: ... also when the VF is not allowed any more',
    ...unicast, ...toSoftware, given: [accelerated('g1'), vfNotAllowed('g1')],
  },
  { title: 'path: not while the VF is in use: that frame was overtaken', ...unicast, on: 'tap1', given: [acceleratedAndBusy('g1')] },
  { title: 'path: not because another CPU\'s clock is ahead', ...unicast, on: 'tap1', given: [acceleratedAndBusyElsewhere('g1')] },
  {
    title: 'path: a frame from the VF says that it is in use',
    ...unicast, on: 'tap1', given: [accelerated('g1'), earlier(plain, { on: 'vf1' })],
  },
  {
    title: 'path: ... even while the VF is not allowed',
    ...unicast, on: 'tap1', given: [accelerated('g1'), vfNotAllowed('g1'), earlier(plain, { on: 'vf1' })],
  },
  { title: 'path: broadcast from the tap of a plug-in guest says nothing', ...broadcast, on: 'tap1', given: [accelerated('g1')] },
  {
    title: 'path: ... of any other guest it does',
    ...broadcast, ...toSoftware, given: [accelerated('g1'), withoutPlugin('g1')], sees: ['g1', { ipv4: 0xc0000201 }],
  },
  {
    title: 'path: ... but not IPv6 multicast, which its standby sends for itself',
    frame: guestFrame('g1', '33:33:00:00:00:16').ip('fe80::1', 'ff02::16').udp(1, 2), on: 'tap1', verdict: 'pass', counted: ['g1', 'pass_multicast'],
    given: [accelerated('g1'), withoutPlugin('g1')],
  },
  {
    title: 'path: ... while IPv4 multicast comes from no slave',
    frame: guestFrame('g1', '01:00:5e:00:00:16').ip(IP.g1, '224.0.0.22').udp(1, 2), ...toSoftware, verdict: 'pass', counted: ['g1', 'pass_multicast'],
    given: [accelerated('g1'), withoutPlugin('g1')],
  },
  {
    title: 'path: what a neighbour receives moves nobody',
    frame: guestFrame('g1', VNICS.g2.mac).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.g2 }),
    on: 'tap1', given: [accelerated('g2')], verdict: 'redirect', to: 'vf2', counted: ['g2', 'redirect_single'],
  },
  {
    title: 'path: what a station sends moves nobody',
    frame: guestFrame('g2', VNICS.g1.mac).arp({ senderMac: VNICS.g2.mac, sender: IP.g2, target: IP.g1 }),
    on: 'pf0', given: [accelerated('g1'), accelerated('g2')], verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_single'],
  },
];

const g1to = guestFrame('g1', NOBODY);
const v4 = { from: IP.g1, to: IP.station };
const v6 = { from: IP6.g1, to: IP6.station };
const passed = { on: 'tap1', verdict: 'pass', counted: ['g1', 'pass_unknown_mac'] } as const;
const learnt = { ...passed, queue: 2, learns: { vnic: 'g1', queue: 2 } } as const;
const flow = g1to.ip(v4.from, v4.to).udp(53, 1000);
const sharing = g1to.ip(v4.from, v4.to).udp(53, collidingPort({ from: v4.to, to: v4.from, fromPort: 1000, toPort: 53, protocol: 17 }));
const on = (queue: number): Given => earlier(flow, { on: 'tap1', queue });

export const flowRows: readonly Row[] = [
  { title: 'flow learnt: IPv4 UDP', frame: flow, ...learnt },
  { title: 'flow learnt: IPv4 TCP', frame: g1to.ip(v4.from, v4.to).tcp(80, 4000), ...learnt },
  { title: 'flow learnt: IPv6 UDP', frame: g1to.ip(v6.from, v6.to).udp(80, 4000), ...learnt },
  { title: 'flow learnt: IPv6 TCP', frame: g1to.ip(v6.from, v6.to).tcp(80, 4000), ...learnt },
  { title: 'flow learnt: on the VF', frame: flow, ...learnt, on: 'vf1', queue: 3, learns: { vnic: 'g1', queue: 3 } },
  {
    title: 'flow learnt: on a VLAN',
    frame: guestFrame('g4', NOBODY).ip(v4.from, v4.to).udp(1, 2), ...learnt, on: 'tap4', counted: ['g4', 'pass_unknown_mac'],
    learns: { vnic: 'g4', queue: 2 },
  },
  {
    title: 'flow learnt: also when the frame goes to the bridge for its checksum',
    frame: g1to.ip(v4.from, v4.to).partialChecksum().udp(1, 2), ...learnt,
  },
  { title: 'flow known: nothing new', frame: flow, ...passed, queue: 2, given: [on(2)] },
  { title: 'flow known: another queue while the old one is in use', frame: flow, ...passed, queue: 3, given: [on(2)] },
  {
    title: 'flow known: another queue after the old one was quiet',
    frame: flow, ...passed, queue: 3, given: [on(2), flowsQuiet('g1')], movesFlow: { vnic: 'g1', queue: 3 },
  },
  {
    title: 'flow known: a frame on its queue says that it is in use',
    frame: flow, ...passed, queue: 3, given: [on(2), flowsQuiet('g1'), on(2)],
  },
  {
    title: 'flow known: forgotten and on the same queue, it is only refreshed',
    frame: flow, ...passed, queue: 2, given: [on(2), flowsForgotten('g1')],
  },
  { title: 'slot taken: by another flow in use', frame: sharing, ...passed, queue: 3, given: [on(2)] },
  { title: 'slot taken: by another flow that is only quiet', frame: sharing, ...passed, queue: 3, given: [on(2), flowsQuiet('g1')] },
  {
    title: 'slot taken: by a forgotten one, it changes hands',
    frame: sharing, ...passed, queue: 3, given: [on(2), flowsForgotten('g1')], replacesFlow: { vnic: 'g1', queue: 3 },
  },
  { title: 'no flow: ICMP', frame: g1to.ip(v4.from, v4.to).echo(), ...passed },
  { title: 'no flow: ICMPv6', frame: g1to.ip(v6.from, v6.to).echoV6(), ...passed },
  { title: 'no flow: first fragment, IPv4', frame: g1to.ipv4({ ...v4, fragment: { offset: 0, more: true } }).udp(1, 2), ...passed },
  {
    title: 'no flow: last fragment, IPv4',
    frame: g1to.ipv4({ ...v4, fragment: { offset: 8, more: false }, protocol: 17 }).payload('as long as a header'), ...passed,
  },
  { title: 'no flow: first fragment, IPv6', frame: g1to.ipv6({ ...v6, fragment: { offset: 0, more: true } }).tcp(1, 2), ...passed },
  {
    title: 'no flow: last fragment, IPv6',
    frame: g1to.ipv6({ ...v6, fragment: { offset: 8, more: false }, protocol: 6 }).payload('as long as a TCP header'), ...passed,
  },
  { title: 'flow learnt: behind IPv6 extension headers', frame: g1to.ipv6(v6).hopByHop().destinationOptions(24).udp(1, 2), ...learnt },
  { title: 'flow learnt: IPv4 SCTP', frame: g1to.ip(v4.from, v4.to).sctp(1, 2), ...learnt },
  { title: 'flow learnt: IPv6 SCTP', frame: g1to.ip(v6.from, v6.to).sctp(1, 2), ...learnt },
  { title: 'no flow: an SCTP header cut short', frame: g1to.ip(v4.from, v4.to).sctp(1, 2).truncate(14 + 20 + 11), ...passed },
  { title: 'no flow: a TCP header cut short', frame: g1to.ip(v4.from, v4.to).tcp(1, 2).truncate(14 + 20 + 19), ...passed },
  {
    title: 'no flow: multicast',
    frame: guestFrame('g1', BROADCAST).ip(v4.from, '255.255.255.255').udp(68, 67), ...passed, counted: ['g1', 'pass_multicast'],
  },
  {
    title: 'no flow: from the wire',
    frame: guestFrame('g2', VNICS.g1.mac).ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'pass', counted: ['g1', 'pass_software'],
  },
  {
    title: 'path and flow at once',
    frame: guestUdp, on: 'vf1', queue: 1, given: [vfAllowed('g1'), remote(STATION)], verdict: 'redirect', to: 'pf0',
    counted: ['g1', 'redirect_uplink'], moves: ['g1', 'accelerated'], learns: { vnic: 'g1', queue: 1 },
  },
];
