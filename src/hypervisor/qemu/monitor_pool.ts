/**
 * Holds one monitor for each running guest that is found through a list of socket paths and patterns (see socket_watch.ts), and
 * a picture of each machine that is renewed when QEMU tells of something that may change it.
 *
 * A guest comes, goes, and comes again at the same path; a socket that cannot be used is tried again, ever more slowly.
 * Milliseconds throughout. `onChange` is told of everything in order, and must not throw.
 */
import { discoverMachine } from './discover.js';
import type { Machine } from './machine.js';
import type { QemuMonitor, QmpEvent } from './monitor.js';
import { QmpClient } from './qmp_client.js';
import { SocketWatch } from './socket_watch.js';

export interface PooledGuest {
  /** Path of its monitor's socket. */
  readonly socket: string;
  readonly monitor: QemuMonitor;
  /** As of the last look. */
  readonly machine: Machine;
}

export type PoolChange =
  | { readonly kind: 'came'; readonly guest: PooledGuest }
  /** Its monitor ended: QEMU did, or closed it, or another QEMU has its path now. */
  | { readonly kind: 'went'; readonly socket: string; readonly why: string }
  /** QEMU told of these, and this is what it is like since. */
  | { readonly kind: 'changed'; readonly guest: PooledGuest; readonly events: readonly QmpEvent[] }
  /** A socket is there that cannot be used; told once for each message in a row. */
  | { readonly kind: 'unreachable'; readonly socket: string; readonly error: Error };

export interface PoolOptions {
  readonly onChange: (change: PoolChange) => void;
  /** Default 5000. */
  readonly rescanMs?: number;
  /** Default 100; doubled with every failure, up to `slowestRetryMs`. */
  readonly firstRetryMs?: number;
  /** Default 5000. */
  readonly slowestRetryMs?: number;
  readonly connect?: (path: string) => Promise<QemuMonitor>;
  readonly discover?: (monitor: QemuMonitor) => Promise<Machine>;
}

/** Events after which the machine may look otherwise. A guest can cause others at will (NIC_RX_FILTER_CHANGED, RTC_CHANGE). */
export const TELLING: ReadonlySet<string> = new Set([
  'DEVICE_DELETED',
  'DEVICE_UNPLUG_GUEST_ERROR',
  'FAILOVER_NEGOTIATED',
  'UNPLUG_PRIMARY',
  'MIGRATION',
  'STOP',
  'RESUME',
  'RESET',
  'SHUTDOWN',
  'SUSPEND',
  'SUSPEND_DISK',
  'WAKEUP',
  'GUEST_PANICKED',
]);

export class MonitorPool {
  readonly #watch: SocketWatch;
  readonly #options: Required<PoolOptions>;
  readonly #members = new Map<string, Member>();
  #sockets: ReadonlyMap<string, string> = new Map();

