/** What `devlink` says of a PCI device. Addresses must have been checked. */
import { CommandError, run, runJson } from './exec.js';

export type EswitchMode = 'legacy' | 'switchdev';

/** The mode in what `devlink -j dev eswitch show` prints; null: it says nothing of the device. @throws Error naming a mode that is not known here */
export function parseEswitchMode(answer: unknown, pci: string): EswitchMode | null {
  const devices = (answer as { readonly dev?: Readonly<Record<string, { readonly mode?: string }>> }).dev ?? {};
  const mode = devices[`pci/${pci}`]?.mode;
  if (mode === undefined || mode === 'legacy' || mode === 'switchdev') return mode ?? null;
  throw new Error(`the switch of ${pci} is in the mode ${mode}, which is not known here`);
}

/**
 * Do these words of `devlink` mean that the switch has no other mode than legacy? A driver without devlink (igb, ixgbe): there is no such device;
 * one whose devlink knows no switch (i40e): it is not supported. Before iproute2 6.0 it is `devlink` that answers.
 */
export function isLegacyOnly(stderr: string): boolean {
  return /(kernel|devlink) answers: (No such device|Operation not supported)/.test(stderr);
}

/** Every VF and its representor come and go with it, and the driver sets its queues up anew. */
const SET_MS = 60_000;

/** @throws CommandError */
export async function setEswitchMode(pci: string, mode: EswitchMode): Promise<void> {
  await run('devlink', ['dev', 'eswitch', 'set', `pci/${pci}`, 'mode', mode], { timeoutMs: SET_MS });
}

/** null: its driver has no devlink, and so no other mode than legacy. @throws CommandError when that cannot be told */
export async function readEswitchMode(pci: string): Promise<EswitchMode | null> {
  try {
    return parseEswitchMode(await runJson('devlink', ['-j', 'dev', 'eswitch', 'show', `pci/${pci}`]), pci);
  } catch (error) {
    if (error instanceof CommandError && isLegacyOnly(error.stderr)) return null;
    throw error;
  }
}
