/** What adapters were like before unipath changed them: a file for each in the state folder, until it is put back. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isPciAddress, type PciAddress } from './pci.js';
import { type PoolNote, VFIO_DRIVER } from './pool_plan.js';

const VERSION = 1;

const binding = z.strictObject({ driver: z.string().nullable(), override: z.string().nullable() });
const noteFile = z.strictObject({
  version: z.literal(VERSION),
  pci: z.custom<PciAddress>((value) => typeof value === 'string' && isPciAddress(value)),
  before: z.strictObject({ vfs: z.int().min(0), autoprobe: z.boolean(), bindings: z.array(binding) }),
  made: z.strictObject({ vfs: z.int().min(1), driver: z.enum([VFIO_DRIVER, 'kernel']) }),
});

const fileOf = (state: string, pci: PciAddress): string => join(state, 'adapters', `${pci}.json`);

/** null: unipath has changed nothing here. @throws Error when the file is none of ours: it says which */
export function readNote(state: string, pci: PciAddress): PoolNote | null {
  const file = fileOf(state, pci);
  if (!existsSync(file)) return null;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`);
  }
  const parsed = noteFile.safeParse(content);
  if (!parsed.success) throw new Error(`${file} is no note of this version of unipath: ${parsed.error.issues[0]?.message ?? 'unknown'}`);
  const { before, made } = parsed.data;
  return { pci, before, made };
}

/** On the disk when it returns, whole or not at all. */
export function writeNote(state: string, note: PoolNote): void {
  const file = fileOf(state, note.pci);
  mkdirSync(join(state, 'adapters'), { recursive: true, mode: 0o755 });
  const unfinished = `${file}.new`;
  const fd = openSync(unfinished, 'w', 0o644);
  try {
    writeSync(fd, `${JSON.stringify({ version: VERSION, ...note })}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(unfinished, file);
}

export function removeNote(state: string, pci: PciAddress): void {
  rmSync(fileOf(state, pci), { force: true });
}
