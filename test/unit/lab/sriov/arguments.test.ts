import test from 'ava';
import { hostMachineArguments, hostMachinePaths, type HostMachineOptions } from '../../../../src/lab/sriov/arguments.js';

const OPTIONS: HostMachineOptions = { name: 'h', adapters: [{ mac: '52:54:00:00:00:01' }, { mac: '52:54:00:00:00:02' }], accel: 'tcg' };
const argumentsOf = (options: HostMachineOptions): string[] =>
  hostMachineArguments(options, hostMachinePaths('/run/h'), '/kernel', '/image', '/project', '/lib/modules/1');

test('every adapter is on a port of its own, and all are on one wire that leads nowhere else', (t) => {
  const args = argumentsOf(OPTIONS);
  const devices = args.filter((_, i) => args[i - 1] === '-device');
  t.deepEqual(devices.filter((device) => device.startsWith('igb')), [
    'igb,id=pf0,netdev=wire-pf0,mac=52:54:00:00:00:01,bus=port-pf0,romfile=',
    'igb,id=pf1,netdev=wire-pf1,mac=52:54:00:00:00:02,bus=port-pf1,romfile=',
  ]);
  const ports = devices.filter((device) => device.startsWith('pcie-root-port')).map((device) => /chassis=(\d+)/.exec(device)?.[1]);
  t.is(new Set(ports).size, 3);
  t.true(args.filter((_, i) => args[i - 1] === '-netdev').every((netdev) => netdev.startsWith('hubport,')));
});

test('an IOMMU that VFIO can use, under KVM too', (t) => {
  t.true(argumentsOf(OPTIONS).includes('intel-iommu,intremap=on,caching-mode=on'));
  t.true(argumentsOf(OPTIONS).includes('q35'));
  // Interrupt remapping needs it.
  t.true(argumentsOf({ ...OPTIONS, accel: 'kvm' }).includes('q35,kernel-irqchip=split'));
});

test("the root is this machine's, which cannot be written", (t) => {
  const filesystem = argumentsOf(OPTIONS).find((word) => word.startsWith('local,')) ?? '';
  t.regex(filesystem, /path=\/,/);
  t.regex(filesystem, /readonly=on/);
});

test('a large pool: VFs name their PF, each has a place of its own, and the PF is the first function', (t) => {
  const args = argumentsOf({ ...OPTIONS, pool: { mac: '52:54:00:00:00:03', vfs: 32 } });
  const devices = args.filter((word, i) => args[i - 1] === '-device' && word.includes('bus=port-pool'));
  const vfs = devices.filter((device) => device.includes('sriov-pf=pool'));
  t.is(vfs.length, 32);
  t.is(new Set(devices.map((device) => /addr=([0-9a-f.]+)/.exec(device)?.[1])).size, 33);
  t.regex(devices.at(-1) ?? '', /addr=0\.0,.*id=pool,mac=52:54:00:00:00:03/);
  t.regex(vfs[8] ?? '', /addr=1\.1,/);
});
