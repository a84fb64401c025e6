/** What is read of devices besides their links: features, XDP features, RSS keys, VLANs of bridge ports. */
import test from 'ava';
import { parsePortVlans, portVlanArguments } from '../../../src/host/bridge.js';
import { parseRssKeyText } from '../../../src/host/ethtool.js';
import { featureNamesPayload, readFeature, readFeatureBit, readRssKey, readXdpFeatures, readXdpHints, rssKeyPayload } from '../../../src/host/feature_messages.js';
import { bytesOfU32, listAttributes, writeAttribute, writeNested } from '../../../src/host/netlink_messages.js';

const GENL_HEADER = Buffer.from([1, 1, 0, 0]);
const answer = (...attributes: readonly Buffer[]): Buffer => Buffer.concat([GENL_HEADER, ...attributes]);

test('a feature’s bit is found by its name', (t) => {
  const string = (index: number, name: string): Buffer =>
    writeNested(1, writeAttribute(1, bytesOfU32(index)), writeAttribute(2, Buffer.from(`${name}\0`)));
  const set = writeNested(1, writeAttribute(1, bytesOfU32(4)), writeNested(3, string(3, 'tx-gso-robust'), string(17, 'tx-tcp-segmentation')));
  const names = answer(writeNested(2, set));
  t.is(readFeatureBit(names, 'tx-tcp-segmentation'), 17);
  t.is(readFeatureBit(names, 'tx-gso-robust'), 3);
  t.is(readFeatureBit(names, 'tx-tcp6-segmentation'), null);
  t.is(readFeatureBit(answer(), 'tx-tcp-segmentation'), null);
});

test('a feature is on when its bit is', (t) => {
  const device = (words: readonly number[]): Buffer =>
    answer(writeNested(1, writeAttribute(1, bytesOfU32(7))), writeNested(4, writeAttribute(4, Buffer.concat(words.map(bytesOfU32)))));
  t.deepEqual(readFeature(device([1 << 17, 0]), 17), { ifindex: 7, active: true });
  t.deepEqual(readFeature(device([~(1 << 17) >>> 0, 0xffff_ffff]), 17), { ifindex: 7, active: false });
  t.deepEqual(readFeature(device([0, 2]), 33), { ifindex: 7, active: true });
  t.deepEqual(readFeature(device([0]), 33), { ifindex: 7, active: false });
  t.is(readFeature(answer(), 17), null);
});

test('a device says whether it transmits redirected frames, and those that lie in several buffers; and whether it tells the hash', (t) => {
  const device = (features: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(features);
    return answer(writeAttribute(1, bytesOfU32(5)), writeAttribute(3, bytes));
  };
  t.deepEqual(readXdpFeatures(device(0x44n)), { ifindex: 5, hash: null, transmit: true, multiBufferTransmit: true });
  t.deepEqual(readXdpFeatures(device(~0x40n & 0xffffn)), { ifindex: 5, hash: null, transmit: true, multiBufferTransmit: false });
  t.deepEqual(readXdpFeatures(device(~0x44n & 0xffffn)), { ifindex: 5, hash: null, transmit: false, multiBufferTransmit: false });
  t.is(readXdpFeatures(answer(writeAttribute(1, bytesOfU32(5)))), null);
  const u64 = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  };
  const tells = (metadata: bigint): Buffer => answer(writeAttribute(1, bytesOfU32(5)), writeAttribute(3, u64(0n)), writeAttribute(5, u64(metadata)));
  t.is(readXdpFeatures(tells(3n))?.hash, true);
  t.is(readXdpFeatures(tells(5n))?.hash, false, 'time stamps and VLAN tags only');
  t.deepEqual(readXdpHints(tells(5n)), ['timestamp', 'vlan-tag']);
  t.deepEqual(readXdpHints(tells(0n)), []);
});

test('an RSS key by netlink', (t) => {
  const key = Buffer.alloc(52, 0x5a);
  t.deepEqual(readRssKey(answer(writeAttribute(5, key))), key);
  t.is(readRssKey(answer(writeAttribute(3, bytesOfU32(1)))), null);
});

test('what holds attributes says so: newer families insist on it', (t) => {
  for (const payload of [featureNamesPayload(), rssKeyPayload('eth0')]) {
    const lengthAndType = payload.readUInt16LE(6);
    t.is(lengthAndType & 0x8000, 0x8000);
  }
});

test('a list of attributes keeps those of one type apart', (t) => {
  const list = Buffer.concat([writeAttribute(1, Buffer.from('a')), writeAttribute(1, Buffer.from('b'))]);
  t.deepEqual(listAttributes(list).map(([type, value]) => [type, value.toString()]), [[1, 'a'], [1, 'b']]);
});

const ETHTOOL_X = `RX flow hash indirection table for eth0 with 4 RX ring(s):
    0:      0     1     2     3     0     1     2     3
RSS hash key:
6d:5a:56:da:25:5b:0e:c2
RSS hash function:
    toeplitz: on
    xor: off
`;

test('an RSS key in what ethtool prints', (t) => {
  t.is(parseRssKeyText(ETHTOOL_X)?.toString('hex'), '6d5a56da255b0ec2');
  t.is(parseRssKeyText(ETHTOOL_X.replace(/^6d.*$/m, 'Operation not supported')), null);
  t.is(parseRssKeyText('RX flow hash indirection table for eth0 with 1 RX ring(s):\nOperation not supported\n'), null);
});

/** As `bridge -j vlan show` of iproute2 6.1 prints it; with -c it joins neighbours to ranges. */
const VLAN_SHOW = `[{"ifname":"eth1","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":7}]},
{"ifname":"tap-web","vlans":[{"vlan":7,"flags":["PVID","Egress Untagged"]},{"vlan":9,"flags":["Egress Untagged"]}]},
{"ifname":"tap-db","vlans":[{"vlan":10,"vlanEnd":12}]},{"ifname":"br0","vlans":[{"vlan":1,"flags":["PVID"]}]}]`;

test('VLANs of bridge ports', (t) => {
  const vlans = parsePortVlans(JSON.parse(VLAN_SHOW));
  const tagged = (vid: number) => ({ vid, pvid: false, untagged: false });
  t.deepEqual([...vlans], [
    ['eth1', [{ vid: 1, pvid: true, untagged: true }, tagged(7)]],
    ['tap-web', [{ vid: 7, pvid: true, untagged: true }, { vid: 9, pvid: false, untagged: true }]],
    ['tap-db', [tagged(10), tagged(11), tagged(12)]],
    ['br0', [{ vid: 1, pvid: true, untagged: false }]],
  ]);
  t.deepEqual([...parsePortVlans([])], [], 'nothing is printed where no bridge looks at tags');
});

test('the commands that change them', (t) => {
  const words = (...args: Parameters<typeof portVlanArguments>): string => portVlanArguments(...args).join(' ');
  t.is(words('tap0', 7, { pvid: true, untagged: true }), 'vlan add dev tap0 vid 7 pvid untagged');
  t.is(words('eth1', 7, { pvid: false, untagged: false }), 'vlan add dev eth1 vid 7');
  t.is(words('tap0', 1, null), 'vlan del dev tap0 vid 1');
});
