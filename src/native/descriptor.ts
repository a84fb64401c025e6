/** A file descriptor with an owner: closed once, and never used after that. */
import { check } from './errors.js';
import { libc } from './libc.js';

const F_DUPFD_CLOEXEC = 1030;
/** Not 0, 1 or 2: code that writes to stdout by number must not hit a map. */
const lowestFd = 3;

export class Descriptor {
  #fd: number;
  readonly #what: string;

  /** Takes over `fd`. */
  constructor(fd: number, what: string) {
    this.#fd = fd;
    this.#what = what;
  }

  /** A second descriptor of the same kernel object; `fd` stays the caller's. */
  static duplicate(fd: number, what: string): Descriptor {
    return new Descriptor(check('fcntl', libc().fcntl(fd, F_DUPFD_CLOEXEC, lowestFd), what), what);
  }

  /** @throws when it was closed */
  get fd(): number {
    if (this.#fd < 0) throw new Error(`${this.#what} is closed`);
    return this.#fd;
  }

  get isOpen(): boolean {
    return this.#fd >= 0;
  }

  /** A second close() does nothing. */
  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    libc().close(fd);
  }
}
