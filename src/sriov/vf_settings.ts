/** Sets VFs as planned: each setting is undone when a later one is refused, and read back at the end. */
import { CommandError, run } from '../host/exec.js';
import { checkInterfaceName } from '../host/names.js';
import { pfOfNetdev } from './discover.js';
import { AdapterError, PartlyUndoneError } from './error.js';
import { valueOf } from './fact.js';
import type { PfFacts } from './facts.js';
import { pfName } from './pf_name.js';
import { doSteps } from './steps.js';
import { configurationOf, planVf, settingText, settingWords, unlike, type VfPlan, type VfSetting, type VfWish, wishFor } from './vf_plan.js';
import { readVfNote, removeVfNote, writeVfNote } from './vf_notes.js';

/** What kernels mean by their numbers when a VF is set. */
const HINTS: readonly (readonly [RegExp, (setting: VfSetting) => string | null])[] = [
  [/Operation not supported|Protocol not supported/, () => 'its driver cannot do that'],
  [
    /Invalid argument/,
    ({ kind }) => (kind === 'rate' ? 'some drivers limit a rate only while the PF has its link, and to less than that link carries' : null),
  ],
];

function explained(pf: string, index: number, setting: VfSetting, error: unknown): Error {
  if (!(error instanceof CommandError)) return error as Error;
  const hint = HINTS.find(([pattern]) => pattern.test(error.stderr))?.[1](setting) ?? null;
  return new AdapterError(`VF ${index} of ${pf} did not take ${settingText(setting)}: ${error.stderr.replace(/^RTNETLINK answers: /, '')}`, hint);
}

/** @param pf its netdev. @throws AdapterError */
export async function setOne(pf: string, index: number, setting: VfSetting): Promise<void> {
  try {
    await run('ip', ['link', 'set', 'dev', checkInterfaceName(pf), 'vf', String(index), ...settingWords(setting)]);
  } catch (error) {
    throw explained(pf, index, setting, error);
  }
}

/** Set and read back; what was set is undone when a later one is refused. @throws AdapterError */
export async function applyVf(pf: PfFacts, index: number, plan: VfPlan): Promise<void> {
  await apply(netdevOf(pf), index, plan);
  await readBack(pf, index, plan.changes.map(({ setting }) => setting));
}

async function apply(pf: string, index: number, { changes }: VfPlan): Promise<void> {
  await doSteps(changes, {
    undone: 'done',
    perform: ({ setting }) => setOne(pf, index, setting),
    undo: ({ before }) => setOne(pf, index, before),
    describe: ({ before }) => settingText(before),
  });
}

/** What the driver says it has done is not always what it shows afterwards. @throws AdapterError */
async function readBack(pf: PfFacts, index: number, settings: readonly VfSetting[]): Promise<void> {
  if (settings.length === 0) return;
  const seen = await pfOfNetdev(netdevOf(pf));
  const missing = seen === null ? ['anything: the PF is gone'] : unlike(settings, configurationOf(seen, index));
  if (missing.length > 0) throw new AdapterError(`VF ${index} of ${pfName(pf)} took, but does not show: ${missing.join(', ')}`);
}

function netdevOf(pf: PfFacts): string {
  const nic = valueOf(pf.nic);
  if (nic === null) throw new AdapterError(`${pf.pci} has no netdev here by which VFs could be set`);
  return nic.name;
}

/** How the VF was before the first change is noted, for restoreVf(). @throws AdapterError */
export async function setVf(pf: PfFacts, index: number, plan: VfPlan, state: string): Promise<void> {
  if (plan.changes.length === 0) return;
  const isFirst = readVfNote(state, pf.pci, index) === null;
  if (isFirst) writeVfNote(state, pf.pci, index, wishFor(configurationOf(pf, index)));
  try {
    await apply(netdevOf(pf), index, plan);
  } catch (error) {
    if (isFirst && !(error instanceof PartlyUndoneError)) removeVfNote(state, pf.pci, index);
    throw error;
  }
  await readBack(pf, index, plan.changes.map(({ setting }) => setting));
}

/** The plan by which a VF becomes what it was before the first change. @throws AdapterError when nothing is noted */
export function planVfRestore(pf: PfFacts, index: number, state: string): VfPlan {
  const before = readVfNote(state, pf.pci, index);
  if (before === null) throw new AdapterError(`VF ${index} of ${pfName(pf)}: unipath has set nothing there`);
  // What gives the VF something goes first: its MAC address.
  const { changes, lacking } = planVf(pf, index, before);
  return { changes: [...changes].reverse(), lacking };
}

export async function restoreVf(pf: PfFacts, index: number, plan: VfPlan, state: string): Promise<void> {
  await applyVf(pf, index, plan);
  removeVfNote(state, pf.pci, index);
}

/** As wished, and nothing noted: for who knows himself how the VF was. @throws AdapterError */
export async function configureVf(pf: PfFacts, index: number, wish: VfWish): Promise<void> {
  await applyVf(pf, index, planVf(pf, index, wish));
}
