/** Frames that arrive on an uplink: which port, which queue, which reason. */
import { BROADCAST, EtherType, frame, IpProtocol } from '../../support/packet_builder.js';
import { collidingPort } from '../bed/flow_hash.js';
import { accelerated, cutThrough, earlier, frameMax, noCpu, noTarget, queues, unreachableQueues, withoutVf } from '../bed/given.js';
import type { Row } from '../bed/row.js';
import { guestFrame, guestUdp, IP, IP6, MULTICAST, NOBODY, STATION, VNICS, wireTo, wireUdp } from '../bed/world.js';

const v4 = { from: IP.station, to: IP.g1 };
const v6 = { from: IP6.station, to: IP6.g1 };
const untilIp = wireTo('g1');
const onVf = accelerated('g1');
const redirectedToVf = { given: [onVf], on: 'pf0', verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_single'] } as const;

export const portRows: readonly Row[] = [
  { title: 'to a vNIC on its VF: to the VF port', frame: wireUdp, ...redirectedToVf },
  { title: 'to a vNIC on its software path: to the bridge', frame: wireUdp, on: 'pf0', verdict: 'pass', counted: ['g1', 'pass_software'] },
  {
    title: 'to a vNIC on its software path with cut-through: to the tap',
    given: [cutThrough('g1')], frame: wireUdp, on: 'pf0', verdict: 'redirect', to: 'tap1', counted: ['g1', 'redirect_single'],
  },
  {
    title: 'cut-through changes nothing for a vNIC on its VF',
    ...redirectedToVf, given: [onVf, cutThrough('g1')], frame: wireUdp,
  },
  {
    title: 'to a vNIC whose VF is gone from its row, though the path still says VF: to the bridge',
    given: [onVf, withoutVf('g1')], frame: wireUdp, on: 'pf0', verdict: 'pass', counted: ['g1', 'pass_software'],
  },
  {
    title: '... or to the tap with cut-through',
    given: [onVf, withoutVf('g1'), cutThrough('g1')], frame: wireUdp, on: 'pf0', verdict: 'redirect', to: 'tap1',
    counted: ['g1', 'redirect_single'],
  },
  {
    title: 'to nobody',
    frame: frame().ethernet({ from: STATION, to: NOBODY }).ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'pass',
    counted: ['nobody', 'pass_unknown_mac'],
  },
  {
    title: 'broadcast',
    frame: frame().ethernet({ from: STATION, to: BROADCAST }).arp({ senderMac: STATION, sender: IP.station, target: IP.g1 }).padTo(60),
    given: [onVf], on: 'pf0', verdict: 'pass', counted: ['nobody', 'pass_multicast'],
  },
  {
    title: 'multicast',
    frame: frame().ethernet({ from: STATION, to: MULTICAST }).ip(v4.from, '224.0.0.1').udp(1, 2), given: [onVf], on: 'pf0', verdict: 'pass',
    counted: ['nobody', 'pass_multicast'],
  },
  {
    title: 'ARP to a vNIC takes the same way as its other frames',
    frame: untilIp.arp({ senderMac: STATION, sender: IP.station, target: IP.g1 }).padTo(60), ...redirectedToVf,
  },
  {
    title: 'a vNIC of another uplink',
    frame: wireTo('g3').ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'pass', counted: ['g3', 'pass_other_domain'],
  },
  {
    title: '... is reached from its own',
    given: [cutThrough('g3')], frame: wireTo('g3').ip(v4.from, v4.to).udp(1, 2), on: 'pf1', verdict: 'redirect', to: 'tap3',
    counted: ['g3', 'redirect_single'],
  },
  {
    title: 'the VF port may not be redirected to',
    frame: wireUdp, given: [onVf, noTarget('vf1')], on: 'pf0', verdict: 'pass', counted: ['g1', 'pass_no_target'],
  },
  {
    title: 'the CPU of the queue takes no frames',
    frame: wireUdp, given: [onVf, queues('vf1', 2, 1), noCpu(1)], on: 'pf0', verdict: 'pass', counted: ['g1', 'pass_no_target'],
  },
];

export const vlanRows: readonly Row[] = [
  {
    title: 'the VLAN tells two vNICs with the same MAC address apart: tagged',
    given: [accelerated('g4')], frame: wireTo('g4').ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'redirect', to: 'vf4',
    counted: ['g4', 'redirect_single'],
  },
  { title: '... untagged', frame: wireUdp, ...redirectedToVf, given: [onVf, accelerated('g4')] },
  { title: 'a priority tag (VLAN id 0) counts as untagged', frame: untilIp.vlan(0, 5).ip(v4.from, v4.to).udp(1, 2), ...redirectedToVf },
  {
    title: 'priority bits of a tag do not matter', given: [accelerated('g4')],
    frame: untilIp.vlan(100, 7).ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'redirect', to: 'vf4', counted: ['g4', 'redirect_single'],
  },
  {
    title: 'an 802.1ad tag is a VLAN tag, too', given: [accelerated('g4')],
    frame: untilIp.serviceVlan(100).ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'redirect', to: 'vf4',
    counted: ['g4', 'redirect_single'],
  },
  {
    title: 'a known MAC address on a VLAN of no vNIC',
    frame: untilIp.vlan(101).ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'pass', counted: ['nobody', 'pass_unknown_mac'],
  },
  {
    title: 'two tags, the outer one is a vNIC\'s: the inner one is the guest\'s business', given: [accelerated('g4')],
    frame: untilIp.vlan(100).vlan(5).ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'redirect', to: 'vf4', counted: ['g4', 'redirect_single'],
  },
  {
    title: '... and an unfinished checksum is seen behind both', given: [accelerated('g4')],
    frame: untilIp.vlan(100).vlan(5).ip(v4.from, v4.to).partialChecksum().udp(1, 2), on: 'pf0', verdict: 'pass',
    counted: ['g4', 'pass_partial_checksum'],
  },
  {
    title: 'three tags, the outer one is a vNIC\'s', given: [accelerated('g4')],
    frame: untilIp.vlan(100).vlan(5).vlan(6).ip(v4.from, v4.to).udp(1, 2), on: 'pf0', verdict: 'pass', counted: ['g4', 'pass_too_many_tags'],
  },
  {
    title: 'two tags (802.1ad around 802.1Q), nobody\'s', frame: untilIp.serviceVlan(7).vlan(100).ip(v4.from, v4.to).udp(1, 2),
    on: 'pf0', verdict: 'pass', counted: ['nobody', 'pass_unknown_mac'],
  },
];

const twoQueues = {
  given: [onVf, queues('vf1', 2, 0)], on: 'pf0', verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_rss'],
} as const;
const queue1 = { ...twoQueues, given: [onVf, queues('vf1', 2, 1)], toQueue: 1 } as const;
const answered = (...layers: Parameters<typeof earlier>) => [earlier(...layers), onVf, queues('vf1', 2, 0)];
const rfs = { on: 'pf0', verdict: 'redirect', to: 'vf1', toQueue: 1, byCpu: 1, counted: ['g1', 'redirect_rfs'] } as const;
const heardOnQueue1 = { on: 'vf1', queue: 1 } as const;
const g1to = guestFrame('g1', STATION);
/** Of wireUdp. */
const wireFlow = { ...v4, fromPort: 1000, toPort: 53, protocol: IpProtocol.udp };

export const queueRows: readonly Row[] = [
  { title: 'RSS: the queue of this CPU is reached straight', frame: wireUdp, ...twoQueues },
  { title: 'RSS: another queue by way of its CPU', frame: wireUdp, ...queue1, byCpu: 1 },
  { title: 'RSS: that queue straight from its own CPU', frame: wireUdp, ...queue1, cpu: 1 },
  { title: 'RSS: and queue 0 from there by way of CPU 0', frame: wireUdp, ...twoQueues, cpu: 1, byCpu: 0 },
  {
    title: 'RSS on a tap, with cut-through', given: [cutThrough('g1'), queues('tap1', 2, 1)],
    frame: wireUdp, on: 'pf0', verdict: 'redirect', to: 'tap1', toQueue: 1, byCpu: 1, counted: ['g1', 'redirect_rss'],
  },
  {
    title: 'RSS: frames that are not IP have a bucket, too',
    frame: untilIp.arp({ senderMac: STATION, sender: IP.station, target: IP.g1 }), ...queue1, byCpu: 1,
  },
  {
    title: 'no CPU reaches any queue: straight, and counted where it lands',
    frame: wireUdp, ...twoQueues, given: [onVf, unreachableQueues('vf1', 2, 0)], cpu: 1, toQueue: 1,
  },
  { title: 'RFS: IPv4 UDP', frame: wireUdp, ...rfs, given: answered(guestUdp, heardOnQueue1) },
  {
    title: 'RFS: IPv4 TCP',
    frame: untilIp.ip(v4.from, v4.to).tcp(80, 4000), ...rfs, given: answered(g1to.ip(v4.to, v4.from).tcp(4000, 80), heardOnQueue1),
  },
  {
    title: 'RFS: IPv6 UDP',
    frame: untilIp.ip(v6.from, v6.to).udp(80, 4000), ...rfs, given: answered(g1to.ip(v6.to, v6.from).udp(4000, 80), heardOnQueue1),
  },
  {
    title: 'RFS: IPv6 TCP',
    frame: untilIp.ip(v6.from, v6.to).tcp(80, 4000), ...rfs, given: answered(g1to.ip(v6.to, v6.from).tcp(4000, 80), heardOnQueue1),
  },
  {
    title: 'RFS: with IPv4 options on the way in',
    frame: untilIp.ipv4({ ...v4, options: Buffer.from([1, 1, 1, 0]) }).udp(1000, 53), ...rfs, given: answered(guestUdp, heardOnQueue1),
  },
  { title: 'RFS: learnt on the tap, used on the VF', frame: wireUdp, ...rfs, given: answered(guestUdp, { on: 'tap1', queue: 1 }) },
  {
    title: 'RFS: TCP and UDP of the same ports are two flows', frame: untilIp.ip(v4.from, v4.to).tcp(1000, 53),
    ...twoQueues, given: answered(guestUdp, heardOnQueue1),
  },
  {
    title: 'RFS: another port is another flow',
    frame: untilIp.ip(v4.from, v4.to).udp(1001, 53), ...twoQueues, given: answered(guestUdp, heardOnQueue1),
  },
  {
    title: 'RFS: ... also when it shares the slot',
    frame: untilIp.ip(v4.from, v4.to).udp(collidingPort(wireFlow), 53), ...twoQueues, given: answered(guestUdp, heardOnQueue1),
  },
  {
    title: 'RFS: the guest\'s own direction is not taken for the other',
    frame: untilIp.ip(v4.to, v4.from).udp(53, 1000), ...twoQueues, given: answered(guestUdp, heardOnQueue1),
  },
  {
    title: 'RFS: a neighbour\'s flow is not ours, whatever its tuple', frame: wireUdp, ...twoQueues,
    given: answered(guestFrame('g2', STATION).ip(v4.to, v4.from).udp(53, 1000), { on: 'vf2', queue: 1 }),
  },
  {
    title: 'RFS: fragments go by RSS',
    frame: untilIp.ipv4({ ...v4, fragment: { offset: 0, more: true } }).udp(1000, 53), ...twoQueues,
    given: answered(guestUdp, heardOnQueue1),
  },
  { title: 'RFS: a queue that this port does not have', frame: wireUdp, ...twoQueues, given: answered(guestUdp, { on: 'tap1', queue: 3 }) },
  {
    title: 'RFS: a queue that no CPU reaches', frame: wireUdp, ...twoQueues, toQueue: 0,
    given: [onVf, unreachableQueues('vf1', 2, 0), earlier(guestUdp, heardOnQueue1)],
  },
  {
    title: 'RFS: not asked for where there is one queue',
    frame: wireUdp, ...redirectedToVf, given: [onVf, earlier(guestUdp, { on: 'vf1', queue: 0 })],
  },
];

const partial = { given: [onVf], on: 'pf0', verdict: 'pass', counted: ['g1', 'pass_partial_checksum'] } as const;
const oversize = { on: 'pf0', verdict: 'pass', counted: ['g1', 'pass_oversize'] } as const;

export const bridgeOnlyRows: readonly Row[] = [
  { title: 'as large as the VF takes', frame: untilIp.ip(v4.from, v4.to).udp(1, 2).fillTo(1514), ...redirectedToVf },
  { title: 'one byte larger', frame: untilIp.ip(v4.from, v4.to).udp(1, 2).fillTo(1515), ...oversize, given: [onVf] },
  {
    title: 'as large, and a VLAN tag: the tag does not count', given: [accelerated('g4')],
    frame: wireTo('g4').ip(v4.from, v4.to).udp(1, 2).fillTo(1518), on: 'pf0', verdict: 'redirect', to: 'vf4',
    counted: ['g4', 'redirect_single'],
  },
  {
    title: '... and one byte larger', given: [accelerated('g4')],
    frame: wireTo('g4').ip(v4.from, v4.to).udp(1, 2).fillTo(1519), on: 'pf0', verdict: 'pass', counted: ['g4', 'pass_oversize'],
  },
  {
    title: 'the tap has its own limit',
    frame: untilIp.ip(v4.from, v4.to).udp(1, 2).fillTo(101), ...oversize, given: [cutThrough('g1'), frameMax('g1', 'tap', 100)],
  },
  {
    title: '... which is not the VF\'s',
    frame: untilIp.ip(v4.from, v4.to).udp(1, 2).fillTo(101), ...redirectedToVf, given: [onVf, frameMax('g1', 'tap', 100)],
  },
  { title: 'partial checksum: IPv4 UDP', frame: untilIp.ip(v4.from, v4.to).partialChecksum().udp(1000, 53).payload('x'), ...partial },
  { title: 'partial checksum: IPv4 TCP', frame: untilIp.ip(v4.from, v4.to).partialChecksum().tcp(1000, 53).payload('xy'), ...partial },
  { title: 'partial checksum: IPv6 UDP', frame: untilIp.ip(v6.from, v6.to).partialChecksum().udp(1000, 53).payload('xyz'), ...partial },
  { title: 'partial checksum: IPv6 TCP', frame: untilIp.ip(v6.from, v6.to).partialChecksum().tcp(1000, 53), ...partial },
  {
    title: 'partial checksum: behind IPv4 options',
    frame: untilIp.ipv4({ ...v4, options: Buffer.alloc(40, 1) }).partialChecksum().udp(1, 2), ...partial,
  },
  { title: 'partial checksum: padded to 60 bytes', frame: untilIp.ip(v4.from, v4.to).partialChecksum().udp(1, 2).padTo(60), ...partial },
  {
    title: 'partial checksum: on the software path, too',
    frame: untilIp.ip(v4.from, v4.to).partialChecksum().udp(1, 2), ...partial, given: [],
  },
  { title: 'UDP without a checksum may carry a tunnel', frame: untilIp.ip(v4.from, v4.to).noChecksum().udp(1, 2), ...partial, given: [onVf] },
  { title: 'VXLAN may carry an unfinished checksum', frame: untilIp.ip(v4.from, v4.to).udp(1, 4789), ...partial, given: [onVf] },
  { title: 'so may any other tunnel', frame: untilIp.ipv4({ ...v4, protocol: 47 }).payload('tunnel'), ...partial, given: [onVf] },
  {
    title: 'a wrong checksum is the receiver\'s business',
    frame: untilIp.ip(v4.from, v4.to).checksum(0x1234).udp(1, 2), ...redirectedToVf,
  },
];

/** Headers that are cut short or lie: the frame still goes to its vNIC, by what can be read. */
const strange = { on: 'pf0', verdict: 'redirect', given: [onVf, queues('vf1', 2, 0)], to: 'vf1', counted: ['g1', 'redirect_rss'] } as const;
const ipHeaderAt = 14;

export const strangeRows: readonly Row[] = [
  ...[14, 15, 16, 17].map((length): Row => ({
    title: `a VLAN tag cut short: ${length} bytes`, frame: untilIp.vlan(0).ip(v4.from, v4.to).udp(1, 2).truncate(length),
    on: 'pf0', verdict: 'pass', counted: ['nobody', 'pass_runt'],
  })),
  {
    title: 'nothing but an Ethernet header',
    frame: frame().ethernet({ from: STATION, to: VNICS.g1.mac, type: EtherType.ipv4 }), ...strange,
  },
  { title: 'an IPv4 header cut short', frame: untilIp.ip(v4.from, v4.to).udp(1, 2).truncate(ipHeaderAt + 19), ...strange },
  { title: 'an IPv6 header cut short', frame: untilIp.ip(v6.from, v6.to).udp(1, 2).truncate(ipHeaderAt + 39), ...strange },
  { title: 'a UDP header cut short', frame: untilIp.ip(v4.from, v4.to).udp(1, 2).truncate(ipHeaderAt + 20 + 7), ...strange },
  { title: 'a TCP header cut short', frame: untilIp.ip(v6.from, v6.to).tcp(1, 2).truncate(ipHeaderAt + 40 + 19), ...strange },
  { title: 'IPv4 that says version 5', frame: untilIp.ipv4({ ...v4, version: 5 }).udp(1, 2), ...strange },
  { title: 'IPv6 that says version 4', frame: untilIp.ipv6({ ...v6, version: 4 }).udp(1, 2), ...strange },
  { title: 'an IPv4 header of 16 bytes', frame: untilIp.ipv4({ ...v4, headerWords: 4 }).udp(1, 2), ...strange },
  { title: 'an IPv4 header longer than the frame', frame: untilIp.ipv4({ ...v4, headerWords: 15 }).udp(1, 2), ...strange },
  { title: 'an IP protocol without ports', frame: untilIp.ipv4({ ...v4, protocol: 2 }).payload('group'), ...strange },
];

const control = { on: 'pf0', verdict: 'drop', given: [onVf] } as const;

export const controlRows: readonly Row[] = [
  {
    title: 'a control frame from the wire',
    frame: untilIp.control({ command: 1, sequence: 1 }), ...control, counted: ['g1', 'drop_control'],
  },
  {
    title: 'a malformed control frame from the wire',
    frame: untilIp.control({ command: 1, magic: 0 }).truncate(20), ...control, counted: ['g1', 'drop_control'],
  },
  {
    title: 'a control frame from the wire on a VLAN (a guest\'s kernel takes the tag off)', frame: wireTo('g4').control({ command: 1 }),
    ...control, counted: ['g4', 'drop_control'],
  },
  {
    title: 'a control frame from the wire to all, which the bridge would flood to the taps',
    frame: frame().ethernet({ from: STATION, to: BROADCAST }).control({ command: 1 }),
    ...control, counted: ['nobody', 'drop_control'],
  },
  {
    title: 'a control frame from the wire to an unknown address, which the bridge would flood, too',
    frame: frame().ethernet({ from: STATION, to: NOBODY }).control({ command: 1 }), ...control, counted: ['nobody', 'drop_control'],
  },
];
