/** The packet builder against bytes that tcpdump reads without complaint, so that the tables of packets stand on firm ground. */
import test from 'ava';
import { internetChecksum, onesSum } from '../../../src/core/checksum.js';
import { BROADCAST, frame, type FrameBuilder } from '../../support/packet_builder.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const base = frame().ethernet({ from: A, to: B });
const v4 = { from: '192.0.2.1', to: '192.0.2.2' };
const v6 = { from: '2001:db8::1', to: '2001:db8::2' };
const v6Pair = '20010db8000000000000000000000001 20010db8000000000000000000000002';
const ethernet = '02000000000b 02000000000a';

const known: readonly (readonly [title: string, frame: FrameBuilder, bytes: string])[] = [
  ['UDP over IPv4', base.ipv4(v4).udp(1000, 53).payload('abc'),
    `${ethernet} 0800 4500001f000000004011f6ca c0000201c0000202 03e80035000bb354 616263`],
  ['TCP over IPv4 with options', base.ipv4({ ...v4, options: Buffer.from([1, 1, 1, 0]) }).tcp(40000, 80, 0x02),
    `${ethernet} 0800 4600002c000000004006f3c7 c0000201c0000202 01010100 9c400050000000010000000050 02ffff8f4d0000`],
  ['UDP over IPv6', base.ipv6(v6).udp(1000, 53).payload('abc'),
    `${ethernet} 86dd 60000000000b1140 ${v6Pair} 03e80035000bdbe3 616263`],
  ['one VLAN tag, TCP over IPv6', base.vlan(100, 3).ipv6(v6).tcp(40000, 80).payload('hello'),
    `${ethernet} 81006064 86dd 6000000000190640 ${v6Pair} 9c4000500000000100000000 5010ffff73f70000 68656c6c6f`],
  ['802.1ad around 802.1Q', base.serviceVlan(200).vlan(100).ipv4(v4).udp(1000, 53),
    `${ethernet} 88a800c8 81000064 0800 4500001c000000004011f6cd c0000201c0000202 03e80035000877bd`],
  ['ICMP', base.ipv4(v4).echo().payload('ping'),
    `${ethernet} 0800 45000020000000004001f6d9 c0000201c0000202 0800192d00010001 70696e67`],
  ['ICMPv6', base.ipv6(v6).echoV6().payload('ping'),
    `${ethernet} 86dd 60000000000c3a40 ${v6Pair} 8000457100010001 70696e67`],
  ['ARP, padded', frame().ethernet({ from: A, to: BROADCAST }).arp({ senderMac: A, sender: v4.from, target: v4.to }).padTo(60),
    `ffffffffffff 02000000000a 0806 0001080006040001 02000000000a c0000201 000000000000 c0000202 ${'00'.repeat(18)}`],
  ['first fragment over IPv4', base.ipv4({ ...v4, fragment: { offset: 0, more: true } }).udp(1000, 53).payload('abcdefgh'),
    `${ethernet} 0800 450000244711200040118fb4 c0000201c0000202 03e800350010e617 6162636465666768`],
  ['last fragment over IPv4', base.ipv4({ ...v4, fragment: { offset: 16, more: false }, protocol: 17 }).payload('tail'),
    `${ethernet} 0800 45000018471100024011afbe c0000201c0000202 7461696c`],
  ['last fragment over IPv6', base.ipv6({ ...v6, fragment: { offset: 16, more: false }, protocol: 17 }).payload('tail'),
    `${ethernet} 86dd 60000000000c2c40 ${v6Pair} 1100001000004711 7461696c`],
  ['hop-by-hop options', base.ipv6(v6).hopByHop().udp(1000, 53).payload('abc'),
    `${ethernet} 86dd 6000000000130040 ${v6Pair} 1100010400000000 03e80035000bdbe3 616263`],
  ['control frame', base.control({ command: 2, sequence: 7 }),
    `${ethernet} 88b5 554e49500000000702${'00'.repeat(39)}`],
  // c000 + 0201 + c000 + 0202 + 0011 + 000b = 1841f, folded 8420: what a device with checksum offload is given.
  ['partial checksum', base.ipv4(v4).partialChecksum().udp(1000, 53).payload('abc'),
    `${ethernet} 0800 4500001f000000004011f6ca c0000201c0000202 03e80035000b8420 616263`],
  ['no checksum', base.ipv4(v4).noChecksum().udp(1000, 53).payload('abc'),
    `${ethernet} 0800 4500001f000000004011f6ca c0000201c0000202 03e80035000b0000 616263`],
];

for (const [title, built, bytes] of known) {
  test(title, (t) => {
    t.is(built.build().toString('hex'), bytes.replaceAll(' ', ''));
  });
}

test('the checksum is that of RFC 1071, section 3', (t) => {
  const example = Buffer.from('0001f203f4f5f6f7', 'hex');
  t.is(onesSum(example), 0xddf2);
  t.is(internetChecksum(example), 0x220d);
  t.is(onesSum(Buffer.from([0x12])), 0x1200);
});

test('a beginning can be shared', (t) => {
  const ip = base.ipv4(v4);
  const one = ip.udp(1, 2).build();
  t.notDeepEqual(ip.udp(1, 3).build(), one);
  t.deepEqual(ip.udp(1, 2).build(), one);
});

test('frames are filled, padded and cut to a length', (t) => {
  const udp = base.ipv4(v4).udp(1000, 53);
  const filled = udp.fillTo(100).build();
  t.is(filled.length, 100);
  t.is(filled.readUInt16BE(16), 86);
  const padded = udp.padTo(60).build();
  t.is(padded.length, 60);
  t.is(padded.readUInt16BE(16), 28);
  t.is(udp.truncate(13).build().length, 13);
  t.throws(() => udp.fillTo(20), { instanceOf: RangeError });
});

test('what cannot be is refused', (t) => {
  t.throws(() => base.ipv4({ from: '::1', to: '::2' }), { instanceOf: RangeError });
  t.throws(() => base.ipv4({ ...v4, options: Buffer.alloc(3) }), { instanceOf: RangeError });
  t.throws(() => base.udp(1, 2).build(), { message: /IP header/ });
  t.throws(() => frame().ethernet({ from: 'x', to: B }).build(), { instanceOf: RangeError });
});
