/**
 * `npm run bench`: what a frame costs from the uplink to a guest's port, by unipath, by the Linux bridge and by a minimal
 * bpf_redirect_map, in one run with the same source and the same sink. Ratios are what it is for: absolute figures are the machine's.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { onlineCpus } from '../native/cpus.js';
import { benchObjectPath, hostObjectPath } from '../paths.js';
import { type SinkKind, SINKS } from './model.js';
import { runWorker } from './run_worker.js';
import { raiseStage, removeStage, sweepStages } from './stage.js';
import { summarize } from './stats.js';
import { BENCH_VNICS, QUEUES } from './subject.js';
import { renderResult } from './table.js';

interface Options {
  readonly rounds?: number;
  readonly quick?: boolean;
  readonly json?: string;
  readonly cpu?: number;
  readonly sink: SinkKind;
}

/** Long enough to be told from noise, short enough that a round sees one state of the machine. */
const SLICE_NS = 60e6;
const ROUNDS = 31;
const QUICK = { rounds: 5, sliceNs: 20e6 } as const;

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('not a whole number');
  return value;
}

function atLeastOne(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError('at least 1');
  return value;
}

function problem(): string | null {
  if (process.getuid?.() !== 0) return 'the bench needs root: it makes network namespaces and loads BPF programs';
  const missing = [hostObjectPath, benchObjectPath].find((path) => !existsSync(path));
  return missing === undefined ? null : `${missing} is missing: run \`npm run build:bpf\``;
}

async function bench(asked: Options): Promise<void> {
  const cpus = onlineCpus();
  const cpu = asked.cpu ?? cpus[0] ?? 0;
  if (!cpus.includes(cpu)) throw new Error(`CPU ${cpu} is not online; there are ${cpus.join(', ')}`);
  // Another queue needs a CPU that is not congruent.
  const otherCpu = cpus.find((other) => other % QUEUES !== cpu % QUEUES) ?? null;
  await sweepStages();
  const stage = await raiseStage(process.pid, QUEUES, BENCH_VNICS);
  try {
    const report = await runWorker(stage.host, {
      cpu, otherCpu, guestNetns: stage.guest, sink: asked.sink,
      rounds: asked.rounds ?? (asked.quick ? QUICK.rounds : ROUNDS),
      sliceNs: asked.quick ? QUICK.sliceNs : SLICE_NS,
    });
    const result = summarize(report.rounds);
    console.log(renderResult(result, asked.sink));
    if (otherCpu === null) console.log('Through cpumap: not measured, there is no second CPU.');
    if (asked.json !== undefined) writeFileSync(asked.json, `${JSON.stringify({ result, rounds: report.rounds }, null, 2)}\n`);
  } finally {
    await removeStage(stage);
  }
}

const sinkOption = new Option('--sink <kind>', 'what ends the frames: a program that drops them, or the guest\'s network stack')
  .choices(SINKS)
  .default('xdp');

const program = new Command('bench')
  .description('Measures forwarding from the uplink to a guest, in network namespaces that it makes and removes.')
  .option('--rounds <n>', `interleaved rounds (${ROUNDS})`, atLeastOne)
  .option('--quick', 'few and short rounds, for a glance')
  .option('--json <file>', 'write result and rounds there, too')
  .option('--cpu <n>', 'the CPU to measure on (the first one)', wholeNumber)
  .addOption(sinkOption)
  .action(async (options: Options) => {
    const why = problem();
    if (why !== null) program.error(why);
    await bench(options);
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
