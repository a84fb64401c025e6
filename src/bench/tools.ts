/** Traffic tools in namespaces: iperf3 for bulk TCP, sockperf for request and response. They go with this process, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandEnvironment, run } from '../host/exec.js';

const TRIES = 20;
const TRY_STEP_MS = 50;

/** Where a process runs. */
export interface ToolPlace {
  readonly netns: string;
  readonly cpu: number;
}

function commandIn({ netns, cpu }: ToolPlace, argv: readonly string[]): string[] {
  return ['--pdeathsig', 'KILL', '--', 'taskset', '--cpu-list', String(cpu), 'nsenter', `--net=/run/netns/${netns}`, ...argv];
}

function runIn(place: ToolPlace, argv: readonly string[]): Promise<string> {
  return run('setpriv', commandIn(place, argv));
}

/** Processes that run until stopAll(). */
export class Processes {
  readonly #children: ChildProcess[] = [];

  start(place: ToolPlace, argv: readonly string[]): void {
    this.#children.push(spawn('setpriv', commandIn(place, argv), { stdio: 'ignore', env: commandEnvironment() }));
  }

  /** @throws Error when it ends before its first words */
  async startReady(argv: readonly string[]): Promise<void> {
    const bound = ['--pdeathsig', 'KILL', '--', ...argv];
    const child = spawn('setpriv', bound, { stdio: ['pipe', 'pipe', 'inherit'], env: commandEnvironment() });
    this.#children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('error', reject);
      child.once('close', () => reject(new Error(`${argv.slice(1).join(' ')} ended at once`)));
    });
  }

  stopAll(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Until the server listens; and on a machine that is busy with something else a second may pass without a byte. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === TRIES) throw error;
      await sleep(TRY_STEP_MS);
    }
  }
}

export const iperfServer = ({ address, port }: Endpoint): string[] => ['iperf3', '--server', '--bind', address, '--port', String(port)];
export const sockperfServer = ({ address, port }: Endpoint): string[] => ['sockperf', 'server', '--tcp', '-i', address, '-p', String(port)];

/** @throws Error when there is no such number in it */
export function parseIperf(text: string): number {
  const report = JSON.parse(text) as { error?: string; end?: { sum_received?: { bits_per_second?: number } } };
  const rate = report.end?.sum_received?.bits_per_second;
  if (rate === undefined || !(rate > 0)) throw new Error(`iperf3 reports no rate${report.error === undefined ? '' : `: ${report.error}`}`);
  return rate;
}

/** Bits per second that arrived. @param reverse the server sends */
export async function bulkRate(client: ToolPlace, server: Endpoint, seconds: number, reverse: boolean): Promise<number> {
  const argv = ['iperf3', '--client', server.address, '--port', String(server.port), '--time', String(seconds), '--json'];
  return retried(async () => parseIperf(await runIn(client, reverse ? [...argv, '--reverse'] : argv)));
}

/** @throws Error when there is no such number in it */
export function parseSockperf(text: string): number {
  const average = /avg-(?:rtt|latency)=\s*([\d.]+)/.exec(text)?.[1];
  if (average === undefined) throw new Error(`sockperf reports no latency: ${text.slice(0, 200)}`);
  return Number(average);
}

/** us from a request of 64 bytes to its answer, mean. */
export async function roundTrip(client: ToolPlace, server: Endpoint, seconds: number): Promise<number> {
  const target = ['--tcp', '-i', server.address, '-p', String(server.port)];
  const argv = ['sockperf', 'ping-pong', ...target, '-t', String(seconds), '-m', '64', '--full-rtt'];
  return retried(async () => parseSockperf(await runIn(client, argv)));
}
