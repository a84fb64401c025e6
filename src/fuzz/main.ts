/**
 * `npm run fuzz`: generated frames through the real packet programs (BPF_PROG_TEST_RUN) and through the reference model in
 * src/core/packet, side by side. Everything follows from the seed; a failure prints what is needed to see it again. Nothing leaves
 * the namespaces that the workers make, and these go with the workers.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { type Reason, reasonNames } from '../../maps/generated/contract.js';
import { onlineCpus } from '../native/cpus.js';
import { hostObjectPath } from '../paths.js';
import { failureText, reportOf } from './failure.js';
import { EPISODE_FRAMES } from './limits.js';
import { Progress } from './progress.js';
import type { WorkerMessage, WorkerOptions } from './protocol.js';
import { Fuzzer, Subjects } from './run.js';
import { enterStage } from './stage.js';

interface Options {
  readonly frames: number;
  readonly seed?: number;
  readonly workers: number;
  readonly replay?: number;
}

const FRAMES = 10_000_000;
const SHOWN_FAILURES = 5;
const workerPath = fileURLToPath(new URL('./worker.js', import.meta.url));

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('not a whole number');
  return value;
}

function atLeastOne(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError('at least 1');
  return value;
}

function seedNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 0xffff_ffff) throw new InvalidArgumentError('at most 4294967295');
  return value;
}

function problem(): string | null {
  if (process.getuid?.() !== 0) return 'the fuzzer needs root: it makes network namespaces and loads BPF programs';
  return existsSync(hostObjectPath) ? null : `${hostObjectPath} is missing: run \`npm run build:bpf\``;
}

/** Returns how many failures there were. */
async function fuzz(seed: number, frames: number, workers: number): Promise<number> {
  const progress = new Progress(frames);
  const reasons = new Map<Reason, number>();
  let failures = 0;
  const end = Math.ceil(frames / EPISODE_FRAMES);
  const take = (message: WorkerMessage): void => {
    if (message.kind === 'episode') {
      progress.advance(message.frames);
      for (const [reason, number] of message.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + number);
    } else if (message.kind === 'failure') {
      failures++;
      if (failures <= SHOWN_FAILURES) progress.print(failureText(message.failure));
    }
  };
  const children: ChildProcess[] = [];
  const stop = (): void => children.forEach((child) => void child.kill());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  try {
    await Promise.all(Array.from({ length: workers }, (_, first) => {
      const options: WorkerOptions = { seed, first, step: workers, end, frames };
      const child = fork(workerPath, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      children.push(child);
      return untilDone(child, take);
    }));
  } finally {
    stop();
  }
  progress.end();
  console.log(`reasons seen: ${[...reasons].map(([reason, number]) => `${reasonNames[reason]} ${number}`).join(', ')}`);
  return failures;
}

function untilDone(child: ChildProcess, take: (message: WorkerMessage) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let done = false;
    child.on('message', (message: WorkerMessage) => {
      done ||= message.kind === 'done';
      take(message);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (done) resolve();
      else reject(new Error(`a worker ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

async function replay(seed: number, frame: number): Promise<number> {
  enterStage();
  const subjects = new Subjects();
  try {
    const { failure, shot } = await new Fuzzer(seed, subjects).replay(frame);
    if (failure !== null) {
      console.log(failureText(reportOf(failure)));
      console.log('the model decides:', failure.shot.decision);
      return 1;
    }
    console.log(`frame ${frame} of seed ${seed}: no difference; the model decides:`, shot?.decision);
    return 0;
  } finally {
    subjects.close();
  }
}

const program = new Command('fuzz')
  .description('Compares the packet programs with the reference model on generated frames.')
  .option('--frames <n>', 'how many', atLeastOne, FRAMES)
  .option('--seed <n>', 'the run of this number (default: a new one, which is printed)', seedNumber)
  .option('--workers <n>', 'processes', atLeastOne, onlineCpus().length)
  .option('--replay <frame>', 'of the run of that seed, up to this frame, one by one', wholeNumber)
  .action(async ({ frames, seed = randomInt(0x1_0000_0000), workers, replay: frame }: Options) => {
    const why = problem();
    if (why !== null) program.error(why);
    if (frame !== undefined) {
      process.exitCode = await replay(seed, frame);
      return;
    }
    console.log(`seed ${seed}, ${frames} frames, ${workers} workers`);
    const failures = await fuzz(seed, frames, workers);
    console.log(failures === 0 ? 'no differences' : `${failures} episodes with differences`);
    process.exitCode = failures === 0 ? 0 : 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(`fuzz: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
