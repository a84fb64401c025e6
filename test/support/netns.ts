/** Throw-away network namespaces for tests, and running things in them. */
import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { needs, testWith } from './require.js';

const runFile = promisify(execFile);
const CHILD_DEADLINE_MS = 150_000;
let created = 0;

/** A test that makes network namespaces. */
export const netnsTest = testWith(needs.root(), needs.tool('ip'), needs.tool('nsenter'));

function processAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Namespaces of test processes that were killed before they could clean up. */
function sweep(): void {
  for (const line of execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n')) {
    const owner = /^upt-(\d+)-/.exec(line)?.[1];
    if (owner !== undefined && !processAlive(Number(owner))) execFileSync('ip', ['netns', 'del', line.split(' ')[0] ?? '']);
  }
}

/** A new network namespace with its loopback up, deleted when the test ends. Returns its name. */
export function createNetns(t: ExecutionContext, label = 'host'): string {
  if (created === 0) sweep();
  const name = `upt-${process.pid}-${++created}-${label}`;
  execFileSync('ip', ['netns', 'add', name]);
  t.teardown(() => {
    execFileSync('ip', ['netns', 'del', name]);
  });
  execFileSync('ip', ['-n', name, 'link', 'set', 'dev', 'lo', 'up']);
  return name;
}

/** One `ip` command in a namespace, given as one would type it. Returns its stdout. */
export function ip(netns: string, command: string): string {
  return execFileSync('ip', ['-n', netns, ...command.split(' ')], { encoding: 'utf8' });
}

/** One command in a namespace. Returns its stdout. */
export function run(netns: string, command: string, ...args: readonly string[]): string {
  return execFileSync('nsenter', [`--net=/run/netns/${netns}`, command, ...args], { encoding: 'utf8' });
}

/** Runs a compiled module in a namespace to its end; it prints one JSON document, which is returned. */
export async function runModuleIn(netns: string, module: URL, ...args: readonly string[]): Promise<unknown> {
  const command = [`--net=/run/netns/${netns}`, process.execPath, fileURLToPath(module), ...args];
  const { stdout } = await runFile('nsenter', command, { timeout: CHILD_DEADLINE_MS, killSignal: 'SIGKILL' });
  return JSON.parse(stdout);
}
