/** Frames from a guest: who may send, and where the frame goes. */
import { ControlCommand } from '../../../maps/generated/contract.js';
import { BROADCAST, frame, type FrameBuilder } from '../../support/packet_builder.js';
import {
  accelerated, acceleratedAndBusy, cutThrough, earlier, forgetRemotes, frameMax, type Given, noTarget, noTransmit, queues, remote, REMOTE_LIFETIME,
  steered, unowned,
} from '../bed/given.js';
import type { Row } from '../bed/row.js';
import { firstSlot, vnicKey } from '../bed/bed.js';
import { guestFrame, guestUdp, IP, IP6, MULTICAST, NOBODY, STATION, toNeighbour, VNICS, wireTo, wireUdp } from '../bed/world.js';

/** The flow of the frame was heard before on the same queue, so that a row need not say what is learnt. */
function known(frameSeen: FrameBuilder, on: Row['on']): Given {
  return earlier(frameSeen, { on });
}

const fromVf = { on: 'vf1', given: [accelerated('g1'), known(guestUdp, 'vf1'), remote(STATION)] } as const;
const uplinked = { ...fromVf, verdict: 'redirect', to: 'pf0', counted: ['g1', 'redirect_uplink'] } as const;
const fromTap = { on: 'tap1', given: [known(guestUdp, 'tap1'), remote(STATION)] } as const;

/** Another address whose remote slot is the one of STATION. */
function addressSharingRemoteSlot(): string {
  for (let i = 1; i < 0x10000; i++) {
    const mac = `02:00:00:01:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`;
    if (firstSlot(vnicKey(mac, 0)) === firstSlot(vnicKey(STATION, 0))) return mac;
  }
  throw new Error('no address found');
}

const stationAsks = frame().ethernet({ from: STATION, to: BROADCAST }).arp({ senderMac: STATION, sender: IP.station, target: IP.g1 });
const fromWire = (mac: string, to: 'g1' | 'g3' = 'g1') => wireTo(to, mac).ip(IP.station, IP.g1).udp(9, 9);

