/**
 * The pinned maps, programs and events in memory; it outlives a reconciler as pins outlive a daemon.
 *
 * What it does not prove: that maps hold these bytes, that a program attaches, that the packet programs read rows as they
 * are meant; that two sides change a path word at once (here nothing runs in between); the room of the index; what becomes of
 * frames that are kept back, and that a hold ends by itself. Rules learnt
 * from the kernel: a deleted device leaves `tx_ports` and takes its program along, but not its row in `ports`; only devices
 * that exist can be attached to or redirected to; a foreign program is refused.
 */
import { fitFlows, type LearntFlows } from '../../src/core/learnt_flows.js';
import type {
  BridgeVlanNote, HostRssWish, PathState, PortOwner, PortRole, ProgramName, SteeringRow, VnicPath, VnicRow, VnicRssWish,
} from '../../src/core/model.js';
import { NO_RSS_WISH } from '../../src/core/model.js';
import type {
  Attachment, DataPlane, DataPlaneEvent, GuestDropTally, HoldReport, MapUsage, ProgramRuns, RedirectErrorTally, SeenAddresses, VnicTally,
} from '../../src/dataplane/port.js';
import type { FakeHost } from './fake_host.js';
import type { Faults } from './faults.js';

/** Of each vNIC. */
const FLOW_SLOTS = 16;
const NO_PATH: PathState = { path: 'software', vfAllowed: false, generation: 0, hold: 'none' };

export class FakeDataPlane implements DataPlane {
  readonly adopted = false;
  readonly #host: FakeHost;
  readonly #faults: Faults;
  readonly #programs = new Map<number, ProgramName>();
  readonly #vnics = new Map<number, VnicRow>();
  readonly #paths = new Map<number, PathState>();
  readonly #ports = new Map<number, PortOwner>();
  readonly #txPorts = new Set<number>();
  readonly #tapPrograms = new Set<number>();
  readonly #steerings = new Map<string, SteeringRow>();
  readonly #rssKeys = ['aa'.repeat(40), '00'.repeat(40)];
  readonly #rssWishes = new Map<number, VnicRssWish>();
  readonly #flows = new Map<number, LearntFlows>();
  #hostRssWish: HostRssWish = { ...NO_RSS_WISH, keyRow: 0, keyByOperator: false, keyIsRandom: true };
  readonly #bridgeVlanNotes = new Map<string, BridgeVlanNote>();
  readonly #listeners = new Set<(event: DataPlaneEvent) => void>();
  /** Devices that carry a program of somebody else. */
  readonly foreign = new Set<string>();
  removed = false;

  constructor(host: FakeHost, faults: Faults) {
    this.#host = host;
    this.#faults = faults;
  }

  // --- what a test, or a guest, does ---

