/**
 * One libvirt daemon, followed: its domains, what happens to them, and the monitors of their QEMUs. Two runs of virsh listen for
 * as long as the daemon is there; when it goes, the last that was known stays, and we try again, later each time.
 */
import { randomBytes } from 'node:crypto';
import { backoffMs, DEFAULT_TIMING } from '../../core/backoff.js';
import type { LineStream } from '../../host/line_stream.js';
import { MonitorLostError, type QemuMonitor } from '../qemu/monitor.js';
import { type DomainEvent, parseDomainEvent, parseMonitorEvent } from './event_lines.js';
import { untilListening } from './listening.js';
import { LibvirtMonitor } from './monitor.js';
import { LibvirtError } from './refusals.js';
import { type LibvirtDomain, parseSnapshot, parseUuids, snapshotScript } from './snapshot.js';
import { Virsh } from './virsh.js';

export interface LibvirtTiming {
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  /** Where the kernel does not tell that virsh has begun to listen, we take it that it has after so long. */
  readonly listeningMs: number;
  /** Not everything has an event (the state of a link has none): look at all domains this often. */
  readonly resyncMs: number;
}

export const DEFAULT_LIBVIRT_TIMING: LibvirtTiming = { backoffBaseMs: 250, backoffCapMs: 5000, listeningMs: 3000, resyncMs: 15_000 };

export interface LibvirtConnectionOptions {
  /** libvirt's own, such as "qemu:///system". */
  readonly uri: string;
  /** Told in words, once each: the connection is lost, is back, a domain cannot be read. */
  readonly say?: (message: string) => void;
  readonly timing?: Partial<LibvirtTiming>;
}

/** Domains looked at by one script: so that it is a line that a VirshShell takes. */
const DOMAINS_PER_RUN = 6;
const LOOK_DEADLINE_MS = 15_000;
const LOOK_WORTHY: ReadonlySet<DomainEvent['kind']> = new Set(['lifecycle', 'device-added', 'device-removed']);

export class LibvirtConnection {
  readonly virsh: Virsh;
  readonly #say: (message: string) => void;
  readonly #timing: LibvirtTiming;
  readonly #changeListeners = new Set<() => void>();
  readonly #eventListeners = new Set<(event: DomainEvent) => void>();
  readonly #monitors = new Map<LibvirtMonitor, { readonly uuid: string; readonly id: number }>();
  #domains: ReadonlyMap<string, LibvirtDomain> = new Map();
  #streams: readonly LineStream[] = [];
  #timers: NodeJS.Timeout[] = [];
  /** null while connected; else why not. */
  #trouble: string | null = 'not connected yet';
  #failures = 0;
  /** Another one for each attempt: what an earlier one still has to say is not heard. */
  #attempt = 0;
  #closed = false;
  /** Do we hear of everything that happens? Before, looking is in vain. */
  #listening = false;
  #looking = false;
  /** What was said about domains that cannot be read. */
  readonly #problems = new Set<string>();
  /** What to look at next: all domains, or these; null when nothing is due. */
  #due: 'all' | Set<string> | null = null;
  /** Those who wait for the look that is due. */
  #waiting: ((error: Error | null) => void)[] = [];

  constructor(options: LibvirtConnectionOptions) {
    this.virsh = new Virsh(options.uri);
    this.#say = options.say ?? (() => {});
    this.#timing = { ...DEFAULT_LIBVIRT_TIMING, ...options.timing };
    this.#connect();
  }

  /** By uuid; while the daemon is away, what was known last. */
  domains(): ReadonlyMap<string, LibvirtDomain> {
    return this.#domains;
  }

  /** null while the daemon answers and its events are heard; else why not. */
  trouble(): string | null {
    return this.#trouble;
  }

