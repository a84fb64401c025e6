import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { DEFAULT_TERMS, type PoolTerms } from '../../../src/core/model.js';
import type { Quarantines } from '../../../src/core/quarantine.js';
import { QuarantineFile } from '../../../src/reconcile/quarantine_file.js';
import type { Reconciler } from '../../../src/reconcile/reconciler.js';
import { Site, summary } from '../../support/fake_site.js';

const ranked = (...priorities: readonly number[]) => (guest: number): PoolTerms => ({ ...DEFAULT_TERMS, priority: priorities[guest - 1] ?? 0 });
const states = (reconciler: Reconciler): string[] => reconciler.adapterStatus().flatMap(({ vfs }) => vfs.map(({ port, state, owner }) => `${port} ${state} ${owner ?? '-'}`));

test('who has the higher priority is served first', async (t) => {
  const site = new Site({ guests: 3, vfs: 2, terms: ranked(0, 0, 1) });
  t.deepEqual(summary(await site.started()), ['g1 accelerated accelerated none vfp1', 'g2 software software no_free_vf -', 'g3 accelerated accelerated none vfp0']);
});

test('a vNIC that has been idle for long gives its VF up for one of higher priority; one that is busy does not', async (t) => {
  const site = new Site({ guests: 2, vfs: 1, terms: ranked(0, 1), rules: { idleMs: 30_000 } });
  const reconciler = site.reconciler();
  await site.clock.run(reconciler.start());
  const busy = [...reconciler.vnicIds()].find(([, name]) => name === 'g1')?.[0] ?? 0;
  site.dataPlane.frames = (id) => (id === busy ? Math.floor(site.clock.nowMs()) : 0);
  await site.clock.run(reconciler.want('g2', 'software', 1000));
  await site.clock.advance(500);
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp0', 'g2 software software operator_software -']);
  await site.clock.run(reconciler.want('g2', null, 0));
  await site.clock.advance(60_000);
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp0', 'g2 software software no_free_vf -']);
  const frames = site.dataPlane.frames(busy);
  site.dataPlane.frames = () => frames;
  await site.clock.advance(29_000);
  t.is(summary(reconciler)[0], 'g1 accelerated accelerated none vfp0');
  await site.clock.advance(9000);
  t.deepEqual(summary(reconciler), ['g1 software software preempted -', 'g2 accelerated accelerated none vfp0']);
  const { conditions } = await site.clock.run(reconciler.why('g1'));
  const pool = conditions.find(({ name }) => name === 'vf_pool');
  t.deepEqual([pool?.reason, pool?.remedy], ['preempted', 'while it was idle its VF went to a vNIC of higher priority; it gets the next one that is given back (it went to g2)']);
  // It has the next one.
  await site.clock.run(reconciler.want('g2', 'software', 5000));
  await site.clock.advance(1000);
  t.is(summary(reconciler)[0], 'g1 accelerated accelerated none vfp0');
  t.deepEqual(site.faults.violations, []);
});

test('vNICs that share a quota have no more than that together', async (t) => {
  const blue = (): PoolTerms => ({ ...DEFAULT_TERMS, quota: 'blue' });
  const site = new Site({ guests: 3, vfs: 3, vfQueues: 2, quotas: [{ name: 'blue', ceilings: { queues: 5 } }], terms: blue });
  const reconciler = await site.started();
  t.is(summary(reconciler)[2], 'g3 software software quota_exhausted -');
  t.like(reconciler.quotaStatus()[0], { name: 'blue', vfs_used: 2, vfs_limit: null, queues_used: 4, queues_limit: 5 });
  const { conditions } = await site.clock.run(reconciler.why('g3'));
  t.is(
    conditions.find(({ name }) => name === 'budget')?.fact,
    '2 of at most 254 VFs and 4 of at most 2048 queues of nic0 are handed out; 4 of at most 5 queues of quota blue are handed out',
  );
});

