/** Watches a guest's path at the taps that its QEMU has open: what comes out of them, unipathd running or not. */
import { readdirSync, readFileSync } from 'node:fs';
import { nowNs } from '../traffic/clock.js';
import type { PathWatch } from './guests.js';
import type { Transition } from './path_follower.js';
import { TapFollower } from './tap_follower.js';

const POLL_MS = 10;
/** Which taps are open changes with a plug or unplug only. */
const TAPS_EVERY = 10;

/** Frames received from each device, by name, of /proc/PID/net/dev. Pure. */
export function framesIn(text: string): Map<string, number> {
  const frames = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, numbers] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined && numbers !== undefined) frames.set(name, Number(numbers.split(/\s+/)[1]));
  }
  return frames;
}

/** Names of the taps that a process has open. */
function openTaps(pid: number): string[] {
  const folder = `/proc/${pid}/fdinfo`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return /^iff:\s*(\S+)$/m.exec(readFileSync(`${folder}/${fd}`, 'utf8'))?.[1] ?? [];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

export class TapWatch implements PathWatch {
  readonly transitions: Transition[] = [];
  readonly #tap: string;
  readonly #follower = new TapFollower();
  readonly #timer: NodeJS.Timeout;
  #pid: number;
  #polls = 0;
  /** By name, as last read. */
  #taps = new Map<string, number>();
  #sent = { software: 0, accelerated: 0 };

  /** @param pid of its QEMU; tap: of its software path */
  constructor(pid: number, tap: string) {
    this.#pid = pid;
    this.#tap = tap;
    this.#timer = setInterval(() => this.#look(), POLL_MS);
  }

  get path(): TapWatch['transitions'][number]['to'] {
    return this.#follower.current;
  }

  /** The guest goes on in another QEMU. */
  moveTo(pid: number): void {
    this.#pid = pid;
    this.#taps.clear();
    this.#polls = 0;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    try {
      const frames = framesIn(readFileSync(`/proc/${this.#pid}/net/dev`, 'utf8'));
      if (this.#polls++ % TAPS_EVERY === 0) this.#openTaps(frames);
      for (const [name, before] of this.#taps) {
        const now = frames.get(name) ?? before;
        this.#taps.set(name, now);
        this.#sent[name === this.#tap ? 'software' : 'accelerated'] += Math.max(0, now - before);
      }
    } catch {
      // QEMU has ended, or is about to.
      return;
    }
    const transition = this.#follower.observe({ ...this.#sent }, nowNs());
    if (transition !== null) this.transitions.push(transition);
  }

  /** A tap counts from when it is first seen open. */
  #openTaps(frames: ReadonlyMap<string, number>): void {
    const open = openTaps(this.#pid);
    for (const name of open) if (!this.#taps.has(name)) this.#taps.set(name, frames.get(name) ?? 0);
    for (const name of this.#taps.keys()) if (!open.includes(name)) this.#taps.delete(name);
  }
}
