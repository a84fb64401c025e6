/** The shared libraries and the loader that programs need, to take them into a guest. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, run } from '../../host/exec.js';

/** @param output what ldd says about one file. @throws Error naming a library that is not there */
export function parseLdd(output: string): string[] {
  const missing = /^\s*(\S+) => not found/m.exec(output)?.[1];
  if (missing !== undefined) throw new Error(`the library ${missing} is missing on this machine`);
  return [...output.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm)].map(([, path]) => path ?? '');
}

async function ldd(program: string): Promise<string> {
  try {
    return await run('ldd', [program]);
  } catch (error) {
    // A static program, or a script.
    if (error instanceof CommandError && error.stderr.includes('not a dynamic executable')) return '';
    throw error;
  }
}

/** Absolute paths, as the loader looks for them. */
export async function librariesOf(programs: readonly string[]): Promise<string[]> {
  const outputs = await Promise.all(programs.map(ldd));
  return [...new Set(outputs.flatMap(parseLdd))];
}

/** Where a library that is opened by name only is. @throws Error when it is not installed */
export async function findLibrary(name: string): Promise<string> {
  const cache = await run('ldconfig', ['-p']);
  const path = new RegExp(`^\\s*${name.replaceAll('.', '\\.')} \\(.*x86-64.*\\) => (\\S+)$`, 'm').exec(cache)?.[1];
  if (path === undefined) throw new Error(`${name} is not installed on this machine`);
  return path;
}

/** The program of this name. @returns null when there is none */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(':').filter((folder) => folder !== ''), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}
