/**
 * Numbered, checked traffic between the wire and a guest, counted at both ends: UDP that the guest echoes (it talks) or only counts
 * (it is silent), and a TCP stream in both directions.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../../src/lab/traffic/client.js';
import type { FlowSpec, TcpSpec } from '../../src/lab/traffic/protocol.js';
import type { QemuGuest } from '../../src/lab/qemu/guest.js';
import type { ReflectedFlow, ReflectorReport } from '../../src/lab/qemu/reflector.js';
import { type BedGuest, PORTS, WIRE_IP, WIRE_IP6 } from './bed.js';

const TCP_BYTES_PER_SECOND = 50_000;

/**
 * A primary whose link comes after the primary itself (e1000e) is sent by at once, but its queue is started a moment later: the guest's
 * kernel drops what is sent between, and counts it nowhere (linkwatch and noop_qdisc, net/core/link_watch.c, net/sched/sch_generic.c).
 * Generous, for a guest with one emulated CPU.
 */
export const LATE_LINK_MS = 250;

/** Whoever runs it: what is needed of a guest. */
export interface TalkingGuest {
  readonly spec: Pick<BedGuest, 'ip' | 'ip6'>;
  readonly qemu: Pick<QemuGuest, 'shell'>;
}

export interface TrafficOptions {
  readonly id: number;
  readonly packetsPerSecond: number;
  /** The guest echoes every datagram. */
  readonly talks: boolean;
  readonly sizes?: readonly number[];
  readonly family?: 4 | 6;
  /** Bytes a second of a TCP stream to the guest; true: some. What the guest sends in return is its own affair (BootOptions). */
  readonly tcp?: boolean | number;
  /** The wire's address; default its first of the family. */
  readonly from?: string;
}

/** What became of the datagrams of one flow. */
export interface FlowOutcome {
  readonly sent: number;
  /** At the guest's socket. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupt: number;
  /** Of the guest's echoes, at the wire's socket. */
  readonly echoLost: number;
  readonly echoDuplicated: number;
  readonly echoReordered: number;
  readonly echoCorrupt: number;
}

export class Traffic {
  readonly #endpoint: Endpoint;
  readonly #guest: TalkingGuest;
  readonly #options: TrafficOptions;
  readonly #flow: FlowSpec;
  readonly #tcp: TcpSpec | null;

  /** Of the program in the guest: now, and before this traffic. */
  #socketDrops = 0;
  #dropsBefore = 0;

  constructor(endpoint: Endpoint, guest: TalkingGuest, options: TrafficOptions) {
    const { id, packetsPerSecond, talks, sizes = [64, 512, 1400], family = 4, tcp = false } = options;
    const to = family === 4 ? guest.spec.ip : guest.spec.ip6;
    const from = options.from ?? (family === 4 ? WIRE_IP : WIRE_IP6);
    this.#endpoint = endpoint;
    this.#guest = guest;
    this.#options = options;
    this.#flow = {
      id, family, packetsPerSecond, sizes, echoEvery: talks ? 1 : 0,
      from: { address: from, port: 6000 + id },
      to: { address: to, port: talks ? PORTS.echo : PORTS.sink },
    };
    const bytesPerSecond = tcp === true ? TCP_BYTES_PER_SECOND : Number(tcp);
    this.#tcp = bytesPerSecond > 0 ? { id, family, from, to: { address: to, port: PORTS.tcp }, bytesPerSecond } : null;
  }

  get #service(): string {
    return this.#options.talks ? 'echo' : 'sink';
  }

  async start(): Promise<void> {
    await this.#report(this.#guest, 'report');
    this.#dropsBefore = this.#socketDrops;
    await this.#endpoint.addSource(this.#flow);
    await this.#endpoint.probe(this.#flow.id, 10_000);
    await this.#endpoint.startFlows([this.#flow.id]);
    if (this.#tcp !== null) {
      await this.#endpoint.connectTcp(this.#tcp);
      await this.#endpoint.startTcp(this.#tcp.id);
    }
  }

  /** The longest pause between two datagrams at the guest's socket, in milliseconds, since the last call. */
  async lap(guest: TalkingGuest = this.#guest): Promise<number> {
    const [flow] = await this.#report(guest, 'lap');
    return flow?.longestGapMs ?? 0;
  }

  async #ask(guest: TalkingGuest, service: string, verb: 'report' | 'lap'): Promise<ReflectorReport> {
    const { status, output } = await guest.qemu.shell(`reflector ${service} ${verb}`, { deadlineMs: 20_000 });
    if (status !== 0) throw new Error(`the guest's reflector does not answer: ${output}`);
    return JSON.parse(output) as ReflectorReport;
  }

  async #report(guest: TalkingGuest, verb: 'report' | 'lap'): Promise<readonly ReflectedFlow[]> {
    const { flows, socketDrops } = await this.#ask(guest, this.#service, verb);
    this.#socketDrops = socketDrops;
    return flows.filter(({ flow }) => flow === this.#flow.id);
  }

  /** @param guest where it is now, after a migration */
  async finish(guest: TalkingGuest = this.#guest): Promise<FlowOutcome> {
    const { id } = this.#flow;
    await this.#endpoint.stopFlows([id]);
    await sleep(400);
    const sent = (await this.#endpoint.sent()).find(({ flow, stream }) => flow === id && stream === 'forward')?.sent ?? 0;
    const [at] = await this.#report(guest, 'report');
    const inGuest = at ?? { received: 0, duplicated: 0, reordered: 0, corrupt: 0, echoed: 0 };
    // What the guest's own socket had no room for has arrived.
    const lost = Math.max(0, sent - inGuest.received - (this.#socketDrops - this.#dropsBefore));
    const [echo] = this.#options.talks ? await this.#endpoint.account([{ flow: id, stream: 'echo', from: 0, to: inGuest.echoed }]) : [];
    return {
      sent, lost,
      duplicated: inGuest.duplicated, reordered: inGuest.reordered, corrupt: inGuest.corrupt,
      echoLost: echo?.lost ?? 0, echoDuplicated: echo?.duplicated ?? 0, echoReordered: echo?.reordered ?? 0, echoCorrupt: echo?.corrupt ?? 0,
    };
  }

  /** Of the numbers up to the highest that has arrived in the guest. */
  async lostSoFar(): Promise<number> {
    const [flow] = await this.#report(this.#guest, 'report');
    return flow?.lost ?? 0;
  }

  /** The first 20 runs [first, last] of numbers that never arrived in the guest. */
  async missing(guest: TalkingGuest = this.#guest): Promise<readonly (readonly [number, number])[]> {
    const [flow] = await this.#report(guest, 'report');
    return flow?.missing ?? [];
  }

  /**
   * null without a TCP stream. `ok`: connected all the time, every word right at both ends, in both directions something arrived.
   * @param guest where it is now, after a migration
   */
  async tcp(guest: TalkingGuest = this.#guest): Promise<{ readonly ok: boolean; readonly longestStallMs: number; readonly detail: string } | null> {
    if (this.#tcp === null) return null;
    const { timeline, ...here } = await this.#endpoint.tcpReport(this.#tcp.id);
    await this.#endpoint.stopTcp(this.#tcp.id);
    const { connections } = await this.#ask(guest, 'tcp', 'report');
    const there = connections.filter(({ wrongWords, error, bytesReceived }) => wrongWords > 0 || error !== null || bytesReceived === 0);
    const ok = here.alive && here.wrongWords === 0 && here.errors.length === 0 && here.bytesReceived > 0 && connections.length > 0 && there.length === 0;
    return { ok, longestStallMs: here.longestStallMs, detail: JSON.stringify({ here, there }) };
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
