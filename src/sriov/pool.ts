/** Makes VFs and takes them away: each step has its undo, and what was before is noted before the first one. */
import { existsSync } from 'node:fs';
import { type EswitchMode, readEswitchMode, setEswitchMode } from '../host/devlink.js';
import { CommandError, run } from '../host/exec.js';
import { findPf } from './discover.js';
import { AdapterError, PartlyUndoneError } from './error.js';
import type { PfFacts } from './facts.js';
import { findHolders } from './holders.js';
import { pfName } from './pf_name.js';
import { deviceFolder, type PciAddress, readFunction, readPf, readVf } from './pci.js';
import { readNote, removeNote, writeNote } from './pool_notes.js';
import {
  type BindTarget,
  noteAgain,
  noteOf,
  planReset,
  planSetup,
  type PoolPlan,
  type PoolStep,
  type PoolWish,
  stepText,
  targetOf,
  VFIO_DRIVER,
} from './pool_plan.js';
import { doSteps } from './steps.js';
import { realSysfs } from './sysfs.js';
import { writeSysfs, writeSysfsApart } from './sysfs_write.js';
import { readVfNote, removeVfNotes } from './vf_notes.js';
import { configureVf } from './vf_settings.js';

const VFIO_FOLDER = `/sys/bus/pci/drivers/${VFIO_DRIVER}`;
const PROBE = '/sys/bus/pci/drivers_probe';
/** The slowest seen: QEMU takes half a second to take a VF away whose netdev is up. */
const COUNT_MS = 30_000;
const PER_VF_MS = 1000;
const UNBIND_MS = 15_000;
const MODPROBE_MS = 30_000;
const PCI_BRIDGE_CLASS = 0x0604;

export interface PlannedSetup {
  readonly pf: PfFacts;
  readonly plan: PoolPlan;
  readonly wish: PoolWish;
}

/** @param wish null: as it was made before (after a reboot). @throws AdapterError */
export async function planPoolSetup(name: string, wish: PoolWish | null, state: string): Promise<PlannedSetup> {
  const pf = await findPf(name);
  const made = readNote(state, pf.pci)?.made;
  // Whoever asks for another number does not ask for another mode.
  const wanted = wish === null ? made : { ...wish, eswitch: wish.eswitch ?? made?.eswitch };
  if (wanted === undefined) throw new AdapterError(`${pfName(pf)}: unipath has set nothing up there that could be made again`, 'say how many VFs: --vfs NUMBER');
  return { pf, plan: planSetup(pf, await findHolders(pf), wanted, existsSync(VFIO_FOLDER)), wish: wanted };
}

/** @throws AdapterError when unipath has changed nothing there */
export async function planPoolReset(name: string, state: string): Promise<{ readonly pf: PfFacts; readonly plan: PoolPlan }> {
  const pf = await findPf(name);
  const note = readNote(state, pf.pci);
  if (note === null) throw new AdapterError(`${pfName(pf)}: unipath has set nothing up there`, 'what others have made they take away themselves');
  return { pf, plan: planReset(pf, await findHolders(pf), note) };
}

/** What was before the first of several setups is what the reset goes back to. */
export async function setUpPool(pf: PfFacts, plan: PoolPlan, wish: PoolWish, state: string, say: (text: string) => void): Promise<void> {
  const known = readNote(state, pf.pci);
  if (plan.steps.length === 0 && known === null) return;
  const note = known === null ? noteOf(pf, wish, (index) => readVfNote(state, pf.pci, index)) : noteAgain(known, pf, wish);
  writeNote(state, note);
  try {
    await perform(pf, plan.steps, say);
    forgetVfs(pf, plan, state);
  } catch (error) {
    // Everything that was done is undone: there is nothing to put back that was not before.
    if (!(error instanceof PartlyUndoneError)) {
      if (known === null) removeNote(state, pf.pci);
      else writeNote(state, known);
    }
    throw error;
  }
}

export async function resetPool(pf: PfFacts, plan: PoolPlan, state: string, say: (text: string) => void): Promise<void> {
  await perform(pf, plan.steps, say);
  removeVfNotes(state, pf.pci);
  removeNote(state, pf.pci);
}

/** New VFs are not what was set before, and the PF's note says how those that are gone were. */
function forgetVfs(pf: PfFacts, { steps }: PoolPlan, state: string): void {
  if (steps.some(({ kind }) => kind === 'set-vfs')) removeVfNotes(state, pf.pci);
}

async function perform(pf: PfFacts, steps: readonly PoolStep[], say: (text: string) => void): Promise<void> {
  const describe = (step: PoolStep): string => stepText(pfName(pf), step);
  await doSteps(steps, {
    describe,
    undone: 'tried',
    undo: (step) => undoStep(pf.pci, step),
    perform: async (step) => {
      say(describe(step));
      await doStep(pf.pci, step);
    },
  });
}

async function doStep(pf: PciAddress, step: PoolStep): Promise<void> {
  switch (step.kind) {
    case 'load-vfio':
      await run('modprobe', [VFIO_DRIVER], { timeoutMs: MODPROBE_MS });
      return;
    case 'set-autoprobe':
      await writeSysfs(`${deviceFolder(pf)}/sriov_drivers_autoprobe`, step.on ? '1' : '0');
      return;
    case 'set-vfs':
      await setVfs(pf, step.count, step.before);
      return;
    case 'set-eswitch':
      await switchTo(pf, step.mode);
      return;
    case 'configure':
      await configureVf(await findPf(pf), step.vf, step.wish);
      return;
    case 'bind':
      await bindVf(pf, step.vf, step.to);
      return;
    default:
      step satisfies never;
  }
}

