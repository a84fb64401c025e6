/** What adapters were like before unipath changed them: a file for each in the state folder, until it is put back. */
import { z } from 'zod';
import { isPciAddress, type PciAddress } from './pci.js';
import { type PoolNote, VFIO_DRIVER } from './pool_plan.js';
import { vfWishFile } from './vf_notes.js';
import { readStateFile, removeStateFile, stateFiles, writeStateFile } from './state_file.js';

const VERSION = 1;

const binding = z.strictObject({ driver: z.string().nullable(), override: z.string().nullable() });
const eswitch = z.enum(['legacy', 'switchdev']);
const noteFile = z.strictObject({
  version: z.literal(VERSION),
  pci: z.custom<PciAddress>((value) => typeof value === 'string' && isPciAddress(value)),
  before: z.strictObject({ vfs: z.int().min(0), autoprobe: z.boolean(), bindings: z.array(binding), settings: z.array(vfWishFile.nullable()), eswitch: eswitch.optional() }),
  made: z.strictObject({ vfs: z.int().min(1), driver: z.enum([VFIO_DRIVER, 'kernel']), eswitch: eswitch.optional() }),
});

/** null: unipath has changed nothing here. @throws Error naming a file that is none of ours */
export function readNote(state: string, pci: PciAddress): PoolNote | null {
  const note = readStateFile(state, pci, noteFile);
  return note === null ? null : { pci, before: note.before, made: note.made };
}

/** PFs of which there are notes. */
export function notedPfs(state: string): PciAddress[] {
  return stateFiles(state).filter(isPciAddress).sort();
}

export function writeNote(state: string, note: PoolNote): void {
  writeStateFile(state, note.pci, { version: VERSION, ...note });
}

export function removeNote(state: string, pci: PciAddress): void {
  removeStateFile(state, pci);
}
