/** The queue that was computed is where the frame arrives, to the last frame; and a flow that changes its queue stays in order. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { onlineCpus } from '../../src/native/cpus.js';
import { hostObjectPath } from '../../src/paths.js';
import { createNetns, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';
import { queuesObjectPath } from './live_frames.js';
import type { Exactness, Ordered, QueueRun } from './queues_model.js';

const scenarios = new URL('./queues_scenarios.js', import.meta.url);
const queueTest = testWith(
  needs.root(), needs.bpffs(), needs.tool('ip'), needs.tool('nsenter'), needs.tool('taskset'),
  needs.file('/dev/net/tun', 'taps (/dev/net/tun)'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'),
  needs.file(queuesObjectPath, 'bpf/queues.bpf.o (make -C bpf)'),
  onlineCpus().includes(0) && onlineCpus().includes(1) ? null : 'CPUs 0 and 1',
).serial;

/** A flow keeps its queue unless nothing came for it this long: a tick is 13 ms or more, and the first of two may be nearly over. */
const SHORTEST_QUIET_MS = 12;

async function run<T>(t: ExecutionContext, scenario: string): Promise<T> {
  const pins = join('/sys/fs/bpf', `unipath-test-${process.pid}-${scenario}`);
  t.teardown(() => rmSync(pins, { recursive: true, force: true }));
  return (await runModuleIn(createNetns(t), scenarios, scenario, pins)) as T;
}

function unreachable(queues: number): number[] {
  return Array.from({ length: queues }, (_, queue) => queue).filter((queue) => !onlineCpus().some((cpu) => cpu % queues === queue));
}

function sumOf(runs: readonly QueueRun[], queue: number): number {
  return runs.reduce((sum, { byQueue }) => sum + (byQueue[queue] ?? 0), 0);
}

for (const [role, what] of [['vf', 'a VF port (veth)'], ['tap', 'a tap']] as const) {
  queueTest(`1 to 8 queues of ${what}: every frame arrives on the computed queue, none elsewhere, none is lost`, async (t) => {
    const { runs, wrong, wrongCount, unreachable: planned, counted, errors, seconds } = await run<Exactness>(t, role);
    t.deepEqual(wrong, []);
    t.is(wrongCount, 0);
    t.deepEqual(errors, []);
    for (const one of runs) {
      const name = `${one.queues} queues, ${one.reta}, ${one.by}, CPU ${one.cpu}`;
      t.deepEqual(one.byQueue, one.expected, name);
      t.is(one.byQueue.reduce((sum, count) => sum + count), one.frames, name);
    }
    for (let queues = 1; queues <= 8; queues++) {
      const own = runs.filter((one) => one.queues === queues);
      const never = unreachable(queues);
      t.deepEqual(planned[queues - 1], never, 'the plan says which queues no CPU reaches');
      for (let queue = 0; queue < queues; queue++) {
        const used = sumOf(own, queue);
        t.is(used > 0, !never.includes(queue), `queue ${queue} of ${queues}: ${used} frames`);
        t.is(counted.find((row) => row.queues === queues)?.counted[queue], used, 'and the programs counted as many');
      }
      for (const cpu of [0, 1]) {
        const equal = own.find((one) => one.cpu === cpu && one.reta === 'equal' && one.by === 'rss');
        t.is(equal?.byQueue.filter((count) => count > 0).length, queues - never.length, `from CPU ${cpu} every queue is used`);
      }
    }
    t.log(`${runs.length} runs, ${runs.reduce((sum, { frames }) => sum + frames, 0)} frames, ${seconds} s`);
  });
}

for (const cpu of [0, 1]) {
  queueTest(`a flow from CPU ${cpu} that changes its queue: no frame overtakes another, and after a pause it has moved`, async (t) => {
    const { sent, arrived, overtaken, moves, phases, errors } = await run<Ordered>(t, `orderFromCpu${cpu}`);
    t.deepEqual(errors, []);
    t.is(arrived, sent);
    t.is(overtaken, 0);
    t.deepEqual(moves.filter(({ gapMs }) => gapMs < SHORTEST_QUIET_MS), [], 'it never moves while frames come');
    for (const by of ['reta', 'rfs'] as const) {
      const own = phases.filter((phase) => phase.by === by);
      // A busy machine can make a pause where none was meant, and the flow moves then; not every time at once.
      t.true(own.some(({ drained }) => drained > 0), `${by}: without a pause it stays on its queue`);
      for (const { to, afterPause } of own) {
        t.is(afterPause[1 - to], 0, `${by}: after a pause nothing goes to the old queue`);
        t.true((afterPause[to] ?? 0) > 0, `${by}: after a pause it is on the new queue`);
      }
    }
    const drained = phases.reduce((sum, phase) => sum + phase.drained, 0);
    t.log(`${sent} frames, ${phases.length} changes, ${drained} frames held back to the old queue`);
  });
}
