/** What `devlink` says of a PCI device. Addresses must have been checked. */
import { CommandError, runJson } from './exec.js';

export type EswitchMode = 'legacy' | 'switchdev';

/** The mode in what `devlink -j dev eswitch show` prints; null: it says nothing of the device. @throws Error naming a mode that is not known here */
export function parseEswitchMode(answer: unknown, pci: string): EswitchMode | null {
  const devices = (answer as { readonly dev?: Readonly<Record<string, { readonly mode?: string }>> }).dev ?? {};
  const mode = devices[`pci/${pci}`]?.mode;
  if (mode === undefined || mode === 'legacy' || mode === 'switchdev') return mode ?? null;
  throw new Error(`the switch of ${pci} is in the mode ${mode}, which is not known here`);
}

/** null: its driver has no devlink, and so no other mode than legacy. @throws CommandError when that cannot be told */
export async function readEswitchMode(pci: string): Promise<EswitchMode | null> {
  try {
    return parseEswitchMode(await runJson('devlink', ['-j', 'dev', 'eswitch', 'show', `pci/${pci}`]), pci);
  } catch (error) {
    // The kernel's words for a driver without devlink, and for one whose devlink knows no eswitch.
    if (error instanceof CommandError && /No such device|Operation not supported/.test(error.stderr)) return null;
    throw error;
  }
}
