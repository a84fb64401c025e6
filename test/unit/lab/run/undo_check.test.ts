import test from 'ava';
import { remains } from '../../../../src/lab/run/undo_check.js';

const mac = '52:54:00:77:00:01';
const clean = [{ ifname: 'pf0', master: 'br0' }, { ifname: 'vfp0' }, { ifname: 'vf0' }];
const learnt = [
  { mac, ifname: 'tap-g1' },
  { mac: '33:33:00:00:00:01', ifname: 'br0', state: 'permanent' },
];

test('a host as it was before', (t) => {
  t.deepEqual(remains(clean, learnt, 1, [mac]), []);
});

test('each thing that unipathd puts on a host is missed when it stays', (t) => {
  t.deepEqual(remains([{ ifname: 'pf0', xdp: {} }, ...clean.slice(1)], learnt, 1, [mac]), ['an XDP program is attached to pf0']);
  t.deepEqual(remains([{ ifname: 'vfp0', master: 'br0' }, { ifname: 'vf0' }], [], 1, [mac]), ['vfp0 is a port of br0']);
  t.deepEqual(remains([{ ifname: 'vfp0' }], [], 1, [mac]), ['vf0 is not back on the host']);
  for (const entry of [{ state: 'static' }, { state: '', flags: ['extern_learn'] }]) {
    t.deepEqual(remains(clean, [{ mac, ifname: 'tap-g1', ...entry }], 1, [mac]), [`the FDB entry of ${mac} stays on tap-g1`]);
  }
});