test('MSI-X vectors and PFs are seen, and counted', async (t) => {
  const site = new Site({ guests: 3, vfs: 3, limits: { vfs: 9, queues: 99, vectors: 6 }, rules: { placement: 'spread' } });
  for (const [index, pf] of ['0000:03:00.0', '0000:03:00.0', '0000:04:00.0'].entries()) site.host.origins.set(`vfp${index}`, { pf, numaNode: 1, vectors: 3 });
  const reconciler = await site.started();
  t.deepEqual(states(reconciler), ['vfp0 used g1', 'vfp1 free -', 'vfp2 used g2']);
  t.is(summary(reconciler)[2], 'g3 software software vector_budget_exhausted -');
  t.like(reconciler.adapterStatus()[0], { vectors_used: 6, vectors_limit: 6, placement: 'spread' });
});

test('a VF near the node that its guest was seen on, unless the configuration says another; where a guest goes later, its VF stays', async (t) => {
  const near = { limits: { vfs: 9, queues: 99 }, rules: { placement: 'near' } } as const;
  const site = new Site({ guests: 2, vfs: 4, ...near });
  for (const [index, numaNode] of [0, 0, 1, 1].entries()) site.host.origins.set(`vfp${index}`, { pf: null, numaNode, vectors: null });
  site.hypervisor.nodes.set('ns-g1', 1);
  const reconciler = await site.started();
  t.deepEqual(states(reconciler), ['vfp0 used g2', 'vfp1 free -', 'vfp2 used g1', 'vfp3 free -']);
  t.deepEqual(reconciler.vnicStatus().map(({ terms }) => terms.numa_node), [1, null]);
  site.hypervisor.nodes.set('ns-g1', 0);
  await site.clock.advance(10_000);
  t.is(states(reconciler)[2], 'vfp2 used g1');
});

test('for a guest on its way here a VF is kept, until it has it or the lease is over', async (t) => {
  const site = new Site({ guests: 2, vfs: 1 });
  site.hypervisor.incoming.add('ns-g1');
  const reconciler = await site.started();
  t.deepEqual(summary(reconciler), ['g1 absent software guest_incoming -', 'g2 software software vf_reserved -']);
  t.deepEqual(states(reconciler), ['vfp0 reserved g1']);
  t.deepEqual(reconciler.vnicStatus()[0]?.reservation, { vf: 'vfp0', lease_seconds: 120, by: 'migration' });
  site.hypervisor.incoming.delete('ns-g1');
  await site.clock.advance(4000);
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp0', 'g2 software software no_free_vf -']);
  t.is(reconciler.vnicStatus()[0]?.reservation, null);

  const late = new Site({ guests: 2, vfs: 1 });
  late.hypervisor.incoming.add('ns-g1');
  const waiting = await late.started();
  await late.clock.advance(118_000);
  t.is(summary(waiting)[1], 'g2 software software vf_reserved -');
  await late.clock.advance(6000);
  t.deepEqual(summary(waiting), ['g1 absent software guest_incoming -', 'g2 accelerated accelerated none vfp0']);
  // No new lease begins while the guest stays away.
  await late.clock.run(waiting.want('g2', 'software', 5000));
  await late.clock.advance(3000);
  t.deepEqual(states(waiting), ['vfp0 free -']);
});

test('whoever is killed keeps nothing: the guest that is on its way is seen again', async (t) => {
  const site = new Site({ guests: 2, vfs: 1 });
  site.hypervisor.incoming.add('ns-g1');
  const first = site.killable();
  await site.clock.run(first.reconciler.start());
  await site.clock.advance(60_000);
  first.kill();
  const reconciler = await site.started();
  t.like(reconciler.vnicStatus()[0]?.reservation, { vf: 'vfp0', lease_seconds: 120 });
  t.deepEqual(states(reconciler), ['vfp0 reserved g1']);
});

test("the operator's reservation: for as long as asked, and ended when asked", async (t) => {
  const site = new Site({ guests: 2, vfs: 1, policy: 'software' });
  const reconciler = await site.started();
  const kept = await site.clock.run(reconciler.reserve('g1', 10_000));
  t.deepEqual(kept.reservation, { vf: 'vfp0', lease_seconds: 10, by: 'operator' });
  await site.clock.run(reconciler.want('g2', 'accelerated', 1000));
  t.is(summary(reconciler)[1], 'g2 software software vf_reserved -');
  t.is((await site.clock.run(reconciler.reserve('g1', 0))).reservation, null);
  await site.clock.advance(1000);
  t.is(summary(reconciler)[1], 'g2 accelerated accelerated none vfp0');
  await site.clock.run(reconciler.reserve('g1', 3000));
  await site.clock.run(reconciler.want('g2', 'software', 5000));
  await site.clock.advance(500);
  t.deepEqual(states(reconciler), ['vfp0 reserved g1']);
  await site.clock.advance(5000);
  t.deepEqual(states(reconciler), ['vfp0 free -']);
  await t.throwsAsync(reconciler.reserve('g9', 1000), { name: 'UnknownNameError' });
});

