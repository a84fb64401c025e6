/** Writes a guest's root file system as the kernel unpacks it at boot: a cpio archive in the "newc" format, not compressed. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export type CpioNode =
  | { readonly kind: 'directory' }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'character-device'; readonly major: number; readonly minor: number }
  | { readonly kind: 'text'; readonly text: string }
  /** Contents and permissions of a file of this machine. */
  | { readonly kind: 'file'; readonly from: string };

const TYPE_BITS = { directory: 0o040000, symlink: 0o120000, 'character-device': 0o020000, text: 0o100000, file: 0o100000 } as const;
const HEADER_BYTES = 110;
/** Archives may follow one another when each fills its last block. */
const BLOCK_BYTES = 512;

const padTo = (bytes: number, multiple: number): number => (multiple - (bytes % multiple)) % multiple;

/** Header, name and padding; the contents follow. `name` without a leading slash. */
export function cpioHeader(name: string, inode: number, node: CpioNode | null, permissions: number, size: number): Buffer {
  const nameBytes = Buffer.byteLength(name) + 1;
  const device = node?.kind === 'character-device' ? node : { major: 0, minor: 0 };
  const mode = node === null ? 0 : TYPE_BITS[node.kind] | permissions;
  const fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, device.major, device.minor, nameBytes, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
  const bytes = HEADER_BYTES + nameBytes;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(padTo(bytes, 4))]);
}

function contentsOf(node: CpioNode): { readonly permissions: number; readonly data: Buffer } {
  if (node.kind === 'symlink') return { permissions: 0o777, data: Buffer.from(node.target) };
  if (node.kind === 'text') return { permissions: 0o755, data: Buffer.from(node.text) };
  if (node.kind === 'file') return { permissions: statSync(node.from).mode & 0o777, data: readFileSync(node.from) };
  return { permissions: node.kind === 'directory' ? 0o755 : 0o600, data: Buffer.alloc(0) };
}

/** A root file system in the making. Folders on the way are added by themselves. */
export class FileTree {
  readonly #nodes = new Map<string, CpioNode>();

  /** @param path absolute, as the guest sees it; what is there already is replaced */
  add(path: string, node: CpioNode): void {
    const parent = dirname(path);
    if (parent !== '/' && !this.#nodes.has(parent)) this.add(parent, { kind: 'directory' });
    this.#nodes.set(path, node);
  }

  has(path: string): boolean {
    return this.#nodes.has(path);
  }

  get paths(): string[] {
    return [...this.#nodes.keys()];
  }

  /** The same for the same contents: files are taken to be unchanged while size, permissions and modification time are. */
  key(): string {
    const hash = createHash('sha256');
    for (const [path, node] of this.#nodes) {
      hash.update(`${path}\0${JSON.stringify(node)}\0`);
      if (node.kind !== 'file') continue;
      const { size, mtimeMs, mode } = statSync(node.from);
      hash.update(`${size} ${mtimeMs} ${mode}\0`);
    }
    return hash.digest('hex');
  }

  /** Writes the archive unless the stamp beside it says that it has these contents already. @returns the file */
  writeWhereNew({ file, stamp }: { readonly file: string; readonly stamp: string }): string {
    const key = this.key();
    if (existsSync(file) && existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return file;
    this.write(file);
    writeFileSync(stamp, key);
    return file;
  }

  /** Writes the archive. Nobody sees a half-written one. */
  write(file: string): void {
    mkdirSync(dirname(file), { recursive: true });
    const unfinished = `${file}.${process.pid}`;
    const fd = openSync(unfinished, 'w');
    let written = 0;
    const put = (data: Buffer): void => {
      for (let offset = 0; offset < data.length; ) offset += writeSync(fd, data, offset);
      written += data.length;
    };
    try {
      let inode = 0;
      for (const [path, node] of this.#nodes) {
        const { permissions, data } = contentsOf(node);
        put(cpioHeader(path.slice(1), ++inode, node, permissions, data.length));
        put(data);
        put(Buffer.alloc(padTo(data.length, 4)));
      }
      put(cpioHeader('TRAILER!!!', 0, null, 0, 0));
      put(Buffer.alloc(padTo(written, BLOCK_BYTES)));
    } finally {
      closeSync(fd);
    }
    renameSync(unfinished, file);
  }
}
