/**
 * The traffic of a run: flows between endpoints, and the account of any step of it. A step is the datagrams numbered between two
 * marks, so that it can be judged while the next one runs already, and nothing in flight is counted to the wrong step.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, sumAccounts } from './arrivals.js';
import type { StreamTimeline, TrafficEnd } from './client.js';
import type { FlowSpec, StreamName, StreamRange, TcpReport, TcpSpec } from './protocol.js';

/** After this long nothing that was sent is still on its way, unless the machine is overloaded. */
export const DRAIN_MS = 300;
/** What is missing then is waited for as long as it keeps arriving, this often at most. */
const DRAIN_ROUNDS = 20;

/** The next number of every stream at one time. */
export interface Mark {
  /** CLOCK_MONOTONIC, milliseconds. */
  readonly monotonicMs: number;
  readonly next: ReadonlyMap<string, number>;
}

export interface StreamAccount {
  readonly flow: FlowSpec;
  readonly stream: StreamName;
  readonly account: Account;
}

export interface StepAccount {
  readonly total: Account;
  readonly streams: readonly StreamAccount[];
}

/** Both ends of a TCP stream. */
export interface TcpStreamReport {
  readonly client: TcpReport;
  readonly server: TcpReport;
  /** Connected on both ends, no error, no wrong byte. */
  readonly alive: boolean;
  readonly longestStallMs: number;
}

interface Flow {
  readonly spec: FlowSpec;
  readonly source: TrafficEnd;
  readonly sink: TrafficEnd;
}

const keyOf = (flow: number, stream: StreamName): string => `${flow} ${stream}`;
const monotonicMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

/** Values by key; those of one key in the order they came. */
function groupBy<T, K>(values: readonly T[], key: (value: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const group = groups.get(key(value));
    if (group === undefined) groups.set(key(value), [value]);
    else group.push(value);
  }
  return groups;
}

export class Traffic {
  readonly #flows = new Map<number, Flow>();
  readonly #tcp = new Map<number, { readonly spec: TcpSpec; readonly client: TrafficEnd; readonly server: TrafficEnd }>();

