/** Files of the state folder: what must be put back, and outlives a reboot. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';

export const stateFolder = (state: string): string => join(state, 'adapters');
const fileOf = (state: string, name: string): string => join(stateFolder(state), `${name}.json`);

/** null: there is none. @throws Error when it is none of this version: it says which file */
export function readStateFile<T>(state: string, name: string, schema: z.ZodType<T, unknown>): T | null {
  const file = fileOf(state, name);
  if (!existsSync(file)) return null;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`);
  }
  const parsed = schema.safeParse(content);
  if (!parsed.success) throw new Error(`${file} is no note of this version of unipath: ${parsed.error.issues[0]?.message ?? 'unknown'}`);
  return parsed.data;
}

/** On the disk when it returns, whole or not at all. */
export function writeStateFile(state: string, name: string, content: object): void {
  const file = fileOf(state, name);
  mkdirSync(stateFolder(state), { recursive: true, mode: 0o755 });
  const unfinished = `${file}.new`;
  const fd = openSync(unfinished, 'w', 0o644);
  try {
    writeSync(fd, `${JSON.stringify(content)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(unfinished, file);
}

export function removeStateFile(state: string, name: string): void {
  rmSync(fileOf(state, name), { force: true });
}

/** Names of those that are there. */
export function stateFiles(state: string): string[] {
  const folder = stateFolder(state);
  return existsSync(folder) ? readdirSync(folder).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : [])) : [];
}
