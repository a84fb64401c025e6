/** Starts worker.ts inside the host's namespace and on one CPU, and waits for its report. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { commandEnvironment, missingCommandHint } from '../host/exec.js';
import type { SectionContext, SectionName, SectionReport } from './model.js';

const workerPath = fileURLToPath(new URL('./worker.js', import.meta.url));

export interface RunningWorker {
  /** @throws Error when it does not end well; what went wrong it has printed itself */
  readonly report: Promise<SectionReport>;
  /** Ends it. */
  stop(): void;
}

/** It goes with this process, however that ends. */
export function startWorker(section: SectionName, context: SectionContext): RunningWorker {
  const node = [process.execPath, workerPath, JSON.stringify({ section, context })];
  const place = ['taskset', '--cpu-list', String(context.cpu), 'nsenter', `--net=/run/netns/${context.netns.host}`];
  const argv = ['--pdeathsig', 'KILL', '--', ...place, ...node];
  const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'inherit'], env: commandEnvironment() });
  return { report: reportOf(child, section), stop: () => void child.kill('SIGKILL') };
}

async function reportOf(child: ChildProcess, section: SectionName): Promise<SectionReport> {
  const output: Buffer[] = [];
  child.stdout?.on('data', (bytes: Buffer) => output.push(bytes));
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new Error(`setpriv was not found: ${missingCommandHint('setpriv')}`) : error);
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`section ${section} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
  return JSON.parse(Buffer.concat(output).toString()) as SectionReport;
}
