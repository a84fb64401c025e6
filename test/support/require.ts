/**
 * Tests that need something say so, and are skipped with the reason in their title when it is missing:
 *   const kernelTest = testWith(needs.root(), needs.tool('bpftool'));
 *   kernelTest('a title', (t) => { ... });           // or kernelTest.serial(...)
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

/** null = there; else what is missing, in words. */
export type Missing = string | null;
type Body = (t: ExecutionContext) => void | Promise<void>;
type Declare = (title: string, body: Body) => void;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function versionNumbers(version: string): [number, number] {
  const [major, minor] = version.split('.').map((part) => Number.parseInt(part, 10));
  return [major ?? 0, minor ?? 0];
}

export const needs = {
  root: (): Missing => (process.getuid?.() === 0 ? null : 'root'),
  tool: (name: string): Missing => {
    const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
    return folders.some((folder) => isExecutable(join(folder, name))) ? null : `the tool ${name}`;
  },
  /** `version` as in "6.6". */
  kernel: (version: string): Missing => {
    const [[major, minor], [wantedMajor, wantedMinor]] = [versionNumbers(release()), versionNumbers(version)];
    return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor) ? null : `kernel ${version} or later`;
  },
  /** For tests of minutes that CI has no time for. */
  time: (): Missing => (process.env['UNIPATH_LONG'] === '1' ? null : 'minutes of time (`npm run test:long`)'),
  file: (path: string, remedy: string): Missing => (existsSync(path) ? null : remedy),
  /** Tried in a network namespace that lives as long as the attempt. */
  vlanAwareBridges: (): Missing => {
    const attempt = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'br0', 'type', 'bridge', 'vlan_filtering', '1']);
    return attempt.status === 0 ? null : 'a kernel whose bridges look at VLAN tags (CONFIG_BRIDGE_VLAN_FILTERING)';
  },
  bpffs: (): Missing => (/^\S+ \/sys\/fs\/bpf bpf /m.test(readFileSync('/proc/mounts', 'utf8')) ? null : 'a bpffs on /sys/fs/bpf'),
};

/** A `test` that runs only when nothing of this is missing. */
export function testWith(...missing: readonly Missing[]): Declare & { serial: Declare } {
  const reasons = missing.filter((reason) => reason !== null);
  if (reasons.length > 0) {
    const skip: Declare = (title, body) => test.skip(`${title} [skipped: needs ${reasons.join(', ')}]`, body);
    return Object.assign(skip, { serial: skip });
  }
  return Object.assign((title: string, body: Body) => test(title, body), {
    serial: (title: string, body: Body) => test.serial(title, body),
  });
}
