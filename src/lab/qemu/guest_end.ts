/**
 * A guest's end of the lab's traffic: its own programs (reflector.c), asked over its shell, behind the methods of an endpoint. What is
 * sent to the guest is taken by the programs that run from its boot; for each flow that it sends itself, one more is started.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from '../traffic/arrivals.js';
import type { EndpointSnapshot, StreamTimeline, TrafficEnd } from '../traffic/client.js';
import { LatencyHistogram } from '../traffic/latency.js';
import type { FlowSpec, SentSoFar, StreamRange, TcpReport, TcpSpec } from '../traffic/protocol.js';
import { askReflectorRanges, askReflectors, type ReflectedRange, type ReflectorReport, type Runs } from './reflector.js';

/** A program in the guest that takes datagrams, by the port that it listens on. */
export interface GuestSink {
  readonly service: string;
  /** It answers every n-th datagram; 0 = none. */
  readonly echoEvery: number;
}

export interface GuestServices {
  readonly sinks: ReadonlyMap<number, GuestSink>;
  readonly tcp: { readonly service: string; readonly port: number };
}

const PROBE_INTERVAL_MS = 200;
const NO_TIMELINE = { binMs: 100, startMs: 0, packets: [], bytes: [] };
/** Clocks of guest and host differ. */
const NO_LATENCY = new LatencyHistogram().summary();

