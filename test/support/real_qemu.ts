/**
 * A real QEMU without a guest system: firmware at most, so nothing in the guest drives a device, and no QEMU but the installed
 * one is asked. It is killed when the test ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { temporaryFolder } from './control_socket.js';
import { needs, testWith } from './require.js';

const PROGRAM = 'qemu-system-x86_64';
const START_DEADLINE_MS = 20_000;
const BARE = ['-machine', 'q35', '-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none', '-S'];

export const qemuTest = testWith(needs.tool(PROGRAM));
/** One that also makes network namespaces and taps. */
export const qemuNetnsTest = testWith(needs.tool(PROGRAM), needs.root(), needs.tool('ip'), needs.tool('nsenter'), needs.file('/dev/net/tun', 'the device /dev/net/tun'));

export interface QemuOptions {
  /** Where its monitors are; default a folder of its own. */
  readonly folder?: string;
  /** Names of its QMP sockets; default ["qmp"]. */
  readonly sockets?: readonly string[];
  readonly netns?: string;
  /** As one would type them, after those of a q35 without devices whose CPUs do not start. */
  readonly args?: string;
}

export interface RealQemu {
  /** Path of the first monitor. */
  readonly monitor: string;
  readonly pid: number;
  /** Returns when it is gone. */
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>;
}

export async function startQemu(t: ExecutionContext, options: QemuOptions = {}): Promise<RealQemu> {
  const folder = options.folder ?? temporaryFolder(t);
  const monitors = (options.sockets ?? ['qmp']).map((name) => join(folder, name));
  const qmp = monitors.flatMap((path) => ['-qmp', `unix:${path},server=on,wait=off`]);
  const command = [PROGRAM, ...BARE, ...qmp, ...(options.args ?? '').split(/\s+/).filter((word) => word !== '')];
  if (options.netns !== undefined) command.unshift('nsenter', `--net=/run/netns/${options.netns}`);
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  t.teardown(() => kill());
  await sockets(child, monitors, () => said);
  return { monitor: monitors[0] as string, pid: child.pid as number, kill };
}

async function sockets(child: ChildProcess, paths: readonly string[], said: () => string): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!paths.every((path) => listens(child.pid as number, path))) {
    if (child.exitCode !== null) throw new Error(`${PROGRAM} ended with ${child.exitCode}: ${said()}`);
    if (Date.now() > deadline) throw new Error(`${PROGRAM} made no monitor within ${START_DEADLINE_MS} ms: ${said()}`);
    await sleep(10);
  }
}

/** A socket is seen in its folder before it takes connections; the kernel tells both (proc_net_unix(5): flag __SO_ACCEPTCON). */
function listens(pid: number, path: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/net/unix`, 'utf8')
      .split('\n')
      .some((line) => line.endsWith(` ${path}`) && line.split(' ')[3] === '00010000');
  } catch {
    return false;
  }
}
