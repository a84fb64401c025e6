import test from 'ava';
import { describeAction, undosOf, type Action } from '../../../src/core/actions.js';
import { parseMacAddress, type VnicRow } from '../../../src/core/model.js';

const mac = parseMacAddress('52:54:00:00:00:01');
const row: VnicRow = {
  mac,
  vlans: [0],
  access: false,
  addresses: null,
  maxRate: null,
  tapIfindex: 3,
  vfIfindex: 0,
  uplinkIfindex: 1,
  tapFrameMax: 1514,
  vfFrameMax: 0,
  uplinkFrameMax: 1514,
  tapMultiBuffer: false,
  vfMultiBuffer: false,
  uplinkMultiBuffer: false,
  vfNoTransmit: false,
  uplinkNoTransmit: false,
  cutThrough: false,
  plugin: true,
  operatorWant: null,
};
const flags = { learning: false, flood: false, multicastFlood: false, broadcastFlood: false };
const steering = { queues: 1, reta: [], queueCpus: [0], hashTypes: 0x77, rssRow: 0, nicHash: false };

/** Whose undo's undo is the action itself. */
const reversible: readonly Action[] = [
  { kind: 'attach-program', program: 'steer_guest', ifindex: 3, device: 'tap-g1', mode: 'as-configured' },
  { kind: 'detach-program', program: 'steer_uplink', ifindex: 1, device: 'pf0' },
  { kind: 'write-vnic', vnic: 1, row, before: null },
  { kind: 'write-vnic', vnic: 1, row: { ...row, vfIfindex: 7 }, before: row },
  { kind: 'write-port', ifindex: 3, device: 'tap-g1', owner: { vnic: 1, role: 'tap' }, before: null },
  { kind: 'write-tx-port', ifindex: 3, device: 'tap-g1', allowed: true },
  { kind: 'write-steering', vnic: 1, role: 'tap', row: steering, before: null },
  { kind: 'add-fdb', entry: { mac, vlan: 0, device: 'tap-g1' } },
  { kind: 'delete-fdb', entry: { mac, vlan: 0, device: 'tap-g1' } },
  { kind: 'set-link', device: 'vfp0', change: { bridge: 'br0' }, before: { bridge: null } },
  { kind: 'set-bridge-port-flags', device: 'vfp0', flags, before: { ...flags, flood: true } },
];

for (const action of reversible) {
  test(`the undo of the undo: ${describeAction(action)}`, (t) => {
    const [undo, ...more] = undosOf(action);
    t.deepEqual(more, []);
    t.truthy(undo);
    if (undo !== undefined) t.deepEqual(undosOf(undo), [action]);
  });
}

test('a guest that was given a VF is taken off it before the VF is taken back', (t) => {
  const guest = { kind: 'netns', netns: 'ns-g1' } as const;
  const vf = { kind: 'netdev', port: 'vfp0', device: 'vf0' } as const;
  t.deepEqual(
    undosOf({ kind: 'plug-vf', vnic: 1, guest, vf, mac }).map((undo) => undo.kind),
    ['go-software', 'unplug-vf'],
  );
  t.deepEqual(undosOf({ kind: 'unplug-vf', guest, vf }), []);
});

test('flags of a port that was in no bridge go with the bridge', (t) => {
  t.deepEqual(undosOf({ kind: 'set-bridge-port-flags', device: 'vfp0', flags, before: null }), []);
});