export const uplinkRows: readonly Row[] = [
  { title: 'from the VF to a station behind the uplink: to the uplink', frame: guestUdp, ...uplinked },
  {
    title: '... that takes no redirected frames: by the bridge', frame: guestUdp, ...fromVf, given: [...fromVf.given, noTransmit('g1', 'UPLINK')],
    verdict: 'pass', counted: ['g1', 'pass_no_transmit'],
  },
  { title: 'from the tap: to the bridge', frame: guestUdp, ...fromTap, verdict: 'pass', counted: ['g1', 'pass_software'] },
  {
    title: 'from the tap with cut-through: to the uplink',
    frame: guestUdp, ...uplinked, on: 'tap1', given: [...fromTap.given, cutThrough('g1')],
  },
  {
    title: 'to a station nobody has heard of',
    frame: guestUdp, ...fromVf, given: fromVf.given.slice(0, 2), verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
  },
  {
    title: 'to oneself',
    frame: guestFrame('g1', VNICS.g1.mac).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.g1 }), ...fromVf, verdict: 'pass',
    counted: ['g1', 'pass_unknown_mac'],
  },
  {
    title: 'a station is learnt from what it sends',
    frame: guestUdp, ...uplinked, given: [...fromVf.given.slice(0, 2), earlier(fromWire(STATION), { on: 'pf0' })],
  },
  {
    title: 'a station is learnt once per flow and tick, which is often enough', frame: guestUdp, ...fromVf, verdict: 'pass',
    counted: ['g1', 'pass_unknown_mac'],
    given: [
      ...fromVf.given.slice(0, 2), queues('vf1', 2, 0), earlier(wireUdp, { on: 'pf0' }), forgetRemotes, earlier(wireUdp, { on: 'pf0' }),
    ],
  },
  {
    title: '... and so again in the next one', frame: guestUdp, ...uplinked,
    given: [
      ...fromVf.given.slice(0, 2), queues('vf1', 2, 0), earlier(wireUdp, { on: 'pf0' }), forgetRemotes, steered('g1', 1),
      earlier(wireUdp, { on: 'pf0' }),
    ],
  },
  {
    title: 'a station is learnt from its broadcasts, too', frame: guestUdp, ...uplinked,
    given: [...fromVf.given.slice(0, 2), earlier(stationAsks, { on: 'pf0' })],
  },
  {
    title: 'a station behind another uplink is not ours', frame: guestUdp, ...fromVf, verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
    given: [...fromVf.given.slice(0, 2), earlier(fromWire(STATION, 'g3'), { on: 'pf1' })],
  },
  {
    title: 'a station that moved behind another uplink is forgotten here',
    frame: guestUdp, ...fromVf, verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
    given: [...fromVf.given, earlier(fromWire(STATION, 'g3'), { on: 'pf1' })],
  },
  {
    title: 'a station on another VLAN is another station',
    frame: guestFrame('g4', STATION).arp({ senderMac: VNICS.g4.mac, sender: IP.g1, target: IP.station }),
    on: 'vf4', given: [accelerated('g4'), remote(STATION)], verdict: 'pass', counted: ['g4', 'pass_unknown_mac'],
  },
  {
    title: '... known on that VLAN', frame: guestFrame('g4', STATION).arp({ senderMac: VNICS.g4.mac, sender: IP.g1, target: IP.station }),
    on: 'vf4', given: [accelerated('g4'), remote(STATION, 'pf0', { vlan: 100 })], verdict: 'redirect', to: 'pf0',
    counted: ['g4', 'redirect_uplink'],
  },
  {
    title: 'a newcomer takes the slot: the bridge carries the frames of the station before',
    frame: guestUdp, ...fromVf, verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
    given: [...fromVf.given, earlier(fromWire(addressSharingRemoteSlot()), { on: 'pf0' })],
  },
  {
    title: 'a slot near the end of its life is believed',
    frame: guestUdp, ...uplinked, given: [...fromVf.given.slice(0, 2), remote(STATION, 'pf0', { ticksAgo: REMOTE_LIFETIME - 5 })],
  },
  {
    title: 'a slot past its life is not', frame: guestUdp, ...fromVf, verdict: 'pass', counted: ['g1', 'pass_unknown_mac'],
    given: [...fromVf.given.slice(0, 2), remote(STATION, 'pf0', { ticksAgo: REMOTE_LIFETIME + 5 })],
  },
  {
    title: '... is emptied, and learnt anew from the next frame of the wire', frame: guestUdp, ...uplinked,
    given: [
      ...fromVf.given.slice(0, 2), remote(STATION, 'pf0', { ticksAgo: REMOTE_LIFETIME + 5 }), earlier(guestUdp, { on: 'vf1' }),
      earlier(fromWire(STATION), { on: 'pf0' }),
    ],
  },
  {
    title: 'a slot filled by a CPU whose clock is a tick ahead is believed',
    frame: guestUdp, ...uplinked, given: [...fromVf.given.slice(0, 2), remote(STATION, 'pf0', { ticksAgo: -2 })],
  },
  {
    title: 'the uplink may not be redirected to',
    frame: guestUdp, ...fromVf, given: [...fromVf.given, noTarget('pf0')], verdict: 'pass', counted: ['g1', 'pass_no_target'],
  },
  {
    title: 'larger than the uplink takes',
    frame: guestUdp.fillTo(101), ...fromVf, given: [...fromVf.given, frameMax('g1', 'uplink', 100)], verdict: 'pass',
    counted: ['g1', 'pass_oversize'],
  },
  { title: '... and just as large', frame: guestUdp.fillTo(100), ...uplinked, given: [...fromVf.given, frameMax('g1', 'uplink', 100)] },
  {
    title: '... and the tag does not count',
    frame: guestFrame('g4', STATION).arp({ senderMac: VNICS.g4.mac, sender: IP.g1, target: IP.station }).padTo(104),
    on: 'vf4', given: [accelerated('g4'), remote(STATION, 'pf0', { vlan: 100 }), frameMax('g4', 'uplink', 100)], verdict: 'redirect',
    to: 'pf0', counted: ['g4', 'redirect_uplink'],
  },
  {
    title: 'broadcast',
    frame: guestFrame('g1', BROADCAST).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.g2 }), ...fromTap, verdict: 'pass',
    counted: ['g1', 'pass_multicast'],
  },
  {
    title: 'multicast',
    frame: guestFrame('g1', MULTICAST).ip(IP.g1, '224.0.0.1').udp(1, 2), ...fromVf, verdict: 'pass', counted: ['g1', 'pass_multicast'],
  },
  {
    title: 'three tags: what is behind them is not read',
    frame: guestFrame('g4', STATION).vlan(5).vlan(6).ip(IP.g1, IP.station).udp(1, 2), on: 'tap4', verdict: 'pass',
    counted: ['g4', 'pass_too_many_tags'],
  },
];

