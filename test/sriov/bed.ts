/** One machine with two emulated adapters for all tests of a file: started by the first one, stopped after the last. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { whyNoHostMachine } from '../../src/lab/sriov/available.js';
import { HostMachine, type HostMachineStart } from '../../src/lab/sriov/machine.js';
import { needs, testWith } from '../support/require.js';

/** MAC addresses of the PFs, which are eth0 and eth1. */
export const PF_MACS = ['52:54:00:5a:00:01', '52:54:00:5a:01:01'] as const;
/** On a real host the device manager loads them. */
const DRIVERS = ['igb', 'igbvf', 'virtio_net', 'tun'];
/** Emulated CPUs on a busy machine: the boot alone may take a minute. */
const TIMEOUT_MS = 280_000;
/** One command of unipath there. */
const COMMAND_MS = 320_000;

const SERVER = { input: '/run/unipath-test.in', output: '/run/unipath-test.out', log: '/run/unipath-test.log' } as const;

const declare = testWith(whyNoHostMachine());
const declareLong = testWith(whyNoHostMachine(), needs.time());
const started: { folder: string | null; machine: HostMachine | null; why: unknown } = { folder: null, machine: null, why: null };

type MachineKind = Omit<HostMachineStart, 'name' | 'folder'>;
let kind: MachineKind = { adapters: PF_MACS.map((mac) => ({ mac })) };

/** Makes the network namespace that QEMU runs in; null: that of the tests. */
let makeOutside: ((t: ExecutionContext) => string) | null = null;

/** Another machine for the tests of a file. To be called before they are declared. */
export function useMachine(other: MachineKind, outside: typeof makeOutside = null): void {
  kind = other;
  makeOutside = outside;
}

async function hostMachine(t: ExecutionContext): Promise<HostMachine> {
  if (started.why !== null) throw started.why;
  if (started.machine !== null) return started.machine;
  started.folder = mkdtempSync(join(tmpdir(), 'unipath-sriov-'));
  const before = performance.now();
  try {
    const outside = makeOutside === null ? {} : { netns: makeOutside(t) };
    const machine = await HostMachine.start({ name: 'kvm-host', folder: join(started.folder, 'host'), ...outside, ...kind });
    started.machine = machine;
    t.log(`Linux ${machine.release} booted in ${((performance.now() - before) / 1000).toFixed(1)} s`);
    for (const driver of DRIVERS) await machine.run(`modprobe ${driver}`);
    const { input, output, log } = SERVER;
    const server = fileURLToPath(new URL('./command_server.js', import.meta.url));
    await machine.run(`mkfifo ${input} ${output} && { setsid ${process.execPath} ${server} ${input} ${output} > ${log} 2>&1 < /dev/null & }`);
    return machine;
  } catch (error) {
    // Not once more for every test of the file.
    started.why = error;
    throw error;
  }
}

test.after.always('the machine is taken away', async () => {
  await started.machine?.stop();
  if (started.folder !== null) rmSync(started.folder, { recursive: true, force: true });
});

/** A test with the machine, which is as the test before it left it. `long`: only where there is time (needs.time()). */
export function sriovTest(
  title: string,
  body: (t: ExecutionContext, machine: HostMachine) => Promise<void>,
  { long = false, timeoutMs = TIMEOUT_MS }: { readonly long?: boolean; readonly timeoutMs?: number } = {},
): void {
  (long ? declareLong : declare).serial(title, async (t) => {
    t.timeout(timeoutMs + (kind.bootMs ?? 0));
    const before = performance.now();
    const machine = await hostMachine(t);
    const ready = performance.now();
    await body(t, machine);
    t.log(`took ${((performance.now() - ready) / 1000).toFixed(1)} s${ready - before > 1000 ? ` after ${((ready - before) / 1000).toFixed(1)} s of start` : ''}`);
  });
}

export interface CommandResult {
  readonly status: number;
  /** stdout and stderr as they came. */
  readonly output: string;
}

/** `unipath` with these words, there, as a process of its own. */
export function unipathProcess(machine: HostMachine, words: string): Promise<CommandResult> {
  return machine.shell(`${process.execPath} ${machine.project}/build/src/cli.js ${words}`, { deadlineMs: COMMAND_MS });
}

/** The same by the command server: what it prints to both outputs, in order, and its exit code. */
export async function unipath(machine: HostMachine, words: string): Promise<CommandResult> {
  const said = await machine.run(`printf '%s' '${words}' > ${SERVER.input} && cat ${SERVER.output}`, { deadlineMs: COMMAND_MS });
  const [, output = '', status = ''] = /^([\s\S]*)\n(\d+)\n$/.exec(said) ?? [];
  if (status === '') throw new Error(`the command server broke off: ${said}${await machine.run(`cat ${SERVER.log}`)}`);
  return { status: Number(status), output };
}

/** With status 0. @returns what it printed. @throws Error with its words */
export async function unipathDone(machine: HostMachine, words: string): Promise<string> {
  const { status, output } = await unipath(machine, words);
  if (status !== 0) throw new Error(`\`unipath ${words}\` ended with ${status}: ${output}`);
  return output;
}

/** With status 1. @returns why it was refused. @throws Error when it was not */
export async function unipathRefused(machine: HostMachine, words: string): Promise<string> {
  const { status, output } = await unipath(machine, words);
  if (status !== 1) throw new Error(`\`unipath ${words}\` was not refused, but ended with ${status}: ${output}`);
  return output;
}

/** The same with -j; @returns what it printed, and how it ended. */
export async function unipathJson(machine: HostMachine, words: string): Promise<{ readonly status: number; readonly answer: unknown }> {
  const { status, output } = await unipath(machine, `${words} -j`);
  try {
    return { status, answer: JSON.parse(output) };
  } catch {
    throw new Error(`\`unipath ${words} -j\` printed no JSON: ${output}`);
  }
}

/** A file there, without the end of its line. */
export async function fileThere(machine: HostMachine, path: string): Promise<string> {
  return (await machine.run(`cat ${path}`)).trim();
}
