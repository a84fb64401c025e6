/** What is mounted where, from /proc/self/mountinfo. */
import { readFileSync } from 'node:fs';

/** Mount points are written there with octal escapes. */
const withoutEscapes = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** File system type of what is mounted at exactly this path (the topmost); null when nothing is. */
export function mountedType(path: string, mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string | null {
  let type: string | null = null;
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const point = left?.split(' ')[4];
    if (point !== undefined && withoutEscapes(point) === path) type = right?.split(' ')[0] ?? null;
  }
  return type;
}

export const isMountPoint = (path: string): boolean => mountedType(path) !== null;
