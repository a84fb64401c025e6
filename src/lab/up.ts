/** `lab up`: builds the lab step by step, each written to the journal before it is begun. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { missingCommandHint, run } from '../host/exec.js';
import { labDown } from './down.js';
import { Journal, readJournal, type JournalHead, JOURNAL_SCHEMA } from './journal.js';
import { defaultLab, labProblem, type LabSpec } from './model.js';
import { isMountPoint, mountedType } from './mounts.js';
import { performAction, type Builder } from './perform.js';
import { namespacePath, type LabPlace } from './place.js';
import { isAlive, processStart } from './processes.js';
import { bestAccelerator, whyNoGuests } from './qemu/available.js';
import { emulator } from './qemu/emulator.js';
import { guestImage } from './qemu/image.js';
import { findKernel, unpackedKernel } from './qemu/kernel.js';
import { BPFFS, labSteps, namespaces, type TopologyOptions } from './topology.js';
import type { MachineFiles } from './topology_machines.js';
import type { LabPrograms } from './topology_programs.js';

/** The lab cannot be built as things are; nothing was changed. The message says what to do. */
export class LabRefusedError extends Error {
  override readonly name = 'LabRefusedError';
}

export interface UpOptions {
  readonly spec?: LabSpec;
  readonly daemons?: boolean;
  readonly owner?: JournalHead['owner'];
  readonly onStep?: (title: string) => void;
  /** Whoever waits breaks it off; what was built is taken down. */
  readonly signal?: AbortSignal;
  /** For tests of `lab down`: after this many steps, in the middle of the next, the process kills itself as a crash would. */
  readonly failAfter?: number | null;
}

/** A lab that is up; what the scenario goes on with. */
export interface Lab extends Builder {
  readonly place: LabPlace;
  readonly spec: LabSpec;
  readonly programs: LabPrograms;
  /** null when guests are namespaces. */
  readonly machines: MachineFiles | null;
}

const compiled = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** The programs that belong to this build of the lab. */
export const labPrograms: LabPrograms = {
  node: process.execPath,
  daemon: compiled('../daemon.js'),
  agent: compiled('../guest/agent.js'),
  vmm: compiled('./vmm.js'),
};

const COMMANDS = ['ip', 'bridge', 'tc', 'ethtool', 'nsenter', 'sysctl'];

async function refuseUnlessPossible(place: LabPlace, spec: LabSpec): Promise<void> {
  if (process.platform !== 'linux') throw new LabRefusedError('the lab is made of Linux network namespaces; this is not Linux');
  if (process.getuid?.() !== 0) throw new LabRefusedError('the lab makes network namespaces: run it as root');
  for (const command of COMMANDS) {
    try {
      await run(command, [['ip', 'bridge', 'tc'].includes(command) ? '-V' : '--version']);
    } catch {
      throw new LabRefusedError(`the command "${command}" is missing: ${missingCommandHint(command)}`);
    }
  }
  if (!existsSync('/dev/net/tun')) throw new LabRefusedError('/dev/net/tun is missing: load the module "tun"');
  const problem = labProblem(spec);
  if (problem !== null) throw new LabRefusedError(`this lab cannot be built: ${problem}`);
  const missing = spec.kind === 'qemu' ? whyNoGuests() : null;
  if (missing !== null) throw new LabRefusedError(`guests of QEMU need ${missing}`);
  for (const name of namespaces(place, spec)) {
    if (existsSync(namespacePath(name))) {
      throw new LabRefusedError(`network namespace ${name} exists and is not of this lab: remove it with \`ip netns del ${name}\``);
    }
  }
  if (existsSync(place.pins)) throw new LabRefusedError(`${place.pins} exists and is not of this lab: remove it`);
}