async function undoStep(pf: PciAddress, step: PoolStep): Promise<void> {
  switch (step.kind) {
    case 'configure':
      // It was on the way back already.
      return;
    case 'load-vfio':
      // A module that nobody uses harms nobody, and taking it away may hurt who has begun to.
      return;
    case 'set-autoprobe':
      await writeSysfs(`${deviceFolder(pf)}/sriov_drivers_autoprobe`, step.before ? '1' : '0');
      return;
    case 'set-vfs':
      await setVfs(pf, step.before, step.count);
      return;
    case 'set-eswitch':
      await switchTo(pf, step.before);
      return;
    case 'bind':
      // With the VFs gone there is nothing to bind.
      if (readVf(realSysfs, pf, step.vf) !== null) await bindVf(pf, step.vf, targetOf(step.before));
      return;
    default:
      step satisfies never;
  }
}

/** @throws AdapterError with what the driver said, and when it says yes and does otherwise */
async function switchTo(pf: PciAddress, mode: EswitchMode): Promise<void> {
  const now = (await readEswitchMode(pf)) ?? 'legacy';
  if (now === mode) return;
  try {
    await setEswitchMode(pf, mode);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new AdapterError(`${pf}: the driver did not put its switch into ${mode} mode: ${error.stderr || error.message}`, 'the kernel log (dmesg) may say why', { cause: error });
  }
  if (((await readEswitchMode(pf)) ?? 'legacy') !== mode) throw new AdapterError(`${pf}: its switch took ${mode} mode, but does not show it`);
}

/** @throws SysfsWriteError, AdapterError when fewer came than were asked for */
async function setVfs(pf: PciAddress, count: number, before: number): Promise<void> {
  const now = readPf(realSysfs, pf).sriov.enabled;
  if (now === count) return;
  await writeSysfsApart(`${deviceFolder(pf)}/sriov_numvfs`, String(count), COUNT_MS + Math.max(count, before) * PER_VF_MS);
  const came = readPf(realSysfs, pf).vfs.length;
  if (came !== count) throw new AdapterError(`${pf}: ${came} of ${count} VFs came`, 'the kernel log (dmesg) says why');
}

/** @throws AdapterError, SysfsWriteError */
async function bindVf(pf: PciAddress, index: number, to: BindTarget): Promise<void> {
  const vf = readVf(realSysfs, pf, index);
  if (vf === null) throw new AdapterError(`${pf} has no VF ${index}`);
  const folder = deviceFolder(vf.pci);
  const override = (driver: string | null): Promise<void> => writeSysfs(`${folder}/driver_override`, `${driver ?? ''}\n`);
  const current = vf.driver.answer === 'yes' ? vf.driver.value : null;
  if (to.kind === 'driver' && to.driver === VFIO_DRIVER) checkGroup(pf, vf.pci, index);
  if (to.kind !== 'none') await override(to.kind === 'own' ? null : to.driver);
  const stays = to.kind === 'driver' ? current === to.driver : to.kind === 'own' && current !== null && current !== VFIO_DRIVER;
  if (current !== null && !stays) await writeSysfsApart(`/sys/bus/pci/drivers/${current}/unbind`, vf.pci, UNBIND_MS);
  if (to.kind !== 'none' && !stays) await writeSysfs(PROBE, vf.pci);
  if (to.kind !== 'own' && (to.kind === 'none' || to.override !== to.driver)) await override(to.override);
  const bound = readFunction(realSysfs, vf.pci).driver;
  const name = bound.answer === 'yes' ? bound.value : null;
  const about = `VF ${index} (${vf.pci})`;
  if (to.kind === 'driver' && name !== to.driver) throw new AdapterError(`${about}: ${to.driver} did not take it`, 'the kernel log (dmesg) says why');
  if (to.kind === 'own' && name === null) throw new AdapterError(`${about}: no driver of this host took it`, 'load the driver of the VFs');
}

/** VFIO gives away whole groups: nobody else may be in it but bridges and VFs of the same PF. @throws AdapterError */
function checkGroup(pf: PciAddress, vf: PciAddress, index: number): void {
  const group = realSysfs.link(`${deviceFolder(vf)}/iommu_group`);
  if (group === null) throw new AdapterError(`VF ${index} (${vf}) is in no IOMMU group`, 'switch the IOMMU on, in the firmware and on the kernel command line');
  for (const other of realSysfs.list(`/sys/kernel/iommu_groups/${group}/devices`)) {
    const folder = `/sys/bus/pci/devices/${other}`;
    const isBridge = Number(realSysfs.text(`${folder}/class`) ?? 0) >> 8 === PCI_BRIDGE_CLASS;
    if (other === vf || isBridge || realSysfs.link(`${folder}/physfn`) === pf) continue;
    const driver = realSysfs.link(`${folder}/driver`) ?? 'no driver';
    throw new AdapterError(
      `VF ${index} (${vf}) shares IOMMU group ${group} with ${other} (${driver}), and can be given away only together with it`,
      'use a slot whose PCIe ports have ACS',
    );
  }
}
