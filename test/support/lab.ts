/** Labs for tests: the command that makes them, and what can be seen of one. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { labDown } from '../../src/lab/down.js';
import { labPlace, type LabPlace } from '../../src/lab/place.js';

export const cli = fileURLToPath(new URL('../../src/cli.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `unipath lab ARGS` to its end. */
export function lab(name: string, command: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [cli, 'lab', command, '--name', name, ...args], { encoding: 'utf8' }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

/** Whatever of this lab can be seen on the host; and the host's own links and mounts of bpffs. */
export function traces(place: LabPlace): Record<string, readonly string[]> {
  const list = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
  const named = (text: string): boolean => text.includes(place.prefix);
  return {
    namespaces: list('/run/netns').filter(named),
    links: execFileSync('ip', ['-o', 'link', 'show'], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.split(':')[1] ?? ''),
    pins: existsSync(place.pins) ? [place.pins] : [],
    state: existsSync(place.directory) ? [place.directory] : [],
    processes: list('/proc')
      .filter((pid) => /^\d+$/.test(pid) && pid !== String(process.pid))
      .flatMap((pid) => {
        try {
          const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
          return words.includes(place.directory) || words.includes(`${place.prefix}-`) ? [words] : [];
        } catch {
          return [];
        }
      }),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => named(line) || line.includes(' - bpf ')),
  };
}

/** Taken down after the test, whatever happens. */
export function withLab(t: ExecutionContext, name: string): LabPlace {
  const place = labPlace(name);
  t.teardown(async () => {
    await labDown(place);
  });
  return place;
}
