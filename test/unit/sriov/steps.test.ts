import test from 'ava';
import { PartlyUndoneError } from '../../../src/sriov/error.js';
import { doSteps } from '../../../src/sriov/steps.js';

/** Runs steps of which one fails; what was done and undone, in order. */
async function run(undone: 'done' | 'tried', fails: string, undoFails = ''): Promise<{ log: string[]; error: Error | null }> {
  const log: string[] = [];
  const act = (name: string, failing: string) => async (step: string): Promise<void> => {
    log.push(`${name} ${step}`);
    if (step === failing) throw new Error(`${name} of ${step} failed`);
  };
  try {
    await doSteps(['a', 'b', 'c'], { perform: act('do', fails), undo: act('undo', undoFails), describe: (step) => `step ${step}`, undone });
    return { log, error: null };
  } catch (error) {
    return { log, error: error as Error };
  }
}

test('all is well: nothing is undone', async (t) => {
  t.deepEqual(await run('tried', ''), { log: ['do a', 'do b', 'do c'], error: null });
});

test('what was done before a failure is undone, last first', async (t) => {
  const { log, error } = await run('done', 'c');
  t.deepEqual(log, ['do a', 'do b', 'do c', 'undo b', 'undo a']);
  t.is(error?.message, 'do of c failed');
});

test('and what was tried, if that is wished', async (t) => {
  t.deepEqual((await run('tried', 'b')).log, ['do a', 'do b', 'undo b', 'undo a']);
});

test('what cannot be undone does not keep the rest from it, and is said', async (t) => {
  const { log, error } = await run('done', 'c', 'b');
  t.deepEqual(log.slice(3), ['undo b', 'undo a']);
  t.true(error instanceof PartlyUndoneError);
  t.is(error?.message, 'do of c failed; and not everything could be undone: step b: undo of b failed');
});
