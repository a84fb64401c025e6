/** The data plane of this host: the pinned maps, programs and links behind the interface of port.ts. */
import { ContractLimit, flowCodec, hostMaps, PortRole, portRoleNames, redirectErrorKeyCodec, rssCodec } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import type { PortRole as Role } from '../core/model.js';
import { waitForRunningPrograms } from '../native/grace_period.js';
import { BpfMap, type RawMap } from '../native/map.js';
import { Pins } from '../native/pins.js';
import { Attachments, type XdpModeChoice } from './attachments.js';
import { fillCpus } from './cpus.js';
import { EventPump } from './events.js';
import { ownNetns } from './identity.js';
import type { MapName } from './loader.js';
import { type PathChange, PathWords } from './path_word.js';
import { startFromPins, type Started } from './pinned_state.js';
import type { Attachment, DataPlane, DataPlaneEvent, PathState, ProgramName, RedirectErrorTally, SteeringRow, VnicRow, VnicTally } from './port.js';
import { randomRssKey, rssRow } from './rss_table.js';
import { fromSteering, steeringKey, toSteering, unusedSteering } from './steering_row.js';
import { toRedirectErrorTally, toVnicTally } from './tallies.js';
import { VnicIndex, vnicKey } from './vnic_index.js';
import { fromVnic, isUsed, macBytes, toVnic, unusedVnic } from './vnic_row.js';

const { MAX_VNICS, CONTRACT_VERSION, RSS_KEY_SIZE } = ContractLimit;
const UNKNOWN_VNIC = 0;
const NO_PROGRAM = 0;
const ONLY_ROW = 0;

export interface DataPlaneOptions {
  /** bpf/unipath.bpf.o */
  readonly objectPath: string;
  /** Folder on a bpffs; the contract version is appended. */
  readonly pinsRoot: string;
  /** Learnt flows per vNIC, a power of two. */
  readonly flowsPerVnic: number;
  /** 40 bytes; `random` draws one at the first start and keeps it. */
  readonly rssKey: 'random' | Buffer;
  readonly xdpMode: XdpModeChoice;
  /** vNIC ids are below this; default MAX_VNICS. */
  readonly maxVnics?: number;
  /** Told of what works less well than it should; default: standard error. */
  readonly warn?: (message: string) => void;
}

/**
 * Loads the programs, or takes over those that are pinned; see pinned_state.ts. Attaches nothing.
 * @throws ContractMismatchError when the object is not of this contract
 * @throws NotOnBpffsError, PinnedStateError when the pins cannot be used
 * @throws VerifierError, NativeError when the kernel refuses
 */
export async function openDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { flowsPerVnic, maxVnics = MAX_VNICS, rssKey, warn = (message: string) => console.error(message) } = options;
  if (!Number.isInteger(flowsPerVnic) || flowsPerVnic < 1 || (flowsPerVnic & (flowsPerVnic - 1)) !== 0) {
    throw new RangeError(`flows per vNIC must be a power of two, not ${flowsPerVnic}`);
  }
  if (!Number.isInteger(maxVnics) || maxVnics < 2 || maxVnics > MAX_VNICS) throw new RangeError(`the number of vNICs must be in 2..${MAX_VNICS}`);
  if (rssKey !== 'random' && rssKey.length !== RSS_KEY_SIZE) throw new RangeError(`an RSS key has ${RSS_KEY_SIZE} bytes, not ${rssKey.length}`);

  const pins = new Pins(options.pinsRoot, CONTRACT_VERSION);
  const writeRss = (rss: RawMap, key: Buffer) => rss.set(encode(u32, ONLY_ROW), encode(rssCodec, rssRow(key)));
  const prepare = (map: (name: MapName) => RawMap) => writeRss(map('rss'), rssKey === 'random' ? randomRssKey() : rssKey);
  const settings = { flowsPerVnic, maxVnics, netns: ownNetns() };
  const started = await startFromPins(pins, options.objectPath, settings, prepare, warn);

  if (started.how !== 'fresh') {
    fillCpus(started.maps.cpus, started.programs.steer_queue); // a CPU may have come since
    const stored = started.maps.rss.get(encode(u32, ONLY_ROW));
    if (rssKey !== 'random' && !rssKey.equals(stored?.subarray(0, RSS_KEY_SIZE) ?? Buffer.alloc(0))) writeRss(started.maps.rss, rssKey);
  }
  return new KernelDataPlane(pins, started, options.xdpMode, { flowsPerVnic, maxVnics });
}

/** Typed views of the pinned maps. */
function typed(maps: Started['maps']) {
  return {
    vnics: new BpfMap(maps.vnics, hostMaps.vnics.key, hostMaps.vnics.value),
    ports: new BpfMap(maps.ports, hostMaps.ports.key, hostMaps.ports.value),
    txPorts: new BpfMap(maps.tx_ports, hostMaps.tx_ports.key, hostMaps.tx_ports.value),
    steerings: new BpfMap(maps.steerings, hostMaps.steerings.key, hostMaps.steerings.value),
  };
}

class KernelDataPlane implements DataPlane {
  readonly adopted: boolean;
  readonly #pins: Pins;
  readonly #started: Started;
  readonly #maps: ReturnType<typeof typed>;
  readonly #attachments: Attachments;
  readonly #sizes: { readonly flowsPerVnic: number; readonly maxVnics: number };
  readonly #index: VnicIndex;
  readonly #paths: PathWords;
  readonly #events: EventPump;
  /** Ids that a program may still hold for another MAC address: let go of since the last wait. */
  readonly #releasedIds = new Set<number>();