const g1to = guestFrame('g1', STATION);
const partialFromVf = {
  on: 'vf1', verdict: 'pass', counted: ['g1', 'pass_partial_checksum'], learns: { vnic: 'g1', queue: 0 },
  given: [accelerated('g1'), remote(STATION)],
} as const;

export const partialRows: readonly Row[] = [
  { title: 'partial checksum: IPv4 UDP', frame: g1to.ip(IP.g1, IP.station).partialChecksum().udp(1, 2).payload('x'), ...partialFromVf },
  { title: 'partial checksum: IPv4 TCP', frame: g1to.ip(IP.g1, IP.station).partialChecksum().tcp(1, 2).payload('x'), ...partialFromVf },
  { title: 'partial checksum: IPv6 UDP', frame: g1to.ip(IP6.g1, IP6.station).partialChecksum().udp(1, 2).payload('x'), ...partialFromVf },
  { title: 'partial checksum: IPv6 TCP', frame: g1to.ip(IP6.g1, IP6.station).partialChecksum().tcp(1, 2).payload('x'), ...partialFromVf },
  {
    title: 'partial checksum: from the tap, with cut-through', frame: g1to.ip(IP.g1, IP.station).partialChecksum().udp(1, 2),
    ...partialFromVf, on: 'tap1', given: [cutThrough('g1'), remote(STATION)],
  },
  {
    title: 'partial checksum: to a neighbour', frame: guestFrame('g1', VNICS.g2.mac).ip(IP.g1, IP.g2).partialChecksum().tcp(1, 2),
    ...partialFromVf, given: [accelerated('g1'), accelerated('g2')], counted: ['g2', 'pass_partial_checksum'],
  },
];

const heard = known(toNeighbour, 'vf1');
const heardOnTap = known(toNeighbour, 'tap1');

