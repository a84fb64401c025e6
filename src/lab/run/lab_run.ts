/** `lab run`: the lab up, the scenario through it, the results out, the lab down again, whatever happens in between. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { labDown } from '../down.js';
import type { LabSpec } from '../model.js';
import type { LabPlace } from '../place.js';
import { renderReport } from '../report/page.js';
import { allFailures, type RunResults } from '../results.js';
import { FULL_PACE, mainScenario, QUICK_PACE, SUBJECT } from '../scenario.js';
import { labUp } from '../up.js';
import { progressOn, type Terminal } from './progress.js';
import { runScenario } from './runner.js';
import { resultTable } from './table.js';

export interface LabRunOptions {
  readonly place: LabPlace;
  readonly quick: boolean;
  /** Leave the lab up afterwards. */
  readonly keep: boolean;
  readonly htmlFile: string;
  readonly jsonFile: string | null;
  readonly out: Terminal;
}

/** Aborts on Ctrl-C and on SIGTERM; a second one while the lab is taken down is not heard, for that would leave half of it. */
function abortOnSignal(): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(new Error('interrupted'));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, abort);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of signals) process.off(name, abort);
    },
  };
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

/** @throws when the lab cannot be built, or traffic cannot be set up; the lab is down again then */
export async function labRun(options: LabRunOptions): Promise<LabRunResult> {
  const { place, quick, out } = options;
  const progress = progressOn(out);
  const { signal, stop } = abortOnSignal();
  const startedMs = Date.now();
  let passed = false;
  let results: RunResults | null = null;
  let isUp = false;
  try {
    const pace = quick ? QUICK_PACE : FULL_PACE;
    const lab = await labUp(place, {
      owner: 'run',
      onStep: (title) => {
        signal.throwIfAborted();
        progress.doing(title);
      },
    });
    isUp = true;
    progress.line(`lab is up after ${((Date.now() - startedMs) / 1000).toFixed(1)} s: ${whoIsThere(lab.spec)}`);
    try {
      results = await runScenario(lab, mainScenario(pace), { pace, quick, progress, signal, takeDown: !options.keep });
      writeResults(results, options);
      progress.end();
      out.write(`\n${resultTable(results, SUBJECT)}\nreport: ${options.htmlFile}\n`);
      passed = allFailures(results).length === 0;
      if (!passed) out.write(`logs: ${keepLogs(place, options.htmlFile)}\n`);
    } finally {
      if (options.keep) lab.journal.add({ kind: 'kept' });
      lab.journal.close();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.line('interrupted');
  } finally {
    if (isUp && !options.keep) {
      progress.doing('taking the lab down');
      const { failures } = await labDown(place);
      for (const failure of failures) progress.line(`cannot undo ${failure}`);
      if (failures.length > 0) passed = false;
    }
    progress.end();
    stop();
  }
  return { passed, results };
}