/** A store in memory. */
function memory(): { read(): Quarantines; write(all: Quarantines): void } {
  let kept: Quarantines = new Map();
  return { read: () => kept, write: (all) => void (kept = new Map(all)) };
}

test('a VF that the operator puts into quarantine is taken back and handed out no more, also by the next daemon, until it is released', async (t) => {
  const site = new Site({ guests: 1, vfs: 2 });
  const quarantines = memory();
  const first = site.killable({ quarantines });
  await site.clock.run(first.reconciler.start());
  await site.clock.advance(500);
  t.like(await site.clock.run(first.reconciler.quarantine('vfp0', 'drops frames')), { state: 'quarantined', quarantine: { reason: 'drops frames', by: 'operator' } });
  await site.clock.advance(1000);
  t.deepEqual(summary(first.reconciler), ['g1 accelerated accelerated none vfp1']);
  await site.clock.run(first.reconciler.quarantine('vfp1', 'this one, too'));
  await site.clock.advance(1000);
  t.deepEqual(summary(first.reconciler), ['g1 software software vf_quarantined -']);
  first.kill();
  const reconciler = await site.started({ quarantines });
  t.deepEqual([summary(reconciler), states(reconciler)], [['g1 software software vf_quarantined -'], ['vfp0 quarantined -', 'vfp1 quarantined -']]);
  t.like(await site.clock.run(reconciler.quarantine('vfp1', null)), { quarantine: null });
  await site.clock.advance(1000);
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp1']);
  await t.throwsAsync(reconciler.quarantine('vfp1', null), { message: 'VF vfp1 is not in quarantine' });
  await t.throwsAsync(reconciler.quarantine('vpf1', 'x'), { message: 'there is no VF "vpf1"' });
  await site.clock.run(reconciler.down());
  t.is(quarantines.read().size, 0);
  t.deepEqual(site.faults.violations, []);
});

test('a VF that dies again and again, of several vNICs, goes into quarantine; while no other works, it is given another chance', async (t) => {
  const dying = async (site: Site, reconciler: Reconciler): Promise<string | null> => {
    for (let round = 0; round < 6; round++) {
      site.host.change('vfp0', { cut: true });
      await site.clock.advance(700);
      site.host.change('vfp0', { cut: false });
      await site.clock.advance(9000);
    }
    return reconciler.adapterStatus()[0]?.vfs[0]?.quarantine?.reason ?? null;
  };
  const site = new Site({ guests: 3, vfs: 2 });
  const reconciler = await site.started();
  t.regex((await dying(site, reconciler)) ?? '', /^failed 3 times in a row, for g\d, g\d; last: the VF behind vfp0 vanished, lost its link or left the guest$/);
  t.is(summary(reconciler).filter((line) => line.includes('vf_quarantined')).length, 2);
  const alone = new Site({ guests: 2, vfs: 1 });
  t.is(await dying(alone, await alone.started()), null);
});

test('the file of quarantines: there while there are any; one that cannot be read is said, and stops nothing', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-quarantine-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const warnings: string[] = [];
  const file = new QuarantineFile(join(folder, 'unipath.sock'), (message) => void warnings.push(message));
  t.deepEqual([...file.read()], []);
  file.write(new Map([['vfp0', { reason: 'dies', by: 'unipath' }]]));
  t.deepEqual([...file.read()], [['vfp0', { reason: 'dies', by: 'unipath' }]]);
  t.deepEqual(readdirSync(folder), ['quarantine.json']);
  file.write(new Map());
  t.deepEqual(readdirSync(folder), []);
  writeFileSync(join(folder, 'quarantine.json'), '{"vfp0": 7}');
  t.deepEqual([[...file.read()], warnings.length], [[], 1]);
});