  get flows(): readonly FlowSpec[] {
    return [...this.#flows.values()].map(({ spec }) => spec);
  }

  /** Opens both ends and sends there and back once, so that no datagram is lost to an unresolved neighbour. */
  async addFlow(spec: FlowSpec, source: TrafficEnd, sink: TrafficEnd, probeTimeoutMs = 5000): Promise<void> {
    await sink.addSink(spec);
    await source.addSource(spec);
    this.#flows.set(spec.id, { spec, source, sink });
    await source.probe(spec.id, probeTimeoutMs);
  }

  /** @param ids default all */
  async start(ids?: readonly number[]): Promise<void> {
    await this.#perSource(ids, (source, flows) => source.startFlows(flows));
  }

  /** Stops sending and waits until nothing is on its way any more. */
  async stop(ids?: readonly number[]): Promise<void> {
    await this.#perSource(ids, (source, flows) => source.stopFlows(flows));
    await sleep(DRAIN_MS);
  }

  /** Where every stream is now: the end of one step and the start of the next. */
  async mark(): Promise<Mark> {
    const endpoints = this.#endpoints();
    const next = new Map<string, number>();
    for (const sent of (await Promise.all(endpoints.map((endpoint) => endpoint.sent()))).flat()) {
      next.set(keyOf(sent.flow, sent.stream), sent.sent);
    }
    return { monotonicMs: monotonicMs(), next };
  }

  /**
   * What became of everything sent between two marks; waits until the last of it has had time to arrive.
   * @param ids default all
   */
  async account(from: Mark, to: Mark, ids?: readonly number[]): Promise<StepAccount> {
    const age = monotonicMs() - to.monotonicMs;
    if (age < DRAIN_MS) await sleep(DRAIN_MS - age);
    let account = await this.#accountNow(from, to, ids);
    for (let round = 0; account.total.lost > 0 && round < DRAIN_ROUNDS; round++) {
      await sleep(DRAIN_MS);
      const later = await this.#accountNow(from, to, ids);
      const stillArriving = later.total.lost < account.total.lost;
      account = later;
      if (!stillArriving) break;
    }
    return account;
  }

  async #accountNow(from: Mark, to: Mark, ids: readonly number[] | undefined): Promise<StepAccount> {
    const asked = this.#select(ids).flatMap(({ spec, source, sink }) => {
      const range = (stream: StreamName): StreamRange => ({
        flow: spec.id,
        stream,
        from: from.next.get(keyOf(spec.id, stream)) ?? 0,
        to: to.next.get(keyOf(spec.id, stream)) ?? 0,
      });
      const forward = { spec, endpoint: sink, range: range('forward') };
      return spec.echoEvery > 0 ? [forward, { spec, endpoint: source, range: range('echo') }] : [forward];
    });
    const streams: StreamAccount[] = [];
    for (const [endpoint, group] of groupBy(asked, (each) => each.endpoint)) {
      const accounts = await endpoint.account(group.map((each) => each.range));
      group.forEach(({ spec, range }, i) => {
        const account = accounts[i];
        if (account !== undefined) streams.push({ flow: spec, stream: range.stream, account });
      });
    }
    return { total: sumAccounts(streams.map((each) => each.account)), streams };
  }

  /** The runs of numbers of a step that never arrived, for finding out why. */
  async missing(from: Mark, to: Mark, flow: number, stream: StreamName, limit = 20): Promise<readonly (readonly [number, number])[]> {
    const [known] = this.#select([flow]);
    const endpoint = stream === 'forward' ? known?.sink : known?.source;
    if (endpoint === undefined) return [];
    const key = keyOf(flow, stream);
    return endpoint.missing({ flow, stream, from: from.next.get(key) ?? 0, to: to.next.get(key) ?? 0 }, limit);
  }

  /** Arrivals over time of every stream, from the start of the run. */
  async timelines(): Promise<StreamTimeline[]> {
    return (await Promise.all(this.#endpoints().map((endpoint) => endpoint.timelines()))).flat();
  }

  /** One connection, both directions, from now on. */
  async addTcp(spec: TcpSpec, client: TrafficEnd, server: TrafficEnd): Promise<void> {
    await server.listenTcp(spec);
    await client.connectTcp(spec);
    this.#tcp.set(spec.id, { spec, client, server });
  }

  async startTcp(id: number): Promise<void> {
    const { client, server } = this.#tcpStream(id);
    // The client knows that it is connected a moment before the server does.
    for (let attempt = 0; !(await server.tcpReport(id)).connected && attempt < 100; attempt++) await sleep(10);
    await Promise.all([client.startTcp(id), server.startTcp(id)]);
  }

  /** Stops sending and waits until both sides have all, or DRAIN_MS have brought no more. */
  async stopTcp(id: number): Promise<void> {
    const { client, server } = this.#tcpStream(id);
    await Promise.all([client.stopTcp(id), server.stopTcp(id)]);
    for (let before = -1; ; ) {
      await sleep(DRAIN_MS);
      const reports = await Promise.all([client.tcpReport(id), server.tcpReport(id)]);
      const received = reports[0].bytesReceived + reports[1].bytesReceived;
      if (received === reports[0].bytesSent + reports[1].bytesSent || received === before) return;
      before = received;
    }
  }

  async tcpReport(id: number): Promise<TcpStreamReport> {
    const { client: clientEnd, server: serverEnd } = this.#tcpStream(id);
    const [client, server] = await Promise.all([clientEnd.tcpReport(id), serverEnd.tcpReport(id)]);
    return { client, server, alive: client.alive && server.alive, longestStallMs: Math.max(client.longestStallMs, server.longestStallMs) };
  }

  #endpoints(): TrafficEnd[] {
    return [...new Set([...this.#flows.values()].flatMap(({ source, sink }) => [source, sink]))];
  }

  #select(ids: readonly number[] | undefined): Flow[] {
    if (ids === undefined) return [...this.#flows.values()];
    return ids.map((id) => {
      const flow = this.#flows.get(id);
      if (flow === undefined) throw new RangeError(`there is no flow ${id}`);
      return flow;
    });
  }

  async #perSource(ids: readonly number[] | undefined, act: (source: TrafficEnd, flows: number[]) => Promise<void>): Promise<void> {
    const groups = groupBy(this.#select(ids), ({ source }) => source);
    await Promise.all([...groups].map(([source, flows]) => act(source, flows.map(({ spec }) => spec.id))));
  }

  #tcpStream(id: number) {
    const stream = this.#tcp.get(id);
    if (stream === undefined) throw new RangeError(`there is no TCP stream ${id}`);
    return stream;
  }
}
