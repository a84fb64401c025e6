/** Live frames: what the programs decide is what arrives, on the queue they counted, also by way of another CPU. */
import { join } from 'node:path';
import { onlineCpus } from '../../src/native/cpus.js';
import { packageRoot } from '../../src/paths.js';
import { createNetns, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const scenarios = new URL('./live_scenarios.js', import.meta.url);
const liveTest = testWith(
  needs.root(), needs.tool('ip'), needs.tool('nsenter'), needs.tool('taskset'),
  needs.file(join(packageRoot, 'bpf', 'probe.bpf.o'), 'bpf/probe.bpf.o (make -C bpf)'), onlineCpus().includes(1) ? null : 'CPU 1',
);

interface Seen {
  readonly sent: number;
  readonly arrived: readonly number[];
  readonly counted: Readonly<Record<string, number>>;
}

const run = async (netns: string, scenario: string): Promise<Seen> => (await runModuleIn(netns, scenarios, scenario)) as Seen;

liveTest('one queue: every frame arrives at the VF', async (t) => {
  const { sent, arrived, counted } = await run(createNetns(t), 'single');
  t.is(arrived.reduce((sum, count) => sum + count), sent);
  t.is(counted['g1 redirect_single'], sent);
});

for (const [scenario, where] of [['rss', 'vf'], ['rssOnTap', 'tap']] as const) {
  liveTest(`RSS: frames arrive on the queue that was counted (${where})`, async (t) => {
    const { sent, arrived, counted } = await run(createNetns(t), scenario);
    t.is(counted['g1 redirect_rss'], sent);
    t.deepEqual(arrived, [counted[`g1 ${where} queue 0`], counted[`g1 ${where} queue 1`], 0, 0]);
    t.true(arrived[0]! > 0 && arrived[1]! > 0, `both queues are used: ${arrived.join(', ')}`);
    t.true((counted['g1 cpu handovers'] ?? 0) > 0, 'and some frames go by way of the other CPU');
  });
}

// Two of the flows may share a slot of the bed's small flow table; the second is then not learnt and goes by RSS.
liveTest('RFS: frames arrive on the queue on which the guest sends', async (t) => {
  const { sent, arrived, counted } = await run(createNetns(t), 'rfs');
  const [hits, misses] = [counted['g1 redirect_rfs'] ?? 0, counted['g1 redirect_rss'] ?? 0];
  t.is(hits + misses, sent);
  t.true(hits > sent / 4, `${hits} of ${sent} frames by RFS`);
  t.deepEqual(arrived, [misses, hits, 0, 0]);
});

liveTest('the second stage counts the frames for which it finds no port', async (t) => {
  const { sent, arrived, counted } = await run(createNetns(t), 'secondStageWithoutTarget');
  t.deepEqual(arrived, [0, 0, 0, 0]);
  t.is(counted['g1 cpu handovers'], sent);
  t.is(counted['g1 pass_no_target'], sent);
});
