/** The file system that pins live on. */
import { statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;

/** Where pins cannot be kept, and what to do about it. */
export class NotOnBpffsError extends Error {
  constructor(path: string) {
    super(`${path} is not on a bpffs; mount one: mount -t bpf bpf /sys/fs/bpf`);
    this.name = 'NotOnBpffsError';
  }
}

/** @throws NotOnBpffsError unless `root`, or the nearest folder above it that exists, is on a bpffs */
export function ensureBpffs(root: string): void {
  let folder = resolve(root);
  for (;;) {
    try {
      if (statfsSync(folder).type === BPF_FS_MAGIC) return;
      throw new NotOnBpffsError(root);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    folder = dirname(folder);
  }
}
