/**
 * Numbered, checked traffic between the wire and a guest, counted at both ends: UDP that the guest echoes (it talks) or only counts
 * (it is silent), and a TCP stream in both directions.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../../src/lab/traffic/client.js';
import type { FlowSpec, TcpSpec } from '../../src/lab/traffic/protocol.js';
import type { QemuGuest } from '../../src/lab/qemu/guest.js';
import { type BedGuest, PORTS, WIRE_IP, WIRE_IP6 } from './bed.js';

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
  readonly tcp?: boolean;
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

interface ReportedFlow {
  readonly flow: number;
  readonly received: number;
  readonly highest: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupt: number;
  readonly longestGapMs: number;
  readonly echoed: number;
  readonly missing: readonly (readonly [number, number])[];
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
    const { id, packetsPerSecond, talks, sizes = [64, 512, 1400], family = 4 } = options;
    const [from, to] = family === 4 ? [WIRE_IP, guest.spec.ip] : [WIRE_IP6, guest.spec.ip6];
    this.#endpoint = endpoint;
    this.#guest = guest;
    this.#options = options;
    this.#flow = {
      id, family, packetsPerSecond, sizes, echoEvery: talks ? 1 : 0,
      from: { address: from, port: 6000 + id },
      to: { address: to, port: talks ? PORTS.echo : PORTS.sink },
    };
    this.#tcp = options.tcp === true ? { id, family, from, to: { address: to, port: PORTS.tcp }, bytesPerSecond: 50_000 } : null;
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

  async #report(guest: TalkingGuest, verb: 'report' | 'lap'): Promise<ReportedFlow[]> {
    const { status, output } = await guest.qemu.shell(`reflector ${this.#service} ${verb}`, { deadlineMs: 20_000 });
    if (status !== 0) throw new Error(`the guest's reflector does not answer: ${output}`);
    const { flows, socketDrops } = JSON.parse(output) as { flows: ReportedFlow[]; socketDrops: number };
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

  /** null without a TCP stream. `ok`: connected all the time, every word right, in both directions something arrived. */
  async tcp(): Promise<{ readonly ok: boolean; readonly longestStallMs: number; readonly detail: string } | null> {
    if (this.#tcp === null) return null;
    const report = await this.#endpoint.tcpReport(this.#tcp.id);
    await this.#endpoint.stopTcp(this.#tcp.id);
    const ok = report.alive && report.wrongWords === 0 && report.errors.length === 0 && report.bytesReceived > 0;
    return { ok, longestStallMs: report.longestStallMs, detail: JSON.stringify({ ...report, timeline: undefined }) };
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