  constructor(pins: Pins, started: Started, mode: XdpModeChoice, sizes: { flowsPerVnic: number; maxVnics: number }) {
    const { maps, programs } = started;
    this.adopted = started.how === 'adopted';
    this.#pins = pins;
    this.#started = started;
    this.#maps = typed(maps);
    this.#sizes = sizes;
    this.#paths = new PathWords(maps.paths.mmap());
    this.#index = new VnicIndex(maps.vnic_slots.mmap(), waitForRunningPrograms);
    this.#events = new EventPump(maps.events);
    this.#attachments = new Attachments(pins, programs, mode);
    this.#attachments.adopt();
    this.#index.repair(new Map([...this.vnics()].map(([id, row]) => [vnicKey(macBytes(row.mac), row.vlan), id])));
  }

  async attach(program: ProgramName, ifindex: number, name: string): Promise<Attachment> {
    return this.#attachments.attach(program, ifindex, name);
  }

  detach(ifindex: number): void {
    this.#attachments.detach(ifindex);
  }

  attachments(): readonly Attachment[] {
    return this.#attachments.list();
  }

  vnics(): ReadonlyMap<number, VnicRow> {
    const rows = new Map<number, VnicRow>();
    for (const [id, vnic] of this.#maps.vnics) if (isUsed(vnic)) rows.set(id, fromVnic(vnic));
    return rows;
  }

  writeVnic(id: number, row: VnicRow): void {
    this.#checkId(id);
    const vnic = toVnic(row);
    const key = vnicKey(vnic.mac, vnic.vlan);
    const owner = this.#index.find(key);
    if (owner !== null && owner !== id) throw new Error(`MAC address ${row.mac} on VLAN ${row.vlan} is that of vNIC ${owner} already`);
    if (owner === null) {
      this.#index.checkRoom(key);
      this.#release(id);
      if (this.#releasedIds.has(id)) this.#waitForPrograms();
    }
    // The row first: a frame that finds the index entry finds the row.
    this.#maps.vnics.set(id, vnic);
    if (owner === null) this.#index.publish(key, id);
  }

  deleteVnic(id: number): void {
    this.#checkId(id);
    this.#release(id);
    this.#maps.vnics.set(id, unusedVnic);
    this.#paths.reset(id);
    for (const role of ['tap', 'vf'] as const) this.writeSteering(id, role, null);
    this.#forgetFlows(id);
    const { counters } = this.#started.maps;
    counters.set(encode(u32, id), Buffer.alloc(counters.entrySize));
  }

  path(id: number): PathState {
    this.#checkId(id);
    return this.#paths.get(id);
  }

  changePath(id: number, change: PathChange): PathState {
    this.#checkId(id);
    return this.#paths.change(id, change);
  }

  writePort(ifindex: number, owner: { readonly vnic: number; readonly role: Role } | null): void {
    if (owner === null) {
      this.#maps.ports.delete(ifindex);
      return;
    }
    this.#checkId(owner.vnic);
    this.#maps.ports.set(ifindex, { vnic: owner.vnic, role: owner.role === 'vf' ? PortRole.VF : PortRole.TAP });
  }

  ports(): ReadonlyMap<number, { readonly vnic: number; readonly role: Role }> {
    return new Map([...this.#maps.ports].map(([ifindex, { vnic, role }]) => [ifindex, { vnic, role: portRoleNames[role] }]));
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

  /** Row by row: those in use are few, and the whole map is 1.4 MB per CPU. */
  tallies(): readonly VnicTally[] {
    const { counters } = this.#started.maps;
    return [UNKNOWN_VNIC, ...this.vnics().keys()].map((id) => toVnicTally(id, counters.get(encode(u32, id)) ?? Buffer.alloc(counters.entrySize)));
  }

  redirectErrors(): readonly RedirectErrorTally[] {
    return [...this.#started.maps.redirect_errors.entries()].map(([key, values]) => toRedirectErrorTally(redirectErrorKeyCodec.read(key), values));
  }

  onEvent(listener: (event: DataPlaneEvent) => void): () => void {
    return this.#events.add(listener);
  }

  close(): void {
    this.#events.close();
    this.#attachments.close();
    for (const handle of [...Object.values(this.#started.maps), ...Object.values(this.#started.programs)]) handle.close();
  }

  remove(): void {
    this.#attachments.detachAll();
    this.#pins.removeAll();
    this.close();
  }

  /** Withdraws the index entry that leads to this id. */
  #release(id: number): void {
    const before = this.#maps.vnics.get(id);
    if (before === undefined || !isUsed(before)) return;
    this.#index.withdraw(vnicKey(before.mac, before.vlan));
    this.#releasedIds.add(id);
  }

  #waitForPrograms(): void {
    waitForRunningPrograms();
    this.#releasedIds.clear();
  }

  #forgetFlows(id: number): void {
    const { flowsPerVnic } = this.#sizes;
    const nothing = Buffer.alloc(flowCodec.size);
    const rows = Array.from({ length: flowsPerVnic }, (_, i) => [encode(u32, id * flowsPerVnic + i), nothing] as const);
    this.#started.maps.flows.setBatch(rows);
  }

  #checkId(id: number): void {
    if (!Number.isInteger(id) || id <= UNKNOWN_VNIC || id >= this.#sizes.maxVnics) {
      throw new RangeError(`vNIC id ${id} is not in 1..${this.#sizes.maxVnics - 1}`);
    }
  }
}