  /** Called after `domains()` or `trouble()` have changed. Returns the function that stops it. */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Called for each event in the order of arrival, before `domains()` shows its effect. What happens while the daemon is away has none. */
  onEvent(listener: (event: DomainEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** The QEMU of a running domain. It ends with the domain's run, not with the connection. @throws MonitorLostError when it does not run */
  monitor(uuid: string): QemuMonitor {
    const domain = this.#domains.get(uuid);
    if (domain === undefined || domain.id === null) throw new MonitorLostError(`domain ${domain?.name ?? uuid} does not run`);
    const monitor = new LibvirtMonitor(this.virsh, domain);
    this.#monitors.set(monitor, { uuid, id: domain.id });
    return monitor;
  }

  /** One domain as it is now. @throws LibvirtError, "no_domain" when there is none of this uuid */
  async look(uuid: string): Promise<LibvirtDomain> {
    const domain = (await this.#snapshot([uuid])).get(uuid);
    if (domain === undefined) throw new LibvirtError('no_domain', `there is no domain ${uuid}`);
    return domain;
  }

  /**
   * As `look`, and `domains()` has it, too: all that was seen later than anything it had before. null: there is none of this uuid.
   * @throws LibvirtError "unreachable"
   */
  async refresh(uuid: string): Promise<LibvirtDomain | null> {
    const error = await new Promise<Error | null>((resolve) => {
      if (!this.#listening) return resolve(new Error(this.#trouble ?? 'the connection was closed'));
      this.#waiting.push(resolve);
      this.#want(uuid);
    });
    if (error !== null) throw new LibvirtError('unreachable', `libvirt at ${this.virsh.uri} is not there: ${error.message}`);
    return this.#domains.get(uuid) ?? null;
  }

  close(): void {
    this.#closed = true;
    this.#attempt++;
    this.#stop();
    this.virsh.close();
    for (const monitor of this.#monitors.keys()) monitor.end(`the connection to ${this.virsh.uri} was closed`);
    this.#monitors.clear();
  }

  #connect(): void {
    const attempt = ++this.#attempt;
    const stream = (args: readonly string[], line: (text: string) => void): LineStream =>
      this.virsh.stream(args, { line, ended: (why) => this.#lost(attempt, why) });
    this.#streams = [
      stream(['event', '--all', '--loop', '--timestamp'], (text) => this.#heard(parseDomainEvent(text))),
      stream(['qemu-monitor-event', '--loop'], (text) => this.#heardMonitor(text)),
    ];
    void this.#lookWhenListening(attempt);
  }

  /** Only then: what we see and what we hear have no gap between them. */
  async #lookWhenListening(attempt: number): Promise<void> {
    const pids = this.#streams.map((stream) => stream.pid);
    await untilListening(pids, this.#timing.listeningMs, () => attempt === this.#attempt);
    if (attempt !== this.#attempt) return;
    this.#listening = true;
    this.#want('all');
  }

  #stop(): void {
    for (const stream of this.#streams) stream.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#streams = [];
    this.#timers = [];
    this.#listening = false;
    this.#due = null;
    for (const wake of this.#waiting.splice(0)) wake(new Error(this.#trouble ?? 'the connection broke'));
  }

  #later(action: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers = this.#timers.filter((other) => other !== timer);
      action();
    }, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #lost(attempt: number, why: string): void {
    if (attempt !== this.#attempt) return;
    this.#attempt++;
    this.#stop();
    this.#failures++;
    const { backoffBaseMs, backoffCapMs } = this.#timing;
    const waitMs = backoffMs(this.#failures, { ...DEFAULT_TIMING, backoffBaseMs, backoffCapMs });
    const before = this.#trouble;
    this.#trouble = why;
    if (before === null || this.#failures === 1) {
      this.#say(`libvirt at ${this.virsh.uri} is not there: ${why}; trying again`);
      this.#changed();
    }
    this.#later(() => this.#connect(), waitMs);
  }

  #heard(event: DomainEvent | null): void {
    if (event === null) return;
    for (const listener of [...this.#eventListeners]) listener(event);
    if (!LOOK_WORTHY.has(event.kind)) return;
    const known = [...this.#domains.values()].find((domain) => domain.name === event.domain);
    // A lifecycle may be that of another domain of the same name.
    this.#want(event.kind === 'lifecycle' || known === undefined ? 'all' : known.uuid);
  }

  #heardMonitor(line: string): void {
    const heard = parseMonitorEvent(line);
    if (heard === null) return;
    for (const monitor of [...this.#monitors.keys()]) if (monitor.name === heard.domain) monitor.deliver(heard.event);
  }

  #want(what: string): void {
    if (!this.#listening) return;
    if (what === 'all' || this.#due === 'all') this.#due = 'all';
    else this.#due = (this.#due ?? new Set()).add(what);
    if (!this.#looking) void this.#lookWhileDue();
  }

  /** Never two at a time; what becomes due meanwhile is looked at in the next round. */
  async #lookWhileDue(): Promise<void> {
    this.#looking = true;
    while (this.#due !== null && !this.#closed) {
      const due = this.#due;
      this.#due = null;
      const waiting = this.#waiting.splice(0);
      const attempt = this.#attempt;
      const seen = await this.#see(due).catch((error: Error) => error);
      if (attempt === this.#attempt) {
        if (seen instanceof Error) this.#lost(attempt, seen.message);
        else this.#learn(seen);
      }
      const failure = seen instanceof Error ? seen : attempt === this.#attempt ? null : new Error('the connection broke');
      for (const wake of waiting) wake(failure);
    }
    this.#looking = false;
  }

  /** All domains that there are now; of those that are not due, what is known already. */
  async #see(due: 'all' | ReadonlySet<string>): Promise<ReadonlyMap<string, LibvirtDomain>> {
    if (due !== 'all') {
      const seen = await this.#snapshot([...due]);
      return new Map([...this.#domains, ...seen].filter(([uuid]) => !due.has(uuid) || seen.has(uuid)));
    }
    const uuids = parseUuids(await this.virsh.run('list the domains', ['list', '--all', '--uuid'], { deadlineMs: LOOK_DEADLINE_MS }));
    return this.#snapshot(uuids);
  }

  async #snapshot(uuids: readonly string[]): Promise<ReadonlyMap<string, LibvirtDomain>> {
    const seen = new Map<string, LibvirtDomain>();
    for (let from = 0; from < uuids.length; from += DOMAINS_PER_RUN) {
      const some = uuids.slice(from, from + DOMAINS_PER_RUN);
      const mark = `mark-${randomBytes(8).toString('hex')}`;
      const stdout = await this.virsh.run('look at the domains', [snapshotScript(some, mark)], { deadlineMs: LOOK_DEADLINE_MS });
      const { domains, problems } = parseSnapshot(stdout, some, mark);
      for (const problem of problems) this.#sayOnce(problem);
      for (const [uuid, domain] of domains) seen.set(uuid, domain);
    }
    return seen;
  }

  #sayOnce(problem: string): void {
    if (this.#problems.has(problem)) return;
    this.#problems.add(problem);
    this.#say(problem);
  }

  #learn(seen: ReadonlyMap<string, LibvirtDomain>): void {
    const same = this.#trouble === null && JSON.stringify([...seen]) === JSON.stringify([...this.#domains]);
    if (this.#trouble !== null) {
      if (this.#failures > 0) this.#say(`libvirt at ${this.virsh.uri} is back`);
      this.#trouble = null;
      this.#failures = 0;
      this.#later(() => this.#resync(), this.#timing.resyncMs);
    }
    this.#domains = seen;
    for (const [monitor, { uuid, id }] of [...this.#monitors]) {
      if (seen.get(uuid)?.id === id && !monitor.closed) continue;
      this.#monitors.delete(monitor);
      const now = seen.get(uuid);
      monitor.end(`domain ${monitor.name} does not run any more${now === undefined ? '' : ` (${now.state}: ${now.stateReason})`}`);
    }
    if (!same) this.#changed();
  }

  #resync(): void {
    this.#want('all');
    this.#later(() => this.#resync(), this.#timing.resyncMs);
  }

  #changed(): void {
    for (const listener of [...this.#changeListeners]) listener();
  }
}
