/**
 * A host's links, bridges and static FDB entries in memory.
 *
 * What it does not prove: that rtnetlink and iproute2 do these things; that frames go anywhere; carrier of a veth whose
 * other end is down or elsewhere (here a link that is up has carrier unless it is cut); what a driver refuses; events that
 * come late, twice or not at all. Rules learnt from the kernel: a device that leaves its bridge, or vanishes, takes its
 * port flags, VLANs and FDB entries along; where the bridge looks at VLAN tags, a new port is in the default VLAN, only one VLAN
 * of a port is that of its untagged frames, and an entry needs a VLAN that its port is in.
 */
import { fdbKey, NO_ORIGIN, type BridgePortFlags, type BridgeVlan, type BridgeVlanFlags, type FdbEntry, type ObservedLink, type VfOrigin } from '../../src/core/model.js';
import type { HostNetwork } from '../../src/host/port.js';
import type { FakeClock } from './fake_clock.js';
import type { Faults } from './faults.js';

interface FakeLink {
  ifindex: number;
  name: string;
  mtu: number;
  up: boolean;
  cut: boolean;
  master: number | null;
  kind: string | null;
  queues: number;
  vlanFiltering: boolean;
  takesRedirects: boolean;
  tellsHash: boolean;
  takesAggregates: boolean;
  multiBufferTransmit: boolean;
}

const DEFAULT_PVID = 1;
const DEFAULT_FLAGS: BridgePortFlags = { learning: true, flood: true, multicastFlood: true, broadcastFlood: true };
const LATENCY_MS = 1;

export interface LinkOptions {
  readonly mtu?: number;
  readonly up?: boolean;
  readonly bridge?: string;
  readonly kind?: string;
  readonly queues?: number;
  /** Of a bridge. */
  readonly vlanFiltering?: boolean;
  readonly takesRedirects?: boolean;
  readonly tellsHash?: boolean;
  readonly takesAggregates?: boolean;
  readonly multiBufferTransmit?: boolean;
}

export class FakeHost implements HostNetwork {
  readonly #clock: FakeClock;
  readonly #faults: Faults;
  readonly #links = new Map<string, FakeLink>();
  readonly #flags = new Map<string, BridgePortFlags>();
  readonly #fdb = new Map<string, FdbEntry>();
  readonly #vlans = new Map<string, readonly BridgeVlan[]>();
  nicKey: Buffer | null = null;
  /** By port. */
  readonly origins = new Map<string, VfOrigin>();
  readonly #listeners = new Set<() => void>();
  #nextIfindex = 1;
  /** Devices that unipath has no business with. */
  readonly untouchable = new Set<string>();
  onFrame: (ifindex: number, frame: Buffer) => void = () => undefined;

  constructor(clock: FakeClock, faults: Faults) {
    this.#clock = clock;
    this.#faults = faults;
  }

  // --- what a test does ---

  addLink(name: string, options: LinkOptions = {}): number {
    const { mtu = 1500, up = true, kind = null, queues = 1 } = options;
    const ifindex = this.#nextIfindex++;
    const { vlanFiltering = false, takesRedirects = true, tellsHash = false, takesAggregates = false, multiBufferTransmit = false } = options;
    const features = { vlanFiltering, takesRedirects, tellsHash, takesAggregates, multiBufferTransmit };
    this.#links.set(name, { ifindex, name, mtu, up, cut: false, master: null, kind, queues, ...features });
    if (options.bridge !== undefined) this.#join(name, options.bridge);
    this.#changed();
    return ifindex;
  }

