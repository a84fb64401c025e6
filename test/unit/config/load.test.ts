import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { DEFAULT_RULES, DEFAULT_TERMS } from '../../../src/core/model.js';
import { ConfigError, loadConfig, parseConfig } from '../../../src/config/load.js';

const GOOD = `
socket: /run/unipath-a.sock
pins: /sys/fs/bpf/unipath-a
metrics: {listen: 127.0.0.1:9435}
flows_per_vnic: 1024
xdp_mode: native
adapters:
  - name: nic0
    uplink: pf0
    bridge: br0
    limits: {vfs: 8, queues: 64}
    vfs:
      - {port: vfp0, device: vf0}
      - {port: vfp1, device: vf1}
vnics:
  - {name: g1, mac: "52:54:00:00:00:01", adapter: nic0, tap: tap-g1, guest: {netns: up-g1}, policy: software}
  - {name: g2, mac: 52:54:00:00:00:0A, vlan: 7, adapter: nic0, tap: tap-g2, guest: {netns: up-g2}, cut_through: true}
`;

/** The messages for a text that must be refused, file name left out. */
function problems(text: string): string[] {
  try {
    parseConfig(text, 'F');
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return ['no problem'];
}

test('a full file', (t) => {
  const { settings, desired } = parseConfig(GOOD, 'F');
  t.deepEqual(settings, {
    socket: '/run/unipath-a.sock',
    readSocket: null,
    pins: '/sys/fs/bpf/unipath-a',
    metricsListen: { host: '127.0.0.1', port: 9435 },
    flowsPerVnic: 1024,
    xdpMode: 'native',
    state: '/var/lib/unipath',
    patience: 1,
    hypervisors: [],
  });
  t.deepEqual(desired.adapters, [
    {
      name: 'nic0',
      uplink: 'pf0',
      bridge: 'br0',
      limits: { vfs: 8, queues: 64 },
      rules: DEFAULT_RULES,
      vfs: [
        { kind: 'netdev', port: 'vfp0', device: 'vf0' },
        { kind: 'netdev', port: 'vfp1', device: 'vf1' },
      ],
    },
  ]);
  t.like(desired.vnics[0], { name: 'g1', vlans: [0], access: false, policy: 'software', cutThrough: 'auto', weights: [], guest: { kind: 'netns', netns: 'up-g1' } });
  t.like(desired.vnics[1], { mac: '52:54:00:00:00:0a', vlans: [7], addresses: null, policy: 'accelerated', cutThrough: 'on' });
});

test('virtual machines: found by what runs them, with a NIC in the place of a VF', (t) => {
  const text = `
hypervisors: [{qmp: /run/vms/*.qmp}, {libvirt: "qemu:///system"}]
discover: {}
adapters: [{name: n, uplink: u, bridge: b, vfs: [{port: tp0, model: vmxnet3}, {port: tp1, model: vmxnet3}]}]
vnics: [{name: web, mac: "52:54:00:00:00:01", adapter: n, guest: {vm: web}}]`;
  const { settings, desired } = parseConfig(text, 'F');
  t.deepEqual(settings.hypervisors, [{ kind: 'qmp', qmp: '/run/vms/*.qmp' }, { kind: 'libvirt', libvirt: 'qemu:///system' }]);
  t.deepEqual(desired.discover, { policy: 'accelerated' });
  t.deepEqual(desired.adapters[0]?.vfs[0], { kind: 'emulated', port: 'tp0', device: 'vmxnet3' });
  t.like(desired.vnics[0], { tap: '', guest: { kind: 'vm', vm: 'web', mac: '52:54:00:00:00:01', mode: 'auto' } });
});

test('VFs of the uplink that are passed through, and how the PF is to treat them', (t) => {
  const text = `
hypervisors: [{qmp: /run/vms/*.qmp}]
adapters: [{name: n, uplink: u, bridge: b, vfs: [{pci: "0000:01:10.0"}, {pci: "0000:01:10.2"}]}]
vnics: [{name: web, mac: "52:54:00:00:00:01", adapter: n, guest: {vm: web}, vf: {spoof_check: true, max_rate: 100}}]`;
  const { desired } = parseConfig(text, 'F');
  t.deepEqual(desired.adapters[0]?.vfs[1], { kind: 'passthrough', port: '0000:01:10.2', device: '0000:01:10.2' });
  t.deepEqual(desired.vnics[0]?.vf, { spoofCheck: true, maxRate: 100 });
});

test('defaults', (t) => {
  const { settings, desired } = parseConfig('adapters: [{name: n, uplink: u, bridge: b}]', 'F');
  t.deepEqual(settings, {
    socket: '/run/unipath/unipath.sock',
    readSocket: null,
    pins: '/sys/fs/bpf/unipath',
    metricsListen: null,
    flowsPerVnic: 4096,
    xdpMode: 'auto',
    state: '/var/lib/unipath',
    patience: 1,
    hypervisors: [],
  });
  t.deepEqual(desired, { adapters: [{ name: 'n', uplink: 'u', bridge: 'b', limits: { vfs: 254, queues: 2048 }, rules: DEFAULT_RULES, vfs: [] }], quotas: [], vnics: [], rss: { key: 'random', hashTypes: 0x77 }, discover: null });
});

test('how VFs are handed out: placement, ceilings of a PF, quotas, priorities, and what sysfs does not tell of a VF', (t) => {
  const text = `
quotas: [{name: blue, vfs: 2, queues: 8}, {name: card, vectors: 512}]
adapters:
  - name: n
    uplink: u
    bridge: b
    limits: {vectors: 64, per_pf: {vfs: 4}}
    quota: card
    placement: near
    idle_seconds: 5
    vfs: [{port: p0, device: d0, pf: left, numa_node: 1, vectors: 3}, {port: p1, model: vmxnet3, numa_node: 0}]
vnics:
  - {name: g1, mac: "52:54:00:00:00:01", adapter: n, tap: t1, guest: {netns: a}, max_rate: 500, quota: blue, priority: 7, numa_node: 1}
  - {name: g2, mac: "52:54:00:00:00:02", adapter: n, tap: t2, guest: {netns: b}}`;
  const { adapters, quotas, vnics } = parseConfig(text, 'F').desired;
  t.like(adapters[0], {
    limits: { vfs: 254, queues: 2048, vectors: 64 },
    rules: { placement: 'near', perPf: { vfs: 4 }, quota: 'card', idleMs: 5000 },
  });
  t.deepEqual(adapters[0]?.vfs, [
    { kind: 'netdev', port: 'p0', device: 'd0', origin: { pf: 'left', numaNode: 1, vectors: 3 } },
    { kind: 'emulated', port: 'p1', device: 'vmxnet3', origin: { numaNode: 0 } },
  ]);
  t.deepEqual(quotas, [{ name: 'blue', ceilings: { vfs: 2, queues: 8 } }, { name: 'card', ceilings: { vectors: 512 } }]);
  t.deepEqual(vnics.map(({ maxRate }) => maxRate), [500, null]);
  t.deepEqual(vnics.map(({ terms }) => terms), [{ quota: 'blue', priority: 7, numaNode: 1 }, DEFAULT_TERMS]);
  t.deepEqual(problems(text.replace('quota: blue', 'quota: bleu').replace('quota: card', 'quota: cards')), [
    'F:8:12: adapters[0].quota: there is no quota "cards"; did you mean "card"?',
    'F:13:104: vnics[0].quota: there is no quota "bleu"; did you mean "blue"?',
  ]);
  t.deepEqual(problems(text.replace('placement: near', 'placement: nera').replace('vfs: 4', 'vf: 4').replace('numa_node: 1, vectors', 'node: 1, vectors')), [
    'F:7:36: adapters[0].limits.per_pf.vf: unknown key; did you mean "vfs"?',
    'F:9:16: adapters[0].placement: "nera" is none of: pack, spread, near; did you mean "near"?',
    'F:11:44: adapters[0].vfs[0].node: unknown key; known are: port, device, pf, numa_node, vectors, model, pci',
  ]);
});

test('an RSS key is text, also when YAML takes its digits for a number', (t) => {
  const key = (text: string): string => parseConfig(`rss: {key: ${text}}`, 'F').desired.rss.key;
  t.is(key('random'), 'random');
  t.is(key('nic'), 'nic');
  t.is(key('6D5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa').slice(0, 8), '6d5a56da');
  t.is(key('12345678'.repeat(10)), '12345678'.repeat(10));
  t.is(key(`${'12345678'.repeat(9)}12e45678`), `${'12345678'.repeat(9)}12e45678`);
  t.is(key(`"${Array(40).fill('5A').join(':')}"`), '5a'.repeat(40));
});

test('which frames are hashed over what', (t) => {
  const types = (text: string): number => parseConfig(`rss: {hash_types: [${text}]}`, 'F').desired.rss.hashTypes;
  t.is(types('ipv4'), 1);
  t.is(types('sctp_ipv6, tcp_ipv4, udp_ipv6'), 0b1100_0010);
});

test('VLANs: untagged, tagged by the guest, access, trunk', (t) => {
  const vlans = (text: string): unknown => {
    const [vnic] = parseConfig(more(text), 'F').desired.vnics;
    return [vnic?.vlans, vnic?.access];
  };
  t.deepEqual(vlans('policy: software'), [[0], false]);
  t.deepEqual(vlans('vlan: 0'), [[0], false]);
  t.deepEqual(vlans('vlan: 4094'), [[4094], false]);
  t.deepEqual(vlans('vlan: {access: 7}'), [[7], true]);
  t.deepEqual(vlans('vlan: {trunk: [30, 0, 20]}'), [[0, 20, 30], false]);
});

test('addresses are kept in the form in which they read back from the maps', (t) => {
  const [vnic] = parseConfig(more('addresses: ["2001:DB8:0::10", fe80::1/64, 192.0.2.10, 10.9.8.7/8]'), 'F').desired.vnics;
  t.deepEqual(vnic?.addresses, ['192.0.2.10', '10.0.0.0/8', '2001:db8::10', 'fe80::/64']);
});

test('cut-through and shares of queues', (t) => {
  const of = (text: string): unknown => {
    const [vnic] = parseConfig(more(text), 'F').desired.vnics;
    return [vnic?.cutThrough, vnic?.weights];
  };
  t.deepEqual(of('cut_through: false'), ['off', []]);
  t.deepEqual(of('cut_through: auto, reta: equal'), ['auto', []]);
  t.deepEqual(of('cut_through: on, reta: {weights: [2, 0, 1, 0]}'), ['on', [2, 0, 1]]);
});

test('where metrics are served', (t) => {
  const listen = (text: string): unknown => parseConfig(`metrics: {listen: "${text}"}`, 'F').settings.metricsListen;
  t.deepEqual(listen('9435'), { host: '127.0.0.1', port: 9435 });
  t.deepEqual(parseConfig('metrics: {listen: 9435}', 'F').settings.metricsListen, { host: '127.0.0.1', port: 9435 });
  t.deepEqual(listen('0.0.0.0:80'), { host: '0.0.0.0', port: 80 });
  t.deepEqual(listen('[::1]:9435'), { host: '::1', port: 9435 });
  for (const bad of ['', 'host', '1.2.3.4:0', '1.2.3.4:70000', '::1:9435']) {
    t.regex(problems(`metrics: {listen: "${bad}"}`)[0] ?? '', /^F:1:19: metrics\.listen: ".*" is not an address and port/, bad);
  }
});

/** A vNIC in a file that is otherwise right. */
const withVnic = (vnic: string): string => `adapters: [{name: nic0, uplink: pf0, bridge: br0}]
vnics:
  # comment
  - ${vnic}
`;
const VNIC = '{name: g1, mac: "52:54:00:00:00:01", adapter: nic0, tap: tap-g1, guest: {netns: up-g1}}';
/** VNIC with one more key. */
const more = (keys: string): string => withVnic(VNIC.replace(/}$/, `, ${keys}}`));
const vnicWith = (from: string, to: string): string => withVnic(VNIC.replace(from, to));
const adapterWith = (keys: string): string => `adapters: [{name: n, uplink: u, bridge: b, ${keys}}]`;

