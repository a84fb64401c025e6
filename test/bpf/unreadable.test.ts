/** vNICs that list their addresses: what cannot be read is refused, whatever is before it. */
import test from 'ava';
import { onlineCpus } from '../../src/native/cpus.js';
import { hostObjectPath } from '../../src/paths.js';
import { BROADCAST, frame } from '../support/packet_builder.js';
import { needs, testWith } from '../support/require.js';
import { Bed } from './bed/bed.js';
import { addresses } from './bed/given.js';
import { checkRow, type Row } from './bed/row.js';
import { IP, IP6, STATION, VNICS } from './bed/world.js';

const bedTest = testWith(
  needs.root(), needs.tool('ip'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'), onlineCpus().includes(1) ? null : 'CPU 1',
);

let bed: Bed;
test.before(async () => {
  if (process.getuid?.() === 0) bed = await Bed.create();
});
test.after.always(() => bed?.close());

/** g4 has g1's MAC address, in VLAN 100. */
const inG4 = frame().ethernet({ from: VNICS.g4.mac, to: BROADCAST }).vlan(100);
const fromG1 = frame().ethernet({ from: VNICS.g1.mac, to: STATION });
const own = { given: [addresses('g1', IP.g1, IP6.g1)], on: 'tap1', verdict: 'drop' } as const;
const ip = { ...own, counted: ['g1', 'drop_spoofed_ip'] } as const;
const g4 = { given: [addresses('g4', IP.g1)], on: 'tap4', verdict: 'drop', counted: ['g4', 'drop_spoofed_ip'] } as const;
const nd = { ...own, counted: ['g1', 'drop_spoofed_nd'] } as const;
const taken = { verdict: 'pass', counted: ['g1', 'pass_unknown_mac'] } as const;
const spoofedArp = { senderMac: VNICS.g1.mac, sender: IP.g2, target: IP.station };
const behind = (headers: number) =>
  Array.from({ length: headers }).reduce((chain: typeof fromG1) => chain.destinationOptions(), fromG1.ip(IP6.g1, IP6.station));

const rows: readonly Row[] = [
  { title: 'behind three tags, which Linux takes off where the others have id 0: ARP', frame: inG4.vlan(0).vlan(0).arp(spoofedArp), ...g4 },
  { title: 'behind three tags: IPv4', frame: inG4.vlan(0).vlan(0).ip(IP.g2, IP.station).udp(1, 2), ...g4 },
  { title: 'behind two, the same is read', frame: inG4.vlan(0).arp(spoofedArp), ...g4, counted: ['g4', 'drop_spoofed_arp'] },
  { title: 'six extension headers are followed: answers for a neighbour', frame: behind(6).neighbourAdvertisement(IP6.g2), ...nd },
  { title: 'six extension headers are followed: answers for itself', frame: behind(6).neighbourAdvertisement(IP6.g1), ...ip, ...taken },
  { title: 'seven are not: answers for a neighbour', frame: behind(7).neighbourAdvertisement(IP6.g2), ...ip },
  {
    title: 'an advertisement cut short before its target ends',
    frame: fromG1.ip(IP6.g1, IP6.station).neighbourAdvertisement(IP6.g1).truncate(14 + 40 + 23), ...nd,
  },
  {
    title: 'an echo request is shorter than an advertisement, and is none', frame: fromG1.ip(IP6.g1, IP6.station).echoV6(), ...ip, ...taken,
  },
];

for (const row of rows) bedTest.serial(`guest: ${row.title}`, (t) => checkRow(t, bed, row));
