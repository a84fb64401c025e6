/** Numbered datagrams and TCP streams between the network stacks of a bed, and what became of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, sumAccounts } from '../../../src/lab/traffic/arrivals.js';
import { Endpoint } from '../../../src/lab/traffic/client.js';
import { Traffic } from '../../../src/lab/traffic/traffic.js';
import type { Bed } from './bed.js';

export interface FlowOptions {
  /** Every pair of stations between which there is traffic, both ways, over IPv4 and IPv6. */
  readonly pairs: readonly (readonly [string, string])[];
  /** UDP payload bytes, used in turn. Default: three that fit into an MTU of 1500. */
  readonly sizes?: readonly number[];
  /** Of each UDP flow; there are four for a pair. */
  readonly packetsPerSecond?: number;
  readonly tcpBytesPerSecond?: number;
}

/** What became of all that was sent in a stretch of time. */
export interface Outcome {
  /** By `g1 > g2`. */
  readonly udp: Readonly<Record<string, Pick<Account, 'sent' | 'lost' | 'duplicated' | 'corrupt'>>>;
  /** By `g1 = g2`: bytes that arrived on the end that got least, and whether all of it was right so far. */
  readonly tcp: Readonly<Record<string, { readonly bytes: number; readonly alive: boolean }>>;
}

const USUAL_SIZES = [32, 300, 1452];
const RECOVERY_POLL_MS = 50;
const RECOVERY_POLLS = 200;

export class BedFlows {
  readonly #options: FlowOptions;
  readonly #traffic = new Traffic();
  readonly #endpoints: ReadonlyMap<string, Endpoint>;
  readonly #names = new Map<number, string>();
  readonly #tcp = new Map<number, string>();

  private constructor(options: FlowOptions, endpoints: ReadonlyMap<string, Endpoint>) {
    this.#options = options;
    this.#endpoints = endpoints;
  }

  /** Everything flows when this resolves. */
  static async start(bed: Bed, options: FlowOptions): Promise<BedFlows> {
    const stations = [...new Set(options.pairs.flat())];
    const started = stations.map(async (name) => [name, await Endpoint.start(bed.station(name).netns)] as const);
    const flows = new BedFlows(options, new Map(await Promise.all(started)));
    for (const [a, b] of options.pairs) {
      for (const [from, to] of [[a, b], [b, a]] as const) for (const family of [4, 6] as const) await flows.#addUdp(bed, from, to, family);
      await flows.#addTcp(bed, a, b);
    }
    await flows.#traffic.start();
    return flows;
  }

  async observe(ms: number): Promise<Outcome> {
    const before = await this.#tcpReports();
    const from = await this.#traffic.mark();
    await sleep(ms);
    const { streams } = await this.#traffic.account(from, await this.#traffic.mark());
    const after = await this.#tcpReports();
    const udp = [...new Set(this.#names.values())].map((name) => {
      const of = streams.filter(({ flow }) => this.#names.get(flow.id) === name);
      const { sent, lost, duplicated, corrupt } = sumAccounts(of.map(({ account }) => account));
      return [name, { sent, lost, duplicated, corrupt }] as const;
    });
    const tcp = [...after].map(([name, { alive, bytes }]) => {
      const earlier = before.get(name)?.bytes ?? [];
      return [name, { alive, bytes: Math.min(...bytes.map((count, i) => count - (earlier[i] ?? 0))) }] as const;
    });
    return { udp: Object.fromEntries(udp), tcp: Object.fromEntries(tcp) };
  }

  /** After an outage: until every TCP stream, which waits longer and longer between its attempts, moves again both ways. */
  async recover(): Promise<void> {
    const before = await this.#tcpReports();
    const moves = (name: string, bytes: readonly number[]): boolean => bytes.every((count, i) => count > (before.get(name)?.bytes[i] ?? 0));
    for (let i = 0; i < RECOVERY_POLLS; i++) {
      if ([...(await this.#tcpReports())].every(([name, { bytes }]) => moves(name, bytes))) return;
      await sleep(RECOVERY_POLL_MS);
    }
    throw new Error('a TCP stream did not recover');
  }

  /** Ends all traffic. @returns the TCP streams of which not all arrived that was ever sent */
  async stop(): Promise<string[]> {
    await this.#traffic.stop();
    await Promise.all([...this.#tcp.keys()].map((id) => this.#traffic.stopTcp(id)));
    const incomplete: string[] = [];
    for (const [id, name] of this.#tcp) {
      const { alive, client, server } = await this.#traffic.tcpReport(id);
      if (!alive || client.bytesReceived !== server.bytesSent || server.bytesReceived !== client.bytesSent) incomplete.push(name);
    }
    await Promise.all([...this.#endpoints.values()].map((endpoint) => endpoint.close()));
    return incomplete;
  }

  async #addUdp(bed: Bed, from: string, to: string, family: 4 | 6): Promise<void> {
    const id = this.#names.size + 1;
    const address = (name: string) => (family === 4 ? bed.station(name).ipv4 : bed.station(name).ipv6);
    const ends = { from: { address: address(from), port: 20_000 + 2 * id }, to: { address: address(to), port: 20_001 + 2 * id } };
    const { sizes = USUAL_SIZES, packetsPerSecond = 150 } = this.#options;
    this.#names.set(id, `${from} > ${to}`);
    await this.#traffic.addFlow({ id, family, ...ends, packetsPerSecond, sizes, echoEvery: 0 }, this.#endpoint(from), this.#endpoint(to));
  }

  async #addTcp(bed: Bed, from: string, to: string): Promise<void> {
    const id = this.#tcp.size + 1;
    const ends = { from: bed.station(from).ipv4, to: { address: bed.station(to).ipv4, port: 19_000 + id } };
    const bytesPerSecond = this.#options.tcpBytesPerSecond ?? 400_000;
    await this.#traffic.addTcp({ id, family: 4, ...ends, bytesPerSecond }, this.#endpoint(from), this.#endpoint(to));
    await this.#traffic.startTcp(id);
    this.#tcp.set(id, `${from} = ${to}`);
  }

  async #tcpReports(): Promise<Map<string, { alive: boolean; bytes: number[] }>> {
    const reports = await Promise.all([...this.#tcp].map(async ([id, name]) => [name, await this.#traffic.tcpReport(id)] as const));
    return new Map(reports.map(([name, { alive, client, server }]) => {
      return [name, { alive, bytes: [client.bytesReceived, server.bytesReceived] }] as const;
    }));
  }

  #endpoint(station: string): Endpoint {
    const endpoint = this.#endpoints.get(station);
    if (endpoint === undefined) throw new RangeError(`no endpoint in ${station}`);
    return endpoint;
  }
}
