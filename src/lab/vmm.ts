/**
 * Stands for QEMU for one guest with taps: owns the queues of the guest's tap, in the guest's network namespace, and of the taps
 * that hosts have for it, and copies frames both ways.
 *
 *   vmm.js --guest-netns NAME --guest-tap DEV --netns NAME --tap DEV [--queues N] [--socket PATH]
 *
 * Taps that do not exist are made and go with this process. Controlled by JSON lines (vmm_protocol.ts) on stdin, whose end ends
 * the process, or on a unix socket, when it is to outlive whoever started it. SIGTERM ends it in both cases.
 */
import { rmSync } from 'node:fs';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseMacAddress } from '../core/model.js';
import { announcementFrame } from '../guest/announcement.js';
import { run, runJson } from '../host/exec.js';
import { checkInterfaceName, checkNetnsName } from '../host/names.js';
import { isNativeError } from '../native/errors.js';
import { closeFd, pollReadable, pollReadableSync, readNonBlocking, writeNonBlocking } from '../native/io.js';
import { openTap } from '../native/tap.js';
import { netnsPath } from './child.js';
import { FrameCopier, type FrameIo } from './frame_copier.js';
import { emitEvent, type Handlers, serveJsonLines } from './json_lines.js';
import type { VmmProtocol } from './vmm_protocol.js';

/** Frames that a tap holds while this process is not let run; the default of 1000 is 30 ms at 30 000 a second. */
const TAP_QUEUE_FRAMES = 20_000;
/** While there is traffic the only thread waits for frames itself, this long at most: a command waits no longer. */
const ACTIVE_POLL_MS = 1;
/** After this many such waits in vain it lets another thread wait, which costs ~60 us a turn but leaves this one free. */
const ACTIVE_POLLS = 20;
const IDLE_POLL_MS = 20;
const BLOCKED_RETRY_MS = 1;
const OPERATIONAL_POLL_MS = 10;
const OPERATIONAL_POLLS = 200;

const io: FrameIo = {
  read: readNonBlocking,
  write: writeNonBlocking,
  // EIO: a tap that is down.
  isDown: (error) => isNativeError(error, 'EIO'),
};

/** Opens every queue of a tap, or none. */
async function openQueues(netns: string, tap: string, queues: number): Promise<number[]> {
  const path = netnsPath(checkNetnsName(netns));
  const fds: number[] = [];
  try {
    for (let queue = 0; queue < queues; queue++) fds.push(openTap(checkInterfaceName(tap), { multiQueue: queues > 1, netns: path }));
    await run('ip', ['-n', netns, 'link', 'set', 'dev', tap, 'txqueuelen', String(TAP_QUEUE_FRAMES)]);
    return fds;
  } catch (error) {
    for (const fd of fds) closeFd(fd);
    throw error;
  }
}

/**
 * Waits until the host knows that the tap has carrier, now that its queues are open: until then its bridge drops what comes from
 * it. A tap that is set down has no carrier to wait for.
 */
async function awaitOperational(netns: string, tap: string): Promise<void> {
  for (let poll = 0; poll < OPERATIONAL_POLLS; poll++) {
    const [link] = (await runJson('ip', ['-n', netns, '-j', 'link', 'show', 'dev', tap])) as { flags: string[]; operstate: string }[];
    if (link?.flags.includes('UP') !== true || link.operstate === 'UP') return;
    await sleep(OPERATIONAL_POLL_MS);
  }
}

/** Runs the copier; what changes it is done between two turns, when no thread waits on its descriptors. */
class Vmm {
  readonly #copier: FrameCopier;
  readonly #tasks: (() => void)[] = [];
  #idlePolls = 0;
  #ending = false;

  constructor(copier: FrameCopier) {
    this.#copier = copier;
  }

  betweenTurns<T>(task: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#tasks.push(() => {
        try {
          resolve(task());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  end(): void {
    this.#ending = true;
  }

  async run(): Promise<void> {
    while (!this.#ending) {
      for (const task of this.#tasks.splice(0)) task();
      if (this.#copier.pump() > 0) {
        this.#idlePolls = 0;
        await setImmediate();
      } else if (this.#copier.blocked) await sleep(BLOCKED_RETRY_MS);
      else await this.#wait(this.#copier.fds);
    }
  }

  async #wait(fds: readonly number[]): Promise<void> {
    if (this.#idlePolls >= ACTIVE_POLLS) {
      await pollReadable(fds, IDLE_POLL_MS);
      return;
    }
    if (pollReadableSync(fds, ACTIVE_POLL_MS).length === 0) this.#idlePolls++;
    await setImmediate();
  }
}

const { values } = parseArgs({
  options: {
    'guest-netns': { type: 'string' },
    'guest-tap': { type: 'string' },
    netns: { type: 'string' },
    tap: { type: 'string' },
    queues: { type: 'string', default: '1' },
    socket: { type: 'string' },
  },
});

function required(name: 'guest-netns' | 'guest-tap' | 'netns' | 'tap'): string {
  const value = values[name];
  if (value === undefined) throw new Error(`--${name} is missing`);
  return value;
}

async function main(): Promise<void> {
  const queues = Number(values.queues);
  if (!Number.isInteger(queues) || queues < 1 || queues > 256) throw new RangeError(`--queues ${values.queues}: 1 to 256`);
  const socketPath = values.socket ?? null;
  const copier = new FrameCopier(io, await openQueues(required('guest-netns'), required('guest-tap'), queues));
  copier.attach(required('netns'), required('tap'), await openQueues(required('netns'), required('tap'), queues));
  const vmm = new Vmm(copier);

  const handlers: Handlers<VmmProtocol> = {
    attach: async ({ netns, tap, queues: count = queues }) => {
      if (count !== queues) throw new RangeError(`the guest has ${queues} queues, not ${count}`);
      const fds = await openQueues(netns, tap, count);
      try {
        await vmm.betweenTurns(() => copier.attach(netns, tap, fds));
      } catch (error) {
        for (const fd of fds) closeFd(fd);
        throw error;
      }
      await awaitOperational(netns, tap);
      return {};
    },
    switch: async ({ announce }) => {
      const frame = announce === undefined ? null : announcementOf(announce);
      const { netns, fds } = await vmm.betweenTurns(() => copier.switch());
      const [fd] = fds;
      if (frame !== null && fd !== undefined) writeNonBlocking(fd, frame, frame.length);
      return { netns };
    },
    detach: async ({ netns }) => {
      while (!(await vmm.betweenTurns(() => copier.drain(netns)))) await sleep(BLOCKED_RETRY_MS);
      await vmm.betweenTurns(() => {
        copier.drain(netns);
        for (const fd of copier.detach(netns)) closeFd(fd);
      });
      return {};
    },
    stats: () => copier.stats(),
  };

  process.once('SIGTERM', () => vmm.end());
  process.once('SIGINT', () => vmm.end());
  await serveJsonLines(handlers, { socketPath, onEnd: () => vmm.end() });
  emitEvent('ready', { pid: process.pid, queues });
  await vmm.run();
  if (socketPath !== null) rmSync(socketPath, { force: true });
}

function announcementOf(mac: string): Buffer {
  return announcementFrame({ mac: Buffer.from(parseMacAddress(mac).replaceAll(':', ''), 'hex'), ipv4: null, vlan: 0 });
}

try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`vmm: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
