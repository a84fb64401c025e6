/** A lab of one host with a guest on a tap and one on a veth, traffic between all stations, and the switches of offload tests. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { parse, stringify } from 'yaml';
import { pluginStateCodec } from '../../maps/generated/contract.js';
import { ControlClient } from '../../src/control/client.js';
import type { CountersReply } from '../../src/control/protocol.js';
import type { VnicPath } from '../../src/core/model.js';
import { pluginStatePin } from '../../src/guest/plugin.js';
import { run, runJson } from '../../src/host/exec.js';
import { daemonConfigFor } from '../../src/lab/daemon_config.js';
import { labDown } from '../../src/lab/down.js';
import { defaultLab, guestOf, type LabSpec } from '../../src/lab/model.js';
import { guestPins, hostConfigPath, hostSocketPath, labPlace, type LabPlace, namespaceOf, namespacePath } from '../../src/lab/place.js';
import { switchPort, tapOf } from '../../src/lab/topology.js';
import { type Account, sumAccounts } from '../../src/lab/traffic/arrivals.js';
import { Endpoint } from '../../src/lab/traffic/client.js';
import { type TcpStreamReport, Traffic } from '../../src/lab/traffic/traffic.js';
import { labUp } from '../../src/lab/up.js';
import { RawMap } from '../../src/native/map.js';

export type Guest = 'g1' | 'g2';
export type Station = 'world' | Guest;
export type OffloadState = 'on' | 'off';
/** `usual` datagrams fit into an MTU of 1500 bytes, `fragmented` ones do not; `large` ones are one frame where the MTU is 2000. */
export type FlowKind = 'usual' | 'fragmented' | 'large';

export const GUESTS: readonly Guest[] = ['g1', 'g2'];
const STATIONS: readonly Station[] = ['world', ...GUESTS];
export const USUAL_MTU = 1500;
export const LARGE_MTU = 2000;
const HOST = 'a';
const SPEC: LabSpec = {
  ...defaultLab,
  hosts: defaultLab.hosts.filter(({ name }) => name === HOST),
  guests: defaultLab.guests.filter(({ name }) => GUESTS.some((guest) => guest === name)),
};

/** UDP payload bytes; the largest usual one is that of a 1500-byte MTU over IPv6. */
const SIZES: Readonly<Record<FlowKind, readonly number[]>> = { usual: [32, 300, 1452, 701], fragmented: [2500], large: [1800] };
const PACKETS_PER_SECOND: Readonly<Record<FlowKind, number>> = { usual: 80, fragmented: 20, large: 20 };
/** Written every 5 ms: three segments at once, which is what segmentation offload is about. */
const TCP_BYTES_PER_SECOND = 600_000;
const TCP_PAIRS: readonly (readonly [Station, Station])[] = [['world', 'g1'], ['world', 'g2'], ['g2', 'g1']];
/** One of each family. */
export const STREAMS_PER_PAIR = 2;
const DEADLINE_MS = 10_000;
const POLL_MS = 25;

interface Flow {
  readonly id: number;
  readonly kind: FlowKind;
  readonly from: Station;
  readonly to: Station;
}

/** What a stretch of traffic has brought. */
export interface Outcome {
  /** Of the datagrams of a kind, from one station or all to one or all. */
  account(kind: FlowKind, from?: Station, to?: Station): Account;
  readonly tcp: readonly TcpStreamReport[];
  /** Bytes that arrived on that end of a TCP stream that got least. */
  readonly tcpBytes: number;
  /** TCP segments and UDP datagrams that a receiver found to have a wrong checksum. */
  readonly checksumErrors: number;
  /** Frames that were lost after a program had redirected them. */
  readonly redirectErrors: number;
  /** Frames that got this verdict on the account of this guest's vNIC. Counted a little longer than the datagrams. */
  reason(guest: Guest, reason: string): number;
  /** Segments that left the station's IP interface as part of a larger frame, for a device to cut. */
  unsegmented(station: Station): number;
}

