import test from 'ava';
import type { GuestFacts, NicFacts, PluginFacts } from '../../../src/guest/check/facts.js';
import type { Finding } from '../../../src/core/finding.js';
import { groupsOf, judge } from '../../../src/guest/check/judge.js';

const MAC = '52:54:00:aa:00:01';
const nic = (name: string, ifindex: number, more: Partial<NicFacts> = {}): NicFacts => ({
  name, ifindex, mac: MAC, up: true, link: true, master: null, kind: null, device: null, bus: null, driver: null, portName: null, standbyNegotiated: null,
  addresses: [], programs: [], txChecksum: true, managedBy: [], ...more,
});
const virtio = (name: string, ifindex: number, more: Partial<NicFacts> = {}): NicFacts =>
  nic(name, ifindex, { device: 'virtio0', bus: 'virtio', driver: 'virtio_net', standbyNegotiated: false, txChecksum: null, ...more });
const pci = (name: string, ifindex: number, more: Partial<NicFacts> = {}): NicFacts =>
  nic(name, ifindex, { device: '0000:02:00.0', bus: 'pci', driver: 'ixgbevf', ...more });

const GUEST: GuestFacts = {
  kernel: '6.1.0-56-amd64', btf: true, bpffs: true, netFailover: true, hotplug: { pciehpPorts: 0, acpiSlots: 3 }, nics: [], plugins: [], agents: [], managers: [],
  leaveAloneRule: false, unknown: [],
};
const MASTER = virtio('eth0', 2, { standbyNegotiated: true, addresses: ['10.0.0.2/24'] });
const STANDBY = virtio('eth1', 3, { standbyNegotiated: true, master: 'eth0', portName: 'sby' });
const PRIMARY = pci('eth2', 4, { master: 'eth0' });
const failover = (...nics: NicFacts[]): GuestFacts => ({ ...GUEST, nics });

const PLUGIN: PluginFacts = { pins: '/sys/fs/bpf/unipath-guest/eth0', interfaceIfindex: 2, vfIfindex: 4, drained: false, mac: MAC };
const MAIN = virtio('eth0', 2, { addresses: ['10.0.0.2/24'], programs: ['plugin_ingress', 'plugin_egress'] });
const VF = pci('eth1', 4, { programs: ['plugin_vf_ingress'] });
const plugin = (more: Partial<GuestFacts> = {}): GuestFacts => ({ ...GUEST, nics: [MAIN, VF], plugins: [PLUGIN], agents: ['eth0'], ...more });

/** "level about: text" of all that is not well. */
const bad = (facts: GuestFacts): string[] => judge(facts).findings.filter(({ level }) => level !== 'ok').map(words);
const words = ({ level, about, text }: Finding): string => `${level} ${about}: ${text}`;

test('net_failover as it should be, with a primary and without', (t) => {
  t.deepEqual(bad(failover(MASTER, STANDBY, PRIMARY)), []);
  t.deepEqual(judge(failover(MASTER, STANDBY, PRIMARY)).interfaces, [{ name: 'eth0', mode: 'net_failover', vf: 'eth2' }]);
  t.deepEqual(bad(failover(MASTER, STANDBY)), []);
  t.deepEqual(judge(failover(MASTER, STANDBY)).interfaces, [{ name: 'eth0', mode: 'net_failover', vf: null }]);
});

test('the plug-in as it should be, with a VF and without', (t) => {
  t.deepEqual(bad(plugin()), []);
  t.deepEqual(judge(plugin()).interfaces, [{ name: 'eth0', mode: 'plugin', vf: 'eth1' }]);
  t.deepEqual(bad(plugin({ nics: [MAIN], plugins: [{ ...PLUGIN, vfIfindex: 0 }] })), []);
});

