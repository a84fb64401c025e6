/** The one switch that takes things back. Each case is harmless when there is nothing to take back. */
import { existsSync, readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../host/exec.js';
import { isMountPoint } from './mounts.js';
import { namespacePath } from './place.js';
import { stopProcesses, type ProcessIdentity } from './processes.js';
import type { Undo } from './steps.js';

const LINKS_GONE_MS = 5000;

/** Files that the kernel itself puts into every BPF file system. */
const KERNEL_FILES = new Set(['maps.debug', 'progs.debug']);

const entriesOf = (path: string): string[] => readdirSync(path).filter((name) => !KERNEL_FILES.has(name));

/** bpffs knows no recursive removal by rm's tricks: files and folders one by one. */
function removeTree(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) removeTree(child);
    else unlinkSync(child);
  }
  rmdirSync(path);
}

async function awaitLinksGone(netns: string, names: readonly string[]): Promise<void> {
  const deadline = Date.now() + LINKS_GONE_MS;
  while (existsSync(namespacePath(netns)) && Date.now() < deadline) {
    const links = await run('ip', ['-n', netns, '-o', 'link', 'show']);
    if (!names.some((name) => links.includes(` ${name}@`))) return;
    await sleep(20);
  }
}

async function deleteNetns(name: string): Promise<void> {
  const path = namespacePath(name);
  if (!existsSync(path)) return;
  // A crash inside `ip netns add` leaves a plain file that `ip netns del` refuses.
  if (isMountPoint(path)) await run('ip', ['netns', 'del', name]);
  else rmSync(path, { force: true });
}

/** @param processOf the process last started under a name */
export async function performUndo(undo: Undo, processOf: (name: string) => ProcessIdentity | undefined): Promise<void> {
  switch (undo.kind) {
    case 'delete-netns':
      return deleteNetns(undo.name);
    case 'await-links-gone':
      return awaitLinksGone(undo.netns, undo.names);
    case 'remove-tree':
      return removeTree(undo.path);
    case 'unmount-if-empty':
      if (isMountPoint(undo.path) && entriesOf(undo.path).length === 0) await run('umount', ['-n', undo.path]);
      return;
    case 'remove-empty-directory':
      if (existsSync(undo.path) && entriesOf(undo.path).length === 0) rmdirSync(undo.path);
      return;
    case 'stop-process': {
      const identity = processOf(undo.name);
      if (identity !== undefined) await stopProcesses([identity]);
      return;
    }
    default:
      undo satisfies never;
  }
}
