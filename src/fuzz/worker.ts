/** One process of a run: takes every n-th episode. Started by main.ts, which it tells what it sees. */
import { reportOf } from './failure.js';
import { EPISODE_FRAMES } from './limits.js';
import type { WorkerMessage, WorkerOptions } from './protocol.js';
import { Fuzzer, Subjects } from './run.js';
import { enterStage } from './stage.js';

/** Lets the message out before more work is done. */
function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

async function work({ seed, first, step, end, frames }: WorkerOptions): Promise<void> {
  const subjects = new Subjects();
  const fuzzer = new Fuzzer(seed, subjects);
  try {
    for (let episode = first; episode < end; episode += step) {
      const result = await fuzzer.run(episode, Math.min(EPISODE_FRAMES, frames - episode * EPISODE_FRAMES));
      await tell({ kind: 'episode', frames: result.frames, reasons: [...result.tallies.reasons()] });
      if (result.failure !== null) await tell({ kind: 'failure', failure: reportOf(result.failure) });
    }
    await tell({ kind: 'done' });
  } finally {
    subjects.close();
  }
}

// Without the main process nobody listens.
process.on('disconnect', () => process.exit(1));
enterStage();
await work(JSON.parse(process.argv[2] ?? '{}') as WorkerOptions);
process.disconnect();
