/** The state of a run twice: as look-ups for the model, and in the maps of the real object. Every change goes to both. */
import {
  ContractLimit, type Flow, hostMaps, type PathWord, type PortRole, type Remote, type SeenAddresses, type Steering, type Vnic,
  type VnicAddresses, type VnicRate,
} from '../../maps/generated/contract.js';
import type { Effect, HoldRing, Knobs, MutablePacketState, Owner } from '../core/packet/model.js';
import { applyEffects } from '../core/packet/model.js';
import { onlineCpus } from '../native/cpus.js';
import { DEVICES, VNIC_IDS } from './ids.js';
import type { Subject } from './subject.js';

export const NO_FLOW: Flow = { learnt: { tag: 0, seen: 0, queue: 0, valid: 0 }, steered: { tag: 0, seen: 0, queue: 0, valid: 0 } };
const NO_REMOTE: Remote = { key: 0n, uplinkIfindex: 0, learnt: 0 };
export const NONE_SEEN: SeenAddresses = { ipv4: 0, ipv6: [0, 0, 0, 0] };

/** Ends of a hold: long ago, and never. The clock of holds runs, but not from the one to the other. */
export const HOLD_ENDS = { past: 0n, never: 1n << 63n } as const;

export type HeldEffect = Extract<Effect, { kind: 'held' }>;

export class World implements MutablePacketState {
  readonly knobs: Knobs;
  readonly tick: number;
  readonly vnics = new Map<number, Vnic>();
  readonly index = new Map<bigint, Owner>();
  readonly paths = new Map<number, PathWord>();
  readonly steerings = new Map<number, Steering>();
  readonly rss = new Map<number, { readonly key: Uint8Array }>();
  readonly flowSeeds = new Map<number, bigint>();
  readonly flows = new Map<number, Flow>();
  readonly remotes = new Map<number, Remote>();
  readonly addresses = new Map<number, VnicAddresses>();
  /** Nobody is limited: what that decides depends on the nanosecond. */
  readonly rates: ReadonlyMap<number, VnicRate> = new Map();
  readonly nowNs = 1n;
  readonly holds = new Map<number, HoldRing>();
  readonly seen = new Map<number, SeenAddresses>();
  /** What waits in each ring, in order. */
  readonly held = new Map<number, HeldEffect[]>();
  readonly txPorts = new Set<number>();
  readonly cpus = new Set<number>();
  readonly subject: Subject;
  /** Slots of `remotes` that have been written. */
  readonly usedSlots: number[] = [];

  constructor(subject: Subject) {
    this.subject = subject;
    this.knobs = subject.variant;
    this.tick = subject.variant.tick;
    this.#readBack();
    subject.clearIndex();
    const rows = this.flowRows();
    for (const row of rows) this.flows.set(row, NO_FLOW);
    subject.setFlows(rows.map((row) => [row, NO_FLOW]));
    for (const id of [0, ...VNIC_IDS]) subject.clearCounters(id);
    for (const id of VNIC_IDS) this.setSeen(id, NONE_SEEN);
    for (const ifindex of DEVICES) this.setTxPort(ifindex, true);
    for (const cpu of onlineCpus()) this.setCpu(cpu, true);
    subject.takeEvents();
  }

  /** An empty row of an array is there, and a look-up finds it. */
  #readBack(): void {
    const bytes = Buffer.alloc(ContractLimit.REMOTE_SLOTS * hostMaps.remotes.value.size);
    this.subject.readRemotes(bytes);
    for (let slot = 0; slot < ContractLimit.REMOTE_SLOTS; slot++) {
      const remote = hostMaps.remotes.value.read(bytes, slot * hostMaps.remotes.value.size);
      // Without a key there may be an uplink and a time: of a station that is believed no longer.
      if (remote.key !== 0n || remote.uplinkIfindex !== 0 || remote.learnt !== 0) this.subject.remotes.set(slot, NO_REMOTE);
      this.remotes.set(slot, NO_REMOTE);
    }
  }

  flowRows(): number[] {
    const { flowsPerVnic } = this.knobs;
    return VNIC_IDS.flatMap((id) => Array.from({ length: flowsPerVnic }, (_, slot) => id * flowsPerVnic + slot));
  }

  vnic(id: number): Vnic {
    return this.vnics.get(id)!;
  }

  setVnic(id: number, row: Vnic): void {
    this.vnics.set(id, row);
    this.subject.vnics.set(id, row);
  }

  setPath(id: number, row: PathWord): void {
    this.paths.set(id, row);
    this.subject.paths.set(id, row);
  }

  setSteering(id: number, role: PortRole, row: Steering): void {
    const key = id * ContractLimit.PORTS_PER_VNIC + role;
    this.steerings.set(key, row);
    this.subject.steerings.set(key, row);
  }

  setAddresses(id: number, row: VnicAddresses): void {
    this.addresses.set(id, row);
    this.subject.addresses.set(id, row);
  }

  setSeen(id: number, row: SeenAddresses): void {
    this.seen.set(id, row);
    this.subject.seen.set(id, row);
  }

  /** Empty, or none. */
  setRing(id: number, bytes: number | null): void {
    this.held.set(id, []);
    if (bytes === null) this.holds.delete(id);
    else this.holds.set(id, { size: bytes, taken: 0 });
    this.subject.setRing(id, bytes);
  }

  /** So many of the frames that wait longest are delivered. */
  drain(id: number, frames: number): void {
    const [ring, held] = [this.holds.get(id), this.held.get(id)];
    if (ring === undefined || held === undefined) return;
    const gone = held.splice(0, frames);
    this.holds.set(id, { ...ring, taken: ring.taken - gone.reduce((sum, { record }) => sum + record, 0) });
    this.subject.drain(id, frames);
  }

  setRss(row: number, key: Uint8Array): void {
    this.rss.set(row, { key });
    this.subject.setRssKey(row, key);
  }

  setFlowSeed(id: number, seed: bigint): void {
    this.flowSeeds.set(id, seed);
    this.subject.flowSeeds.set(id, seed);
  }

  setFlow(row: number, flow: Flow): void {
    this.flows.set(row, flow);
    this.subject.flows.set(row, flow);
  }

  setRemote(slot: number, remote: Remote): void {
    this.remotes.set(slot, remote);
    this.subject.remotes.set(slot, remote);
  }

  publish(key: bigint, owner: Owner): void {
    this.index.set(key, owner);
    this.subject.publish(key, owner.vnic, owner.role);
  }

  withdraw(key: bigint): void {
    this.index.delete(key);
    this.subject.withdraw(key);
  }

  setTxPort(ifindex: number, there: boolean): void {
    if (there) this.txPorts.add(ifindex);
    else if (!this.txPorts.delete(ifindex)) return;
    this.subject.setTxPort(ifindex, there);
  }

  setCpu(cpu: number, there: boolean): void {
    if (this.cpus.has(cpu) === there) return;
    if (there) this.cpus.add(cpu);
    else this.cpus.delete(cpu);
    this.subject.setCpu(cpu, there);
  }

  /** What the model says a frame has changed; the real maps have been changed by the frame. */
  apply(effects: readonly Effect[]): void {
    applyEffects(this, effects);
    for (const effect of effects) {
      if (effect.kind === 'remote' && !this.usedSlots.includes(effect.slot)) this.usedSlots.push(effect.slot);
      else if (effect.kind === 'held') this.held.get(effect.vnic)?.push(effect);
    }
  }
}
