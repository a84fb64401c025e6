import test from 'ava';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { changesOf } from '../../../src/config/changes.js';
import { type FileForm, fileFormOf } from '../../../src/config/file_form.js';
import { parseConfig } from '../../../src/config/load.js';

const FILE = `
metrics: {listen: "[::1]:9435"}
rss: {hash_types: [ipv4, tcp_ipv4]}
hypervisors: [{qmp: "/run/vms/*.qmp"}, {libvirt: "qemu:///system"}]
discover: {}
adapters:
  - {name: nic0, uplink: pf0, bridge: br0, vfs: [{port: vfp0, device: vf0}, {port: vfp1, model: e1000e}]}
vnics:
  - {name: g1, mac: "52:54:00:00:00:01", adapter: nic0, tap: tap-g1, guest: {netns: n1}}
  - {name: g2, mac: "52:54:00:00:00:02", adapter: nic0, guest: {vm: web}, vlan: {access: 7}, addresses: [2001:db8::1, 192.0.2.1]}
  - {name: g3, mac: "52:54:00:00:00:03", adapter: nic0, guest: {vm: db, mode: plugin}, vlan: {trunk: [9, 0]}, cut_through: true, reta: {weights: [2, 1]}}
`;

test('with everything that the file leaves out', (t) => {
  const form = fileFormOf(parseConfig(FILE, 'F'));
  t.like(form, {
    socket: '/run/unipath/unipath.sock', metrics: { listen: '[::1]:9435' }, flows_per_vnic: 4096, xdp_mode: 'auto',
    rss: { key: 'random', hash_types: ['ipv4', 'tcp_ipv4'] }, discover: { policy: 'accelerated' },
  });
  t.deepEqual((form['adapters'] as FileForm[])[0], {
    name: 'nic0', uplink: 'pf0', bridge: 'br0', limits: { vfs: 254, queues: 2048, per_pf: {} }, placement: 'pack', idle_seconds: 60,
    vfs: [{ port: 'vfp0', device: 'vf0' }, { port: 'vfp1', model: 'e1000e' }],
  });
  const [g1, g2, g3] = form['vnics'] as FileForm[];
  t.deepEqual(g1, {
    name: 'g1', mac: '52:54:00:00:00:01', vlan: 0, adapter: 'nic0', tap: 'tap-g1', guest: { netns: 'n1' }, policy: 'accelerated', priority: 0, cut_through: 'auto',
    reta: 'equal',
  });
  t.like(g2, { vlan: { access: 7 }, guest: { vm: 'web', mode: 'auto' }, addresses: ['192.0.2.1', '2001:db8::1'] });
  t.like(g3, { vlan: { trunk: [0, 9] }, cut_through: 'on', reta: { weights: [2, 1] } });
});

const vlan = fc.oneof(fc.nat(4094), fc.record({ access: fc.integer({ min: 1, max: 4094 }) }), fc.record({ trunk: fc.uniqueArray(fc.nat(4094), { minLength: 1, maxLength: 16 }) }));
const file = fc.record(
  {
    xdp_mode: fc.constantFrom('auto', 'native', 'generic'),
    metrics: fc.record({ listen: fc.oneof(fc.integer({ min: 1, max: 65535 }), fc.constantFrom('[::]:80', 'localhost:9435')) }),
    flows_per_vnic: fc.constantFrom(64, 1024),
    discover: fc.record({ policy: fc.constantFrom('software', 'accelerated') }),
    rss: fc.record({ key: fc.constantFrom('nic', 'random', 'ab'.repeat(40)), hash_types: fc.constant(['udp_ipv6']) }, { requiredKeys: [] }),
    quotas: fc.constant([{ name: 'blue', vfs: 3 }]),
    adapters: fc.constant([{
      name: 'nic0', uplink: 'pf0', bridge: 'br0', vfs: [{ port: 'p', model: 'rtl8139', pf: 'left', numa_node: 1 }, { pci: '0000:01:10.0' }],
      limits: { vectors: 9, per_pf: { queues: 8 } }, placement: 'near', idle_seconds: 3,
    }]),
    vnics: fc.array(fc.record({ vlan, cut_through: fc.constantFrom('auto', true, false), reta: fc.constantFrom('equal', { weights: [0, 3] }), max_rate: fc.constant(7), priority: fc.integer({ min: -3, max: 3 }), numa_node: fc.nat(2), vf: fc.constantFrom({ trust: true }, { max_rate: 5 }) }, { requiredKeys: [] }), { maxLength: 3 })
      .map((all) => all.map((more, i) => ({ name: `g${i}`, mac: `52:54:00:00:00:0${i}`, adapter: 'nic0', tap: `tap${i}`, guest: { netns: 'n' }, ...more }))),
  },
  { requiredKeys: ['adapters'] },
);

test('read again it is the same configuration, and nothing has changed', (t) => {
  fc.assert(
    fc.property(file, (content) => {
      const config = parseConfig(stringify(content), 'F');
      const form = fileFormOf(config);
      t.deepEqual(parseConfig(stringify(form), 'F'), config);
      t.deepEqual(changesOf(form, fileFormOf(parseConfig(stringify(form), 'F'))), []);
    }),
    { numRuns: 50 },
  );
});

test('what a reload would change, key by key, and what only the next start', (t) => {
  const before = fileFormOf(parseConfig(FILE, 'F'));
  const after = fileFormOf(parseConfig(
    FILE.replace('discover: {}', 'xdp_mode: generic').replace('tap: tap-g1', 'tap: tap9').replace(', {port: vfp1, model: e1000e}', '')
      .replace('name: g2', 'name: g4').replace('hash_types: [ipv4,', 'hash_types: [').replace('bridge: br0', 'bridge: br0, limits: {vfs: 3}'),
    'F',
  ));
  const seen = changesOf(before, after).map(({ change, object, key, before: was, after: is, takes_effect }) =>
    [change, object, key, ...(key === null ? [] : [was, is]), takes_effect]);
  t.deepEqual(seen, [
    ['changed', null, 'rss.hash_types', ['ipv4', 'tcp_ipv4'], ['tcp_ipv4'], 'reload'],
    ['changed', null, 'xdp_mode', 'auto', 'generic', 'start'],
    ['removed', null, 'discover', { policy: 'accelerated' }, null, 'reload'],
    ['changed', 'adapter nic0', 'limits.vfs', 254, 3, 'reload'],
    ['changed', 'adapter nic0', 'vfs', [{ port: 'vfp0', device: 'vf0' }, { port: 'vfp1', model: 'e1000e' }], [{ port: 'vfp0', device: 'vf0' }], 'reload'],
    ['changed', 'vnic g1', 'tap', 'tap-g1', 'tap9', 'reload'],
    ['removed', 'vnic g2', null, 'reload'],
    ['added', 'vnic g4', null, 'reload'],
  ]);
});
