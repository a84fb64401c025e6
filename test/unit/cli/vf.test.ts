import test from 'ava';
import { run } from '../../support/cli.js';
import { fakeDaemon } from '../../support/control_socket.js';
import { adapterStatus, vfStatus, vnicStatus } from '../../support/fake_controller.js';

const POOL = adapterStatus({
  vfs: [
    vfStatus({ state: 'used', owner: 'g1', vectors: 3, pf: '0000:03:00.0', numa_node: 1 }),
    vfStatus({ port: 'vfp1', device: 'vf1', state: 'reserved', owner: 'g2', lease_seconds: 90 }),
    vfStatus({ port: 'vfp2', device: 'vf2', state: 'quarantined', quarantine: { reason: 'drops frames', by: 'operator' } }),
  ],
});

test('vf show: whose each is, for whom it is kept, why it is not handed out', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  controller.adapters = [POOL];
  t.is(
    (await run(`-S ${socket} vf show`)).out,
    [
      'PORT  ADAPTER  DEVICE  STATE        QUEUES  MSI-X  PF            NUMA  VNIC  NOTE',
      'vfp0  nic0     vf0     used              4      3  0000:03:00.0     1  g1    -',
      'vfp1  nic0     vf1     reserved          4      -  -                -  g2    for 90 s more',
      'vfp2  nic0     vf2     quarantined       4      -  -                -  -     by the operator: drops frames',
      '',
    ].join('\n'),
  );
  t.regex((await run(`-S ${socket} vf show vfp2`)).out, /quarantine +by the operator: drops frames\n +to hand it out again: unipath vf release vfp2\n/);
  t.like(JSON.parse((await run(`-S ${socket} -j vf show vfp1`)).out), { vfs: [{ port: 'vfp1', adapter: 'nic0', state: 'reserved', lease_seconds: 90 }] });
  t.regex((await run(`-S ${socket} vf show vpf1`)).err, /there is no VF "vpf1"\n {2}did you mean "vfp1"/);
  controller.quotas = [{ name: 'blue', vfs_used: 1, vfs_limit: 4, queues_used: 4, queues_limit: null, vectors_used: 3, vectors_limit: 64 }];
  t.regex((await run(`-S ${socket} adapter show nic0`)).out, /QUOTA {2}VFS {2}QUEUES {2}MSI-X\nblue +1\/4 +4\/- +3\/64\n/);
});

test('vf quarantine and release: what would be done, what was done, and what is none', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  controller.adapters = [POOL];
  t.is((await run(`-S ${socket} vf quarantine vfp0 --reason slow --dry-run`)).out, 'vfp0 would be taken back from g1, and handed out no more\n');
  t.is((await run(`-S ${socket} vf release vfp2 --dry-run`)).out, 'vfp2 would be handed out again\n');
  t.deepEqual(controller.calls, []);
  t.is((await run(`-S ${socket} vf quarantine vfp1 --reason slow`)).out, 'vfp1 is in quarantine\n');
  t.is((await run(`-S ${socket} vf release vfp2`)).code, 0);
  t.deepEqual(controller.calls, ['quarantine vfp1 slow', 'quarantine vfp2 null']);
  t.deepEqual(await run(`-S ${socket} vf release vfp0`), { code: 1, out: '', err: 'unipath: VF vfp0 is not in quarantine\n  nothing was changed\n' });
  t.is((await run(`-S ${socket} vf quarantine vfp0`)).code, 2);
});

test('vnic reserve: for how long, until when, and the end of it', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  t.is((await run(`-S ${socket} vnic reserve g2 --lease 30 --dry-run`)).out, 'a VF would be reserved for g2 for 30 s\n');
  t.deepEqual(controller.calls, []);
  t.is((await run(`-S ${socket} vnic reserve g2`)).out, 'reserved for g2: vfp1, as the operator asked, for 120 s more at most\n');
  t.is((await run(`-S ${socket} vnic reserve g2 --end`)).out, 'nothing is reserved for g2\n');
  t.is((await run(`-S ${socket} vnic reserve g1`)).out, 'g1 has vfp0: nothing is to be reserved for it\n');
  for (const lease of ['0', '3601']) t.like(await run(`-S ${socket} vnic reserve g2 --lease ${lease}`), { code: 2, err: `unipath: --lease ${lease}: not from 0.001 to 3600 seconds\n` });
  controller.vnics = [vnicStatus({ terms: { quota: 'blue', priority: 7, numa_node: null }, reservation: { vf: null, lease_seconds: 9, by: 'migration' } })];
  const shown = (await run(`-S ${socket} vnic show g1`)).out;
  t.regex(shown, /priority +7\nquota +blue\nNUMA node +-\nreserved +a VF, as soon as one is free, until its guest is here, for 9 s more at most\n/);
});