  idOf(mac: string): number | null {
    return [...this.#vnics].find(([, row]) => row.mac === mac)?.[0] ?? null;
  }

  /** The guest sends a unicast frame by one of its ports: receive follows transmit. */
  guestTransmits(id: number, role: PortRole): void {
    const row = this.#vnics.get(id);
    const ifindex = role === 'vf' ? row?.vfIfindex : row?.tapIfindex;
    if (row === undefined || ifindex === undefined || ifindex === 0 || this.#programs.get(ifindex) !== 'steer_guest') return;
    const path: VnicPath = role === 'vf' ? 'accelerated' : 'software';
    const state = this.path(id);
    if (state.hold !== 'none') {
      if (role === 'vf' && state.hold === 'holding') this.#tell({ kind: 'heard', timeNs: 0n, vnic: id, path, ifindex });
      return;
    }
    if (state.path === path || (role === 'vf' && !state.vfAllowed)) return;
    const moved = { ...state, path, generation: state.generation + 1 };
    this.#paths.set(id, moved);
    this.#tell({ kind: 'path-changed', timeNs: 0n, vnic: id, path, generation: moved.generation, ifindex });
  }

  /** The guest answers a question that came by one of its ports. */
  guestAnswers(id: number, role: PortRole): void {
    const row = this.#vnics.get(id);
    const ifindex = role === 'vf' ? row?.vfIfindex : row?.tapIfindex;
    const program = ifindex === row?.uplinkIfindex ? 'steer_uplink' : 'steer_guest';
    if (ifindex === undefined || ifindex === 0 || this.#programs.get(ifindex) !== program) return;
    this.#tell({ kind: 'heard', timeNs: 0n, vnic: id, path: role === 'vf' ? 'accelerated' : 'software', ifindex });
  }

  guestObeys(id: number, command: 'drained' | 'resumed', sequence: number): void {
    this.#tell({ kind: 'control', timeNs: 0n, vnic: id, command, sequence, ifindex: this.#vnics.get(id)?.tapIfindex ?? 0 });
  }

  /** Everything that is pinned, in a form that can be compared. */
  snapshot(): unknown {
    return {
      programs: [...this.#programs].sort(([a], [b]) => a - b),
      vnics: [...this.#vnics].sort(([a], [b]) => a - b),
      ports: [...this.#ports].sort(([a], [b]) => a - b),
      txPorts: [...this.#txPorts].sort((a, b) => a - b),
      tapPrograms: [...this.#tapPrograms].sort((a, b) => a - b),
      steerings: [...this.#steerings.keys()].sort(),
      rssWishes: [...this.#rssWishes.keys()].sort(),
      bridgeVlanNotes: [...this.#bridgeVlanNotes.keys()].sort(),
    };
  }

  // --- DataPlane ---

  async attach(program: ProgramName, ifindex: number, name: string): Promise<Attachment> {
    await this.#faults.around(`attach ${program} ${name}`, () => {
      this.#mustExist(ifindex);
      if (this.foreign.has(name)) throw new Error(`${name} has a program of somebody else`);
      this.#programs.set(ifindex, program);
    });
    return { ifindex, program, mode: 'native', fallbackReason: null, insteadOf: null };
  }

  detach(ifindex: number): void {
    this.#faults.aroundSync(`detach ${this.#host.byIfindex(ifindex)}`, () => this.#programs.delete(ifindex));
  }

  attachments(): readonly Attachment[] {
    this.#dropDead();
    return [...this.#programs].map(([ifindex, program]) => ({ ifindex, program, mode: 'native', fallbackReason: null, insteadOf: null }));
  }

  vnics(): ReadonlyMap<number, VnicRow> {
    return new Map(this.#vnics);
  }

  writeVnic(id: number, row: VnicRow): void {
    this.#faults.aroundSync(`writeVnic ${id} vf=${this.#host.byIfindex(row.vfIfindex)}`, () => {
      for (const [other, { mac, vlans, vfIfindex }] of this.#vnics) {
        if (other === id) continue;
        if (mac === row.mac && vlans.some((vlan) => row.vlans.includes(vlan))) {
          this.#faults.violate(`vNICs ${id} and ${other} have the same MAC address and VLAN`);
        }
        if (vfIfindex !== 0 && vfIfindex === row.vfIfindex) this.#faults.violate(`vNICs ${id} and ${other} have the same VF`);
      }
      this.#vnics.set(id, { ...row });
    });
  }

  deleteVnic(id: number): void {
    this.#faults.aroundSync(`deleteVnic ${id}`, () => {
      this.#vnics.delete(id);
      this.#paths.delete(id);
      this.#steerings.delete(`${id} tap`);
      this.#steerings.delete(`${id} vf`);
      this.#rssWishes.delete(id);
      this.#flows.delete(id);
    });
  }

  path(id: number): PathState {
    return this.#paths.get(id) ?? NO_PATH;
  }

  changePath(id: number, change: { readonly path?: VnicPath; readonly vfAllowed?: boolean }): PathState {
    return this.#faults.aroundSync(`changePath ${id} ${JSON.stringify(change)}`, () => {
      const before = this.path(id);
      const moved = change.path !== undefined && change.path !== before.path;
      const after = { ...before, ...change, generation: before.generation + (moved ? 1 : 0) };
      this.#paths.set(id, after);
      return after;
    });
  }

  prepareHold(): void {
    // There is always room.
  }

  hold(id: number): void {
    this.#faults.aroundSync(`hold ${id}`, () => void this.#paths.set(id, { ...this.path(id), hold: 'holding' }));
  }

  async release(id: number, change: { path: VnicPath; vfAllowed: boolean }, ifindex: number): Promise<HoldReport> {
    await this.#faults.around(`release ${id} ${change.path}`, () => {
      const row = this.#vnics.get(id);
      const port = change.path === 'software' ? row?.tapIfindex : row?.vfIfindex;
      if (port !== ifindex) this.#faults.violate(`what waited for vNIC ${id} was delivered to ${ifindex} and not to its port ${port}`);
      const before = this.path(id);
      const generation = before.generation + (before.path === change.path ? 0 : 1);
      this.#paths.set(id, { ...before, ...change, generation, hold: 'none' });
    });
    return { delivered: 0, stale: 0, lost: 0, longestMs: 0 };
  }

  isHeld(id: number): boolean {
    return this.path(id).hold !== 'none';
  }

  seenAddresses(): SeenAddresses {
    return { ipv4: Buffer.from([192, 0, 2, 1]), ipv6: null };
  }

  attachTap(ifindex: number, name: string): void {
    this.#faults.aroundSync(`attachTap ${name}`, () => {
      this.#mustExist(ifindex);
      this.#tapPrograms.add(ifindex);
    });
  }

  detachTap(ifindex: number): void {
    this.#faults.aroundSync(`detachTap ${this.#host.byIfindex(ifindex)}`, () => this.#tapPrograms.delete(ifindex));
  }

  tapAttachments(): ReadonlySet<number> {
    this.#dropDead();
    return new Set(this.#tapPrograms);
  }

  writePort(ifindex: number, owner: PortOwner | null): void {
    this.#faults.aroundSync(`writePort ${this.#host.byIfindex(ifindex)} ${owner?.vnic ?? null}`, () => {
      const before = this.#ports.get(ifindex);
      if (owner !== null && before !== undefined && before.vnic !== owner.vnic) {
        this.#faults.violate(`port ${ifindex} was taken from vNIC ${before.vnic} for vNIC ${owner.vnic}`);
      }
      if (owner === null) this.#ports.delete(ifindex);
      else this.#ports.set(ifindex, { ...owner });
    });
  }

