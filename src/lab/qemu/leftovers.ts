/** What a machine of QEMU leaves in its files: its last words for messages, and the files themselves. */
import { existsSync, readFileSync, rmSync } from 'node:fs';

/** Characters; of a kernel that dies about one trace. */
const EXCERPT = 3000;

export interface SpokenFiles {
  readonly console: string;
  readonly log: string;
}

export const tail = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8').slice(-EXCERPT).trim() : '');

/** The end of the kernel's log and of QEMU's words. */
export const lastWords = ({ console, log }: SpokenFiles): string => [tail(console), tail(log)].filter((text) => text !== '').join('\n');

/** The error, with what the machine said last. */
export function withLastWords(error: unknown, running: boolean, words: string): Error {
  const message = error instanceof Error ? error.message : String(error);
  const state = running ? '' : '; QEMU has ended';
  return new Error(`${message}${state}${words === '' ? '' : `; its console ends with:\n${words}`}`, { cause: error });
}

export function removeFiles(paths: object): void {
  for (const file of Object.values(paths) as string[]) rmSync(file, { force: true });
}
