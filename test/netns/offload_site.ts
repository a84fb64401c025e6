/** A lab of one host with a guest on a tap and one on a veth, all kinds of traffic through it, and the switches of offload tests. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { parse, stringify } from 'yaml';
import { ControlClient } from '../../src/control/client.js';
import type { CountersReply } from '../../src/control/protocol.js';
import type { VnicPath } from '../../src/core/model.js';
import { run } from '../../src/host/exec.js';
import { daemonConfigFor } from '../../src/lab/daemon_config.js';
import { labDown } from '../../src/lab/down.js';
import { defaultLab, guestOf, type LabSpec } from '../../src/lab/model.js';
import { hostConfigPath, hostSocketPath, labPlace, type LabPlace, namespaceOf, namespacePath } from '../../src/lab/place.js';
import { switchPort } from '../../src/lab/topology.js';
import { Endpoint } from '../../src/lab/traffic/client.js';
import type { FlowSpec } from '../../src/lab/traffic/protocol.js';
import { type StepAccount, type TcpStreamReport, Traffic } from '../../src/lab/traffic/traffic.js';
import { labUp } from '../../src/lab/up.js';

export type Station = 'world' | 'g1' | 'g2';
export type Guest = 'g1' | 'g2';
export type OffloadState = 'on' | 'off';
export const GUESTS: readonly Guest[] = ['g1', 'g2'];
const STATIONS: readonly Station[] = ['world', ...GUESTS];
const HOST = 'a';
const SPEC: LabSpec = {
  ...defaultLab,
  hosts: defaultLab.hosts.filter(({ name }) => name === HOST),
  guests: defaultLab.guests.filter(({ name }) => GUESTS.some((guest) => guest === name)),
};

/** Payload bytes: smallest, usual, and the largest of a 1500-byte MTU over IPv6. */
const USUAL_SIZES = [32, 300, 1452, 701];
const PACKETS_PER_SECOND = 80;
/** Written every 5 ms: two or three segments at once, which is what segmentation offload is about. */
const TCP_BYTES_PER_SECOND = 600_000;
const PATH_MS = 10_000;

export interface Flow {
  readonly from: Station;
  readonly to: Station;
  readonly spec: FlowSpec;
}

type VnicCounters = CountersReply['vnics'][number];

/** What a stretch of traffic has brought. */
export interface Outcome {
  readonly account: StepAccount;
  /** Bytes that arrived during it, of the TCP direction that got least. */
  readonly tcpBytes: number;
  readonly tcp: readonly TcpStreamReport[];
  /** TCP and UDP checksums that a receiver found wrong. */
  readonly checksumErrors: number;
  /** Frames that were lost after a program had redirected them. */
  readonly redirectErrors: number;
  /** Frames of this vNIC that got this verdict. */
  reason(guest: Guest, reason: string): number;
  /** Datagrams sent from one station to another. */
  sent(from: Station, to: Station): number;
}

const addressOf = (station: Station, family: 4 | 6): string => {
  const { ipv4, ipv6 } = station === 'world' ? SPEC.world : guestOf(SPEC, station);
  return family === 4 ? ipv4 : ipv6;
};

export class OffloadSite {
  readonly client: ControlClient;
  readonly flows: Flow[] = [];
  readonly #place: LabPlace;
  readonly #endpoints = new Map<Station, Endpoint>();
  readonly #traffic = new Traffic();
  #tcpStreams = 0;

  private constructor(place: LabPlace) {
    this.#place = place;
    this.client = new ControlClient(hostSocketPath(place, HOST));
  }