  /** @throws RangeError when a pattern is none */
  constructor(patterns: readonly string[], options: PoolOptions) {
    this.#options = {
      rescanMs: 5_000,
      firstRetryMs: 100,
      slowestRetryMs: 5_000,
      connect: (path) => QmpClient.connect(path),
      discover: discoverMachine,
      ...options,
    };
    this.#watch = new SocketWatch(patterns, this.#options.rescanMs, (sockets) => this.#update(sockets));
  }

  /** Returns when every socket that is there has been tried once: what `guests` has then is what runs. */
  async start(): Promise<void> {
    await this.#watch.start();
    await Promise.all([...this.#members.values()].map((member) => member.tried));
  }

  /** By socket. */
  get guests(): ReadonlyMap<string, PooledGuest> {
    const found = [...this.#members].flatMap(([socket, { guest }]) => (guest === null ? [] : [[socket, guest] as const]));
    return new Map(found);
  }

  /** Why sockets that are there cannot be used, by socket. */
  get problems(): ReadonlyMap<string, string> {
    const found = [...this.#members].flatMap(([socket, { problem }]) => (problem === null ? [] : [[socket, problem] as const]));
    return new Map(found);
  }

  /** Looks at a guest now, for what QEMU tells nobody of (device_add). null when it is not there. @throws as discoverMachine */
  async look(socket: string): Promise<Machine | null> {
    return (await this.#members.get(socket)?.look()) ?? null;
  }

  /** Lets every monitor go. Tells of nothing: the guests are still there. */
  close(): void {
    this.#watch.stop();
    for (const member of this.#members.values()) member.stop(null);
    this.#members.clear();
  }

  #update(sockets: ReadonlyMap<string, string>): void {
    this.#sockets = sockets;
    for (const [path, member] of this.#members) {
      const identity = sockets.get(path);
      if (identity === member.identity) continue;
      if (identity !== undefined) member.stop('another QEMU has made a socket at its path');
      // A guest whose socket's file is gone can still be talked to, and still has what it was given.
      else if (member.guest === null) member.stop('its socket is gone');
      else {
        member.stopAtEnd(() => this.#forget(member));
        continue;
      }
      this.#members.delete(path);
    }
    for (const [path, identity] of sockets) {
      if (this.#members.has(path)) continue;
      const member = new Member(path, identity, this.#options);
      this.#members.set(path, member);
      void member.run();
    }
  }

  #forget(member: Member): void {
    if (this.#members.get(member.socket) !== member) return;
    this.#members.delete(member.socket);
    // The file may have come back meanwhile.
    this.#update(this.#sockets);
  }
}

/** One socket, and the guest behind it while there is one. */
class Member {
  guest: PooledGuest | null = null;
  problem: string | null = null;
  /** Resolves when it has been tried once. */
  readonly tried: Promise<void>;
  readonly #options: Required<PoolOptions>;
  #setTried!: () => void;
  #stopped = false;
  #monitor: QemuMonitor | null = null;
  /** Wakes it from a pause. */
  #wake: () => void = () => {};
  #onStopped: () => void = () => {};

  constructor(
    readonly socket: string,
    readonly identity: string,
    options: Required<PoolOptions>,
  ) {
    this.#options = options;
    this.tried = new Promise((resolve) => {
      this.#setTried = resolve;
    });
  }

  async run(): Promise<void> {
    let retryMs = this.#options.firstRetryMs;
    while (!this.#stopped) {
      const served = await this.#try();
      this.#setTried();
      if (this.#stopped) break;
      if (served) retryMs = this.#options.firstRetryMs;
      await this.#pause(retryMs);
      retryMs = Math.min(this.#options.slowestRetryMs, 2 * retryMs);
    }
    this.#onStopped();
  }

  /** @param why for those who are told that the guest went; null: nobody is */
  stop(why: string | null): void {
    this.#stopped = true;
    if (why === null) this.guest = null;
    else this.#leave(why);
    this.#monitor?.close();
    this.#setTried();
    this.#wake();
  }

  /** Its socket cannot be connected to any more. */
  stopAtEnd(onStopped: () => void): void {
    this.#stopped = true;
    this.#onStopped = onStopped;
  }

  async look(): Promise<Machine | null> {
    const before = this.guest;
    if (before === null) return null;
    const machine = await this.#options.discover(before.monitor);
    if (this.guest?.monitor === before.monitor) this.guest = { ...before, machine };
    return machine;
  }

  /** Connects, looks, and stays until it ends. Did it come so far? */
  async #try(): Promise<boolean> {
    try {
      const monitor = await this.#options.connect(this.socket);
      this.#monitor = monitor;
      if (this.#stopped) return false;
      const ended = new Promise<string>((resolve) => void monitor.onEnd(resolve));
      // What QEMU tells of while we look for the first time is looked at once more.
      const news = new News();
      monitor.onEvent((event) => TELLING.has(event.name) && news.add(event));
      const machine = await this.#options.discover(monitor);
      if (this.#stopped) return false;
      this.guest = { socket: this.socket, monitor, machine };
      this.problem = null;
      this.#setTried();
      this.#options.onChange({ kind: 'came', guest: this.guest });
      this.#leave(await Promise.race([ended, this.#follow(monitor, news)]));
      return true;
    } catch (error) {
      this.#tell(error as Error);
      return false;
    } finally {
      this.#monitor?.close();
      this.#monitor = null;
    }
  }

  /** Renews the picture after every bundle of events. Returns, when that fails, why. */
  async #follow(monitor: QemuMonitor, news: News): Promise<string> {
    for (;;) {
      const events = await news.next();
      try {
        await this.look();
      } catch (error) {
        return (error as Error).message;
      }
      if (this.guest?.monitor !== monitor) return 'it went';
      this.#options.onChange({ kind: 'changed', guest: this.guest, events });
    }
  }

  #leave(why: string): void {
    if (this.guest === null) return;
    this.guest = null;
    this.#options.onChange({ kind: 'went', socket: this.socket, why });
  }

  #tell(error: Error): void {
    if (this.#stopped || this.problem === error.message) return;
    this.problem = error.message;
    this.#options.onChange({ kind: 'unreachable', socket: this.socket, error });
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Events that nobody has looked at yet. */
class News {
  #events: QmpEvent[] = [];
  #wake: () => void = () => {};

  add(event: QmpEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  /** All that have come since the last time, at least one. */
  async next(): Promise<readonly QmpEvent[]> {
    while (this.#events.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