  ports(): ReadonlyMap<number, PortOwner> {
    return new Map(this.#ports);
  }

  writeTxPort(ifindex: number, allowed: boolean): void {
    this.#faults.aroundSync(`writeTxPort ${this.#host.byIfindex(ifindex)} ${allowed}`, () => {
      if (allowed) this.#mustExist(ifindex);
      if (allowed) this.#txPorts.add(ifindex);
      else this.#txPorts.delete(ifindex);
    });
  }

  txPorts(): ReadonlySet<number> {
    this.#dropDead();
    return new Set(this.#txPorts);
  }

  writeSteering(vnic: number, role: PortRole, row: SteeringRow | null): void {
    this.#faults.aroundSync(`writeSteering ${vnic} ${role} ${row?.queues ?? null}`, () => {
      if (row === null) this.#steerings.delete(`${vnic} ${role}`);
      else this.#steerings.set(`${vnic} ${role}`, structuredClone(row));
    });
  }

  rssKeys(): readonly string[] {
    return [...this.#rssKeys];
  }

  writeRssKey(row: number, key: string): void {
    this.#faults.aroundSync(`writeRssKey ${row} ${key.slice(0, 8)}`, () => {
      for (const [port, steering] of this.#steerings) {
        if (steering.rssRow === row) this.#faults.violate(`RSS key ${row} was written while steering ${port} names it`);
      }
      for (const [vnic, { keyRow }] of [...this.#rssWishes, ['the host', this.#hostRssWish] as const]) {
        if (keyRow === row) this.#faults.violate(`RSS key ${row} was written while ${vnic} names it`);
      }
      this.#rssKeys[row] = key;
    });
  }

  learntFlows(vnic: number): LearntFlows {
    return this.#flows.get(vnic) ?? { seed: BigInt(vnic), slots: FLOW_SLOTS, flows: [] };
  }

  writeLearntFlows(vnic: number, learnt: LearntFlows): number {
    const flows = fitFlows(learnt, FLOW_SLOTS);
    this.#flows.set(vnic, { seed: learnt.seed, slots: FLOW_SLOTS, flows });
    return flows.length;
  }

  rssWish(vnic: number): VnicRssWish {
    return this.#rssWishes.get(vnic) ?? NO_RSS_WISH;
  }

  writeRssWish(vnic: number, wish: VnicRssWish): void {
    this.#faults.aroundSync(`writeRssWish ${vnic}`, () => this.#rssWishes.set(vnic, structuredClone(wish)));
  }

  hostRssWish(): HostRssWish {
    return this.#hostRssWish;
  }

  writeHostRssWish(wish: HostRssWish): void {
    this.#faults.aroundSync(`writeHostRssWish ${wish.keyRow}`, () => void (this.#hostRssWish = structuredClone(wish)));
  }

  bridgeVlanNotes(): readonly BridgeVlanNote[] {
    return [...this.#bridgeVlanNotes.values()];
  }

  writeBridgeVlanNote(note: BridgeVlanNote): void {
    this.#faults.aroundSync(`writeBridgeVlanNote ${note.ifindex} ${note.vid}`, () =>
      this.#bridgeVlanNotes.set(`${note.ifindex} ${note.vid}`, note),
    );
  }

  deleteBridgeVlanNote(ifindex: number, vid: number): void {
    this.#faults.aroundSync(`deleteBridgeVlanNote ${ifindex} ${vid}`, () => this.#bridgeVlanNotes.delete(`${ifindex} ${vid}`));
  }

  steering(vnic: number, role: PortRole): SteeringRow | null {
    return this.#steerings.get(`${vnic} ${role}`) ?? null;
  }

  tallies(): readonly VnicTally[] {
    const none = { packets: 0, bytes: 0 };
    return [...this.vnics().keys()].map((id) => ({
      ...{ id, tapQueues: [], vfQueues: [], fromTap: none, fromVf: none, cpuHandovers: 0 },
      ...{ flowsLearnt: 0, flowsMoved: 0, flowsReplaced: 0, flowsExpired: 0, pathChanges: 0 },
      reasons: { rss: { ...none, packets: this.frames(id) } },
    }));
  }

  /** Frames of a vNIC since ever. */
  frames: (id: number) => number = () => 0;

  redirectErrors(): readonly RedirectErrorTally[] {
    return [];
  }

  guestDrops(): readonly GuestDropTally[] {
    return [];
  }

  eventsLost(): bigint {
    return 0n;
  }

  mapUsage(): readonly MapUsage[] {
    return [];
  }

  programRuns(): readonly ProgramRuns[] {
    return [];
  }

  onEvent(listener: (event: DataPlaneEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
  }

  remove(): void {
    this.removed = true;
    for (const map of [this.#programs, this.#vnics, this.#paths, this.#ports, this.#steerings]) map.clear();
    this.#txPorts.clear();
    this.#tapPrograms.clear();
  }

  // ---

  #tell(event: DataPlaneEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #mustExist(ifindex: number): void {
    if (this.#host.byIfindex(ifindex) === null) throw new Error(`no device with ifindex ${ifindex}`);
  }

  #dropDead(): void {
    for (const ifindex of this.#programs.keys()) if (this.#host.byIfindex(ifindex) === null) this.#programs.delete(ifindex);
    for (const ifindex of this.#tapPrograms) if (this.#host.byIfindex(ifindex) === null) this.#tapPrograms.delete(ifindex);
    for (const ifindex of this.#txPorts) if (this.#host.byIfindex(ifindex) === null) this.#txPorts.delete(ifindex);
  }
}
