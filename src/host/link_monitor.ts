/**
 * "Something about a link changed", from `ip monitor link` as a child that dies with us.
 *
 * Not from a netlink socket of our own because the package we have for that aborts the process when the kernel overruns
 * it (see netlink_socket.ts). `ip` survives an overrun, says so on stderr, and that too means "look again".
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { commandEnvironment } from './exec.js';

const RESTART_DELAY_MS = 500;
const READY_POLL_MS = 5;
const READY_DEADLINE_MS = 500;
/** Bit of group RTNLGRP_LINK in /proc/net/netlink. */
const LINK_GROUP_MASK = 1;

export class LinkMonitor {
  readonly #changed: () => void;
  readonly #failed: (why: string) => void;
  #child: ChildProcess | null = null;
  #restart: NodeJS.Timeout | null = null;
  #closed = false;

  /** `changed` must not throw. `failed` is told each time the child ends; it is started again. */
  constructor(changed: () => void, failed: (why: string) => void) {
    this.#changed = changed;
    this.#failed = failed;
    this.#start();
  }

  close(): void {
    this.#closed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    this.#child?.kill('SIGKILL');
  }

  #start(): void {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'ip', '-o', 'monitor', 'link'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: commandEnvironment(),
    });
    this.#child = child;
    let lastWords = '';
    child.stdout.on('data', () => this.#changed());
    child.stderr.on('data', (words: Buffer) => {
      lastWords = words.toString('utf8').trim();
      this.#changed();
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      lastWords = error.code === 'ENOENT' ? 'command not found: setpriv (install package util-linux)' : error.message;
    });
    child.once('close', (code, signal) => {
      if (this.#closed) return;
      this.#failed(`\`ip monitor link\` ended (${signal ?? code})${lastWords === '' ? '' : `: ${lastWords}`}`);
      this.#restart = setTimeout(() => this.#start(), RESTART_DELAY_MS);
      this.#restart.unref();
    });
    // The child must not keep the process alive: it has nothing to say that outlives us.
    child.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref();
    void this.#lookAgainWhenListening(child);
  }

  /** What changed between our last look and the moment the child began to listen would go unnoticed: look once more then. */
  async #lookAgainWhenListening(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + READY_DEADLINE_MS;
    while (Date.now() < deadline && child.exitCode === null && !this.#closed) {
      if (child.pid !== undefined && (await listensToLinks(child.pid))) break;
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS).unref());
    }
    if (!this.#closed) this.#changed();
  }
}

/** Does a process have a socket in the link group? libnetlink lets the kernel choose the port id, which then is the pid. */
async function listensToLinks(pid: number): Promise<boolean> {
  const table = await readFile(`/proc/${pid}/net/netlink`, 'utf8').catch(() => '');
  return table.split('\n').some((line) => {
    const [, protocol, portId, groups] = line.trim().split(/\s+/);
    return protocol === '0' && portId === String(pid) && (Number.parseInt(groups ?? '0', 16) & LINK_GROUP_MASK) !== 0;
  });
}
