/** A lock on a folder that ends with its process, however that ends: flock(2) on the folder itself, so there is no file to be left over. */
import { Descriptor } from './descriptor.js';
import { E } from './errno.js';
import { check } from './errors.js';
import { libc } from './libc.js';

const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;
const LOCK_EX = 2;
const LOCK_NB = 4;

export class FolderLock {
  readonly #descriptor: Descriptor;

  private constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
  }

  /** Null when another process has it. @throws NativeError ENOENT, EACCES */
  static take(path: string): FolderLock | null {
    const descriptor = new Descriptor(check('open', libc().open(path, O_RDONLY | O_CLOEXEC, 0), path), `lock on ${path}`);
    const rc = libc().flock(descriptor.fd, LOCK_EX | LOCK_NB);
    if (rc === 0) return new FolderLock(descriptor);
    descriptor.close();
    if (rc !== -E.AGAIN) check('flock', rc, path);
    return null;
  }

  release(): void {
    this.#descriptor.close();
  }
}