/** Title; text in which a ▸ stands before each place that is complained of; complaints in that order. */
const refused: readonly (readonly [title: string, text: string, ...complaints: readonly string[]])[] = [
  ['an empty file', '▸', 'is empty; it must be a mapping with the keys adapters and vnics'],
  ['a list', '▸- a', 'must be a mapping with the keys adapters and vnics'],
  ['no YAML', 'a: [1\n▸b: 2', 'Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ['a key twice', 'xdp_mode: auto\n▸xdp_mode: native', 'Map keys must be unique'],
  ['an alias that names nothing', 'socket: *x', 'Unresolved alias (the anchor must be set before the alias): x'],
  ['an unknown key', '▸sockett: /x', 'sockett: unknown key; did you mean "socket"?'],
  [
    'an unknown key far from any',
    '▸colour: red',
    'colour: unknown key; known are: socket, read_socket, pins, state, metrics, flows_per_vnic, rss, patience, xdp_mode, hypervisors, discover, quotas, adapters, vnics',
  ],
  ['an unknown key of a vNIC', more('▸cut-through: true'), 'vnics[0].cut-through: unknown key; did you mean "cut_through"?'],
  ['an unknown key of limits', adapterWith('limits: {▸vf: 3}'), 'adapters[0].limits.vf: unknown key; did you mean "vfs"?'],
  ['a bad MAC address', vnicWith('"52:54:00:00:00:01"', '▸xx'), 'vnics[0].mac: "xx" is not a MAC address such as 52:54:00:12:34:56'],
  [
    'a multicast MAC address',
    vnicWith('"52:54', '▸"53:54'),
    'vnics[0].mac: 53:54:00:00:00:01 is a multicast MAC address; a vNIC needs a unicast one',
  ],
  ['a missing key', withVnic(`▸${VNIC.replace('tap: tap-g1, ', '')}`), 'vnics[0]: tap is missing; only that of a virtual machine is found by itself'],
  ['a guest of a kind that does not exist', withVnic('{name: g1, mac: "52:54:00:00:00:01", adapter: nic0, guest: ▸{▸domain: x}}'), 'vnics[0].guest.netns: is missing', 'vnics[0].guest.domain: unknown key; known are: netns, vm, mode'],
  ['a machine, and nobody to ask for it', withVnic('{name: g1, mac: "52:54:00:00:00:01", adapter: nic0, guest: ▸{vm: web}}'), 'vnics[0].guest: there is nobody to ask for it; say in hypervisors where: [{qmp: /run/vms/*.qmp}]'],
  ['a guest mode that does not exist', withVnic('{name: g1, mac: "52:54:00:00:00:01", adapter: nic0, guest: {vm: web, mode: ▸failover}}'), 'vnics[0].guest.mode: "failover" is none of: auto, net_failover, plugin'],
  ['a socket pattern with * in a folder', 'hypervisors: [{qmp: ▸/run/*/x.qmp}]', 'hypervisors[0].qmp: only the last part of the path may have a *'],
  ['a libvirt URI that is none', 'hypervisors: [{libvirt: ▸local}]', 'hypervisors[0].libvirt: "local" is no libvirt URI such as qemu:///system'],
  ['a model that no guest can use', 'adapters: [{name: n, uplink: u, bridge: b, vfs: [{port: p, model: ▸igb}]}]', 'adapters[0].vfs[0].model: "igb" is none of: vmxnet3, e1000e, rtl8139, e1000'],
  ['a key without value', 'adapters: [{name: n, uplink: ▸, bridge: b}]', 'adapters[0].uplink: must be text, not nothing'],
  ['a number for a name', vnicWith('g1', '▸7'), 'vnics[0].name: must be text, not a number; put it in quotes'],
  ['text for a list', 'adapters: ▸nic0', 'adapters: must be a list, not text'],
  ['VLAN too large', more('vlan: ▸4095'), 'vnics[0].vlan: 4095 is too large: at most 4094'],
  ['VLAN in a list', more('vlan: ▸[5]'), 'vnics[0].vlan: must be a mapping, not a list'],
  ['an access VLAN that is none', more('vlan: {access: ▸0}'), 'vnics[0].vlan.access: 0 is too small: at least 1'],
  [
    'a misspelt mode of a VLAN',
    more('vlan: ▸{▸acces: 5}'),
    'vnics[0].vlan.access: is missing',
    'vnics[0].vlan.acces: unknown key; did you mean "access"?',
  ],
  ['an empty trunk', more('vlan: {trunk: ▸[]}'), 'vnics[0].vlan.trunk: is empty: name at least one VLAN'],
  ['a VLAN twice in a trunk', more('vlan: {trunk: [5, 6, ▸5]}'), 'vnics[0].vlan.trunk[2]: the VLAN 5 is in the list already'],
  [
    'too many VLANs',
    more(`vlan: {trunk: ▸[${Array.from({ length: 17 }, (_, i) => i).join()}]}`),
    'vnics[0].vlan.trunk: 17 are more than a vNIC can have (16)',
  ],
  [
    'an address that is none',
    more('addresses: [192.0.2.1, ▸192.0.2.300, ▸"10.0.0.0/33"]'),
    'vnics[0].addresses[1]: "192.0.2.300" is not an IP address or prefix such as 192.0.2.1 or 2001:db8::/64',
    'vnics[0].addresses[2]: "10.0.0.0/33" has no prefix length in 0..32',
  ],
  ['an address twice', more('addresses: [fe80::/10, ▸"FE80::1/10"]'), 'vnics[0].addresses[1]: the address fe80::/10 is in the list already'],
  ['no address', more('addresses: ▸[]'), 'vnics[0].addresses: is empty: name at least one address'],
  [
    'too many addresses of a family',
    more(`addresses: ▸[${Array.from({ length: 17 }, (_, i) => `10.0.0.${i}`).join()}]`),
    'vnics[0].addresses: 17 IPv4 addresses; a vNIC has at most 16',
  ],
  ['cut-through that is neither', more('cut_through: ▸aut'), 'vnics[0].cut_through: "aut" is none of: auto, on, off; did you mean "auto"?'],
  ['weights that are all zero', more('reta: {weights: ▸[0, 0]}'), 'vnics[0].reta.weights: all weights are 0: no queue would get anything'],
  ['a weight too large', more('reta: {weights: [1, ▸256]}'), 'vnics[0].reta.weights[1]: 256 is too large: at most 255'],
  ['a misspelt key of reta', more('reta: {weights: [1], ▸weight: [1]}'), 'vnics[0].reta.weight: unknown key; did you mean "weights"?'],
  ['shares that are none', more('reta: ▸eqal'), 'vnics[0].reta: "eqal" is none of: equal; did you mean "equal"?'],
  ['a short RSS key', 'rss: {key: ▸6d5a}', 'rss.key: must be "random", "nic" or 80 hexadecimal digits; these are 4 characters'],
  ['an RSS key of zeros', `rss: {key: ▸"${'0'.repeat(80)}"}`, 'rss.key: a key of zeros would put every flow on one queue'],
  ['a hash type that is none', 'rss: {hash_types: [ipv4, ▸tcp_ip4]}', 'rss.hash_types[1]: "tcp_ip4" is no hash type; did you mean "tcp_ipv4"?'],
  ['VLAN with a fraction', more('vlan: ▸1.5'), 'vnics[0].vlan: 1.5 is not a whole number'],
  [
    'a policy that is none',
    more('policy: ▸accelerate'),
    'vnics[0].policy: "accelerate" is none of: accelerated, software; did you mean "accelerated"?',
  ],
  [
    'a device name too long',
    vnicWith('tap-g1', '▸tap-of-the-guest-g1'),
    'vnics[0].tap: "tap-of-the-guest-g1" is too long for a network interface: at most 15 characters',
  ],
  ['a device name that is an option', vnicWith('tap-g1', '▸"-all"'), 'vnics[0].tap: "-all" is not a name of a network interface'],
  ['a namespace outside its folder', vnicWith('up-g1', '▸"../x"'), 'vnics[0].guest.netns: "../x" is not a name of a network namespace'],
  ['more VFs than allowed', adapterWith('limits: {vfs: ▸255}'), 'adapters[0].limits.vfs: 255 is too large: at most 254'],
  ['more queues than allowed', adapterWith('limits: {queues: ▸2049}'), 'adapters[0].limits.queues: 2049 is too large: at most 2048'],
  ['flows not a power of two', 'flows_per_vnic: ▸1000', 'flows_per_vnic: must be a power of two, such as 4096'],
  ['too few flows', 'flows_per_vnic: ▸1', 'flows_per_vnic: 1 is too small: at least 64'],
  ['one socket for everything and for reading', 'socket: /run/x\nread_socket: ▸/run/x', 'read_socket: "/run/x" is used already by socket'],
  ['a relative socket', 'socket: ▸run/x.sock', 'socket: "run/x.sock" is not an absolute path'],
  ['a socket path that the kernel would cut', `socket: ▸/${'x'.repeat(107)}`, "socket: a socket's path has at most 107 bytes"],
  [
    'a VF that is no PCI address, and a rate above its limit',
    `adapters: [{name: n, uplink: u, bridge: b, vfs: [{pci: ▸"01:10.0"}]}]
vnics: [{name: g, mac: "52:54:00:00:00:01", adapter: n, tap: t, guest: {netns: x}, vf: {min_rate: ▸200, max_rate: 100}}]
`,
    'adapters[0].vfs[0].pci: "01:10.0" is not a PCI address such as 0000:01:00.0',
    'vnics[0].vf.min_rate: 200 is more than max_rate (100)',
  ],
  [
    'a VF twice',
    `adapters: [{name: n, uplink: u, bridge: b, vfs: [{pci: "0000:01:10.0"}]}, {name: m, uplink: v, bridge: b, vfs: [{pci: ▸"0000:01:10.0"}]}]
`,
    'adapters[1].vfs[0].pci: the device "0000:01:10.0" is used already by adapters[0].vfs[0].pci',
  ],
  ['a guest for which nobody has that much patience', 'patience: ▸101', 'patience: 101 is too large: at most 100'],
  ['an unknown adapter', vnicWith('nic0', '▸nci0'), 'vnics[0].adapter: there is no adapter "nci0"; did you mean "nic0"?'],
  ['an unknown adapter far from any', vnicWith('nic0', '▸ens1f1'), 'vnics[0].adapter: there is no adapter "ens1f1"; adapters are: nic0'],
  [
    'everything twice',
    `adapters:
  - {name: n, uplink: u, bridge: b, vfs: [{port: p, device: d}, {port: ▸p, device: ▸d}]}
  - {name: ▸n, uplink: ▸u, bridge: b}
vnics:
  - {name: g, mac: "52:54:00:00:00:01", adapter: n, tap: t, guest: {netns: x}}
  - {name: ▸g, mac: ▸"52:54:00:00:00:01", adapter: n, tap: ▸t, guest: {netns: x}}
  - {name: h, mac: "52:54:00:00:00:01", vlan: 2, adapter: n, tap: ▸u, guest: {netns: x}}
`,
    'adapters[0].vfs[1].port: the device "p" is used already by adapters[0].vfs[0].port',
    'adapters[0].vfs[1].device: the device "d" is used already by adapters[0].vfs[0].device',
    'adapters[1].name: the name "n" is used already by adapters[0].name',
    'adapters[1].uplink: the device "u" is used already by adapters[0].uplink',
    'vnics[1].name: the name "g" is used already by vnics[0].name',
    'vnics[1].mac: the MAC address 52:54:00:00:00:01 with VLAN 0 is used already by vnics[0].mac',
    'vnics[1].tap: the device "t" is used already by vnics[0].tap',
    'vnics[2].tap: the device "u" is used already by adapters[0].uplink',
  ],
  [
    'one VLAN of a trunk twice with a MAC address',
    `adapters: [{name: n, uplink: u, bridge: b}]
vnics:
  - {name: g, mac: "52:54:00:00:00:01", vlan: {trunk: [5, 6]}, adapter: n, tap: t, guest: {netns: x}}
  - {name: h, mac: ▸"52:54:00:00:00:01", vlan: {access: 6}, adapter: n, tap: s, guest: {netns: y}}
`,
    'vnics[1].mac: the MAC address 52:54:00:00:00:01 with VLAN 6 is used already by vnics[0].mac',
  ],
  [
    'several things at once, in the order of the file',
    withVnic('{name: g1, mac: ▸yy, adapter: nic0, guest: ▸{}}'),
    'vnics[0].mac: "yy" is not a MAC address such as 52:54:00:12:34:56',
    'vnics[0].guest.netns: is missing',
  ],
];

/** The text without its marks, and "line:column" of each. */
function unmark(marked: string): { text: string; places: string[] } {
  const places: string[] = [];
  const pieces = marked.split('▸');
  let text = pieces[0] ?? '';
  for (const piece of pieces.slice(1)) {
    const lines = text.split('\n');
    places.push(`${lines.length}:${(lines.at(-1) ?? '').length + 1}`);
    text += piece;
  }
  return { text, places };
}

for (const [title, marked, ...complaints] of refused) {
  test(`refused: ${title}`, (t) => {
    const { text, places } = unmark(marked);
    t.deepEqual(
      problems(text),
      complaints.map((complaint, i) => `F${places[i] === undefined ? '' : `:${places[i]}`}: ${complaint}`),
    );
  });
}

test('refused: more than 254 VFs listed, more than 1023 vNICs', (t) => {
  const vfs = Array.from({ length: 255 }, (_, i) => ({ port: `p${i}`, device: `d${i}` }));
  t.regex(
    problems(stringify({ adapters: [{ name: 'n', uplink: 'u', bridge: 'b', vfs }] }))[0] ?? '',
    /adapters\[0\]\.vfs: 255 VFs are more than/,
  );
  const vnics = Array.from({ length: 1024 }, (_, i) => ({
    name: `g${i}`,
    mac: `52:54:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
    adapter: 'n',
    tap: `t${i}`,
    guest: { netns: `g${i}` },
  }));
  const adapters = [{ name: 'n', uplink: 'u', bridge: 'b' }];
  t.regex(problems(stringify({ adapters, vnics }))[0] ?? '', /vnics: 1024 vNICs are more than a host can have \(1023\)/);
  t.deepEqual(problems(stringify({ adapters, vnics: vnics.slice(1) })), ['no problem']);
});

test('files that cannot be read say what to do', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-config-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  await t.throwsAsync(loadConfig(join(folder, 'none.yaml')), {
    message: `${join(folder, 'none.yaml')}: no such file; write one, or name another`,
  });
  await t.throwsAsync(loadConfig(folder), { message: `${folder}: is a folder; name the file in it` });
  writeFileSync(join(folder, 'x.yaml'), GOOD);
  t.is((await loadConfig(join(folder, 'x.yaml'))).desired.vnics.length, 2);
});

test('whatever the text is, it is read or refused in words', (t) => {
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.double());
  const keys = fc.constantFrom('adapters', 'vnics', 'name', 'mac', 'vfs', 'limits', 'metrics', 'listen', 'rss', 'key', 'vlan', 'trunk', 'addresses', 'reta', '__proto__', 'guest');
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, scalar, fc.array(tie('tree'), { maxLength: 3 }), fc.dictionary(keys, tie('tree'), { maxKeys: 5 })),
  }));
  const attempt = (text: string): void => {
    try {
      parseConfig(text, 'F');
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      t.true(error.problems.length > 0 && error.problems.every(({ message }) => message !== ''));
    }
  };
  fc.assert(fc.property(tree, (value) => attempt(stringify(value))));
  fc.assert(fc.property(fc.string(), attempt));
  t.pass();
});
