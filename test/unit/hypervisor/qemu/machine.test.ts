import test from 'ava';
import fc from 'fast-check';
import { migrating, parseInfoNetwork, parseMachine, QmpShapeError, type MachineAnswers } from '../../../../src/hypervisor/qemu/machine.js';

// As QEMU 7.2 wrote it for open taps that it was given, a hub, and netdevs without a NIC.
const INFO_NETWORK = [
  'hub 3',
  ' \\ hp: rtl8139.0: index=0,type=nic,model=rtl8139,macaddr=52:54:00:12:34:5a',
  'alone: index=0,type=user,net=10.0.2.0,restrict=off',
  'virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:57',
  ' \\ #net046: index=0,type=user,net=10.0.2.0,restrict=off',
  'net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:58',
  ' \\ h0: index=0,type=tap,fd=3',
  'net1: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:59',
  ' \\ h1: index=0,type=tap,fd=4',
  'net1: index=1,type=nic,',
  ' \\ h1: index=1,type=tap,fd=5',
  'nonet: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:5b',
  'net2: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:5c',
  ' \\ h2: index=0,type=tap,ifname=tap.2,script=no,downscript=no',
  '',
].join('\r\n');

test('info network: netdevs, queues, taps by name and by descriptor', (t) => {
  t.deepEqual(parseInfoNetwork(INFO_NETWORK), [
    { name: 'alone', index: 0, type: 'user', ifname: null, fd: null, nic: null },
    { name: '#net046', index: 0, type: 'user', ifname: null, fd: null, nic: 'virtio-net-pci.0' },
    { name: 'h0', index: 0, type: 'tap', ifname: null, fd: 3, nic: 'net0' },
    { name: 'h1', index: 0, type: 'tap', ifname: null, fd: 4, nic: 'net1' },
    { name: 'h1', index: 1, type: 'tap', ifname: null, fd: 5, nic: 'net1' },
    { name: 'h2', index: 0, type: 'tap', ifname: 'tap.2', fd: null, nic: 'net2' },
  ]);
});

test('info network: a name that no interface can have is not believed', (t) => {
  for (const ifname of ['../../etc', 'a b', '-x', 'x'.repeat(16), '\u001b[31m']) {
    const text = `n: index=0,type=nic,model=x\n \\ h: index=0,type=tap,ifname=${ifname},script=no,downscript=no\n`;
    t.is(parseInfoNetwork(text)[0]?.ifname ?? null, null, ifname);
  }
});

test('info network: any text is read without an error', (t) => {
  const piece = fc.constantFrom(' \\ ', 'a: ', 'index=0,', 'type=tap,', 'type=nic,', 'ifname=', 'fd=7', ',script=', '\n', 'x');
  fc.assert(fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => Array.isArray(parseInfoNetwork(pieces.join('')))));
  t.pass();
});

const ANSWERS: MachineAnswers = {
  version: { qemu: { major: 9, minor: 2, micro: 0 }, package: '' },
  status: { status: 'running', running: true },
  name: { name: 'g' },
  uuid: { UUID: '6c1b0d1e-1111-4222-8333-000000000001' },
  cpus: [{ 'cpu-index': 0, 'thread-id': 77, target: 'x86_64' }],
  migrate: {},
  network: INFO_NETWORK,
  nics: [],
  ports: [],
};

const NIC = { path: '/machine/peripheral/net1', id: 'net1', model: 'virtio-net-pci', standby: null };

test('the NIC of given descriptors has its queues and no name; what is wrong with it is null', (t) => {
  const properties = { netdev: 'h1', mac: '52:54:00:12:34:59', mq: true, failover: true, parent_bus: '/machine/q35/pcie.0', failover_pair_id: '' };
  const [nic] = parseMachine({ ...ANSWERS, nics: [{ ...NIC, properties }] }).nics;
  t.like(nic, { tap: null, tapFds: [4, 5], queues: 2, backend: 'tap', failover: true, failoverNegotiated: null, failoverPairId: null, bus: 'pcie.0' });

  const [oneQueue] = parseMachine({ ...ANSWERS, nics: [{ ...NIC, properties: { ...properties, mq: false } }] }).nics;
  t.is(oneQueue?.queues, 1);

  const hostile = { netdev: 7, mac: 'not a mac\n', failover_pair_id: '../x', host: '$(reboot)', failover: 'yes' };
  const [odd] = parseMachine({ ...ANSWERS, nics: [{ ...NIC, properties: hostile }] }).nics;
  t.like(odd, { netdevId: null, mac: null, failoverPairId: null, host: null, failover: false, tap: null, queues: null, bus: null });
});

test('a passed-through device has its PCI address and no MAC address', (t) => {
  const properties = { host: '0000:01:10.0', failover_pair_id: 'net0', parent_bus: '/machine/peripheral/rp1/rp1', hotplugged: true };
  const [nic] = parseMachine({ ...ANSWERS, nics: [{ ...NIC, id: 'vf', model: 'vfio-pci', properties }] }).nics;
  t.like(nic, { host: '0000:01:10.0', mac: null, netdevId: null, failoverPairId: 'net0', bus: 'rp1', queues: null, hotplugged: true });
});

test('ports without an id, and those that do not hot-plug, are not offered', (t) => {
  const port = { path: '', model: 'pcie-root-port', hotplug: true, bus: 'rp1', onBus: [{ name: 'type', type: 'string' }] };
  const taken = [...port.onBus, { name: 'child[0]', type: 'link<e1000e>' }, { name: 'child[12]', type: 'link<e1000e>' }];
  const machine = parseMachine({
    ...ANSWERS,
    ports: [
      { ...port, id: 'b', onBus: taken },
      { ...port, id: null, bus: 'pcie.0' },
      { ...port, id: 'c', hotplug: false },
      { ...port, id: 'd', hotplug: undefined },
      { ...port, id: 'a' },
    ],
  });
  t.deepEqual(machine.ports, [
    { id: 'a', model: 'pcie-root-port', bus: 'rp1', devices: 0 },
    { id: 'b', model: 'pcie-root-port', bus: 'rp1', devices: 2 },
  ]);
});

test('commands that a QEMU lacks leave gaps, not errors', (t) => {
  t.like(parseMachine({ ...ANSWERS, name: undefined, uuid: undefined, migrate: undefined, network: undefined }), { name: null, uuid: null, migration: null });
});

test('an answer that cannot be one is an error that names the command', (t) => {
  t.throws(() => parseMachine({ ...ANSWERS, status: { status: 5 } }), { instanceOf: QmpShapeError, message: /^query-status: .* status: / });
  t.throws(() => parseMachine({ ...ANSWERS, cpus: 'many' }), { instanceOf: QmpShapeError, message: /^query-cpus-fast: / });
});

test('every status but those at rest is a migration that runs', (t) => {
  const words = ['setup', 'active', 'wait-unplug', 'cancelling', 'device', 'pre-switchover', 'postcopy-active', 'postcopy-paused', 'colo', 'new-in-qemu-12'];
  for (const migration of words) t.true(migrating({ migration }), migration);
  for (const migration of [null, 'none', 'completed', 'failed', 'cancelled']) t.false(migrating({ migration }), String(migration));
});