test('devices of one MAC address belong together; what is stacked on them does not', (t) => {
  const vlan = nic('eth0.5', 9, { kind: 'vlan' });
  const other = pci('eth7', 8, { mac: '52:54:00:00:00:99' });
  t.deepEqual(groupsOf([MASTER, STANDBY, PRIMARY, vlan, other]).map(({ main, standby, vfs }) => [main.name, standby?.name, vfs.map(({ name }) => name)]), [
    ['eth0', 'eth1', ['eth2']],
  ]);
});

test('neither net_failover nor the plug-in: what to do stands there', (t) => {
  const verdict = judge({ ...GUEST, nics: [virtio('eth0', 2, { addresses: ['10.0.0.2/24'] })] });
  const problems = verdict.findings.filter(({ level }) => level === 'problem');
  t.deepEqual(problems.map(words), ['problem eth0: failover is not negotiated, and the plug-in is not loaded: no VF can be used']);
  t.regex(problems[0]?.remedy ?? '', /systemctl enable --now unipath-guest@eth0.*failover=on/);
  t.deepEqual(verdict.interfaces, [{ name: 'eth0', mode: null, vf: null }]);
  t.deepEqual(bad(GUEST), ['problem interfaces: there is no virtio NIC']);
});

const CASES: readonly (readonly [string, GuestFacts, readonly string[]])[] = [
  ['an old kernel for the plug-in', plugin({ kernel: '5.10.0-9' }), ['problem kernel: Linux 5.10.0-9 is too old for the plug-in']],
  ['a kernel without BTF', plugin({ btf: false }), ['problem kernel: Linux 6.1.0-56-amd64 has no BTF, which the plug-in needs']],
  ['no bpffs', plugin({ bpffs: false }), ['problem kernel: there is no bpf file system at /sys/fs/bpf']],
  ['no net_failover in a guest that needs it', { ...failover(MASTER, STANDBY, PRIMARY), netFailover: false }, ['problem kernel: Linux 6.1.0-56-amd64 has no net_failover']],
  ['an old kernel for failover', { ...failover(MASTER, STANDBY), kernel: '4.17.3' }, ['problem kernel: Linux 4.17.3 is too old for net_failover']],
  ['no slot', { ...failover(MASTER, STANDBY), hotplug: { pciehpPorts: 0, acpiSlots: 0 } }, ['problem hot-plug: no slot takes a device while the guest runs']],
  ['a pair that was not made', failover(MASTER), ['problem eth0: failover was negotiated, and no standby is enslaved: this kernel has not made the pair']],
  ['a standby that is down', failover(MASTER, { ...STANDBY, up: false, link: false }), ['problem eth1: the standby is down: nothing is left when the VF goes']],
  ['a standby without link', failover(MASTER, { ...STANDBY, link: false }), ['problem eth1: the standby has no link']],
  ['an address on the standby', failover(MASTER, { ...STANDBY, addresses: ['10.0.0.3/24'] }), [
    'problem eth1: the standby has the address 10.0.0.3/24: frames would leave by it past its master, and answers get lost',
  ]],
  ['a primary that is down', failover(MASTER, STANDBY, { ...PRIMARY, up: false, link: false }), ['problem eth2: the primary of eth0 (ixgbevf) is down']],
  ['a primary without link', failover(MASTER, STANDBY, { ...PRIMARY, link: false }), ['warn eth2: the primary of eth0 (ixgbevf) has no link; frames go by the virtio NIC']],
  ['a device that is not enslaved', failover(MASTER, STANDBY, { ...PRIMARY, master: null }), ["problem eth2: it has the MAC address of eth0, but is nobody's slave"]],
  ['a device of a bond', failover(MASTER, STANDBY, { ...PRIMARY, master: 'bond0' }), ['problem eth2: it has the MAC address of eth0, but is a slave of bond0']],
  ['both', { ...failover(MASTER, STANDBY, PRIMARY), agents: ['eth0'] }, ['warn eth0: the plug-in is here too, and will never see a VF']],
  ['an interface that is down', failover({ ...MASTER, up: false }, STANDBY), ['problem eth0: it is down']],
  ['an interface without an address', failover({ ...MASTER, addresses: [] }, STANDBY), ['warn eth0: it has no IP address']],
  ['a device with another MAC address', failover(MASTER, STANDBY, pci('eth5', 7, { mac: '02:00:00:00:00:07' }), pci('eth6', 8, { mac: '02:00:00:00:00:08', addresses: ['192.0.2.1/24'] })), [
    'warn eth5: it has no address, and the MAC address 02:00:00:00:00:07 of no virtio NIC: as a VF nobody takes it',
  ]],
  ['no agent', plugin({ agents: [] }), ['problem eth0: its agent does not run: a VF that comes is not taken']],
  ['half a plug-in', plugin({ nics: [{ ...MAIN, programs: ['plugin_egress'] }, VF] }), ["problem eth0: the plug-in's plugin_ingress is not attached"]],
  ['no pins', plugin({ plugins: [] }), [
    'problem eth0: the plug-in is attached, and its map is not pinned: nobody can tell it of a VF',
    'warn eth1: the plug-in does not use it (yet)',
  ]],
  ['another MAC address', plugin({ plugins: [{ ...PLUGIN, mac: '52:54:00:aa:00:02' }] }), [`problem eth0: the plug-in answers as 52:54:00:aa:00:02, and the interface is ${MAC}`]],
  ['a VF without the program', plugin({ nics: [MAIN, { ...VF, programs: [] }] }), ['problem eth1: what arrives on it goes nowhere: plugin_vf_ingress is not attached']],
  ['a VF that is not used', plugin({ plugins: [{ ...PLUGIN, vfIfindex: 0 }] }), ['warn eth1: the plug-in does not use it (yet)']],
  ['a VF that is asked back', plugin({ plugins: [{ ...PLUGIN, drained: true }] }), ['warn eth1: the host has asked for it back: nothing is sent by it']],
  ['a VF with an address', plugin({ nics: [MAIN, { ...VF, addresses: ['169.254.3.4/16'] }] }), [
    'problem eth1: the VF has the address 169.254.3.4/16: frames would leave by it past its master, and answers get lost',
  ]],
  ['a VF in a bond', plugin({ nics: [MAIN, { ...VF, master: 'bond0' }] }), ['problem eth1: it has the MAC address of eth0, but is a slave of bond0']],
  ['a veth that finishes no checksums', plugin({ nics: [MAIN, { ...VF, kind: 'veth' }] }), ['problem eth1: it sends frames without their checksums, and nobody finishes them']],
  ['a veth that is sent whole frames', plugin({ nics: [MAIN, { ...VF, kind: 'veth', txChecksum: false }] }), []],
  ['a manager that manages the VF', plugin({ managers: ['NetworkManager'], leaveAloneRule: true, nics: [MAIN, { ...VF, managedBy: ['NetworkManager'] }] }), [
    'problem NetworkManager: it manages eth1, and may put addresses there',
  ]],
  ['a manager that manages the standby', { ...failover(MASTER, { ...STANDBY, managedBy: ['systemd-networkd'] }), managers: ['systemd-networkd'] }, [
    'problem systemd-networkd: it manages eth1, and may put addresses there',
  ]],
  ['a manager that may', plugin({ managers: ['systemd-networkd'] }), ['warn systemd-networkd: nothing tells it to leave VFs alone']],
  ['a manager that leaves it alone', plugin({ managers: ['systemd-networkd'], leaveAloneRule: true }), []],
  ['something that could not be found out', plugin({ unknown: ['`tc` could not be run'] }), ['warn check: could not be found out: `tc` could not be run']],
];
for (const [title, facts, expected] of CASES) {
  test(title, (t) => {
    t.deepEqual(bad(facts), [...expected]);
    // Who is told of a problem is told what to do.
    for (const { level, remedy } of judge(facts).findings) if (level === 'problem') t.truthy(remedy);
  });
}
