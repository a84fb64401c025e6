import test from 'ava';
import type { AdapterMake } from '../../../../src/lab/model.js';
import { remains } from '../../../../src/lab/run/undo_check.js';

const make: AdapterMake = { name: 'A', vfs: 1, queuesPerVf: 2, uplinkQueues: 2, model: null };
const mac = '52:54:00:77:00:01';
const clean = [{ ifname: 'pf0', master: 'br0' }, { ifname: 'vfp0' }, { ifname: 'vf0' }];
const learnt = [
  { mac, ifname: 'tap-g1' },
  { mac: '33:33:00:00:00:01', ifname: 'br0', state: 'permanent' },
];

test('a host as it was before', (t) => {
  t.deepEqual(remains(clean, learnt, make, [mac]), []);
});

test('each thing that unipathd puts on a host is missed when it stays', (t) => {
  t.deepEqual(remains([{ ifname: 'pf0', xdp: {} }, ...clean.slice(1)], learnt, make, [mac]), ['an XDP program is attached to pf0']);
  t.deepEqual(remains([{ ifname: 'vfp0', master: 'br0' }, { ifname: 'vf0' }], [], make, [mac]), ['vfp0 is a port of br0']);
  t.deepEqual(remains([{ ifname: 'vfp0' }], [], make, [mac]), ['vf0 is not back on the host']);
  for (const entry of [{ state: 'static' }, { state: '', flags: ['extern_learn'] }]) {
    t.deepEqual(remains(clean, [{ mac, ifname: 'tap-g1', ...entry }], make, [mac]), [`the FDB entry of ${mac} stays on tap-g1`]);
  }
});

test('what QEMU made in the place of a VF has no device that could be missed', (t) => {
  t.deepEqual(remains([{ ifname: 'pf0', master: 'br0' }, { ifname: 'vfp0' }], [], { ...make, model: 'vmxnet3' }, [mac]), []);
});