  /** Everything is removed when the test ends. Datagrams and TCP between all stations are set up, and do not flow yet. */
  static async up(t: ExecutionContext, name: string): Promise<OffloadSite> {
    const place = labPlace(name);
    t.teardown(async () => {
      t.deepEqual((await labDown(place)).failures, []);
    });
    (await labUp(place, { spec: SPEC })).journal.close();
    const site = new OffloadSite(place);
    t.teardown(() => Promise.all([...site.#endpoints.values()].map((endpoint) => endpoint.close())));
    for (const station of STATIONS) site.#endpoints.set(station, await Endpoint.start(namespaceOf(place, station)));
    for (const from of STATIONS) {
      for (const to of STATIONS.filter((each) => each !== from)) for (const family of [4, 6] as const) await site.addFlow(from, to, family);
    }
    for (const [from, to] of [['world', 'g1'], ['world', 'g2'], ['g2', 'g1']] as const) {
      for (const family of [4, 6] as const) await site.#addTcp(from, to, family);
    }
    return site;
  }

  /** Starts all traffic; it goes on to the end. */
  async start(): Promise<void> {
    await this.#traffic.start();
    for (let id = 1; id <= this.#tcpStreams; id += 1) await this.#traffic.startTcp(id);
  }

  /** Stops all traffic; returns what both ends of each TCP stream say. */
  async stop(): Promise<TcpStreamReport[]> {
    await this.#traffic.stop();
    await Promise.all(this.#eachTcp((id) => this.#traffic.stopTcp(id)));
    return this.#tcpReports();
  }

  /** @param sizes UDP payload bytes */
  async addFlow(from: Station, to: Station, family: 4 | 6, sizes: readonly number[] = USUAL_SIZES): Promise<number> {
    const id = this.flows.length + 1;
    const spec: FlowSpec = {
      id,
      family,
      from: { address: addressOf(from, family), port: 20_000 + 2 * id },
      to: { address: addressOf(to, family), port: 20_001 + 2 * id },
      packetsPerSecond: PACKETS_PER_SECOND,
      sizes,
      echoEvery: 0,
    };
    this.flows.push({ from, to, spec });
    await this.#traffic.addFlow(spec, this.#endpoint(from), this.#endpoint(to));
    return id;
  }

  startFlows(ids: readonly number[]): Promise<void> {
    return this.#traffic.start(ids);
  }

  async #addTcp(from: Station, to: Station, family: 4 | 6): Promise<void> {
    this.#tcpStreams += 1;
    const id = this.#tcpStreams;
    const tcp = { id, family, from: addressOf(from, family), to: { address: addressOf(to, family), port: 19_000 + id } };
    await this.#traffic.addTcp({ ...tcp, bytesPerSecond: TCP_BYTES_PER_SECOND }, this.#endpoint(from), this.#endpoint(to));
  }

  /** Brings both guests to a path; resolves when they transmit on it. */
  async bring(path: VnicPath, cutThrough: boolean): Promise<void> {
    const config = parse(daemonConfigFor(this.#place, SPEC, HOST, GUESTS)) as { vnics: object[] };
    const vnics = config.vnics.map((vnic) => ({ ...vnic, cut_through: cutThrough }));
    writeFileSync(hostConfigPath(this.#place, HOST), stringify({ ...config, vnics }));
    await this.client.reload();
    for (const guest of GUESTS) {
      const { reached, vnic } = await this.client.act(guest, path === 'accelerated' ? 'accelerate' : 'software', PATH_MS);
      if (!reached) throw new Error(`${guest} is not ${path}: ${vnic.reason_text}`);
    }
  }

  /**
   * On every device that a guest sends by. What a device cannot, `ethtool -K` leaves out without a word: the lab's tap has no
   * offload at all, and a veth whose other end has an XDP program does not segment.
   */
  async guestOffloads(state: OffloadState): Promise<void> {
    const vfs = (await this.client.status()).adapters.flatMap((adapter) => adapter.vfs);
    for (const guest of GUESTS) {
      const devices = vfs.filter(({ owner }) => owner === guest).map(({ device }) => device);
      for (const device of ['eth0', ...devices]) await this.#setOffloads(guest, device, state);
    }
  }

  /** On the world's interface and on its port to the wire. */
  async worldOffloads(state: OffloadState): Promise<void> {
    await this.#setOffloads('world', switchPort(HOST), state);
    await this.#setOffloads('world', 'sw0', state);
  }

  async #setOffloads(station: Station, device: string, state: OffloadState): Promise<void> {
    const features = state === 'on' ? ['tx', 'on', 'tso', 'on', 'gso', 'on'] : ['tx', 'off'];
    await run('nsenter', [`--net=${this.#netns(station)}`, 'ethtool', '-K', device, ...features]);
  }

  async setMtu(station: Station | 'a', device: string, mtu: number): Promise<void> {
    await run('ip', ['-n', namespaceOf(this.#place, station), 'link', 'set', 'dev', device, 'mtu', String(mtu)]);
  }

  /** Everything that is sent in this time, all flows but those named. */
  async observe(ms: number, except: readonly number[] = []): Promise<Outcome> {
    const before = await this.#look();
    const from = await this.#traffic.mark();
    await sleep(ms);
    const to = await this.#traffic.mark();
    const ids = this.flows.map(({ spec }) => spec.id).filter((id) => !except.includes(id));
    const account = await this.#traffic.account(from, to, ids);
    const after = await this.#look();
    const reason = (counters: readonly VnicCounters[], guest: Guest, name: string): number =>
      counters.find((vnic) => vnic.name === guest)?.reasons[name]?.packets ?? 0;
    const grown = after.arrived.map((bytes, index) => bytes - (before.arrived[index] ?? 0));
    return {
      account,
      tcp: after.tcp,
      tcpBytes: Math.min(...grown),
      checksumErrors: after.checksumErrors - before.checksumErrors,
      redirectErrors: after.redirectErrors - before.redirectErrors,
      reason: (guest, name) => reason(after.counters, guest, name) - reason(before.counters, guest, name),
      sent: (source, target) =>
        account.streams
          .filter(({ flow }) => this.flows.some((each) => each.spec.id === flow.id && each.from === source && each.to === target))
          .reduce((sum, stream) => sum + stream.account.sent, 0),
    };
  }

  async #look() {
    const { vnics, redirect_errors } = await this.client.counters();
    const tcp = await this.#tcpReports();
    return {
      counters: vnics,
      redirectErrors: redirect_errors.reduce((sum, { packets }) => sum + packets, 0),
      tcp,
      arrived: tcp.flatMap(({ client, server }) => [client.bytesReceived, server.bytesReceived]),
      checksumErrors: (await Promise.all(STATIONS.map((station) => this.#checksumErrors(station)))).reduce((sum, errors) => sum + errors, 0),
    };
  }

  /** TCP counts both families in one place, UDP in two; each has a line of names above its line of numbers. */
  async #checksumErrors(station: Station): Promise<number> {
    const text = await run('nsenter', [`--net=${this.#netns(station)}`, 'cat', '/proc/net/snmp', '/proc/net/snmp6']);
    const lines = text.split('\n');
    let errors = 0;
    for (const protocol of ['Tcp:', 'Udp:']) {
      const [names = '', values = ''] = lines.filter((line) => line.startsWith(protocol));
      errors += Number(values.split(' ')[names.split(' ').indexOf('InCsumErrors')]);
    }
    return errors + Number(/^Udp6InCsumErrors\s+(\d+)$/m.exec(text)?.[1]);
  }

  #eachTcp<T>(act: (id: number) => Promise<T>): Promise<T>[] {
    return Array.from({ length: this.#tcpStreams }, (_, index) => act(index + 1));
  }

  #tcpReports(): Promise<TcpStreamReport[]> {
    return Promise.all(this.#eachTcp((id) => this.#traffic.tcpReport(id)));
  }

  #endpoint(station: Station): Endpoint {
    const endpoint = this.#endpoints.get(station);
    if (endpoint === undefined) throw new RangeError(`no endpoint in ${station}`);
    return endpoint;
  }

  #netns(station: Station | 'a'): string {
    return namespacePath(namespaceOf(this.#place, station));
  }
}
