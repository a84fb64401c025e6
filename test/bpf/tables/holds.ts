/** Frames that are kept back while their guest changes its path; what the guest answers, and by which addresses. */
import { BROADCAST, frame } from '../../support/packet_builder.js';
import {
  accelerated, access, addresses, earlier, holdEnded, holding, holdingWithoutRing, legacy, noTransmit, releasing, remote, trunk, vfAllowed,
  waiting, withoutPlugin, withoutVf,
} from '../bed/given.js';
import type { Row } from '../bed/row.js';
import type { TapRow } from '../bed/tap_row.js';
import { guestFrame, IP, IP6, STATION, toNeighbour, VNICS, wireTo, wireUdp } from '../bed/world.js';

const CONTROL = '02:00:00:00:00:01';
const wire = { on: 'pf0', frame: wireUdp } as const;
const held = { verdict: 'drop', counted: ['g1', 'held'], holds: { vnic: 'g1' } } as const;
const full = { verdict: 'drop', counted: ['g1', 'drop_hold_full'] } as const;
const passed = { verdict: 'pass', counted: ['g1', 'pass_software'] } as const;
const usual = wireTo('g1').ip(IP.station, IP.g1).udp(1000, 53).fillTo(1000);
const onWire = { on: 'pf0' } as const;

export const holdRows: readonly Row[] = [
  { title: 'held: from the wire, on the software path', ...wire, ...held, given: [holding('g1')] },
  { title: 'held: ... on its VF', ...wire, ...held, given: [accelerated('g1'), holding('g1')] },
  { title: 'held: a jumbo frame for which the ring is too small', on: 'pf0', frame: wireTo('g1').ip(IP.station, IP.g1).udp(1, 2).fillTo(3000), ...full, given: [holding('g1')] },
  { title: 'held: in order behind another', ...wire, ...held, holds: { vnic: 'g1', behind: 1 }, given: [holding('g1'), waiting(usual, onWire)] },
  { title: 'held: the vNIC with a VF that is not there any more', ...wire, ...held, given: [accelerated('g1'), holding('g1'), withoutVf('g1')] },
  { title: 'held: from a neighbour, whose flow is learnt', on: 'tap2', frame: guestFrame('g2', VNICS.g1.mac).ip(IP.g2, IP.g1).udp(4000, 5000), ...held, given: [holding('g1')], learns: { vnic: 'g2', queue: 0 } },
  { title: 'held: not what its own transmission is', on: 'tap1', frame: toNeighbour, verdict: 'pass', counted: ['g2', 'pass_software'], given: [holding('g1')], learns: { vnic: 'g1', queue: 0 } },
  { title: 'held: not a neighbour\'s vNIC', on: 'pf0', frame: wireTo('g2').ip(IP.station, IP.g2).udp(1, 2), verdict: 'pass', counted: ['g2', 'pass_software'], given: [holding('g1')] },
  { title: 'held: not multicast, which the bridge carries', on: 'pf0', frame: frame().ethernet({ from: STATION, to: BROADCAST }).arp({ senderMac: STATION, sender: IP.station, target: IP.g1 }), verdict: 'pass', counted: ['nobody', 'pass_multicast'], given: [holding('g1')] },
  { title: 'held: not one whose checksum the bridge finishes first', on: 'pf0', frame: wireTo('g1').ip(IP.station, IP.g1).partialChecksum().udp(1, 2), verdict: 'pass', counted: ['g1', 'pass_partial_checksum'], given: [holding('g1')] },
  { title: 'held: no room left', ...wire, ...full, given: [holding('g1'), waiting(usual, onWire, 2), waiting(wireUdp, onWire, 2)] },
  { title: 'held: room for a short one where a usual one does not fit', ...wire, ...held, holds: { vnic: 'g1', behind: 2 }, given: [holding('g1'), waiting(usual, onWire, 2)] },
  { title: 'held: not past the end of the hold', ...wire, ...passed, given: [holding('g1'), holdEnded('g1')] },
  { title: 'held: ... nor without a ring', ...wire, ...passed, given: [holdingWithoutRing('g1')] },
  { title: 'held: while others wait to be released', ...wire, ...held, holds: { vnic: 'g1', behind: 1 }, given: [holding('g1'), waiting(usual, onWire), releasing('g1')] },
  { title: 'held: not when nothing waits any more', ...wire, ...passed, given: [holding('g1'), releasing('g1')] },
  { title: 'held: ... straight to where the guest is now', ...wire, verdict: 'redirect', to: 'vf1', counted: ['g1', 'redirect_single'], given: [holding('g1'), releasing('g1'), accelerated('g1')] },
  { title: 'held: not what a VF behind the adapter\'s switch, to which others are released, hears by itself', ...wire, verdict: 'drop', counted: ['g1', 'drop_reflected'], given: [legacy('g1'), holding('g1'), waiting(usual, onWire), releasing('g1'), accelerated('g1')] },
  { title: 'held: ... but what does not come by the uplink', on: 'tap2', frame: guestFrame('g2', VNICS.g1.mac).ip(IP.g2, IP.g1).udp(4000, 5000), ...held, holds: { vnic: 'g1', behind: 1 }, given: [legacy('g1'), holding('g1'), waiting(usual, onWire), releasing('g1'), accelerated('g1')], learns: { vnic: 'g2', queue: 0 } },
  { title: 'held: ... nor a question of ours, which the switch gives back', on: 'pf0', frame: frame().ethernet({ from: '02:00:00:01:00:01', to: VNICS.g1.mac }).arp({ senderMac: '02:00:00:01:00:01', sender: '0.0.0.0', target: IP.g1 }), verdict: 'drop', counted: ['g1', 'drop_reflected'], given: [legacy('g1'), accelerated('g1'), holding('g1')] },
  { title: 'held: ... what comes before it is let hear', ...wire, ...held, holds: { vnic: 'g1', behind: 1 }, given: [legacy('g1'), accelerated('g1'), holding('g1'), waiting(usual, onWire)] },
  { title: 'held: ... and what is released to the tap', ...wire, ...held, holds: { vnic: 'g1', behind: 1 }, given: [legacy('g1'), holding('g1'), waiting(usual, onWire), releasing('g1')] },
  { title: 'held: an access vNIC\'s frame without its tag', on: 'pf0', frame: frame().ethernet({ from: STATION, to: VNICS.g1.mac }).vlan(20, 3).ip(IP.station, IP.g1).udp(1, 2), leaves: wireTo('g1').ip(IP.station, IP.g1).udp(1, 2), ...held, given: [access('g1', 20), holding('g1')] },
  { title: 'held: ... also where the adapter would want the tag', on: 'pf0', frame: frame().ethernet({ from: STATION, to: VNICS.g1.mac }).vlan(20, 3).ip(IP.station, IP.g1).udp(1, 2), leaves: wireTo('g1').ip(IP.station, IP.g1).udp(1, 2), ...held, given: [access('g1', 20), legacy('g1'), accelerated('g1'), holding('g1')] },
  { title: 'held: a trunk\'s frame with its tag', on: 'pf0', frame: frame().ethernet({ from: STATION, to: VNICS.g1.mac }).vlan(20, 3).ip(IP.station, IP.g1).udp(1, 2), ...held, given: [trunk('g1', 10, 20), holding('g1')] },
  { title: 'held: ... from an access neighbour with the tag that was put in', on: 'tap2', frame: guestFrame('g2', VNICS.g1.mac).ip(IP.g2, IP.g1).udp(1, 2), leaves: frame().ethernet({ from: VNICS.g2.mac, to: VNICS.g1.mac }).vlan(20).ip(IP.g2, IP.g1).udp(1, 2), ...held, given: [access('g2', 20), trunk('g1', 10, 20), holding('g1')], learns: { vnic: 'g2', queue: 0 } },
];