export const neighbourRows: readonly Row[] = [
  {
    title: 'neighbours: VF to VF', frame: toNeighbour, on: 'vf1', given: [accelerated('g1'), accelerated('g2'), heard],
    verdict: 'redirect', to: 'vf2', counted: ['g2', 'redirect_single'],
  },
  {
    title: 'neighbours: tap to VF', frame: toNeighbour, on: 'tap1', given: [accelerated('g2'), heardOnTap],
    verdict: 'redirect', to: 'vf2', counted: ['g2', 'redirect_single'],
  },
  {
    title: 'neighbours: VF to tap, cut-through', frame: toNeighbour, on: 'vf1', given: [accelerated('g1'), cutThrough('g2'), heard],
    verdict: 'redirect', to: 'tap2', counted: ['g2', 'redirect_single'],
  },
  {
    title: 'neighbours: tap to tap, cut-through', frame: toNeighbour, on: 'tap1', given: [cutThrough('g2'), heardOnTap],
    verdict: 'redirect', to: 'tap2', counted: ['g2', 'redirect_single'],
  },
  {
    title: 'neighbours: VF to software path by the bridge', frame: toNeighbour, on: 'vf1', given: [accelerated('g1'), heard],
    verdict: 'pass', counted: ['g2', 'pass_software'],
  },
  {
    title: 'neighbours: tap to software path by the bridge',
    frame: toNeighbour, on: 'tap1', given: [heardOnTap], verdict: 'pass', counted: ['g2', 'pass_software'],
  },
  {
    title: 'neighbours: the sender\'s cut-through is not the receiver\'s',
    frame: toNeighbour, on: 'tap1', given: [cutThrough('g1'), heardOnTap],
    verdict: 'pass', counted: ['g2', 'pass_software'],
  },
  {
    title: 'neighbours: on different uplinks they meet only outside',
    frame: guestFrame('g1', VNICS.g3.mac).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.g2 }),
    on: 'vf1', given: [acceleratedAndBusy('g1'), cutThrough('g3')], verdict: 'pass', counted: ['g1', 'pass_other_domain'],
  },
  {
    title: 'neighbours: larger than the receiver\'s port takes', frame: toNeighbour.fillTo(101), on: 'vf1',
    given: [accelerated('g1'), accelerated('g2'), heard, frameMax('g2', 'vf', 100)], verdict: 'pass', counted: ['g2', 'pass_oversize'],
  },
  {
    title: 'neighbours: RSS picks the receiver\'s queue', frame: toNeighbour, on: 'vf1',
    given: [accelerated('g1'), accelerated('g2'), heard, queues('vf2', 2, 1)], verdict: 'redirect', to: 'vf2', toQueue: 1, byCpu: 1,
    counted: ['g2', 'redirect_rss'],
  },
  {
    title: 'neighbours: RFS picks the queue on which the receiver itself sends', frame: toNeighbour, on: 'vf1',
    given: [
      accelerated('g1'), accelerated('g2'), heard, queues('vf2', 2, 0),
      earlier(guestFrame('g2', VNICS.g1.mac).ip(IP.g2, IP.g1).udp(5000, 4000), { on: 'vf2', queue: 1 }),
    ],
    verdict: 'redirect', to: 'vf2', toQueue: 1, byCpu: 1, counted: ['g2', 'redirect_rfs'],
  },
  {
    title: 'neighbours: the receiver is found even if its address was heard on the wire', frame: toNeighbour, on: 'vf1',
    given: [accelerated('g1'), accelerated('g2'), heard, remote(VNICS.g2.mac)], verdict: 'redirect', to: 'vf2',
    counted: ['g2', 'redirect_single'],
  },
];

const spoofed = frame().ethernet({ from: NOBODY, to: STATION }).ip(IP.g1, IP.station).udp(1, 2);

