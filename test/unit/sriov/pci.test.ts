import test from 'ava';
import fc from 'fast-check';
import { listPfs, msixTableSize, parsePciAddress, readPf, switchPortOf } from '../../../src/sriov/pci.js';
import { configSpace, IGB, MLX5_SWITCHDEV, OTHERS, pciFunction, recordedSysfs } from '../../support/recorded_sysfs.js';

const igb = parsePciAddress('0000:01:00.0');
const mlx5 = parsePciAddress('0000:03:00.0');

test('PCI addresses', (t) => {
  t.is(parsePciAddress('0000:0A:1F.7') as string, '0000:0a:1f.7');
  t.is(parsePciAddress('10000:e1:00.0') as string, '10000:e1:00.0');
  for (const text of ['01:00.0', '0000:01:00.8', '0000:01:20.0', 'eth0', '0000:01:00.0/..', ''])
    t.throws(() => parsePciAddress(text), { instanceOf: RangeError, message: /is not a PCI address such as/ }, text);
});

test('PFs are the network functions that can have VFs', (t) => {
  t.deepEqual(listPfs(recordedSysfs({ ...IGB, ...OTHERS })), [igb]);
  t.deepEqual(listPfs(recordedSysfs(OTHERS)), []);
});

test('igb: what the PF says', (t) => {
  const pf = readPf(recordedSysfs(IGB), igb);
  t.like(pf, {
    id: '8086:10c9',
    driver: { answer: 'yes', value: 'igb' },
    driverOverride: null,
    iommuGroup: { answer: 'yes', value: 6 },
    numaNode: { answer: 'no' },
    netdevs: ['eth0'],
    msix: { answer: 'yes', value: { used: 3, total: 10 } },
    sriov: { total: 7, enabled: 2, autoprobe: true, vfMsixTotal: { answer: 'no' } },
  });
  t.deepEqual(pf.vfs.map(({ index, pci, netdevs }) => [index, pci, netdevs]), [[0, '0000:01:10.0', ['eth3']], [1, '0000:01:10.2', ['eth4']]] as never);
});

test('mlx5: vectors to be spread, a NUMA node, drivers that are not bound by themselves, and one that is asked for', (t) => {
  const pf = readPf(recordedSysfs(MLX5_SWITCHDEV), mlx5);
  t.like(pf.sriov, { autoprobe: false, vfMsixTotal: { answer: 'yes', value: 1024 } });
  t.deepEqual(pf.numaNode, { answer: 'yes', value: 1 });
  t.deepEqual(pf.vfs.map(({ driverOverride }) => driverOverride), ['vfio-pci', null]);
  t.deepEqual(pf.vfs[1]?.driver, { answer: 'no', why: 'no driver is bound to it' });
  // Not as root.
  t.is(pf.msix.answer, 'unknown');
});

test('VFs are in the order of their numbers, not of their names', (t) => {
  const links = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`virtfn${i}`, { link: `../0000:07:00.${i % 8}` }]));
  const pf = readPf(recordedSysfs(pciFunction('0000:07:00.0', { class: '0x020000', sriov_totalvfs: '12', ...links })), parsePciAddress('0000:07:00.0'));
  t.deepEqual(pf.vfs.map(({ index }) => index), Array.from({ length: 12 }, (_, i) => i));
});

test('a virtio device lies between a function and its netdev', (t) => {
  t.deepEqual(readPf(recordedSysfs(IGB), mlx5).netdevs, ['eth2']);
});

test('a port of the switch by its name', (t) => {
  const kinds = (['p0', 'p1s0', 'pf0vf3', 'c1pf0vf12', 'pf0sf88', null] as const).map((name) => switchPortOf(name));
  t.deepEqual(kinds, [{ kind: 'pf' }, { kind: 'pf' }, { kind: 'vf', index: 3 }, { kind: 'vf', index: 12 }, { kind: 'other' }, { kind: 'pf' }]);
});

test('the size of the MSI-X table', (t) => {
  t.is(msixTableSize(configSpace(10)), 10);
  t.is(msixTableSize(configSpace(2048)), 2048);
  t.is(msixTableSize(configSpace(10).subarray(0, 64)), null);
  const without = configSpace(10);
  without.writeUInt8(0x05, 0x70);
  t.is(msixTableSize(without), null);
  // A list that leads back to its beginning ends all the same.
  const circle = configSpace(10);
  circle.set([0x01, 0x40], 0x40);
  t.is(msixTableSize(circle), null);
});

test('no configuration space, whatever is in it, is read for ever or out of its bounds', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), (bytes) => {
      const size = msixTableSize(Buffer.from(bytes));
      return size === null || (size >= 1 && size <= 2048);
    }),
  );
  t.pass();
});