  removeLink(name: string): void {
    const link = this.#links.get(name);
    if (link === undefined) return;
    this.#leave(name);
    for (const [member, { master }] of this.#links) if (master === link.ifindex) this.#leave(member);
    this.#links.delete(name);
    this.#changed();
  }

  /** Takes a link away without forgetting what it was; `give` brings it back under a new ifindex. */
  take(name: string): FakeLink | null {
    const link = this.#links.get(name) ?? null;
    this.removeLink(name);
    return link;
  }

  give(link: FakeLink): void {
    this.#links.set(link.name, { ...link, ifindex: this.#nextIfindex++, master: null });
    this.#changed();
  }

  change(name: string, change: Partial<Omit<FakeLink, 'ifindex' | 'name' | 'master' | 'kind'>>): void {
    Object.assign(this.#link(name), change);
    this.#changed();
  }

  leaveBridge(name: string): void {
    this.#leave(name);
    this.#changed();
  }

  ifindexOf(name: string): number {
    return this.#link(name).ifindex;
  }

  has(name: string): boolean {
    return this.#links.has(name);
  }

  byIfindex(ifindex: number): string | null {
    return [...this.#links.values()].find((link) => link.ifindex === ifindex)?.name ?? null;
  }

  /** Does the device hear this address as one of its own? */
  hasOwn(device: string, mac: string): boolean {
    return this.#fdb.has(`${mac} 0 ${device} self`);
  }

  /** At which of the bridge's ports an address is. */
  portOf(mac: string, vlan = 0): string | null {
    return [...this.#fdb.values()].find((entry) => entry.self !== true && entry.mac === mac && entry.vlan === vlan)?.device ?? null;
  }

  addStaticFdb(entry: FdbEntry): void {
    this.#fdb.set(fdbKey(entry), entry);
  }

  /** Everything, for "as before". ifindexes do not count: a device that comes back has a new one. */
  snapshot(): unknown {
    const nameOf = (ifindex: number | null): string | null => (ifindex === null ? null : this.byIfindex(ifindex));
    const links = [...this.#links.values()].map(({ name, mtu, up, cut, master, kind, queues }) => ({
      name,
      mtu,
      up,
      cut,
      master: nameOf(master),
      kind,
      queues,
    }));
    return {
      links: links.sort((a, b) => a.name.localeCompare(b.name)),
      flags: [...this.#flags].sort(([a], [b]) => a.localeCompare(b)),
      fdb: [...this.#fdb.keys()].sort(),
      vlans: [...this.#vlans].sort(([a], [b]) => a.localeCompare(b)).map(([name, vlans]) => [name, [...vlans].sort((a, b) => a.vid - b.vid)]),
    };
  }

  // --- HostNetwork ---

  async links(): Promise<ReadonlyMap<string, ObservedLink>> {
    await this.#clock.sleep(LATENCY_MS);
    return new Map([...this.#links].map(([name, link]) => [name, this.#observed(link)]));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  setLink(device: string, change: { up?: boolean; mtu?: number; bridge?: string | null }): Promise<void> {
    return this.#faults.around(`setLink ${device} ${JSON.stringify(change)}`, async () => {
      await this.#faults.take(this.#clock.sleep(LATENCY_MS));
      if (this.untouchable.has(device)) this.#faults.violate(`setLink ${device}`);
      const link = this.#link(device);
      if (change.mtu !== undefined) link.mtu = change.mtu;
      if (change.bridge === null) this.#leave(device);
      else if (change.bridge !== undefined) this.#join(device, change.bridge);
      if (change.up !== undefined) link.up = change.up;
      this.#changed();
    });
  }

  async awaitOperational(): Promise<void> {
    // A fake bridge takes frames at once.
  }

  vfOrigin(port: string): VfOrigin {
    return this.origins.get(port) ?? NO_ORIGIN;
  }

  async bridgePortFlags(device: string): Promise<BridgePortFlags | null> {
    await this.#clock.sleep(LATENCY_MS);
    return this.#flags.get(device) ?? null;
  }

  setBridgePortFlags(device: string, flags: BridgePortFlags): Promise<void> {
    return this.#faults.around(`setBridgePortFlags ${device}`, async () => {
      await this.#faults.take(this.#clock.sleep(LATENCY_MS));
      if (this.untouchable.has(device)) this.#faults.violate(`setBridgePortFlags ${device}`);
      if (!this.#flags.has(device)) throw new Error(`${device} is not a bridge port`);
      if (this.#link(device).up && flags.flood === false && this.#flags.get(device)?.flood === true) {
        this.#faults.violate(`${device} was up in a bridge while still flooded to`);
      }
      this.#flags.set(device, flags);
    });
  }

  async bridgeVlans(): Promise<ReadonlyMap<string, readonly BridgeVlan[]>> {
    await this.#clock.sleep(LATENCY_MS);
    return structuredClone(this.#vlans);
  }

  setBridgeVlan(device: string, vid: number, flags: BridgeVlanFlags | null): Promise<void> {
    return this.#faults.around(`setBridgeVlan ${device} ${vid} ${JSON.stringify(flags)}`, async () => {
      await this.#faults.take(this.#clock.sleep(LATENCY_MS));
      const vlans = this.#vlans.get(device);
      if (vlans === undefined && flags === null) return;
      if (vlans === undefined) throw new Error(`${device} is not a bridge port`);
      const others = vlans.filter((vlan) => vlan.vid !== vid).map((vlan) => (flags?.pvid === true ? { ...vlan, pvid: false } : vlan));
      this.#vlans.set(device, flags === null ? others : [...others, { vid, ...flags }]);
    });
  }

  async rssKey(): Promise<Buffer | null> {
    await this.#clock.sleep(LATENCY_MS);
    return this.nicKey;
  }

  addFdb(entry: FdbEntry): Promise<void> {
    return this.#faults.around(`addFdb ${fdbKey(entry)}`, () => {
      const { master } = this.#link(entry.device);
      if (entry.self === true) return void this.#fdb.set(fdbKey(entry), entry);
      if (master === null) throw new Error(`${entry.device} is not a bridge port`);
      const filters = [...this.#links.values()].some((link) => link.ifindex === master && link.vlanFiltering);
      const isIn = this.#vlans.get(entry.device)?.some(({ vid }) => vid === entry.vlan) === true;
      if (filters && entry.vlan !== 0 && !isIn) throw new Error(`${entry.device} is not in VLAN ${entry.vlan}`);
      // A bridge has an address in a VLAN once: the entry moves.
      for (const [key, each] of this.#fdb) {
        if (each.self !== true && each.mac === entry.mac && each.vlan === entry.vlan && this.#links.get(each.device)?.master === master) this.#fdb.delete(key);
      }
      this.#fdb.set(fdbKey(entry), entry);
    });
  }

  deleteFdb(entry: FdbEntry): Promise<void> {
    return this.#faults.around(`deleteFdb ${fdbKey(entry)}`, () => void this.#fdb.delete(fdbKey(entry)));
  }

  async hasStaticFdb(entry: FdbEntry): Promise<boolean> {
    await this.#clock.sleep(LATENCY_MS);
    return this.#fdb.has(fdbKey(entry));
  }

  async ownAddresses(device: string): Promise<ReadonlySet<string>> {
    await this.#clock.sleep(LATENCY_MS);
    return new Set([...this.#fdb.values()].flatMap((entry) => (entry.self === true && entry.device === device ? [entry.mac] : [])));
  }

  sendFrame(ifindex: number, frame: Buffer): void {
    if (this.byIfindex(ifindex) === null) throw new Error(`no device with ifindex ${ifindex}`);
    this.onFrame(ifindex, frame);
  }

  close(): void {
    this.#listeners.clear();
  }

  // ---

  #observed(link: FakeLink): ObservedLink {
    const { ifindex, name, mtu, up, cut, master, kind, queues, takesRedirects, tellsHash, takesAggregates, multiBufferTransmit } = link;
    const xdp = { xdp: null, xdpFeatures: { multiBufferTransmit } };
    const vlanFiltering = link.vlanFiltering ? { defaultPvid: DEFAULT_PVID } : null;
    const seen = { ifindex, name, mac: '', mtu, up, carrier: up && !cut, master, kind, rxQueues: queues, txQueues: queues };
    return { ...seen, ...xdp, takesRedirects, tellsHash, takesAggregates, vlanFiltering };
  }

  #link(name: string): FakeLink {
    const link = this.#links.get(name);
    if (link === undefined) throw new Error(`Cannot find device "${name}"`);
    return link;
  }

  #join(name: string, bridge: string): void {
    this.#link(name).master = this.#link(bridge).ifindex;
    this.#flags.set(name, DEFAULT_FLAGS);
    this.#vlans.set(name, [{ vid: DEFAULT_PVID, pvid: true, untagged: true }]);
  }

  #leave(name: string): void {
    this.#link(name).master = null;
    this.#flags.delete(name);
    this.#vlans.delete(name);
    for (const [key, entry] of this.#fdb) if (entry.device === name) this.#fdb.delete(key);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
