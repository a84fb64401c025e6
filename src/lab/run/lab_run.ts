/** `lab run`: the lab up, the scenario through it, the results out, the lab down again, whatever happens in between. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { labDown } from '../down.js';
import { abortOnSignal } from '../interrupt.js';
import type { LabSpec } from '../model.js';
import type { LabPlace } from '../place.js';
import { renderReport } from '../report/page.js';
import { allFailures, type RunResults } from '../results.js';
import { FULL_PACE, QUICK_PACE, scenarioFor, type ScenarioStep, SUBJECT } from '../scenario.js';
import { labUp } from '../up.js';
import { GuestDiedError } from './guests.js';
import { type Progress, progressOn, type Terminal } from './progress.js';
import { runScenario } from './runner.js';
import { resultTable } from './table.js';

export interface LabRunOptions {
  readonly place: LabPlace;
  readonly spec: LabSpec;
  readonly quick: boolean;
  /** Leave the lab up afterwards. */
  readonly keep: boolean;
  readonly htmlFile: string;
  readonly jsonFile: string | null;
  readonly out: Terminal;
  /** Default: the scenario of this kind of guests. */
  readonly steps?: readonly ScenarioStep[];
}

function whoIsThere({ hosts, guests }: LabSpec): string {
  const names = (each: readonly { readonly name: string }[]): string => each.map(({ name }) => name).join(', ');
  return `hosts ${names(hosts)}, guests ${names(guests)}`;
}

function writeResults(results: RunResults, options: LabRunOptions): void {
  mkdirSync(dirname(options.htmlFile), { recursive: true });
  writeFileSync(options.htmlFile, renderReport(results));
  if (options.jsonFile !== null) writeFileSync(options.jsonFile, `${JSON.stringify(results)}\n`);
}

export interface LabRunResult {
  /** Everything was as it must be, the removal of the lab included. */
  readonly passed: boolean;
  /** null when it was interrupted. */
  readonly results: RunResults | null;
}

/** What everyone in the lab said, for finding out why a run failed; `lab down` removes the originals. Returns the file's name. */
function keepLogs(place: LabPlace, htmlFile: string): string {
  const file = `${htmlFile.replace(/\.html$/, '')}.log`;
  const logs = readdirSync(place.directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.log'));
  writeFileSync(file, logs.map((name) => `== ${name}\n${readFileSync(join(place.directory, name), 'utf8')}`).join('\n'));
  return file;
}

/** A guest whose kernel dies under emulation says nothing of unipath: the run begins anew so often in all. */
const ATTEMPTS = 3;

/** @throws when the lab cannot be built, or traffic cannot be set up, or guests died too often; the lab is down again then */
export async function labRun(options: LabRunOptions): Promise<LabRunResult> {
  const progress = progressOn(options.out);
  const { signal, stop } = abortOnSignal();
  try {
    const deaths: string[] = [];
    for (let attempt = 1; ; attempt++) {
      try {
        return await runOnce(options, progress, signal, deaths);
      } catch (error) {
        if (!(error instanceof GuestDiedError)) throw error;
        const what = `${error.message}. QEMU without KVM now and then brings a guest into disorder; this says nothing of unipath`;
        if (attempt === ATTEMPTS) throw new Error(`${what}, but it has happened ${ATTEMPTS} times: try again when the machine has less to do`, { cause: error });
        deaths.push(`the run was begun anew, because ${error.message}, which QEMU without KVM brings about now and then`);
        progress.line(`${what}. Beginning anew, for the ${attempt === 1 ? 'first' : 'second'} time of at most ${ATTEMPTS - 1}`);
      }
    }
  } finally {
    progress.end();
    stop();
  }
}

async function runOnce(options: LabRunOptions, progress: Progress, signal: AbortSignal, notes: readonly string[]): Promise<LabRunResult> {
  const { place, spec, quick, out } = options;
  const startedMs = Date.now();
  let passed = false;
  let results: RunResults | null = null;
  let isUp = false;
  let keep = options.keep;
  try {
    const pace = quick ? QUICK_PACE : FULL_PACE;
    if (spec.kind === 'qemu') progress.line('building the lab and booting its guests: some 15 s where the CPU is emulated');
    const lab = await labUp(place, { spec, owner: 'run', onStep: (title) => progress.doing(title), signal });
    isUp = true;
    progress.line(`lab is up after ${((Date.now() - startedMs) / 1000).toFixed(1)} s: ${whoIsThere(lab.spec)}`);
    try {
      results = await runScenario(lab, options.steps ?? scenarioFor(spec.kind, pace), { pace, quick, progress, signal, takeDown: !keep, notes });
      writeResults(results, options);
      progress.doing('');
      out.write(`\n${resultTable(results, SUBJECT)}\nreport: ${options.htmlFile}\n`);
      passed = allFailures(results).length === 0;
      if (!passed) out.write(`logs: ${keepLogs(place, options.htmlFile)}\n`);
    } catch (error) {
      if (error instanceof GuestDiedError) keep = false;
      throw error;
    } finally {
      if (keep) lab.journal.add({ kind: 'kept' });
      lab.journal.close();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.line('interrupted');
  } finally {
    if (isUp && !keep) {
      progress.doing('taking the lab down');
      const { failures } = await labDown(place);
      for (const failure of failures) progress.line(`cannot undo ${failure}`);
      if (failures.length > 0) passed = false;
    }
    progress.doing('');
  }
  return { passed, results };
}