const addressOf = (station: Station, family: 4 | 6): string => {
  const { ipv4, ipv6 } = station === 'world' ? SPEC.world : guestOf(SPEC, station);
  return family === 4 ? ipv4 : ipv6;
};

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !(await holds()); await sleep(POLL_MS)) {
    if (Date.now() > deadline) throw new Error(`${what}: not after ${DEADLINE_MS / 1000} s`);
  }
}

export class OffloadSite {
  readonly #place: LabPlace;
  readonly #client: ControlClient;
  readonly #endpoints = new Map<Station, Endpoint>();
  readonly #plugins = new Map<Station, RawMap>();
  readonly #traffic = new Traffic();
  readonly #flows: Flow[] = [];
  readonly #tcp: number[] = [];

  private constructor(place: LabPlace) {
    this.#place = place;
    this.#client = new ControlClient(hostSocketPath(place, HOST));
  }

  /** Everything is removed when the test ends. Usual datagrams and TCP flow between all stations when this resolves. */
  static async up(t: ExecutionContext, name: string): Promise<OffloadSite> {
    const place = labPlace(name);
    t.teardown(async () => {
      const { failures } = await labDown(place);
      if (failures.length > 0) throw new Error(failures.join('; '));
    });
    (await labUp(place, { spec: SPEC })).journal.close();
    const site = new OffloadSite(place);
    t.teardown(() => site.#close());
    for (const station of STATIONS) site.#endpoints.set(station, await Endpoint.start(namespaceOf(place, station)));
    for (const guest of GUESTS) site.#plugins.set(guest, RawMap.fromPin(pluginStatePin(guestPins(place, guest))));
    for (const from of STATIONS) for (const to of STATIONS) if (from !== to) await site.startFlows('usual', from, to);
    for (const [from, to] of TCP_PAIRS) for (const family of [4, 6] as const) await site.#startTcp(from, to, family);
    return site;
  }

  /** One flow of each family. @returns their ids */
  async startFlows(kind: FlowKind, from: Station, to: Station): Promise<number[]> {
    const ids: number[] = [];
    for (const family of [4, 6] as const) {
      const id = this.#flows.length + 1;
      const [source, target] = [addressOf(from, family), addressOf(to, family)];
      const ends = { from: { address: source, port: 20_000 + 2 * id }, to: { address: target, port: 20_001 + 2 * id } };
      const rate = { packetsPerSecond: PACKETS_PER_SECOND[kind], sizes: SIZES[kind], echoEvery: 0 };
      this.#flows.push({ id, kind, from, to });
      await this.#traffic.addFlow({ id, family, ...ends, ...rate }, this.#endpoint(from), this.#endpoint(to));
      ids.push(id);
    }
    await this.#traffic.start(ids);
    return ids;
  }

  stopFlows(ids: readonly number[]): Promise<void> {
    return this.#traffic.stop(ids);
  }

  /** Ends all traffic; returns what both ends of each TCP stream say then. */
  async stop(): Promise<TcpStreamReport[]> {
    await this.#traffic.stop();
    await Promise.all(this.#tcp.map((id) => this.#traffic.stopTcp(id)));
    return this.#tcpReports();
  }

  /** Brings both guests to a path; resolves when they transmit on it. */
  async bring(path: VnicPath, cutThrough: boolean): Promise<void> {
    const config = parse(daemonConfigFor(this.#place, SPEC, HOST, GUESTS)) as { vnics: object[] };
    const vnics = config.vnics.map((vnic) => ({ ...vnic, cut_through: cutThrough }));
    writeFileSync(hostConfigPath(this.#place, HOST), stringify({ ...config, vnics }));
    await this.#client.reload();
    for (const guest of GUESTS) {
      const { reached, vnic } = await this.#client.act(guest, path === 'accelerated' ? 'accelerate' : 'software', DEADLINE_MS);
      if (!reached) throw new Error(`${guest} is not ${path}: ${vnic.reason_text}`);
    }
  }

  /** On every device that a guest sends by; see #setOffloads. */
  async guestOffloads(state: OffloadState): Promise<void> {
    const { adapters } = await this.#client.status();
    for (const guest of GUESTS) {
      const vfs = adapters.flatMap((adapter) => adapter.vfs).filter(({ owner }) => owner === guest);
      for (const device of ['eth0', ...vfs.map((vf) => vf.device)]) await this.#setOffloads(guest, device, state);
    }
  }

  /** On the world's interface and on its port to the wire. */
  async worldOffloads(state: OffloadState): Promise<void> {
    for (const device of [switchPort(HOST), 'sw0']) await this.#setOffloads('world', device, state);
  }

  /**
   * What a device cannot, `ethtool -K` leaves out without a word: the lab's tap has no offload, so its stack finishes checksums;
   * a veth whose other end has an XDP program does not segment, so its stack cuts frames, but leaves the checksums of the parts.
   */
  async #setOffloads(station: Station, device: string, state: OffloadState): Promise<void> {
    const features = state === 'on' ? ['tx', 'on', 'tso', 'on', 'gso', 'on'] : ['tx', 'off', 'gso', 'off'];
    await this.#inNetns(station, 'ethtool', '-K', device, ...features);
  }

  /** From the world's interface to the host's uplink; `uplink` is that end of the wire which the host has. */
  async wireMtu(mtu: number, uplink = mtu): Promise<void> {
    for (const device of ['sw0', switchPort(HOST)]) await this.#setMtu('world', device, mtu);
    await this.#setMtu(HOST, 'pf0', uplink);
    // Returns after a look at the host.
    await this.#client.reload();
  }

  /** Of both ends of the guest's software path; resolves when its VF has followed. */
  async guestMtu(guest: Guest, mtu: number): Promise<void> {
    await this.#setMtu(HOST, tapOf(guestOf(SPEC, guest)), mtu);
    await this.#setMtu(guest, 'eth0', mtu);
    await this.#client.reload();
    await until(`the devices of ${guest} have MTU ${mtu}`, async () => {
      const links = (await runJson('ip', ['-j', '-n', namespaceOf(this.#place, guest), 'link'])) as { ifname: string; mtu: number }[];
      return links.every((link) => !/^(eth0|vf\d+)$/.test(link.ifname) || link.mtu === mtu);
    });
  }

  async #setMtu(where: Station | typeof HOST, device: string, mtu: number): Promise<void> {
    await run('ip', ['-n', namespaceOf(this.#place, where), 'link', 'set', 'dev', device, 'mtu', String(mtu)]);
  }

  /** What becomes of everything that is sent from now on for so long. */
  async observe(ms: number): Promise<Outcome> {
    // Frames are counted from before the first look at what arrives to after the last one.
    const counted = await this.#client.counters();
    const before = await this.#look();
    const from = await this.#traffic.mark();
    await sleep(ms);
    const to = await this.#traffic.mark();
    // Large datagrams may be lost: they are asked for last, when there is no need to wait for them.
    const usual = await this.#traffic.account(from, to, this.#ids(({ kind }) => kind !== 'large'));
    const large = await this.#traffic.account(from, to, this.#ids(({ kind }) => kind === 'large'));
    const after = await this.#look();
    const countedAfter = await this.#client.counters();
    const reason = ({ vnics }: CountersReply, guest: Guest, name: string): number =>
      vnics.find((vnic) => vnic.name === guest)?.reasons[name]?.packets ?? 0;
    const redirectErrors = ({ redirect_errors }: CountersReply): number => redirect_errors.reduce((sum, { packets }) => sum + packets, 0);
    const unsegmented = ({ stations }: typeof after, station: Station): number => stations.get(station)?.unsegmented ?? 0;
    return {
      account: (kind, source, target) => {
        const wanted = this.#ids((flow) => flow.kind === kind && flow.from === (source ?? flow.from) && flow.to === (target ?? flow.to));
        const streams = [...usual.streams, ...large.streams].filter(({ flow }) => wanted.includes(flow.id));
        return sumAccounts(streams.map((stream) => stream.account));
      },
      tcp: after.tcp,
      tcpBytes: Math.min(...after.arrived.map((bytes, index) => bytes - (before.arrived[index] ?? 0))),
      checksumErrors: after.checksumErrors - before.checksumErrors,
      redirectErrors: redirectErrors(countedAfter) - redirectErrors(counted),
      reason: (guest, name) => reason(countedAfter, guest, name) - reason(counted, guest, name),
      unsegmented: (station) => unsegmented(after, station) - unsegmented(before, station),
    };
  }

  async #look() {
    const tcp = await this.#tcpReports();
    const stations = new Map(await Promise.all(STATIONS.map(async (station) => [station, await this.#stackCounters(station)] as const)));
    return {
      tcp,
      arrived: tcp.flatMap(({ client, server }) => [client.bytesReceived, server.bytesReceived]),
      stations,
      checksumErrors: [...stations.values()].reduce((sum, each) => sum + each.checksumErrors, 0),
    };
  }

  /** TCP counts both families in one place, UDP in two. */
  async #stackCounters(station: Station): Promise<{ readonly checksumErrors: number; readonly unsegmented: number }> {
    const frames = await this.#framesSent(station);
    const text = await this.#inNetns(station, 'cat', '/proc/net/snmp', '/proc/net/snmp6');
    const snmp = (protocol: string, name: string): number => {
      // A line of names above a line of numbers.
      const [names = '', values = ''] = text.split('\n').filter((line) => line.startsWith(protocol));
      return Number(values.split(' ')[names.split(' ').indexOf(name)]);
    };
    const snmp6 = (name: string): number => Number(new RegExp(`^${name}\\s+(\\d+)$`, 'm').exec(text)?.[1]);
    const segments = snmp('Tcp:', 'OutSegs') + snmp('Udp:', 'OutDatagrams') + snmp6('Udp6OutDatagrams');
    const checksumErrors = snmp('Tcp:', 'InCsumErrors') + snmp('Udp:', 'InCsumErrors') + snmp6('Udp6InCsumErrors');
    return { checksumErrors, unsegmented: segments - frames };
  }

  /** Frames before segmentation: a bridge leaves that to its ports; in a guest the plug-in sees frames before the device does. */
  async #framesSent(station: Station): Promise<number> {
    const plugin = this.#plugins.get(station);
    if (plugin !== undefined) {
      const { tap, vf } = pluginStateCodec.read(plugin.get(Buffer.alloc(4)) ?? Buffer.alloc(pluginStateCodec.size));
      return Number(tap.txPackets + vf.txPackets);
    }
    const links = await runJson('ip', ['-j', '-s', '-n', namespaceOf(this.#place, station), 'link', 'show', 'dev', 'sw0']);
    return (links as { stats64: { tx: { packets: number } } }[])[0]?.stats64.tx.packets ?? 0;
  }

  #ids(wanted: (flow: Flow) => boolean): number[] {
    return this.#flows.filter(wanted).map(({ id }) => id);
  }

  async #startTcp(from: Station, to: Station, family: 4 | 6): Promise<void> {
    const id = this.#tcp.length + 1;
    const ends = { from: addressOf(from, family), to: { address: addressOf(to, family), port: 19_000 + id } };
    await this.#traffic.addTcp({ id, family, ...ends, bytesPerSecond: TCP_BYTES_PER_SECOND }, this.#endpoint(from), this.#endpoint(to));
    await this.#traffic.startTcp(id);
    this.#tcp.push(id);
  }

  #tcpReports(): Promise<TcpStreamReport[]> {
    return Promise.all(this.#tcp.map((id) => this.#traffic.tcpReport(id)));
  }

  #inNetns(station: Station, command: string, ...args: string[]): Promise<string> {
    return run('nsenter', [`--net=${namespacePath(namespaceOf(this.#place, station))}`, command, ...args]);
  }

  #endpoint(station: Station): Endpoint {
    const endpoint = this.#endpoints.get(station);
    if (endpoint === undefined) throw new RangeError(`no endpoint in ${station}`);
    return endpoint;
  }

  async #close(): Promise<void> {
    for (const map of this.#plugins.values()) map.close();
    await Promise.all([...this.#endpoints.values()].map((endpoint) => endpoint.close()));
  }
}
