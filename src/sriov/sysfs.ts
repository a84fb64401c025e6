/** What sysfs says. Paths begin with /sys. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

export interface Sysfs {
  /** Content without its last newline; null: there is no such file, or it has nothing to say now. */
  text(path: string): string | null;
  /** The same of a file that is no text. */
  bytes(path: string): Buffer | null;
  /** Last part of what a link leads to; null: there is no such link. */
  link(path: string): string | null;
  /** Names in a folder, in order; none when it is not there. */
  list(path: string): readonly string[];
}

export const realSysfs: Sysfs = {
  text(path) {
    try {
      return readFileSync(path, 'utf8').replace(/\n$/, '');
    } catch {
      return null;
    }
  },
  bytes(path) {
    try {
      return readFileSync(path);
    } catch {
      return null;
    }
  },
  link(path) {
    try {
      return basename(readlinkSync(path));
    } catch {
      return null;
    }
  },
  list(path) {
    try {
      return readdirSync(path).sort();
    } catch {
      return [];
    }
  },
};

/** A whole number, also one in hexadecimal digits behind 0x; null when the file says something else, or nothing. */
export function numberAt(sysfs: Sysfs, path: string): number | null {
  const text = sysfs.text(path);
  return text !== null && /^-?\d+$|^0x[0-9a-f]+$/i.test(text) ? Number(text) : null;
}
