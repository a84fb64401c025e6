/** The interface of port.ts on the pinned maps, programs and links of this host. */
import {
  ContractLimit, hostMaps, redirectErrorKeyCodec, rssCodec, type Vnic, vnicAddressesCodec, VnicFlag,
} from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import type { AttachMode, PortOwner, PortRole as Role } from '../core/model.js';
import type { LearntFlows } from '../core/learnt_flows.js';
import { ifindexOf, portKey, vnicKey } from '../core/packet/keys.js';
import { waitForRunningPrograms } from '../native/grace_period.js';
import { BpfMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import type { BpfProgram } from '../native/program.js';
import { fromVnicAddresses, toVnicAddresses } from './address_row.js';
import { Attachments, type XdpModeChoice } from './attachments.js';
import { fromNoteRow, toNoteRow } from './bridge_vlan_row.js';
import { EventPump } from './events.js';
import type { HoldPort } from './hold_delivery.js';
import { Holds } from './holds.js';
import { FlowTable } from './learnt_flows.js';
import type { MapName } from './loader.js';
import { TapPrograms } from './tap_programs.js';
import type { ProgramSettings } from './identity.js';
import { type PathChange, PathWords } from './path_word.js';
import type { Started } from './start.js';
import type {
  Attachment, BridgeVlanNote, DataPlane, DataPlaneEvent, GuestDropTally, HoldReport, HostRssWish, MapUsage, PathState, ProgramName, ProgramRuns,
  RedirectErrorTally, SeenAddresses, SteeringRow, VnicPath, VnicRow, VnicRssWish, VnicTally,
} from './port.js';
import { rssRow } from './rss_table.js';
import { fromHostWishRow, fromWishRow, toHostWishRow, toWishRow, unusedWish } from './rss_wish_row.js';
import { fromSteering, steeringKey, toSteering, unusedSteering } from './steering_row.js';
import { CounterRows, sumBlocks, toGuestDropTally, toRedirectErrorTally } from './tallies.js';
import { VnicIndex } from './vnic_index.js';
import { fromVnicRate, NO_RATE, toVnicRate } from './rate_row.js';
import { checksAddresses, fromVnic, isLimited, isUsed, toVnic, unusedVnic } from './vnic_row.js';

/** Row of `counters` for frames of no known vNIC; no vNIC has this id. */
const UNKNOWN_VNIC = 0;
/** Row of `rss_wishes` for all vNICs. */
const HOST = 0;
const NO_PROGRAM = 0;
const UNUSED_ROW = encode(hostMaps.vnics.value, unusedVnic);
const NO_ADDRESSES = vnicAddressesCodec.read(Buffer.alloc(vnicAddressesCodec.size));

/** Index keys of its MAC address in each of its VLANs. */
function keysOf(vnic: Vnic): bigint[] {
  return vnic.vlans.slice(0, vnic.vlanCount).map((vlan) => vnicKey(vnic.mac, vlan));
}

function ownerOfAddress(vnic: number): PortOwner {
  return { vnic, role: 'tap' };
}

/** Typed views of the pinned maps. */
function typed(maps: Started['maps']) {
  return {
    vnics: new BpfMap(maps.vnics, hostMaps.vnics.key, hostMaps.vnics.value),
    rates: new BpfMap(maps.vnic_rates, hostMaps.vnic_rates.key, hostMaps.vnic_rates.value),
    addresses: new BpfMap(maps.vnic_addresses, hostMaps.vnic_addresses.key, hostMaps.vnic_addresses.value),
    txPorts: new BpfMap(maps.tx_ports, hostMaps.tx_ports.key, hostMaps.tx_ports.value),
    steerings: new BpfMap(maps.steerings, hostMaps.steerings.key, hostMaps.steerings.value),
    rssWishes: new BpfMap(maps.rss_wishes, hostMaps.rss_wishes.key, hostMaps.rss_wishes.value),
    bridgeVlans: new BpfMap(maps.bridge_vlans, hostMaps.bridge_vlans.key, hostMaps.bridge_vlans.value),
    guestDrops: new BpfMap(maps.guest_drops, hostMaps.guest_drops.key, hostMaps.guest_drops.value),
  };
}

/** How programs come to be that are for one device. */
export interface Binding {
  /** null: there are none. */
  readonly bind: ((ifindex: number) => Promise<BpfProgram>) | null;
  readonly warn: (message: string) => void;
}

export class KernelDataPlane implements DataPlane {
  readonly adopted: boolean;
  readonly #pins: Pins;
  readonly #started: Started;
  readonly #maps: ReturnType<typeof typed>;
  readonly #attachments: Attachments;
  readonly #settings: ProgramSettings;
  readonly #binding: Binding;
  readonly #index: VnicIndex;
  readonly #counters: CounterRows;
  readonly #paths: PathWords;
  readonly #holds: Holds;
  readonly #taps: TapPrograms;
  readonly #flows: FlowTable;
  readonly #events: EventPump;
  /** Ids that a program may still hold for another MAC address: let go of since the last wait. */
  readonly #releasedIds = new Set<number>();

  constructor(pins: Pins, started: Started, mode: XdpModeChoice, settings: ProgramSettings, binding: Binding) {
    const { maps, programs } = started;
    this.#binding = binding;
    this.adopted = started.how === 'adopted';
    this.#pins = pins;
    this.#started = started;
    this.#maps = typed(maps);
    this.#settings = settings;
    this.#counters = new CounterRows(maps.counters);
    this.#paths = new PathWords(maps.paths.mmap());
    this.#holds = new Holds(maps.holds, this.#paths);
    this.#taps = new TapPrograms(pins, programs.steer_tap, maps.tap_programs);
    this.#flows = new FlowTable(maps.flow_seeds, maps.flows, settings.flowsPerVnic, programs.steer_guest);
    this.#index = new VnicIndex(maps.vnic_slots.mmap(), waitForRunningPrograms);
    this.#events = new EventPump(maps.events);
    this.#attachments = new Attachments(pins, programs, mode);
    this.#attachments.adopt();
    this.#repairIndex();
  }

  async attach(program: ProgramName, ifindex: number, name: string, mode: AttachMode = 'as-configured'): Promise<Attachment> {
    if (program !== 'steer_uplink_hw') return this.#attachments.attach(program, ifindex, name, mode);
    const { bind, warn } = this.#binding;
    return this.#attachments.attachBound(ifindex, name, bind, (why) => warn(`${name}: its NIC is not asked for its hash: ${why}`));
  }

  detach(ifindex: number): void {
    this.#attachments.detach(ifindex);
  }

  attachments(): readonly Attachment[] {
    return this.#attachments.list();
  }

  vnics(): ReadonlyMap<number, VnicRow> {
    const rows = new Map<number, VnicRow>();
    for (const [key, value] of this.#started.maps.vnics.entries()) {
      if (value.equals(UNUSED_ROW)) continue; // nearly all of them: not worth decoding
      const vnic = hostMaps.vnics.value.read(value);
      if (!isUsed(vnic)) continue;
      const id = u32.read(key);
      const addresses = checksAddresses(vnic) ? fromVnicAddresses(this.#maps.addresses.get(id) ?? NO_ADDRESSES) : null;
      const maxRate = isLimited(vnic) ? fromVnicRate(this.#maps.rates.get(id) ?? NO_RATE) : null;
      rows.set(id, { ...fromVnic(vnic), addresses, maxRate });
    }
    return rows;
  }

  writeVnic(id: number, row: VnicRow): void {
    this.#checkId(id);
    const vnic = toVnic(row);
    const addresses = row.addresses === null ? null : toVnicAddresses(row.addresses);
    const keys = keysOf(vnic);
    for (const [i, key] of keys.entries()) {
      const owner = this.#index.find(key);
      if (owner !== null && owner !== id) throw new Error(`MAC address ${row.mac} on VLAN ${vnic.vlans[i]} is that of vNIC ${owner} already`);
    }
    const added = keys.filter((key) => this.#index.find(key) === null);
    for (const key of added) this.#index.checkRoom(key);
    if (added.length === keys.length) {
      // Another MAC address: no program may hold the id for the one before.
      this.#release(id);
      if (this.#releasedIds.has(id)) this.#waitForPrograms();
    }
    const gone = this.#keysOfRow(id).filter((key) => !keys.includes(key));
    // The row first: a frame that finds the index entry finds the row.
    if (addresses !== null) this.#maps.addresses.set(id, addresses);
    this.#writeRate(id, row.maxRate);
    this.#maps.vnics.set(id, vnic);
    this.#publishAll(added, id);
    for (const key of gone) this.#index.withdraw(key);
  }

  /** One that stays as it is is not written: what the guest has used up of it lies beside it. */
  #writeRate(id: number, rate: number | null): void {
    const before = this.#maps.rates.get(id) ?? NO_RATE;
    const after = toVnicRate(rate);
    if (before.psPerByte !== after.psPerByte || before.burstNs !== after.burstNs) this.#maps.rates.set(id, after);
  }

  deleteVnic(id: number): void {
    this.#checkId(id);
    this.#release(id);
    this.#maps.vnics.set(id, unusedVnic);
    this.#maps.rates.set(id, NO_RATE);
    this.#paths.reset(id);
    for (const role of ['tap', 'vf'] as const) this.writeSteering(id, role, null);
    this.#maps.rssWishes.set(id, unusedWish);
    this.#flows.forget(id);
    this.#holds.drop(id);
    this.#started.maps.seen_addresses.set(encode(u32, id), Buffer.alloc(20));
    const { counters } = this.#started.maps;
    counters.set(encode(u32, id), Buffer.alloc(counters.entrySize));
    for (const key of this.#maps.guestDrops.keys()) if (key.vnic === id) this.#maps.guestDrops.delete(key);
  }

  path(id: number): PathState {
    this.#checkId(id);
    return this.#paths.get(id);
  }

  changePath(id: number, change: PathChange): PathState {
    this.#checkId(id);
    return this.#paths.change(id, change);
  }

  prepareHold(id: number, bytes: number): void {
    this.#checkId(id);
    this.#holds.prepare(id, bytes);
  }

  hold(id: number, durationMs: number, bytes: number): void {
    this.#checkId(id);
    this.#holds.begin(id, durationMs, bytes);
  }

  release(id: number, change: { readonly path: VnicPath; readonly vfAllowed: boolean }, ifindex: number): Promise<HoldReport> {
    this.#checkId(id);
    return this.#holds.release(id, change.path, { ifindex, adapter: this.#adapterBehind(id, ifindex) }, change.vfAllowed);
  }

  /** Where the port is the uplink: what the adapter's own switch must see. */
  #adapterBehind(id: number, ifindex: number): HoldPort['adapter'] {
    const vnic = this.#maps.vnics.get(id);
    if (vnic === undefined || ifindex !== vnic.uplinkIfindex) return null;
    return { mac: vnic.mac, vlan: (vnic.flags & VnicFlag.ACCESS) === 0 ? null : vnic.vlan };
  }

  isHeld(id: number): boolean {
    return this.#holds.exists(id);
  }

  seenAddresses(id: number): SeenAddresses {
    this.#checkId(id);
    const row = this.#started.maps.seen_addresses.get(encode(u32, id)) ?? Buffer.alloc(20);
    const [ipv4, ipv6] = [row.subarray(0, 4), row.subarray(4, 20)];
    return { ipv4: ipv4.some(Boolean) ? ipv4 : null, ipv6: ipv6.some(Boolean) ? ipv6 : null };
  }

  attachTap(ifindex: number, name: string): void {
    this.#taps.attach(ifindex, name);
  }

  detachTap(ifindex: number): void {
    this.#taps.detach(ifindex);
  }

  tapAttachments(): ReadonlySet<number> {
    return this.#taps.attached();
  }

  writePort(ifindex: number, owner: PortOwner | null): void {
    const key = portKey(ifindex);
    if (owner === null) {
      this.#index.withdraw(key);
      return;
    }
    this.#checkId(owner.vnic);
    const before = this.#index.owner(key);
    if (before?.vnic === owner.vnic && before.role === owner.role) return;
    this.#index.withdraw(key);
    this.#index.publish(key, owner);
  }

  ports(): ReadonlyMap<number, PortOwner> {
    const ports = new Map<number, PortOwner>();
    for (const [key, owner] of this.#index.entries()) {
      const ifindex = ifindexOf(key);
      if (ifindex !== null) ports.set(ifindex, owner);
    }
    return ports;
  }

  writeTxPort(ifindex: number, allowed: boolean): void {
    if (!allowed) this.#maps.txPorts.delete(ifindex);
    else if (!this.#maps.txPorts.has(ifindex)) this.#maps.txPorts.set(ifindex, { ifindex, bpfProg: NO_PROGRAM });
  }

  txPorts(): ReadonlySet<number> {
    return new Set(this.#maps.txPorts.keys());
  }

  writeSteering(vnic: number, role: Role, row: SteeringRow | null): void {
    this.#checkId(vnic);
    this.#maps.steerings.set(steeringKey(vnic, role), row === null ? unusedSteering : toSteering(row));
  }

  steering(vnic: number, role: Role): SteeringRow | null {
    this.#checkId(vnic);
    const row = this.#maps.steerings.get(steeringKey(vnic, role));
    return row === undefined ? null : fromSteering(row);
  }

  rssKeys(): readonly string[] {
    const { rss } = this.#started.maps;
    const keyOf = (row: number): Buffer => (rss.get(encode(u32, row)) ?? Buffer.alloc(rssCodec.size)).subarray(0, ContractLimit.RSS_KEY_SIZE);
    return Array.from({ length: ContractLimit.RSS_ROWS }, (_, row) => keyOf(row).toString('hex'));
  }

  writeRssKey(row: number, key: string): void {
    if (this.hostRssWish().keyRow === row) throw new Error(`RSS key ${row} is in force`);
    for (const id of this.vnics().keys()) {
      if (this.rssWish(id).keyRow === row) throw new Error(`RSS key ${row} is that of vNIC ${id}`);
      for (const role of ['tap', 'vf'] as const) {
        if (this.steering(id, role)?.rssRow === row) throw new Error(`RSS key ${row} is in use by the ${role} steering of vNIC ${id}`);
      }
    }
    const value = encode(rssCodec, rssRow(Buffer.from(key, 'hex')));
    // A program that runs now may have read a steering that named this row.
    this.#waitForPrograms();
    this.#started.maps.rss.set(encode(u32, row), value);
  }

  rssWish(vnic: number): VnicRssWish {
    this.#checkId(vnic);
    return fromWishRow(this.#maps.rssWishes.get(vnic) ?? unusedWish);
  }

  writeRssWish(vnic: number, wish: VnicRssWish): void {
    this.#checkId(vnic);
    this.#maps.rssWishes.set(vnic, toWishRow(wish));
  }

  hostRssWish(): HostRssWish {
    return fromHostWishRow(this.#maps.rssWishes.get(HOST) ?? unusedWish);
  }

  writeHostRssWish(wish: HostRssWish): void {
    this.#maps.rssWishes.set(HOST, toHostWishRow(wish));
  }

  bridgeVlanNotes(): readonly BridgeVlanNote[] {
    return Array.from(this.#maps.bridgeVlans.entries(), ([key, value]) => fromNoteRow(key, value));
  }

  writeBridgeVlanNote(note: BridgeVlanNote): void {
    this.#maps.bridgeVlans.set({ ifindex: note.ifindex, vid: note.vid }, toNoteRow(note));
  }

  deleteBridgeVlanNote(ifindex: number, vid: number): void {
    this.#maps.bridgeVlans.delete({ ifindex, vid });
  }

  learntFlows(id: number): LearntFlows {
    this.#checkId(id);
    return this.#flows.get(id);
  }

  writeLearntFlows(id: number, flows: LearntFlows): number {
    this.#checkId(id);
    return this.#flows.set(id, flows);
  }

  tallies(ids: readonly number[] = [UNKNOWN_VNIC, ...this.vnics().keys()]): readonly VnicTally[] {
    return this.#counters.read(ids);
  }

  redirectErrors(): readonly RedirectErrorTally[] {
    const rows = this.#started.maps.redirect_errors.entries();
    return Array.from(rows, ([key, values]) => toRedirectErrorTally(redirectErrorKeyCodec.read(key), values));
  }

  guestDrops(): readonly GuestDropTally[] {
    return Array.from(this.#maps.guestDrops.entries(), ([key, packets]) => toGuestDropTally(key, packets));
  }

  eventsLost(): bigint {
    const { events_lost: lost } = this.#started.maps;
    return sumBlocks(lost.get(encode(u32, 0)) ?? Buffer.alloc(8), 8).readBigUInt64LE();
  }

  mapUsage(): readonly MapUsage[] {
    const { maps } = this.#started;
    const usage = (map: MapName, entries: number, maxEntries = maps[map].maxEntries): MapUsage => ({ map, entries, maxEntries });
    const count = (all: Iterable<unknown>): number => Array.from(all).length;
    return [
      // Row 0 is nobody's.
      usage('vnics', this.vnics().size, this.#settings.maxVnics - 1),
      usage('vnic_slots', count(this.#index.entries())),
      usage('tx_ports', count(maps.tx_ports.keys())),
      usage('bridge_vlans', count(maps.bridge_vlans.keys())),
      usage('redirect_errors', count(maps.redirect_errors.keys())),
    ];
  }

  programRuns(): readonly ProgramRuns[] {
    const shared = Object.entries(this.#started.programs).map(([program, handle]) => ({ program, ...handle.runs() }));
    return [...shared, ...this.#attachments.boundRuns()];
  }

  onEvent(listener: (event: DataPlaneEvent) => void): () => void {
    return this.#events.add(listener);
  }

  close(): void {
    this.#holds.close();
    this.#events.close();
    this.#attachments.close();
    const { maps, programs } = this.#started;
    for (const handle of [...Object.values(maps), ...Object.values(programs)]) handle.close();
  }

  remove(): void {
    this.#taps.detachAll();
    // With the descriptors closed, only the pins hold the links; they go first.
    this.close();
    this.#pins.removeAll();
  }

  /** After a crash between two writes: the rows say which addresses there are, the index alone which ports. */
  #repairIndex(): void {
    const wanted = new Map<bigint, PortOwner>();
    const ids = [...this.vnics().keys()];
    for (const id of ids) for (const key of this.#keysOfRow(id)) wanted.set(key, ownerOfAddress(id));
    for (const [key, owner] of this.#index.entries()) if (ifindexOf(key) !== null && ids.includes(owner.vnic)) wanted.set(key, owner);
    this.#index.repair(wanted);
  }

  #keysOfRow(id: number): bigint[] {
    const vnic = this.#maps.vnics.get(id);
    return vnic === undefined || !isUsed(vnic) ? [] : keysOf(vnic);
  }

  /** All or none. */
  #publishAll(keys: readonly bigint[], id: number): void {
    const published: bigint[] = [];
    try {
      for (const key of keys) {
        this.#index.publish(key, ownerOfAddress(id));
        published.push(key);
      }
    } catch (error) {
      for (const key of published) this.#index.withdraw(key);
      throw error;
    }
  }

  /** Withdraws the index entries that lead to this id by address. */
  #release(id: number): void {
    const keys = this.#keysOfRow(id);
    for (const key of keys) this.#index.withdraw(key);
    if (keys.length > 0) this.#releasedIds.add(id);
  }

  #waitForPrograms(): void {
    waitForRunningPrograms();
    this.#releasedIds.clear();
  }

  #checkId(id: number): void {
    if (!Number.isInteger(id) || id <= UNKNOWN_VNIC || id >= this.#settings.maxVnics) {
      throw new RangeError(`vNIC id ${id} is not in 1..${this.#settings.maxVnics - 1}`);
    }
  }
}