const senderOf = (flow: number): string => `talk${flow}`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(0)} s`;

function accountOf({ from, to }: StreamRange, { received, duplicated, reordered, corrupt, longestGap }: ReflectedRange): Account {
  const sent = Math.max(0, to - from);
  return { sent, received, lost: sent - received, duplicated, reordered, corrupt, longestGap, latency: NO_LATENCY };
}

export class GuestEnd implements TrafficEnd {
  readonly name: string;
  readonly #services: GuestServices;
  #guest: Runs;
  readonly #sources = new Map<number, FlowSpec>();
  readonly #sinks = new Map<number, { readonly spec: FlowSpec; readonly service: string }>();

  /** @param guest its shell */
  constructor(name: string, guest: Runs, services: GuestServices) {
    this.name = name;
    this.#guest = guest;
    this.#services = services;
  }

  /** After a migration the guest is spoken to elsewhere; its programs went on. */
  moveTo(guest: Runs): void {
    this.#guest = guest;
  }

  /** @throws RangeError for a flow that no program of the guest takes */
  async addSink(flow: FlowSpec): Promise<void> {
    const sink = this.#services.sinks.get(flow.to.port);
    if (sink === undefined) throw new RangeError(`flow ${flow.id}: nothing in guest ${this.name} listens on port ${flow.to.port}`);
    if (sink.echoEvery !== flow.echoEvery) {
      throw new RangeError(`flow ${flow.id}: what listens on port ${flow.to.port} of guest ${this.name} answers every ${sink.echoEvery} datagrams, not ${flow.echoEvery}`);
    }
    this.#sinks.set(flow.id, { spec: flow, service: sink.service });
  }

  /** Its program is started; it sends from then until probe() has seen it through. @throws RangeError, Error with the guest's words */
  async addSource(flow: FlowSpec): Promise<void> {
    const [size, ...others] = flow.sizes;
    if (size === undefined || others.length > 0) throw new RangeError(`flow ${flow.id}: a guest sends datagrams of one size`);
    const { id, from, to, packetsPerSecond } = flow;
    const words = ['talk', to.address, to.port, '--flow', id, '--rate', packetsPerSecond, '--size', size, '--from-port', from.port];
    await this.#guest.run(`setsid reflector ${senderOf(id)} ${words.join(' ')} > /run/${senderOf(id)}.log 2>&1 &`);
    this.#sources.set(id, flow);
  }

  /** Resolves when the flow's program sends and, where there are answers, one has come. @throws Error when that takes too long */
  async probe(flow: number, timeoutMs = 5000): Promise<{ readonly roundTripUs: number; readonly attempts: number }> {
    const spec = this.#source(flow);
    const deadline = performance.now() + timeoutMs;
    for (let attempts = 1; ; attempts++) {
      const report = await this.#reports([senderOf(flow)]).then(([first]) => first, (error: unknown) => error as Error);
      const isThere = !(report instanceof Error) && report !== undefined && report.sent > 0;
      if (isThere && (spec.echoEvery === 0 || report.flows.some(({ received }) => received > 0))) {
        await this.stopFlows([flow]);
        return { roundTripUs: 0, attempts };
      }
      if (performance.now() > deadline) {
        const why = report instanceof Error ? `: ${report.message}` : '';
        throw new Error(`flow ${flow}: ${spec.to.address} port ${spec.to.port} did not answer guest ${this.name} within ${seconds(timeoutMs)}${why}`);
      }
      await sleep(PROBE_INTERVAL_MS);
    }
  }

  async startFlows(flows: readonly number[]): Promise<void> {
    await askReflectors(this.#guest, flows.map((flow) => [senderOf(this.#source(flow).id), 'start']));
  }

  async stopFlows(flows: readonly number[]): Promise<void> {
    await askReflectors(this.#guest, flows.map((flow) => [senderOf(this.#source(flow).id), 'stop']));
  }

  async sent(): Promise<readonly SentSoFar[]> {
    return (await this.snapshot()).sent.map(({ flow, stream, sent }) => ({ flow, stream, sent }));
  }

  async account(ranges: readonly StreamRange[]): Promise<readonly Account[]> {
    const found = await this.#ranges(ranges);
    return ranges.map((range, i) => accountOf(range, found[i] as ReflectedRange));
  }

  /** At most 20 runs are known. */
  async missing(range: StreamRange, limit = 20): Promise<readonly (readonly [first: number, last: number])[]> {
    const [found] = await this.#ranges([range]);
    return (found?.missing ?? []).slice(0, limit);
  }

  /** A guest keeps none. */
  async timelines(): Promise<readonly StreamTimeline[]> {
    return [];
  }

  async snapshot(): Promise<EndpointSnapshot> {
    const sinkServices = [...new Set([...this.#sinks.values()].map(({ service }) => service))];
    const sources = [...this.#sources.values()];
    const reports = await this.#reports([...sinkServices, ...sources.map(({ id }) => senderOf(id))]);
    const ofSinks = new Map(sinkServices.map((service, i) => [service, reports[i] as ReflectorReport]));
    const ofSources = reports.slice(sinkServices.length);
    const sum = (pick: (report: ReflectorReport) => number): number => reports.reduce((total, report) => total + pick(report), 0);
    return {
      monotonicMs: Number(process.hrtime.bigint() / 1000n) / 1000,
      sent: [
        ...sources.map(({ id, sizes }, i) => {
          const { sent = 0, skipped = 0, sendErrors = 0, lastSendError = null } = ofSources[i] ?? {};
          return { flow: id, stream: 'forward' as const, sent, bytes: sent * (sizes[0] ?? 0), sendErrors, lastError: lastSendError, skipped };
        }),
        ...[...this.#sinks.values()].map(({ spec, service }) => {
          const sent = ofSinks.get(service)?.flows.find(({ flow }) => flow === spec.id)?.echoed ?? 0;
          return { flow: spec.id, stream: 'echo' as const, sent, bytes: 0, sendErrors: 0, lastError: null, skipped: 0 };
        }),
      ],
      received: [],
      errors: {
        foreign: sum(({ foreign }) => foreign),
        damagedHeaders: sum(({ damagedHeaders }) => damagedHeaders),
        misdelivered: sum(({ misdelivered }) => misdelivered),
        kernelChecksumErrors: 0,
        kernelBufferErrors: sum(({ socketDrops }) => socketDrops),
      },
    };
  }

  /** @throws RangeError unless its program listens there */
  async listenTcp({ id, to }: TcpSpec): Promise<void> {
    const { port } = this.#services.tcp;
    if (to.port !== port) throw new RangeError(`TCP stream ${id}: guest ${this.name} listens on port ${port}, not ${to.port}`);
  }

  async connectTcp({ id }: TcpSpec): Promise<void> {
    throw new RangeError(`TCP stream ${id}: guest ${this.name} makes no connections, it takes them`);
  }

  async startTcp(_id: number): Promise<void> {
    await askReflectors(this.#guest, [[this.#services.tcp.service, 'start']]);
  }

  async stopTcp(_id: number): Promise<void> {
    await askReflectors(this.#guest, [[this.#services.tcp.service, 'stop']]);
  }

  /** Of the first connection; when its pauses were is not known. */
  async tcpReport(id: number): Promise<TcpReport> {
    const [report] = await this.#reports([this.#services.tcp.service]);
    const { connected = false, error = null, bytesSent = 0, bytesReceived = 0, wrongWords = 0, longestStallMs = 0 } = report?.connections[0] ?? {};
    const second = (report?.connections.length ?? 0) > 1 ? ['a second connection arrived'] : [];
    const errors = [...(error === null ? [] : [error]), ...second];
    const alive = connected && errors.length === 0 && wrongWords === 0;
    return { tcp: id, connected, alive, bytesSent, bytesReceived, wrongWords, longestStallMs, stalls: [], errors, timeline: NO_TIMELINE };
  }

  /** The programs end with the guest. */
  async close(): Promise<void> {}

  #source(flow: number): FlowSpec {
    const spec = this.#sources.get(flow);
    if (spec === undefined) throw new RangeError(`flow ${flow} has no source in guest ${this.name}`);
    return spec;
  }

  #reports(names: readonly string[]): Promise<readonly ReflectorReport[]> {
    return askReflectors<ReflectorReport>(this.#guest, names.map((name) => [name, 'report']));
  }

  /** In the order asked. */
  async #ranges(ranges: readonly StreamRange[]): Promise<readonly ReflectedRange[]> {
    const programs = ranges.map(({ flow, stream }) => {
      const program = stream === 'echo' ? senderOf(this.#source(flow).id) : this.#sinks.get(flow)?.service;
      if (program === undefined) throw new RangeError(`stream "${stream}" of flow ${flow} is not received in guest ${this.name}`);
      return program;
    });
    const found: ReflectedRange[] = [];
    for (const program of new Set(programs)) {
      const indexes = [...programs.keys()].filter((i) => programs[i] === program);
      const asked = indexes.map((i) => ranges[i] as StreamRange);
      const answers = await askReflectorRanges(this.#guest, program, asked);
      indexes.forEach((index, i) => (found[index] = answers[i] as ReflectedRange));
    }
    return found;
  }
}
