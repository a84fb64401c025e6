/**
 * One host with its bridge, PF and guests in namespaces, under the data plane itself: rows, paths and ports are what the scenario
 * says, no daemon is there. Runs in the host's namespace, see place.ts.
 *
 *   world  wire ══ pf0 ─ br0 ─┬─ tap-g1 ══ eth0  g1     a veth, or a real tap with a VMM
 *                             └─ vf-g1  ══ vf0   g1     a VF whose port is on the host
 *
 * With an adapter that switches by itself (VEB), the namespace `nic` has a bridge in the PF's place, and VFs are ports of it.
 * The ends are network stacks, or raw (raw_port.ts).
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MacAddress, parseMacAddress, type VnicPath } from '../../../src/core/model.js';
import { planSteering } from '../../../src/core/queue_plan.js';
import { openDataPlane } from '../../../src/dataplane/dataplane.js';
import type { DataPlane, SteeringRow, VnicRow } from '../../../src/dataplane/port.js';
import { GuestPlugin } from '../../../src/guest/plugin.js';
import { VmmClient } from '../../../src/lab/vmm_client.js';
import { onlineCpus } from '../../../src/native/cpus.js';
import { inNetns } from '../../../src/native/netns.js';
import { hostObjectPath } from '../../../src/paths.js';
import { macBytes } from '../../support/packet_layers.js';
import { bridge, ip, setFeatures } from './commands.js';
import type { Place } from './place.js';
import { RawPort, silence } from './raw_port.js';

export const BRIDGE = 'br0';
export const UPLINK = 'pf0';
const NIC = 'nic';
const VEB = 'veb0';
export const WORLD = 'world';
const ETHERNET_HEADER = 14;
/** What was sent before a change has arrived. */
export const IN_FLIGHT_MS = 60;

export interface GuestOptions {
  readonly software: 'veth' | 'tap';
  /** `port`: on the host; `adapter`: behind the adapter's own switch; default none. */
  readonly vf?: 'port' | 'adapter';
  /** Default 1. */
  readonly queues?: number;
  /** Of a real tap with raw ends: frames can be left unfinished. */
  readonly vnetHeader?: boolean;
  /** With that: its reader takes aggregated frames and unfinished checksums, as virtio-net does. */
  readonly aggregates?: boolean;
  /** What shall differ from the usual row: untagged, cut-through off, plug-in. */
  readonly row?: Partial<VnicRow>;
  /** Default: that of the bed. */
  readonly mtu?: number;
}

export interface BedOptions {
  readonly guests: Readonly<Record<string, GuestOptions>>;
  readonly ends: 'stacks' | 'raw';
  /** Default 1500. */
  readonly mtu?: number;
  readonly xdpMode?: 'auto' | 'generic';
  /** False: neighbours are resolved as usual. Default true: nothing depends on broadcast. */
  readonly knownNeighbours?: boolean;
}

type Side = 'tap' | 'vf';
/** Every counter that rose, by a name such as `g1 redirect_single` or `nobody pass_multicast` or `g1 tap queue 0`. */
export type Risen = Readonly<Record<string, number>>;

export function ifindexOf(netns: string, device: string): number {
  return Number(/^(\d+):/.exec(ip(netns, `link show dev ${device}`))?.[1]);
}

type End = readonly [netns: string, device: string];

/** A veth pair that is up. Its far end takes redirected frames, and what it sends is finished. */
function makePair(near: End, far: End, mtu: number, queues = 1, mac?: string): void {
  const size = `mtu ${mtu} numtxqueues ${queues} numrxqueues ${queues}`;
  const address = mac === undefined ? '' : ` address ${mac}`;
  ip(near[0], `link add name ${near[1]} ${size} type veth peer name ${far[1]} netns ${far[0]} ${size}${address}`);
  // Both before either is up: a veth finds out whether its far end has NAPI when it is set up.
  for (const [netns, device] of [near, far]) setFeatures(netns, device, 'gro', 'on', 'tx', 'off');
  for (const [netns, device] of [near, far]) ip(netns, `link set dev ${device} up`);
}

