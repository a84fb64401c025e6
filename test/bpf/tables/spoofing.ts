/** vNICs that list their addresses: who may speak for which. */
import { BROADCAST, frame, type FrameBuilder } from '../../support/packet_builder.js';
import { addresses, remote } from '../bed/given.js';
import type { Row } from '../bed/row.js';
import { IP, IP6, NOBODY, STATION, VNICS } from '../bed/world.js';

const own = addresses('g1', IP.g1, '198.51.100.0/24', IP6.g1, 'fe80::/10');
const fromG1 = frame().ethernet({ from: VNICS.g1.mac, to: STATION });
const toAll = frame().ethernet({ from: VNICS.g1.mac, to: BROADCAST });
const solicited = frame().ethernet({ from: VNICS.g1.mac, to: '33:33:ff:00:00:01' });
const ip = { given: [own, remote(STATION)], on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_spoofed_ip'] } as const;
const arp = { given: [own], on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_spoofed_arp'] } as const;
const nd = { given: [own], on: 'tap1', verdict: 'drop', counted: ['g1', 'drop_spoofed_nd'] } as const;
const taken = { verdict: 'pass', counted: ['g1', 'pass_software'] } as const;
const flooded = { verdict: 'pass', counted: ['g1', 'pass_multicast'] } as const;

/** IPv4 without a flow. */
const igmp = (from: string): FrameBuilder => fromG1.ipv4({ from, to: IP.station, protocol: 2 });

export const spoofingRows: readonly Row[] = [
  { title: 'IPv4: its own address', frame: igmp(IP.g1), ...ip, ...taken },
  { title: 'IPv4: an address of its prefix', frame: igmp('198.51.100.77'), ...ip, ...taken },
  { title: 'IPv4: just outside the prefix', frame: igmp('198.51.101.0'), ...ip },
  { title: 'IPv4: a neighbour\'s address', frame: fromG1.ip(IP.g2, IP.station).udp(1, 2), ...ip },
  { title: 'IPv4: not checked where no addresses are listed', frame: igmp(IP.g2), ...ip, ...taken, given: [remote(STATION)] },
  { title: 'IPv4: a header that cannot be read', frame: igmp(IP.g1).truncate(14 + 19), ...ip },
  { title: 'IPv4: a header that lies about its length', frame: fromG1.ipv4({ from: IP.g1, to: IP.station, headerWords: 4 }).udp(1, 2), ...ip },
  { title: 'IPv4: behind a VLAN tag of priority 5', frame: fromG1.vlan(0, 5).ip(IP.g2, IP.station).udp(1, 2), ...ip },
  { title: 'IPv4: DHCP without an address', frame: toAll.ip('0.0.0.0', '255.255.255.255').udp(68, 67), ...ip, ...flooded },
  { title: 'IPv4: anything else without an address', frame: toAll.ip('0.0.0.0', '255.255.255.255').udp(68, 68), ...ip },
  { title: 'IPv4: TCP without an address, to the port of DHCP', frame: toAll.ip('0.0.0.0', IP.station).tcp(68, 67), ...ip },
  { title: 'IPv4: IGMP without an address', frame: igmp('0.0.0.0'), ...ip, ...taken },
  { title: 'IPv4: a later fragment from another address', frame: fromG1.ipv4({ from: IP.g2, to: IP.station, fragment: { offset: 8, more: false }, protocol: 17 }).payload('x'), ...ip },
  { title: 'IPv6: its own address', frame: fromG1.ip(IP6.g1, IP6.station).echoV6(), ...ip, ...taken },
  { title: 'IPv6: link-local', frame: fromG1.ip('fe80::5054:ff:fe00:1', IP6.station).echoV6(), ...ip, ...taken },
  { title: 'IPv6: another address', frame: fromG1.ip(IP6.g2, IP6.station).echoV6(), ...ip },
  { title: 'IPv6: ... behind extension headers', frame: fromG1.ip(IP6.g2, IP6.station).hopByHop().destinationOptions().udp(1, 2), ...ip },
  { title: 'IPv6: without an address, not ICMPv6', frame: fromG1.ip('::', IP6.station).udp(1, 2), ...ip },
  { title: 'IPv6: ICMPv6 (MLD) without an address', frame: solicited.ip('::', 'ff02::16').hopByHop().echoV6(), ...ip, ...flooded },
  { title: 'ARP: its own', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station }), ...arp, ...flooded },
  { title: 'ARP: a probe, whether an address is free', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: '0.0.0.0', target: IP.g1 }), ...arp, ...flooded },
  { title: 'ARP: for a neighbour', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: IP.g2, target: IP.station }), ...arp },
  { title: 'ARP: another MAC address inside', frame: toAll.arp({ senderMac: NOBODY, sender: IP.g1, target: IP.station }), ...arp },
  { title: 'ARP: cut short', frame: toAll.arp({ senderMac: VNICS.g1.mac, sender: IP.g1, target: IP.station }).truncate(14 + 27), ...arp },
  { title: 'ND: asks for a neighbour', frame: solicited.ip(IP6.g1, 'ff02::1:ff00:1').neighbourSolicitation(IP6.station), ...nd, ...flooded },
  { title: 'ND: is its own address free?', frame: solicited.ip('::', 'ff02::1:ff00:1').neighbourSolicitation(IP6.g1), ...nd, ...flooded },
  { title: 'ND: is a neighbour\'s address free? (it would be refused to the neighbour)', frame: solicited.ip('::', 'ff02::1:ff00:2').neighbourSolicitation(IP6.g2), ...nd },
  { title: 'ND: answers for itself', frame: fromG1.ip(IP6.g1, IP6.station).neighbourAdvertisement(IP6.g1), ...nd, ...taken, given: [own, remote(STATION)] },
  { title: 'ND: answers for a neighbour', frame: fromG1.ip(IP6.g1, IP6.station).neighbourAdvertisement(IP6.g2), ...nd },
  { title: 'ND: ... behind an extension header', frame: fromG1.ip(IP6.g1, IP6.station).destinationOptions().neighbourAdvertisement(IP6.g2), ...nd },
  { title: 'ND: from another address', frame: fromG1.ip(IP6.g2, IP6.station).neighbourAdvertisement(IP6.g1), ...ip },
  {
    title: 'a refused frame has no effect: the path does not move, no flow is learnt', frame: fromG1.ip(IP.g2, IP.station).udp(1, 2), ...ip,
    on: 'vf1', given: [own, (bed) => bed.changePath('g1', { vfAllowed: true })],
  },
];
