/**
 * The packet programs against the reference model, a little of what `npm run fuzz` does: one run that is always the same, and one
 * that is new every time and says its seed.
 */
import { randomInt } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { failureText, reportOf } from '../../src/fuzz/failure.js';
import { EPISODE_FRAMES } from '../../src/fuzz/limits.js';
import { Fuzzer, Subjects } from '../../src/fuzz/run.js';
import { enterStage } from '../../src/fuzz/stage.js';
import { VARIANTS } from '../../src/fuzz/variants.js';
import { hostObjectPath } from '../../src/paths.js';
import { needs, testWith } from '../support/require.js';

const SEED = 20_260_731;
/** Once through all variants. */
const EPISODES = VARIANTS.length;
/** A first buffer of any length: earlier kernels fill it. */
const fuzzTest = testWith(
  needs.root(), needs.tool('ip'), needs.kernel('6.18'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'),
);

const subjects = new Subjects();
test.before(() => {
  if (process.getuid?.() === 0) enterStage();
});
test.after.always(() => subjects.close());

async function checkEpisodes(t: ExecutionContext, seed: number, frames: number): Promise<void> {
  const fuzzer = new Fuzzer(seed, subjects);
  const reasons = new Set<number>();
  for (let episode = 0; episode < EPISODES; episode++) {
    const { failure, tallies } = await fuzzer.run(episode, frames);
    if (failure !== null) {
      t.fail(failureText(reportOf(failure)));
      return;
    }
    for (const [reason, number] of tallies.reasons()) if (number > 0) reasons.add(reason);
  }
  t.true(reasons.size > 15, `only ${reasons.size} reasons were seen`);
}

fuzzTest.serial(`${EPISODES * EPISODE_FRAMES} frames that are always the same: programs and model agree`, async (t) => {
  await checkEpisodes(t, SEED, EPISODE_FRAMES);
});

fuzzTest.serial('frames that are new every time: programs and model agree', async (t) => {
  const seed = randomInt(0x1_0000_0000);
  t.log(`seed ${seed}`);
  await checkEpisodes(t, seed, EPISODE_FRAMES);
});

fuzzTest.serial('a frame is made again from seed and number', async (t) => {
  const fuzzer = new Fuzzer(SEED, subjects);
  const first = await fuzzer.replay(300);
  const second = await fuzzer.replay(300);
  t.is(first.failure, null);
  t.deepEqual(second.shot?.sent, first.shot?.sent);
  t.deepEqual(second.shot?.decision, first.shot?.decision);
});
