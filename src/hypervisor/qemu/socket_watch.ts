/**
 * Which sockets are there, of a list of paths and patterns: looks when a folder changes (inotify, through fs.watch), and every
 * so often anyway, since a folder may come later, and inotify may miss things.
 *
 * A pattern is an absolute path with any number of "*" in its last part; like a shell's, "*" matches no leading ".".
 * `onSockets` gets all of them, path -> identity, whenever that changed. The identity is another one when another socket has
 * been made at the same path, as long as the process lives that made the first.
 */
import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

interface Pattern {
  readonly folder: string;
  /** null: this one name. */
  readonly names: RegExp | null;
  readonly name: string;
}

/** @throws RangeError */
export function parsePattern(text: string): Pattern {
  const folder = dirname(text);
  const name = basename(text);
  if (!isAbsolute(text) || name === '' || text.endsWith('/')) throw new RangeError(`"${text}" is no absolute path of a socket`);
  if (folder.includes('*')) throw new RangeError(`"${text}": "*" may be in the last part of a path only`);
  if (!name.includes('*')) return { folder, names: null, name };
  const quoted = name.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return { folder, names: new RegExp(`^(?!\\.)${quoted.join('.*')}$`, 's'), name };
}

/** Between two looks when something changed during the first. */
const BUSY_FOLDER_MS = 50;

type Sockets = ReadonlyMap<string, string>;

export class SocketWatch {
  readonly #patterns: readonly Pattern[];
  readonly #rescanMs: number;
  readonly #onSockets: (sockets: Sockets) => void;
  /** By folder. */
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  #seen: Sockets = new Map();
  #timer: NodeJS.Timeout | null = null;
  #scanning: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  /** @throws RangeError when a pattern is none */
  constructor(patterns: readonly string[], rescanMs: number, onSockets: (sockets: Sockets) => void) {
    this.#patterns = patterns.map(parsePattern);
    this.#rescanMs = rescanMs;
    this.#onSockets = onSockets;
  }

  /** Returns when it has looked for the first time. */
  async start(): Promise<void> {
    await this.scan();
    if (!this.#stopped) this.#timer = setInterval(() => void this.scan(), this.#rescanMs);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Looks now; one look at a time, and one more when something changed meanwhile. */
  scan(): Promise<void> {
    if (this.#scanning !== null) {
      this.#again = true;
      return this.#scanning;
    }
    const scanning = (async () => {
      for (;;) {
        this.#again = false;
        await this.#scanOnce();
        if (!this.#again || this.#stopped) return;
        // Others may be busy in the folder.
        await sleep(BUSY_FOLDER_MS);
      }
    })().finally(() => {
      this.#scanning = null;
    });
    this.#scanning = scanning;
    return scanning;
  }

  async #scanOnce(): Promise<void> {
    // Watching first: what comes while we look is then looked at again.
    for (const folder of new Set(this.#patterns.map((pattern) => pattern.folder))) await this.#watch(folder);
    const sockets = new Map<string, string>();
    for (const pattern of this.#patterns) {
      for (const path of await paths(pattern)) {
        const identity = await socketIdentity(path);
        if (identity !== null) sockets.set(path, identity);
      }
    }
    if (this.#stopped || same(sockets, this.#seen)) return;
    this.#seen = sockets;
    this.#onSockets(sockets);
  }

  /** A folder that is not there, or not ours to see, is left to the next look. */
  async #watch(folder: string): Promise<void> {
    const identity = await folderIdentity(folder);
    const old = this.#watchers.get(folder);
    if (this.#stopped || old?.identity === identity) return;
    old?.watcher.close();
    this.#watchers.delete(folder);
    if (identity === null) return;
    try {
      const watcher = watch(folder, { persistent: true }, () => void this.scan());
      watcher.on('error', () => {
        watcher.close();
        if (this.#watchers.get(folder)?.watcher === watcher) this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, { watcher, identity });
    } catch {
      // Gone again, or no more inotify watches to be had: what is slow still works.
    }
  }
}

async function paths(pattern: Pattern): Promise<string[]> {
  const { folder, names, name } = pattern;
  if (names === null) return [join(folder, name)];
  const entries = await readdir(folder).catch(() => []);
  return entries.filter((entry) => names.test(entry)).map((entry) => join(folder, entry));
}

/** A folder that is made anew may get the number of the one before. */
async function folderIdentity(path: string): Promise<string | null> {
  const info = await stat(path).catch(() => null);
  return info === null ? null : `${info.dev}:${info.ino}:${info.birthtimeMs}`;
}

async function socketIdentity(path: string): Promise<string | null> {
  const info = await stat(path).catch(() => null);
  return info?.isSocket() === true ? `${info.dev}:${info.ino}` : null;
}

function same(a: Sockets, b: Sockets): boolean {
  return a.size === b.size && [...a].every(([path, identity]) => b.get(path) === identity);
}
