/** Starts worker.ts inside the host's namespace and on one CPU, and waits for its report. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { commandEnvironment, missingCommandHint } from '../host/exec.js';
import type { WorkerOptions, WorkerReport } from './model.js';

const workerPath = fileURLToPath(new URL('./worker.js', import.meta.url));
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * SIGINT and SIGTERM to this process end the worker, so that the caller can clean up.
 * @param netns name below /run/netns
 * @throws Error when it does not end well; what went wrong it has printed itself
 */
export async function runWorker(netns: string, options: WorkerOptions): Promise<WorkerReport> {
  const node = [process.execPath, workerPath, JSON.stringify(options)];
  const argv = ['--cpu-list', String(options.cpu), 'nsenter', `--net=/run/netns/${netns}`, ...node];
  const child = spawn('taskset', argv, { stdio: ['ignore', 'pipe', 'inherit'], env: commandEnvironment() });
  const end = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of SIGNALS) process.on(signal, end);
  try {
    const output: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        reject(error.code === 'ENOENT' ? new Error(`taskset was not found: ${missingCommandHint('taskset')}`) : error);
      });
      child.once('close', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`the measuring process ended with ${signal ?? `exit code ${code}`}`));
      });
    });
    return JSON.parse(Buffer.concat(output).toString()) as WorkerReport;
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
  }
}
