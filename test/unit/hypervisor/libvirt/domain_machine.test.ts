import test from 'ava';
import fc from 'fast-check';
import { interfaceNameProblem } from '../../../../src/host/names.js';
import { checkOwnAlias } from '../../../../src/hypervisor/libvirt/device_xml.js';
import { type DomainAnswers, askQemu, machineOf } from '../../../../src/hypervisor/libvirt/domain_machine.js';
import { parseDomainXml } from '../../../../src/hypervisor/libvirt/domain_xml.js';
import { aliasOfPort, portOfAlias } from '../../../../src/hypervisor/libvirt/own_alias.js';
import type { LibvirtDomain } from '../../../../src/hypervisor/libvirt/snapshot.js';
import { freePorts } from '../../../../src/hypervisor/qemu/machine.js';
import { QmpError, type QemuMonitor } from '../../../../src/hypervisor/qemu/monitor.js';

const MAC = '52:54:00:00:00:01';
const UUID = 'b2bb70c5-dfb3-49aa-8a98-2181ca8a5437';

function nicXml(type: string, alias: string, more: string): string {
  return `<interface type='${type}'><mac address='${MAC}'/>${more}<alias name='${alias}'/></interface>`;
}

function domain(devices: string, state = 'running', stateReason = 'booted'): LibvirtDomain {
  const ports = [1, 2, 3].map((i) => `<controller type='pci' index='${i}' model='pcie-root-port'/>`).join('');
  const xml = `<domain type='kvm' id='7'><name>web</name><uuid>${UUID}</uuid><devices><controller type='pci' index='0' model='pcie-root'/>${ports}${devices}</devices></domain>`;
  return { ...parseDomainXml(xml), state, stateReason };
}

const standby = nicXml(
  'bridge',
  'ua-net0',
  `<source bridge='br0'/><target dev='vnet3'/><model type='virtio'/><driver queues='4'/><teaming type='persistent'/><address type='pci' bus='0x01'/>`,
);
const emulated = nicXml('ethernet', 'ua-unipath-vfp0', `<target dev='vfp0' managed='no'/><model type='vmxnet3'/><address type='pci' bus='0x02'/>`);
const passed = nicXml(
  'hostdev',
  'ua-unipath-eth1v0',
  `<source><address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/></source><teaming type='transient' persistent='ua-net0'/><address type='pci' bus='0x03'/>`,
);

const answers = (more: Partial<DomainAnswers> = {}): DomainAnswers => ({
  version: { qemu: { major: 7, minor: 2, micro: 22 }, package: '' },
  cpus: [{ 'cpu-index': 0, 'thread-id': 41 }],
  status: { status: 'running', running: true },
  migrate: {},
  numaNode: null,
  standby: new Map([['ua-net0', true]]),
  ...more,
});

test('a domain is shown as its QEMU would be, with taps and with the netdevs of our own devices', (t) => {
  const machine = machineOf(domain(standby + emulated + passed), answers());
  t.like(machine, { name: 'web', uuid: UUID, version: '7.2.22', runState: 'running', migration: null, cpus: [{ index: 0, threadId: 41 }] });
  const [virtio, vf, host] = machine.nics;
  t.deepEqual(virtio, {
    id: 'ua-net0', path: '/machine/peripheral/ua-net0', model: 'virtio-net-pci', mac: MAC, netdevId: 'hostua-net0', backend: 'tap', tap: 'vnet3',
    tapFds: [], queues: 4, failover: true, failoverNegotiated: true, failoverPairId: null, host: null, bus: 'pci.1', hotplugged: false,
  });
  t.like(vf, { id: 'ua-unipath-vfp0', model: 'vmxnet3', netdevId: 'unipath-net-vfp0', tap: 'vfp0', failover: false, failoverPairId: null, bus: 'pci.2' });
  t.like(host, { model: 'vfio-pci', netdevId: 'unipath-net-eth1v0', tap: null, failoverPairId: 'ua-net0', host: '0000:3b:02.1', bus: 'pci.3' });
  t.deepEqual(freePorts(machine), []);
  t.is(machineOf(domain(standby), answers({ numaNode: 1 })).numaNode, 1);
  t.deepEqual(freePorts(machineOf(domain(standby), answers())).map(({ bus }) => bus), ['pci.2', 'pci.3']);
});

