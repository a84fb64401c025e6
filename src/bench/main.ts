/**
 * `npm run bench`: what unipath costs, always against something else measured in the same run: a minimal bpf_redirect_map, the Linux
 * bridge, itself with fewer vNICs or flows. Ratios are what it is for; absolute figures are the machine's.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { onlineCpus } from '../native/cpus.js';
import { benchObjectPath, hostObjectPath } from '../paths.js';
import { QUEUES } from './bed.js';
import { SECTION_NAMES, type SectionContext, type SectionName, type SectionReport } from './model.js';
import { plotCurves } from './plot.js';
import { type RunningWorker, startWorker } from './run_worker.js';
import { SECTIONS } from './sections/index.js';
import { raiseStage, removeStage, sweepStages } from './stage.js';
import { renderFigures, renderTable, rowsOf } from './table.js';

interface Options {
  readonly only?: readonly SectionName[];
  readonly rounds?: number;
  readonly quick?: boolean;
  readonly json?: string;
  readonly plot?: string;
  readonly cpu?: number;
  readonly object: string;
}

/** Long enough to be told from noise, short enough that a round sees one state of the machine. */
const USUAL = { rounds: 31, sliceNs: 40e6 } as const;
const QUICK = { rounds: 5, sliceNs: 15e6 } as const;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

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

function sectionNames(text: string): SectionName[] {
  const names = text.split(',');
  const unknown = names.find((name) => !(SECTION_NAMES as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no section "${unknown}"; there are ${SECTION_NAMES.join(', ')}`);
  return SECTION_NAMES.filter((name) => names.includes(name));
}

function problem(object: string): string | null {
  if (process.getuid?.() !== 0) return 'the bench needs root: it makes network namespaces and loads BPF programs';
  const missing = [object, benchObjectPath].find((path) => !existsSync(path));
  return missing === undefined ? null : `${missing} is missing: run \`npm run build:bpf\``;
}

/** What SIGINT and SIGTERM end; whoever waits for it then cleans up. */
class Interruption {
  #signal: NodeJS.Signals | null = null;
  #worker: RunningWorker | null = null;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, () => {
      this.#signal = signal;
      this.#worker?.stop();
    });
  }

  /** @throws Error when a signal came */
  check(): void {
    if (this.#signal !== null) throw new Error(`ended by ${this.#signal}`);
  }

  async guard(worker: RunningWorker): Promise<SectionReport> {
    this.#worker = worker;
    try {
      return await worker.report;
    } finally {
      this.#worker = null;
      this.check();
    }
  }
}

async function runSection(name: SectionName, context: Omit<SectionContext, 'netns'>, interruption: Interruption): Promise<SectionReport> {
  const netns = await raiseStage(process.pid);
  try {
    await SECTIONS[name].raise(netns);
    interruption.check();
    return await interruption.guard(startWorker(name, { ...context, netns }));
  } finally {
    await removeStage(netns);
  }
}

async function bench(asked: Options): Promise<void> {
  const cpus = onlineCpus();
  const cpu = asked.cpu ?? cpus[0] ?? 0;
  if (!cpus.includes(cpu)) throw new Error(`CPU ${cpu} is not online; there are ${cpus.join(', ')}`);
  // Another queue needs a CPU that is not congruent.
  const otherCpu = cpus.find((other) => other % QUEUES !== cpu % QUEUES) ?? null;
  const { sliceNs, rounds } = asked.quick === true ? QUICK : USUAL;
  const context = { cpu, otherCpu, sliceNs, rounds: asked.rounds ?? rounds, object: asked.object };
  const interruption = new Interruption();
  await sweepStages();
  const reports: SectionReport[] = [];
  const failures: string[] = [];
  for (const name of asked.only ?? SECTION_NAMES) {
    interruption.check();
    const start = Date.now();
    try {
      reports.push(await runSection(name, context, interruption));
    } catch (error) {
      interruption.check();
      failures.push(error instanceof Error ? error.message : String(error));
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    console.error(`${name}: ${((Date.now() - start) / 1000).toFixed(0)} s`);
  }
  print(reports);
  if (asked.json !== undefined) writeFileSync(asked.json, `${JSON.stringify({ rows: rowsOf(reports), sections: reports }, null, 2)}\n`);
  if (asked.plot !== undefined) writeFileSync(asked.plot, plotCurves(reports.flatMap(({ curves }) => curves)));
  if (failures.length > 0) throw new Error(failures.join('; '));
}

function print(reports: readonly SectionReport[]): void {
  const dropped = reports.reduce((sum, { roundsDropped }) => sum + roundsDropped, 0);
  const remarks = reports.flatMap((report) => report.remarks);
  const parts = [renderTable(rowsOf(reports)), renderFigures(reports), remarks.join('\n')];
  if (dropped > 0) parts.push(`${dropped} rounds were left out because the hypervisor took the CPU away.`);
  console.log(parts.join('\n\n'));
}

const program = new Command('bench')
  .description('Measures unipath against other ways, in network namespaces that it makes and removes.')
  .option('--only <sections>', `some of ${SECTION_NAMES.join(',')}`, sectionNames)
  .option('--rounds <n>', `interleaved rounds (${USUAL.rounds}); long ones take a share of them`, atLeastOne)
  .option('--quick', 'few and short rounds, for a glance')
  .option('--json <file>', 'write everything there, too')
  .option('--plot <file.svg>', 'draw the cost against the number of vNICs and of flows')
  .option('--cpu <n>', 'the CPU to measure on (the first one)', wholeNumber)
  .option('--object <file>', 'another build of the host\'s programs', hostObjectPath)
  .action(async (options: Options) => {
    const why = problem(options.object);
    if (why !== null) program.error(why);
    await bench(options);
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
