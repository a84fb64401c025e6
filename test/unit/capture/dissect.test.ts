import test from 'ava';
import fc from 'fast-check';
import { dissect, summarize } from '../../../src/capture/dissect.js';
import { BROADCAST, frame, type FrameBuilder } from '../../support/packet_builder.js';

const A = '52:54:00:00:00:0a';
const B = '52:54:00:00:00:0b';
const eth = (): FrameBuilder => frame().ethernet({ from: A, to: B });

const rows: readonly (readonly [title: string, built: FrameBuilder, line: string])[] = [
  ['UDP', eth().ip('10.0.0.2', '10.0.0.1').udp(1000, 53).payload('12345'), '10.0.0.2:1000 > 10.0.0.1:53 UDP length 5'],
  ['UDP, padded', eth().ip('10.0.0.2', '10.0.0.1').udp(1000, 53).payload('12345').padTo(60), '10.0.0.2:1000 > 10.0.0.1:53 UDP length 5'],
  ['TCP', eth().ip('10.0.0.2', '10.0.0.1').tcp(1000, 80, 0x12), '10.0.0.2:1000 > 10.0.0.1:80 TCP [S.] length 0'],
  [
    'TCP over IPv6',
    eth().ip('2001:db8::2', '2001:db8::1').tcp(1000, 80, 0x18).payload('abc'),
    '[2001:db8::2]:1000 > [2001:db8::1]:80 TCP [P.] length 3',
  ],
  [
    'behind an extension header',
    eth().ip('2001:db8::2', '2001:db8::1').hopByHop(16).udp(1, 2).payload('abc'),
    '[2001:db8::2]:1 > [2001:db8::1]:2 UDP length 3',
  ],
  ['ICMP', eth().ip('10.0.0.2', '10.0.0.1').echo(), '10.0.0.2 > 10.0.0.1 ICMP echo request'],
  ['ICMPv6', eth().ip('2001:db8::2', '2001:db8::1').echoV6(), '2001:db8::2 > 2001:db8::1 ICMPv6 echo request'],
  [
    'a fragment',
    eth()
      .ipv4({ from: '10.0.0.2', to: '10.0.0.1', fragment: { offset: 0, more: true } })
      .udp(1, 2),
    '10.0.0.2 > 10.0.0.1 UDP fragment',
  ],
  ['a protocol without a name', eth().ipv4({ from: '10.0.0.2', to: '10.0.0.1', protocol: 200 }), '10.0.0.2 > 10.0.0.1 protocol 200'],
  ['tags', eth().serviceVlan(5).vlan(6).ip('10.0.0.2', '10.0.0.1').udp(1, 2), 'vlan 5 vlan 6 10.0.0.2:1 > 10.0.0.1:2 UDP length 0'],
  [
    'ARP',
    frame().ethernet({ from: A, to: BROADCAST }).arp({ senderMac: A, sender: '10.0.0.2', target: '10.0.0.1' }),
    `${A} > ${BROADCAST} ARP who has 10.0.0.1, tell 10.0.0.2`,
  ],
  ['a control frame', eth().control({ command: 1, sequence: 1 }), `${A} > ${B} unipath control`],
  ['IPv4 cut short', eth().ip('10.0.0.2', '10.0.0.1').udp(1, 2).truncate(30), `${A} > ${B} IPv4, cut short`],
  ['ports cut off', eth().ip('10.0.0.2', '10.0.0.1').udp(1, 2).truncate(36), '10.0.0.2 > 10.0.0.1 UDP'],
  ['no Ethernet', eth().truncate(10), '10 bytes, too short for Ethernet'],
  ['a tag cut short', eth().vlan(5).truncate(16), '16 bytes, too short for Ethernet'],
];

for (const [title, built, line] of rows) {
  test(`in one line: ${title}`, (t) => {
    const bytes = built.build();
    t.is(summarize(bytes, bytes.length), line);
  });
}

test('no bytes make it throw', (t) => {
  const start = eth().vlan(1).ip('2001:db8::2', '2001:db8::1').tcp(1, 2).build();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(start.length), (tail, cut) => {
      const bytes = Buffer.concat([start.subarray(0, cut), tail]);
      summarize(bytes, bytes.length);
      const seen = dissect(bytes);
      return seen === null || seen.vlans.length <= 3;
    }),
  );
  t.pass();
});
