/**
 * Every path on the bpffs is made here. Below the root there is one folder per contract version, so that programs and
 * daemons of different contracts never open each other's maps:
 *   <root>/v<version>/maps/<name>  programs/<name>  links/<ifindex>  links/egress-<ifindex>  tracing/<name>
 */
import { mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBpffs } from './bpffs.js';

export { ensureBpffs, NotOnBpffsError } from './bpffs.js';

const folders = ['maps', 'programs', 'links', 'tracing'] as const;
const EGRESS = 'egress-';
type Folder = (typeof folders)[number];

export class Pins {
  readonly root: string;
  /** Folder of this contract version. */
  readonly folder: string;

  constructor(root: string, contractVersion: number) {
    this.root = root;
    this.folder = join(root, `v${contractVersion}`);
  }

  map(name: string): string {
    return this.#path('maps', name);
  }

  program(name: string): string {
    return this.#path('programs', name);
  }

  /** XDP link of a device. */
  link(ifindex: number): string {
    return this.#path('links', String(ifindex));
  }

  /** Link at the egress of a device. */
  egressLink(ifindex: number): string {
    return this.#path('links', `${EGRESS}${ifindex}`);
  }

  tracing(name: string): string {
    return this.#path('tracing', name);
  }

  listMaps(): string[] {
    return this.#list('maps');
  }

  listPrograms(): string[] {
    return this.#list('programs');
  }

  /** The ifindexes that have a pinned XDP link. */
  listLinks(): number[] {
    return this.#list('links').map(Number).filter(Number.isInteger);
  }

  /** The ifindexes that have a pinned link at their egress. */
  listEgressLinks(): number[] {
    return this.#list('links').flatMap((name) => (name.startsWith(EGRESS) ? [Number(name.slice(EGRESS.length))] : [])).filter(Number.isInteger);
  }

  listTracing(): string[] {
    return this.#list('tracing');
  }

  /** Contract versions that have pins below the root, this one included. */
  versions(): number[] {
    return names(this.root).flatMap((name) => (/^v\d+$/.test(name) ? [Number(name.slice(1))] : []));
  }

  /** Makes the folders. @throws NotOnBpffsError */
  create(): void {
    ensureBpffs(this.root);
    for (const folder of folders) mkdirSync(join(this.folder, folder), { recursive: true, mode: 0o700 });
  }

  /** Removes one pin; false when it was not there. */
  remove(path: string): boolean {
    try {
      unlinkSync(path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  /**
   * Removes every pin of this version, links first so that nothing runs on maps that are going; then the folders, and the
   * root when it is empty.
   */
  removeAll(): void {
    for (const folder of ['links', 'tracing', 'programs', 'maps'] as const) {
      for (const name of this.#list(folder)) this.remove(this.#path(folder, name));
      removeFolder(join(this.folder, folder));
    }
    removeFolder(this.folder);
    removeFolder(this.root);
  }

  #path(folder: Folder, name: string): string {
    // A bpffs refuses dots, and a slash would leave the folder.
    if (!/^[\w-]+$/.test(name)) throw new RangeError(`"${name}" cannot be the name of a pin: letters, digits, _ and - only`);
    return join(this.folder, folder, name);
  }

  #list(folder: Folder): string[] {
    return names(join(this.folder, folder));
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY') throw error;
  }
}