export class Station {
  readonly name: string;
  readonly netns: string;
  readonly number: number;
  readonly mac: MacAddress;
  readonly ipv4: string;
  readonly ipv6: string;

  /** Number 100 is the world. */
  constructor(name: string, netns: string, number: number) {
    const hex = number.toString(16).padStart(2, '0');
    this.name = name;
    this.netns = netns;
    this.number = number;
    this.mac = parseMacAddress(`52:54:00:06:00:${hex}`);
    this.ipv4 = `10.6.0.${number}`;
    this.ipv6 = `fd06::${hex}`;
  }

  /** Where its IP addresses are. */
  get interface(): string {
    return this.name === WORLD ? 'wire' : 'eth0';
  }
}

export class Bed {
  readonly place: Place;
  readonly dataPlane: DataPlane;
  readonly stations: ReadonlyMap<string, Station>;
  readonly #options: BedOptions;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #plugins = new Map<string, GuestPlugin>();
  readonly #vmms: VmmClient[] = [];
  readonly #raw = new Map<string, RawPort>();
  #before: Map<string, number> = new Map();

  private constructor(place: Place, options: BedOptions, dataPlane: DataPlane) {
    this.place = place;
    this.#options = options;
    this.dataPlane = dataPlane;
    const names = Object.keys(options.guests);
    const netnsOf = (name: string) => place.stations[name] ?? place.host;
    this.stations = new Map([
      [WORLD, new Station(WORLD, netnsOf(WORLD), 100)],
      ...names.map((name, i) => [name, new Station(name, netnsOf(name), i + 1)] as const),
    ]);
    this.#ids = new Map(names.map((name, i) => [name, i + 1]));
  }

  static async open(place: Place, options: BedOptions): Promise<Bed> {
    const dataPlane = await openDataPlane({
      objectPath: hostObjectPath, pinsRoot: place.pins, flowsPerVnic: 1024, rssKey: 'random', xdpMode: options.xdpMode ?? 'auto',
      maxVnics: 64,
    });
    const bed = new Bed(place, options, dataPlane);
    bed.#makeUplink();
    for (const name of Object.keys(options.guests)) await bed.#makeGuest(name);
    await dataPlane.attach('steer_uplink', bed.uplink, UPLINK);
    dataPlane.writeTxPort(bed.uplink, true);
    for (const name of Object.keys(options.guests)) await bed.#makeVnic(name);
    if (options.ends === 'stacks') await bed.#makeStacks();
    await bed.#awaitCarrier();
    if (options.ends === 'raw') bed.#openRawEnds();
    bed.look();
    return bed;
  }

  get uplink(): number {
    return this.ifindex(UPLINK);
  }

  /** On the host. */
  ifindex(device: string): number {
    return ifindexOf(this.place.host, device);
  }

  station(name: string): Station {
    const station = this.stations.get(name);
    if (station === undefined) throw new RangeError(`no station ${name}`);
    return station;
  }

  id(guest: string): number {
    const id = this.#ids.get(guest);
    if (id === undefined) throw new RangeError(`no guest ${guest}`);
    return id;
  }

  change(guest: string, change: Partial<VnicRow>): void {
    const row = this.dataPlane.vnics().get(this.id(guest));
    if (row === undefined) throw new RangeError(`no vNIC ${guest}`);
    this.dataPlane.writeVnic(this.id(guest), { ...row, ...change });
  }