async function refuseOrClearEarlierLab(place: LabPlace, onStep: (title: string) => void): Promise<void> {
  const earlier = readJournal(place);
  if (earlier === null) {
    if (existsSync(place.directory)) await labDown(place);
    return;
  }
  const { head, complete, steps } = earlier;
  const maker = head === null ? 'somebody' : `process ${head.made_by.pid}`;
  if (head !== null && isAlive(head.made_by)) {
    throw new LabRefusedError(`a lab is being ${complete ? 'used' : 'built'} by ${maker}; wait for it, or \`unipath lab down\``);
  }
  if (head?.owner === 'up') {
    const state = complete ? 'is up' : `was left half-built after ${steps.length} steps`;
    throw new LabRefusedError(`a lab ${state} (made ${head.time}); take it down with \`unipath lab down\``);
  }
  onStep(`clearing what an earlier run left (${maker}, which is gone)`);
  const { failures } = await labDown(place);
  if (failures.length > 0) throw new LabRefusedError(`an earlier run could not be cleared: ${failures.join('; ')}`);
}

function hostState(): Pick<TopologyOptions, 'mountBpffs' | 'netnsDirectory'> {
  return {
    mountBpffs: mountedType(BPFFS) !== 'bpf',
    netnsDirectory: isMountPoint('/run/netns') ? 'mounted' : existsSync('/run/netns') ? 'present' : 'missing',
  };
}

/** Made once for all labs, when they are not there yet. @throws Error with what to do */
async function machineFiles(): Promise<MachineFiles> {
  const kernel = findKernel();
  if (kernel === null) throw new Error('there is no kernel for guests: run `npm run setup -- --guests`');
  return { emulator: emulator(), kernel: await unpackedKernel(kernel), image: await guestImage('base', kernel), accel: bestAccelerator() };
}

/** Titles of the steps that `labUp` would do; nothing is made, and nothing of an earlier lab is cleared. @throws LabRefusedError */
export async function foreseenUp(place: LabPlace, { spec = defaultLab, daemons = true }: Pick<UpOptions, 'spec' | 'daemons'> = {}): Promise<readonly string[]> {
  if (readJournal(place) !== null) throw new LabRefusedError('a lab is up, or was left half-built; take it down with `unipath lab down`');
  await refuseUnlessPossible(place, spec);
  // The files are made by whoever builds it; no title names them.
  const machines: MachineFiles | null = spec.kind === 'qemu' ? { emulator: [], kernel: '', image: '', accel: bestAccelerator() } : null;
  return labSteps(place, spec, { daemons, programs: labPrograms, machines, ...hostState() }).map(({ title }) => title);
}

/**
 * Builds the lab. When a step fails, what was built is taken down again before the error is thrown.
 * @throws LabRefusedError before anything is changed; CommandError, LabProcessError after everything is undone
 */
export async function labUp(place: LabPlace, options: UpOptions = {}): Promise<Lab> {
  const spec = options.spec ?? defaultLab;
  const daemons = options.daemons ?? true;
  const onStep = options.onStep ?? (() => {});
  await refuseOrClearEarlierLab(place, onStep);
  await refuseUnlessPossible(place, spec);
  const machines = spec.kind === 'qemu' ? await machineFiles() : null;
  const steps = labSteps(place, spec, { daemons, programs: labPrograms, machines, ...hostState() });
  const mark = randomBytes(16).toString('hex');
  const journal = Journal.create(place, {
    kind: 'lab',
    schema: JOURNAL_SCHEMA,
    mark,
    owner: options.owner ?? 'up',
    made_by: { pid: process.pid, start: processStart(process.pid) ?? 0 },
    time: new Date().toISOString(),
    daemons,
    guests: spec.kind,
  });
  const { signal } = options;
  const lab: Lab = { place, spec, programs: labPrograms, machines, mark, journal, processes: new Map(), ...(signal === undefined ? {} : { signal }) };
  try {
    for (const [index, step] of steps.entries()) {
      signal?.throwIfAborted();
      onStep(step.title);
      journal.add({ kind: 'step', title: step.title, undo: step.undo });
      for (const action of step.actions) {
        await performAction(action, lab);
        if (index === options.failAfter) process.kill(process.pid, 'SIGKILL');
      }
    }
    journal.add({ kind: 'complete' });
    return lab;
  } catch (error) {
    journal.close();
    const { failures } = await labDown(place);
    if (failures.length > 0 && error instanceof Error) error.message += `\nand taking the lab down failed: ${failures.join('; ')}`;
    throw error;
  }
}
