/** The VFs in quarantine, in a file beside the daemon's socket: kept over a restart, gone with a reboot, as the VFs are. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Quarantines } from '../core/quarantine.js';
import type { QuarantineStore } from './quarantine_keeper.js';

const content = z.record(z.string(), z.strictObject({ reason: z.string(), by: z.enum(['unipath', 'operator']) }));

export class QuarantineFile implements QuarantineStore {
  readonly #path: string;
  readonly #warn: (message: string) => void;

  /** @param warn is told when the file cannot be read or written: a VF too many or too few is no reason to stop */
  constructor(socket: string, warn: (message: string) => void) {
    this.#path = join(dirname(socket), 'quarantine.json');
    this.#warn = warn;
  }

  read(): Quarantines {
    try {
      if (!existsSync(this.#path)) return new Map();
      return new Map(Object.entries(content.parse(JSON.parse(readFileSync(this.#path, 'utf8')))));
    } catch (error) {
      this.#warn(`${this.#path} cannot be read, so no VF is in quarantine: ${(error as Error).message}`);
      return new Map();
    }
  }

  write(all: Quarantines): void {
    try {
      if (all.size === 0) return rmSync(this.#path, { force: true });
      const unfinished = `${this.#path}.new`;
      writeFileSync(unfinished, `${JSON.stringify(Object.fromEntries(all))}\n`, { mode: 0o644 });
      renameSync(unfinished, this.#path);
    } catch (error) {
      this.#warn(`${this.#path} cannot be written, so a restart will forget the quarantine: ${(error as Error).message}`);
    }
  }
}