  cutThrough(on: boolean): void {
    for (const guest of this.#ids.keys()) this.change(guest, { cutThrough: on });
  }

  /** Host and guest agree on it; frames that are on their way still arrive. */
  async bring(guest: string, path: VnicPath): Promise<void> {
    const id = this.id(guest);
    const isAccelerated = path === 'accelerated';
    const behindAdapter = this.#guest(guest).vf === 'adapter';
    const tell = (): unknown => this.dataPlane.changePath(id, { path, vfAllowed: isAccelerated });
    if (isAccelerated && !behindAdapter) tell();
    if (behindAdapter) this.adapterKnows(guest, isAccelerated);
    this.#plugins.get(guest)?.state.setVf(isAccelerated ? ifindexOf(this.station(guest).netns, 'vf0') : 0);
    // The host does not see what the guest sends by such a VF: a frame that is still on its way by the tap would be the guest's last word.
    if (behindAdapter) await sleep(IN_FLIGHT_MS);
    tell();
  }

  /** The adapter's switch gives frames for this guest to its VF; else it does not know it. */
  adapterKnows(guest: string, known: boolean): void {
    const [nic, { mac }] = [this.place.stations[NIC] ?? '', this.station(guest)];
    // Sticky: what the guest sends by its tap comes in by the PF, and is no reason to send its frames there.
    if (known) bridge(nic, `fdb replace ${mac} dev vf-${guest} master static sticky`);
    else if (bridge(nic, `fdb show br ${VEB}`).includes(`${mac} dev vf-${guest}`)) bridge(nic, `fdb del ${mac} dev vf-${guest} master`);
  }

  steer(guest: string, side: Side, row: SteeringRow): void {
    this.dataPlane.writeSteering(this.id(guest), side, row);
  }

  /** Of a raw end: `tap` and `vf` of a guest, or the world's wire. */
  port(station: string, side: Side | 'wire' = 'wire'): RawPort {
    const port = this.#raw.get(`${station} ${side}`);
    if (port === undefined) throw new RangeError(`${station} has no raw ${side}`);
    return port;
  }

  /** Until nothing has arrived anywhere for a while. */
  async settle(quietMs = 40): Promise<void> {
    const ports = [...this.#raw.values()];
    for (let quiet = 0; quiet < quietMs; quiet += 10) {
      if (ports.map((port) => port.pump()).some((count) => count > 0)) quiet = -10;
      await sleep(10);
    }
  }

  /** What was counted since the last look. */
  look(): Risen {
    const now = this.#count();
    const risen = [...now].map(([name, value]) => [name, value - (this.#before.get(name) ?? 0)] as const);
    this.#before = now;
    return Object.fromEntries(risen.filter(([, count]) => count > 0));
  }

  #count(): Map<string, number> {
    const names = new Map([[0, 'nobody'], ...[...this.#ids].map(([name, id]) => [id, name] as const)]);
    const counts = new Map<string, number>();
    for (const tally of this.dataPlane.tallies()) {
      const name = names.get(tally.id) ?? `vNIC ${tally.id}`;
      for (const [reason, { packets }] of Object.entries(tally.reasons)) counts.set(`${name} ${reason}`, packets);
      tally.tapQueues.forEach((packets, queue) => counts.set(`${name} tap queue ${queue}`, packets));
      tally.vfQueues.forEach((packets, queue) => counts.set(`${name} vf queue ${queue}`, packets));
      counts.set(`${name} from tap`, tally.fromTap.packets).set(`${name} from vf`, tally.fromVf.packets);
      counts.set(`${name} cpu handovers`, tally.cpuHandovers).set(`${name} path changes`, tally.pathChanges);
      counts.set(`${name} flows learnt`, tally.flowsLearnt);
    }
    for (const { kind, ifindex, errno, packets } of this.dataPlane.redirectErrors()) {
      counts.set(`error ${kind} ${ifindex} ${errno}`, Number(packets));
    }
    return counts;
  }

  /** Does the host's bridge know this address, and from which port? */
  fdb(mac: MacAddress): string | null {
    const rows = JSON.parse(bridge(this.place.host, `-j fdb show br ${BRIDGE}`)) as { mac: string; ifname: string; state?: string }[];
    return rows.find((row) => row.mac === mac && row.state !== 'permanent')?.ifname ?? null;
  }

  flushFdb(): void {
    for (const device of [UPLINK, ...[...this.#ids.keys()].map((guest) => `tap-${guest}`)]) {
      bridge(this.place.host, `fdb flush dev ${device} master nopermanent`);
    }
  }

  async close(): Promise<void> {
    for (const vmm of this.#vmms) await vmm.close();
    for (const plugin of this.#plugins.values()) plugin.remove();
    for (const port of this.#raw.values()) port.close();
    this.dataPlane.remove();
  }

  get #mtu(): number {
    return this.#options.mtu ?? 1500;
  }

  #guest(name: string): GuestOptions {
    const options = this.#options.guests[name];
    if (options === undefined) throw new RangeError(`no guest ${name}`);
    return options;
  }

  #makeUplink(): void {
    const { host, stations } = this.place;
    silence(host);
    if (this.#options.ends === 'raw') for (const { netns } of this.stations.values()) silence(netns);
    ip(host, `link add name ${BRIDGE} mtu ${this.#mtu} type bridge stp_state 0 mcast_snooping 0`);
    const world = this.station(WORLD);
    const nic = stations[NIC];
    if (nic === undefined) {
      makePair([host, UPLINK], [world.netns, 'wire'], this.#mtu, 1, world.mac);
    } else {
      silence(nic);
      ip(nic, `link add name ${VEB} mtu ${this.#mtu} type bridge stp_state 0 mcast_snooping 0`);
      makePair([host, UPLINK], [nic, 'pf'], this.#mtu);
      makePair([nic, 'phy'], [world.netns, 'wire'], this.#mtu, 1, world.mac);
      for (const port of ['pf', 'phy']) ip(nic, `link set dev ${port} master ${VEB}`);
      ip(nic, `link set dev ${VEB} up`);
    }
    ip(host, `link set dev ${UPLINK} master ${BRIDGE}`);
    ip(host, `link set dev ${BRIDGE} up`);
  }

  async #makeGuest(name: string): Promise<void> {
    const { host, stations } = this.place;
    const { netns, mac } = this.station(name);
    const { software, vf, queues = 1, vnetHeader = false, aggregates = false, mtu = this.#mtu } = this.#guest(name);
    const tap = `tap-${name}`;
    if (software === 'veth') {
      makePair([host, tap], [netns, 'eth0'], mtu, queues, mac);
    } else {
      if (this.#options.ends === 'raw') {
        this.#raw.set(`${name} tap`, RawPort.tap(tap, host, { queues, vnetHeader, aggregates }));
      } else {
        const tapOf = (where: string, device: string) => ip(where, `tuntap add dev ${device} mode tap${queues > 1 ? ' multi_queue' : ''}`);
        tapOf(host, tap);
        tapOf(netns, 'eth0');
        this.#vmms.push(await VmmClient.start({ guestNetns: netns, guestTap: 'eth0', netns: host, tap, queues }));
        ip(netns, `link set dev eth0 address ${mac} mtu ${mtu} up`);
      }
      ip(host, `link set dev ${tap} mtu ${mtu} up`);
    }
    ip(host, `link set dev ${tap} master ${BRIDGE}`);
    // As `portFlags` of the lab: what the bridge does not know is not given to guests.
    bridge(host, `link set dev ${tap} flood off`);
    bridge(host, `fdb replace ${mac} dev ${tap} master dynamic extern_learn`);
    if (vf === 'port') {
      makePair([host, `vf-${name}`], [netns, 'vf0'], mtu, queues, mac);
      ip(host, `link set dev vf-${name} master ${BRIDGE}`);
      bridge(host, `link set dev vf-${name} learning off flood off mcast_flood off bcast_flood off`);
    } else if (vf === 'adapter') {
      const nic = stations[NIC] ?? '';
      makePair([nic, `vf-${name}`], [netns, 'vf0'], mtu, queues, mac);
      ip(nic, `link set dev vf-${name} master ${VEB}`);
      // What an adapter's switch knows of its VFs it is told, see adapterKnows(); the unknown it gives to the wire and the PF.
      bridge(nic, `link set dev vf-${name} learning off flood off`);
    }
  }

  async #makeVnic(name: string): Promise<void> {
    const { dataPlane } = this;
    const id = this.id(name);
    const { vf, queues = 1, row = {}, mtu = this.#mtu } = this.#guest(name);
    const tap = this.ifindex(`tap-${name}`);
    const vfPort = vf === 'port' ? this.ifindex(`vf-${name}`) : 0;
    const frameMax = mtu + ETHERNET_HEADER;
    dataPlane.writeVnic(id, {
      mac: this.station(name).mac, vlans: [0], access: false, addresses: null, maxRate: null,
      tapIfindex: tap, vfIfindex: vf === 'adapter' ? this.uplink : vfPort, uplinkIfindex: this.uplink,
      tapFrameMax: frameMax, vfFrameMax: frameMax, uplinkFrameMax: this.#mtu + ETHERNET_HEADER,
      tapMultiBuffer: false, vfMultiBuffer: false, uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false,
      cutThrough: false, plugin: true, operatorWant: null, ...row,
    });
    const spread = planSteering(queues, onlineCpus(), id);
    for (const [side, ifindex] of [['tap', tap], ['vf', vfPort]] as const) {
      if (ifindex === 0) continue;
      dataPlane.writePort(ifindex, { vnic: id, role: side });
      await dataPlane.attach('steer_guest', ifindex, `${side}-${name}`);
      dataPlane.writeTxPort(ifindex, true);
      dataPlane.writeSteering(id, side, spread);
    }
    if (vf === 'adapter') dataPlane.writeSteering(id, 'vf', planSteering(1, onlineCpus(), id));
  }

  async #makeStacks(): Promise<void> {
    for (const station of this.stations.values()) {
      ip(station.netns, `address add ${station.ipv4}/24 dev ${station.interface}`);
      ip(station.netns, `address add ${station.ipv6}/64 dev ${station.interface} nodad`);
      for (const other of this.stations.values()) {
        if (this.#options.knownNeighbours === false || other === station) continue;
        for (const address of [other.ipv4, other.ipv6]) {
          ip(station.netns, `neigh replace ${address} lladdr ${other.mac} dev ${station.interface} nud permanent`);
        }
      }
    }
    for (const name of this.#ids.keys()) if (this.#guest(name).vf !== undefined) await this.#startPlugin(name);
  }

  async #startPlugin(name: string): Promise<void> {
    const { netns, mac } = this.station(name);
    inNetns(`/run/netns/${netns}`, () => writeFileSync('/proc/sys/net/ipv6/conf/vf0/disable_ipv6', '1'));
    const plugin = await GuestPlugin.load(`${this.place.pins}-${name}`);
    this.#plugins.set(name, plugin);
    const [eth0, vf0] = [ifindexOf(netns, 'eth0'), ifindexOf(netns, 'vf0')];
    inNetns(`/run/netns/${netns}`, () => {
      plugin.state.setInterface(eth0, macBytes(mac));
      plugin.attachInterface(eth0);
      plugin.attachVf(vf0);
    });
  }

  #openRawEnds(): void {
    this.#raw.set(`${WORLD} wire`, RawPort.behind('wire', this.station(WORLD).netns));
    for (const name of this.#ids.keys()) {
      const { software, vf } = this.#guest(name);
      if (software === 'veth') this.#raw.set(`${name} tap`, RawPort.behind('eth0', this.station(name).netns));
      if (vf !== undefined) this.#raw.set(`${name} vf`, RawPort.behind('vf0', this.station(name).netns));
    }
  }

  /** Until a bridge's port has carrier, it drops what comes from it. */
  async #awaitCarrier(): Promise<void> {
    let waiting: string[] = [];
    for (let i = 0; i < 200; i++) {
      const links = JSON.parse(ip(this.place.host, '-j link show')) as { ifname: string; operstate: string }[];
      // A tap that its reader made says nothing of its state, and works.
      waiting = links.filter(({ ifname, operstate }) => ifname !== 'lo' && !/^(UP|UNKNOWN)$/.test(operstate)).map(({ ifname }) => ifname);
      if (waiting.length === 0) return;
      await sleep(10);
    }
    throw new Error(`ports of the host have no carrier: ${waiting.join(', ')}`);
  }
}