const arp = guestFrame('g1', STATION).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station });
const unicast = { frame: arp, verdict: 'pass', counted: ['g1', 'pass_unknown_mac'] } as const;
const reply = guestFrame('g1', CONTROL).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: '0.0.0.0' });
/** Where a guest on a VF behind the adapter's switch is asked from. */
const QUESTION = (id: number): string => `02:00:00:01:${[id >> 8, id & 0xff].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
const adapterReply = (from: 'g1' | 'g2', id: number) =>
  frame().ethernet({ from: VNICS[from].mac, to: QUESTION(id) }).arp({ senderMac: VNICS[from].mac, sender: IP[from], target: '0.0.0.0' });
const viaAdapter = { on: 'pf0', verdict: 'drop', counted: ['g1', 'control'] } as const;
const unknown = { verdict: 'pass', counted: ['nobody', 'pass_unknown_mac'] } as const;
const answered = { frame: reply, verdict: 'drop', counted: ['g1', 'control'] } as const;

export const heardRows: readonly Row[] = [
  { title: 'heard: transmission on the VF during a hold', ...unicast, on: 'vf1', given: [vfAllowed('g1'), holding('g1')], hears: ['g1', 'accelerated'] },
  { title: 'heard: ... also when the VF is not allowed: the holder decides', ...unicast, on: 'vf1', given: [holding('g1')], hears: ['g1', 'accelerated'] },
  { title: 'heard: ... once a tick', ...unicast, on: 'vf1', given: [holding('g1'), earlier(arp, { on: 'vf1' })] },
  { title: 'heard: ... not when it is there already', ...unicast, on: 'vf1', given: [accelerated('g1'), holding('g1')] },
  { title: 'heard: ... nor during the release', ...unicast, on: 'vf1', given: [holding('g1'), releasing('g1')] },
  { title: 'heard: ... past the end of the hold the path follows again', ...unicast, on: 'vf1', given: [vfAllowed('g1'), holding('g1'), holdEnded('g1')], moves: ['g1', 'accelerated'] },
  { title: 'heard: transmission on the tap during a hold says nothing, and moves nobody', ...unicast, on: 'tap1', given: [accelerated('g1'), holding('g1')] },
  { title: 'answer: on the tap', ...answered, on: 'tap1', hears: ['g1', 'software'] },
  { title: 'answer: on the VF, where it is not', ...answered, on: 'vf1', given: [vfAllowed('g1')], hears: ['g1', 'accelerated'] },
  { title: 'answer: during a hold', ...answered, on: 'vf1', given: [holding('g1')], hears: ['g1', 'accelerated'] },
  { title: 'answer: of any kind', ...answered, frame: guestFrame('g1', CONTROL).ip(IP6.g1, IP6.station).echoV6(), on: 'tap1', hears: ['g1', 'software'] },
  { title: 'answer: not from another MAC address', on: 'tap1', frame: frame().ethernet({ from: VNICS.g2.mac, to: CONTROL }).arp({ senderMac: VNICS.g2.mac, sender: IP.g2, target: IP.g1 }), verdict: 'drop', counted: ['g1', 'drop_spoofed_mac'] },
  { title: 'answer: not in another VLAN', on: 'tap1', frame: frame().ethernet({ from: VNICS.g1.mac, to: CONTROL }).vlan(9).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.g2 }), verdict: 'drop', counted: ['g1', 'drop_spoofed_vlan'] },
  { title: 'answer: from the wire it is none', on: 'pf0', frame: frame().ethernet({ from: STATION, to: CONTROL }).arp({ senderMac: STATION, sender: IP.station, target: IP.g1 }), verdict: 'pass', counted: ['nobody', 'pass_unknown_mac'] },
  { title: 'answer: by the uplink, from a VF behind the adapter\'s switch', ...viaAdapter, frame: adapterReply('g1', 1), given: [legacy('g1')], hears: ['g1', 'accelerated'] },
  { title: 'answer: ... in whatever VLAN, during a hold', ...viaAdapter, frame: frame().ethernet({ from: VNICS.g1.mac, to: QUESTION(1) }).vlan(4094).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: '0.0.0.0' }), given: [legacy('g1'), holding('g1')], hears: ['g1', 'accelerated'] },
  { title: 'answer: ... not from another guest', ...viaAdapter, frame: adapterReply('g2', 1), given: [legacy('g1')], ...unknown },
  { title: 'answer: ... not where its VF has a port of its own', ...viaAdapter, frame: adapterReply('g1', 1), ...unknown },
  { title: 'answer: ... not by another uplink', ...viaAdapter, on: 'pf1', frame: adapterReply('g1', 1), given: [legacy('g1')], ...unknown },
  { title: 'answer: ... not of a vNIC that there is none of', ...viaAdapter, frame: adapterReply('g1', 900), given: [legacy('g1')], ...unknown },
  { title: 'answer: ... nor of one beyond all', ...viaAdapter, frame: adapterReply('g1', 0xffff), given: [legacy('g1')], ...unknown },
  { title: 'answer: not to the next address', on: 'tap1', frame: guestFrame('g1', '02:00:00:00:00:02').arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.g2 }), verdict: 'pass', counted: ['g1', 'pass_unknown_mac'] },
];

const comesBack = guestFrame('g1', BROADCAST).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station });
const reflectedBack = { on: 'pf0', frame: comesBack, verdict: 'drop', counted: ['g1', 'drop_reflected'] } as const;
const fromElsewhere = { on: 'pf0', frame: comesBack, verdict: 'pass', counted: ['nobody', 'pass_multicast'] } as const;

export const reflectedRows: readonly Row[] = [
  { title: 'reflected: a broadcast of a guest, just sent by its tap, that the adapter gives back', ...reflectedBack, given: [earlier(comesBack, { on: 'tap1' })] },
  { title: 'reflected: ... of a guest on its VF, whose standby speaks', ...reflectedBack, given: [accelerated('g1'), earlier(comesBack, { on: 'tap1' })] },
  { title: 'reflected: ... during a hold', ...reflectedBack, given: [holding('g1'), earlier(comesBack, { on: 'tap1' })] },
  { title: 'reflected: not what it has not sent: it has gone to another host', ...fromElsewhere },
  { title: 'reflected: ... nor has sent by its VF', ...fromElsewhere, given: [accelerated('g1'), earlier(comesBack, { on: 'vf1' })] },
  { title: 'reflected: ... nor has sent to one alone', ...fromElsewhere, given: [earlier(reply, { on: 'tap1' })] },
  { title: 'reflected: not by another uplink', ...fromElsewhere, on: 'pf1', given: [earlier(comesBack, { on: 'tap1' })] },
  { title: 'reflected: not a neighbour\'s', ...fromElsewhere, given: [earlier(guestFrame('g2', BROADCAST).arp({ senderMac: VNICS.g2.mac, sender: IP.g2, target: IP.station }), { on: 'tap2' })] },
];

const stock = [withoutPlugin('g1')];
const toAll = guestFrame('g1', BROADCAST);
const nd = guestFrame('g1', '33:33:ff:00:00:01');
const flooded = { on: 'tap1', given: stock, verdict: 'pass', counted: ['g1', 'pass_multicast'] } as const;
const g1v4 = { ipv4: 0xc0000201 };
const g1v6 = { ipv6: [0x20010db8, 0, 0, 1] };

export const seenRows: readonly Row[] = [
  { title: 'seen: ARP', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station }), ...flooded, sees: ['g1', g1v4] },
  { title: 'seen: ARP of a guest with the plug-in: not needed', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station }), ...flooded, given: [] },
  { title: 'seen: a probe tells nothing', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: '0.0.0.0', target: IP.g1 }), ...flooded },
  { title: 'seen: ARP that is cut short tells nothing', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station }).truncate(14 + 27), ...flooded },
  { title: 'seen: neighbour solicitation', frame: nd.ip(IP6.g1, 'ff02::1:ff00:10').neighbourSolicitation(IP6.station), ...flooded, sees: ['g1', g1v6] },
  { title: 'seen: neighbour advertisement, behind an extension header', frame: nd.ip(IP6.g1, 'ff02::1').hopByHop().neighbourAdvertisement(IP6.g1), ...flooded, sees: ['g1', g1v6] },
  { title: 'seen: a probe for an address tells nothing', frame: nd.ip('::', 'ff02::1:ff00:1').neighbourSolicitation(IP6.g1), ...flooded },
  { title: 'seen: an echo tells nothing', frame: nd.ip(IP6.g1, 'ff02::1').echoV6(), ...flooded },
  { title: 'seen: the header of neighbour discovery, cut off', frame: nd.ip(IP6.g1, 'ff02::1').neighbourSolicitation(IP6.station).truncate(14 + 40), ...flooded },
  { title: 'seen: the other family stays', frame: nd.ip(IP6.g1, 'ff02::1').neighbourAdvertisement(IP6.g1), ...flooded, given: [...stock, earlier(toAll.arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station }), { on: 'tap1' })], sees: ['g1', g1v6] },
  { title: 'seen: not what is refused', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: IP.g2, target: IP.station }), on: 'tap1', given: [...stock, addresses('g1', IP.g1)], verdict: 'drop', counted: ['g1', 'drop_spoofed_arp'] },
  { title: 'seen: not by UDP', frame: guestFrame('g1', STATION).ip(IP.g1, IP.station).udp(53, 1000), on: 'tap1', given: [...stock, remote(STATION)], verdict: 'pass', counted: ['g1', 'pass_software'], learns: { vnic: 'g1', queue: 0 } },
];

const left = { action: 'ok', counted: null } as const;
const toVf = { action: 'redirect', counted: ['g1', 'redirect_vf'] } as const;
const reflected = { action: 'shot', counted: ['g1', 'drop_reflected'] } as const;
const waits = { action: 'shot', counted: ['g1', 'held'], holds: { vnic: 'g1' } } as const;
const question = frame().ethernet({ from: STATION, to: BROADCAST }).arp({ senderMac: STATION, sender: IP.station, target: IP.g1 }).padTo(60);
const own = frame().ethernet({ from: VNICS.g1.mac, to: BROADCAST }).arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station }).padTo(60);
const forG1 = wireUdp.padTo(60);
const g1 = { at: 'tap1', frame: question } as const;
const behindAdapter = [...stock, legacy('g1'), accelerated('g1')];

export const tapRows: readonly TapRow[] = [
  { title: 'on the software path: the tap has it', ...g1, ...left, given: stock },
  { title: 'of a guest with the plug-in: the tap has it', ...g1, ...left, given: [accelerated('g1'), holding('g1')] },
  { title: 'of a guest with the plug-in whose VF port takes no redirected frames: multicast stays', ...g1, ...left, given: [accelerated('g1'), noTransmit('g1', 'VF')] },
  { title: '... unicast goes to the VF port', at: 'tap1', frame: forG1, ...toVf, given: [accelerated('g1'), noTransmit('g1', 'VF')] },
  { title: '... not on the software path', at: 'tap1', frame: forG1, ...left, given: [noTransmit('g1', 'VF')] },
  { title: 'of a port that is nobody\'s', ...g1, ...left, at: 'stray', given: stock },
  { title: 'on the VF: to the VF port', ...g1, ...toVf, given: [...stock, accelerated('g1')] },
  { title: 'on the VF: an unfinished or aggregated frame, too', at: 'tap1', frame: forG1, segmentSize: 1000, ...toVf, given: [...stock, accelerated('g1')] },
  { title: 'on the VF, which is gone: the tap has it', ...g1, ...left, given: [...stock, accelerated('g1'), withoutVf('g1')] },
  { title: 'its own frame comes back: on the VF', at: 'tap1', frame: own, ...reflected, given: [...stock, accelerated('g1')] },
  { title: 'its own frame comes back: during a hold', at: 'tap1', frame: own, ...reflected, given: [...stock, holding('g1')] },
  { title: 'its own frame comes back: on the software path', at: 'tap1', frame: own, ...reflected, given: stock },
  { title: 'held: multicast', ...g1, ...waits, given: [...stock, holding('g1')] },
  { title: 'held: on the VF', ...g1, ...waits, given: [...stock, accelerated('g1'), holding('g1')] },
  { title: 'held: an aggregate, with the size of its parts', at: 'tap1', frame: forG1, segmentSize: 1448, ...waits, given: [...stock, holding('g1')] },
  { title: 'held: no room', ...g1, action: 'shot', counted: ['g1', 'drop_hold_full'], given: [...stock, holding('g1'), waiting(usual, onWire, 2), waiting(wireUdp, onWire, 2)] },
  { title: 'held: not past the end', ...g1, ...left, given: [...stock, holding('g1'), holdEnded('g1')] },
  { title: 'held: not without a ring', ...g1, ...left, given: [...stock, holdingWithoutRing('g1')] },
  { title: 'held: behind others that are released', ...g1, ...waits, holds: { vnic: 'g1', behind: 1 }, given: [...stock, holding('g1'), waiting(wireUdp, onWire), releasing('g1')] },
  { title: 'held: not when nothing waits any more', ...g1, ...toVf, given: [...stock, accelerated('g1'), holding('g1'), releasing('g1')] },
  { title: 'adapter with a switch: multicast from the wire, which it gave to the VF, too', ...g1, ...reflected, given: behindAdapter },
  { title: 'adapter with a switch: multicast of the host, which the uplink gets', ...g1, ...reflected, cameIn: null, given: behindAdapter },
  { title: 'adapter with a switch: for somebody else', at: 'tap1', frame: wireTo('g2').ip(IP.station, IP.g2).udp(1, 2).padTo(60), ...reflected, cameIn: 'tap3', given: behindAdapter },
  { title: 'adapter with a switch: from a neighbour, by the uplink to the VF', at: 'tap1', frame: forG1, ...toVf, cameIn: 'tap2', given: behindAdapter },
  { title: 'adapter with a switch: ... of an access vNIC', at: 'tap1', frame: forG1, ...toVf, cameIn: 'tap2', given: [...behindAdapter, access('g1', 20)] },
  { title: 'adapter with a switch: not back to where it came in', at: 'tap1', frame: forG1, ...left, given: behindAdapter },
  { title: 'adapter with a switch: while others are released, not what the VF hears by itself', at: 'tap1', frame: forG1, ...reflected, given: [...stock, legacy('g1'), holding('g1'), waiting(wireUdp, onWire), releasing('g1'), accelerated('g1')] },
  { title: 'adapter with a switch: held like any other', ...g1, ...waits, given: [...behindAdapter, holding('g1')] },
];