export const policyRows: readonly Row[] = [
  { title: 'a MAC address that is nobody\'s', frame: spoofed, on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_spoofed_mac'] },
  {
    title: '... from the VF: and the path does not move',
    frame: spoofed, on: 'vf1', given: [(bed) => bed.changePath('g1', { vfAllowed: true })], verdict: 'drop',
    counted: ['g1', 'drop_spoofed_mac'],
  },
  {
    title: '... in a broadcast',
    frame: frame().ethernet({ from: NOBODY, to: BROADCAST }).arp({ senderMac: NOBODY, sender: IP.g1, target: IP.g2 }), on: 'tap1',
    verdict: 'drop', counted: ['g1', 'drop_spoofed_mac'],
  },
  {
    title: 'a neighbour\'s MAC address',
    frame: guestUdp, on: 'tap2', given: [remote(STATION)], verdict: 'drop', counted: ['g2', 'drop_spoofed_mac'],
  },
  {
    title: '... from the VF',
    frame: guestUdp, on: 'vf2', given: [(bed) => bed.changePath('g2', { vfAllowed: true })], verdict: 'drop',
    counted: ['g2', 'drop_spoofed_mac'],
  },
  {
    title: 'the right MAC address on a VLAN that is nobody\'s',
    frame: g1to.vlan(55).ip(IP.g1, IP.station).udp(1, 2), on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_spoofed_vlan'],
  },
  {
    title: '... on the VLAN of another vNIC with the same address',
    frame: g1to.vlan(100).ip(IP.g1, IP.station).udp(1, 2), on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_spoofed_vlan'],
  },
  {
    title: '... untagged though the vNIC has a VLAN',
    frame: g1to.ip(IP.g1, IP.station).udp(1, 2), on: 'tap4', verdict: 'drop', counted: ['g4', 'drop_spoofed_vlan'],
  },
  { title: 'an unknown port', frame: spoofed, on: 'stray', verdict: 'pass', counted: ['nobody', 'pass_unknown_port'] },
  {
    title: 'an unknown port with a vNIC\'s address',
    frame: guestUdp, on: 'stray', verdict: 'pass', counted: ['nobody', 'pass_unknown_port'],
  },
  {
    title: 'a port that lost its owner, with another\'s address',
    frame: guestUdp, on: 'tap2', given: [unowned('tap2')], verdict: 'pass', counted: ['nobody', 'pass_unknown_port'],
  },
  { title: 'a runt', frame: g1to.vlan(1).truncate(17), on: 'tap1', verdict: 'pass', counted: ['nobody', 'pass_runt'] },
];

const answer = guestFrame('g1', '01:80:c2:00:00:0e');
const refused = { on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_control'] } as const;

export const controlRows: readonly Row[] = [
  {
    title: 'control: DRAINED',
    frame: answer.control({ command: ControlCommand.DRAINED, sequence: 0x01020304 }), on: 'tap1', verdict: 'drop',
    counted: ['g1', 'control'], control: { vnic: 'g1', command: ControlCommand.DRAINED, sequence: 0x01020304 },
  },
  {
    title: 'control: RESUMED', frame: answer.control({ command: ControlCommand.RESUMED, sequence: 9 }), on: 'tap1', verdict: 'drop',
    counted: ['g1', 'control'], control: { vnic: 'g1', command: ControlCommand.RESUMED, sequence: 9 },
  },
  {
    title: 'control: an answer is no transmission, the path stays',
    frame: guestFrame('g1', STATION).control({ command: ControlCommand.DRAINED, sequence: 1 }),
    on: 'tap1', given: [accelerated('g1')], verdict: 'drop', counted: ['g1', 'control'],
    control: { vnic: 'g1', command: ControlCommand.DRAINED, sequence: 1 },
  },
  { title: 'control: a guest cannot command (DRAIN)', frame: answer.control({ command: ControlCommand.DRAIN }), ...refused },
  { title: 'control: a guest cannot command (RESUME)', frame: answer.control({ command: ControlCommand.RESUME }), ...refused },
  { title: 'control: an unknown command', frame: answer.control({ command: 77 }), ...refused },
  { title: 'control: to a neighbour', frame: guestFrame('g1', VNICS.g2.mac).control({ command: ControlCommand.DRAIN }), ...refused },
  { title: 'control: not our magic', frame: answer.control({ command: ControlCommand.DRAINED, magic: 0x554e4951 }), ...refused },
  { title: 'control: one byte short', frame: answer.control({ command: ControlCommand.DRAINED }).truncate(61), ...refused },
  { title: 'control: nothing but the header', frame: answer.control({ command: ControlCommand.DRAINED }).truncate(14), ...refused },
  {
    title: 'control: with a VLAN tag',
    frame: guestFrame('g4', STATION).control({ command: ControlCommand.DRAINED }), ...refused, on: 'tap4', counted: ['g4', 'drop_control'],
  },
  {
    title: 'control: the plug-in of a vNIC with a VLAN answers untagged',
    frame: answer.control({ command: ControlCommand.DRAINED, sequence: 5 }), on: 'tap4', verdict: 'drop',
    counted: ['g4', 'control'], control: { vnic: 'g4', command: ControlCommand.DRAINED, sequence: 5 },
  },
  {
    title: 'control: with a neighbour\'s source address', frame: guestFrame('g2', STATION).control({ command: ControlCommand.DRAINED }),
    ...refused, counted: ['g1', 'drop_spoofed_mac'],
  },
  {
    title: 'control: from an unknown port',
    frame: guestFrame('g2', STATION).control({ command: ControlCommand.DRAIN }), ...refused, on: 'stray',
    counted: ['nobody', 'drop_control'],
  },
];