test('taps that are none, models that QEMU calls otherwise, NICs that cannot stand by', (t) => {
  const devices = nicXml('direct', 'net1', "<target dev='macvtap0'/><model type='virtio-non-transitional'/>") + nicXml('network', 'net2', "<target dev='vnet4'/><model type='virtio'/>");
  const [direct, network] = machineOf(domain(devices), answers({ standby: new Map() })).nics;
  t.like(direct, { model: 'virtio-net-pci-non-transitional', tap: null, backend: null, failover: false, failoverNegotiated: false });
  t.like(network, { model: 'virtio-net-pci', tap: 'vnet4', bus: null });
});

test('what QEMU did not say is not known, and what it says counts before the XML', (t) => {
  t.like(machineOf(domain(standby), 'unknown'), { runState: 'running', migration: null, cpus: [] });
  t.is(machineOf(domain(standby), 'unknown').nics[0]?.failoverNegotiated, null);
  t.is(machineOf(domain(standby, 'in shutdown', 'user'), 'unknown').runState, 'running');
  t.is(machineOf(domain(standby, 'paused', 'user'), 'unknown').runState, 'paused');
  t.is(machineOf(domain(standby, 'paused', 'migrating'), 'incoming').runState, 'inmigrate');
  t.like(machineOf(domain(standby), answers({ status: { status: 'postmigrate' }, migrate: { status: 'completed' } })), { runState: 'postmigrate', migration: 'completed' });
  t.throws(() => machineOf(domain(standby), answers({ status: undefined })), { name: 'QmpShapeError' });
});

test('few questions, and fewer the second time', async (t) => {
  const asked: string[] = [];
  const monitor = {
    name: 'web',
    execute: async (command: string, args?: unknown) => {
      asked.push(`${command}${args === undefined ? '' : ` ${JSON.stringify(args)}`}`);
      if (command === 'query-migrate') throw new QmpError(command, 'CommandNotFound', 'no');
      if (command === 'query-cpus-fast') return [];
      return command === 'query-version' ? { qemu: { major: 9, minor: 0, micro: 0 } } : { command };
    },
  } as unknown as QemuMonitor;
  const first = await askQemu(monitor, domain(standby + emulated), 'unknown');
  t.deepEqual(asked.splice(0), [
    'query-version',
    'query-cpus-fast',
    'query-memdev',
    'x-query-virtio-status {"path":"/machine/peripheral/ua-net0/virtio-backend"}',
    'query-migrate',
    'query-status',
  ]);
  t.is(first.migrate, undefined);
  await askQemu(monitor, domain(standby), first);
  t.is(asked.length, 3);
});

test('aliases: every port has one that libvirt keeps, and it is found again', (t) => {
  t.is(aliasOfPort('vfp0'), 'ua-unipath-vfp0');
  t.is(aliasOfPort('eth1.v0'), 'ua-unipath-eth1_x2ev0');
  t.is(portOfAlias('ua-unipath-eth1_x2ev0'), 'eth1.v0');
  for (const alias of ['ua-unipath-', 'ua-net0', 'ua-unipath-a_x41', 'ua-unipath-a.b', 'net0']) t.is(portOfAlias(alias), null, alias);
  const port = fc.string({ minLength: 1, maxLength: 15 }).filter((name) => interfaceNameProblem(name) === null);
  fc.assert(fc.property(port, (name) => portOfAlias(checkOwnAlias(aliasOfPort(name))) === name));
});
