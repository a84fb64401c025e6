/**
 * One loaded host object in a network namespace of its own, with ports that exist and the vNICs of world.ts. A table of
 * packets sets its state, runs one frame, and looks at everything that may have changed.
 */
import { execFileSync } from 'node:child_process';
import {
  type Event, type FlowRecord, type HeldFrame, type PathWord, type SeenAddresses, type Steering, type Vnic, type VnicCounters, ContractLimit,
  eventCodec, HashType, heldFrameCodec, hostKnobs, hostMaps, PathBit,
  PortRole as RoleCode,
  portRoleNames,
  reasonNames,
  VnicFlag, VnicPath as PathCode,
} from '../../../maps/generated/contract.js';
import { rssRow } from '../../../src/dataplane/rss_table.js';
import type { PortRole, VnicPath } from '../../../src/core/model.js';
import { encode, type MapSpec } from '../../../src/btf/codec.js';
import { BpfMap, PerCpuMap } from '../../../src/native/map.js';
import { createRing, deleteInner, setInner } from '../../../src/native/inner_map.js';
import { BpfObject } from '../../../src/native/object.js';
import { enterNetns } from '../../../src/native/netns.js';
import { possibleCpus } from '../../../src/native/cpus.js';
import { RingBuffer } from '../../../src/native/ring_buffer.js';
import { SkbRunner } from '../../../src/native/skb_runner.js';
import type { BpfProgram } from '../../../src/native/program.js';
import { hostObjectPath } from '../../../src/paths.js';
import { macBytes } from '../../support/packet_layers.js';
import { FLOW_SEED } from './flow_hash.js';
import { rssVectorKey } from '../../support/rss_vectors.js';
import {
  type PortName, type VnicName, bedVnic, COUNTER_OWNERS, type CounterOwner, counterRow, isUplink, PORT_QUEUES, PORTS, VNIC_NAMES,
} from './world.js';

/** Few, so that two flows that share a slot are found by trying. */
export const FLOWS_PER_VNIC = 16;
export const FRAME_MAX = 1514;
/** The programs' clock stands still here: far from both ends of 16 bits. */
const FROZEN_TICK = 0x1_8000;
const NO_RECORD: FlowRecord = { tag: 0, seen: 0, queue: 0, valid: 0 };
const BED_VNICS = 1 + VNIC_NAMES.length;
const MASK_64 = (1n << 64n) - 1n;

const NONE_SEEN: SeenAddresses = { ipv4: 0, ipv6: [0, 0, 0, 0] };
/** Ends of a hold, in nanoseconds: long ago, and never. */
export const HOLD_ENDS = { past: 0n, never: 1n << 63n } as const;
/** Of the ring that frames wait in: two usual ones fill it. */
export const RING_BYTES = 4096;

const VERDICTS = ['aborted', 'drop', 'pass', 'tx', 'redirect'] as const;
export type Verdict = (typeof VERDICTS)[number];
export type ReasonName = (typeof reasonNames)[keyof typeof reasonNames];
export const ALL_REASONS = Object.values(reasonNames);

/** Every counter that is not zero, by a name such as `g1 redirect_rss` or `g1 vf queue 1`. */
export type Tallies = ReadonlyMap<string, bigint>;

export interface SteeringChange {
  readonly queues?: number;
  readonly reta?: (bucket: number) => number;
  readonly queueCpus?: readonly number[];
  readonly hashTypes?: HashType;
}

export interface Arrival {
  readonly on: PortName;
  /** Receive queue; default 0. */
  readonly queue?: number;
  /** Default 0. */
  readonly cpu?: number;
}

/** As in bpf/lib/vnic.h: first wire byte lowest, VLAN id << 48, and a bit that makes no key zero. */
export function vnicKey(mac: string, vlan: number): bigint {
  const bytes = Buffer.alloc(8);
  macBytes(mac).copy(bytes);
  return bytes.readBigUInt64LE() | (BigInt(vlan) << 48n) | (1n << 63n);
}

/** As in bpf/lib/vnic.h. */
export function portKey(ifindex: number): bigint {
  return (1n << 62n) | BigInt(ifindex);
}

export function pathCode(path: VnicPath): PathCode {
  return path === 'accelerated' ? PathCode.ACCELERATED : PathCode.SOFTWARE;
}

export function firstSlot(key: bigint): number {
  return Number(((key * 0x9e3779b97f4a7c15n) & MASK_64) >> 50n);
}

/** Makes a namespace that lives as long as this process, and moves into it: nothing is left, however the process ends. */
function enterOwnNetns(): void {
  const name = `upt-${process.pid}-bed`;
  execFileSync('ip', ['netns', 'add', name]);
  try {
    enterNetns(`/run/netns/${name}`);
  } finally {
    execFileSync('ip', ['netns', 'del', name]);
  }
}

export interface BedOptions {
  /** Further knobs. */
  readonly rodata?: Readonly<Record<string, Buffer>>;
  /** Default `own`: a new one for the thread of JavaScript. `current`: the process was started in one. */
  readonly netns?: 'own' | 'current';
  /** Those of another bed in this namespace; default: new ones. */
  readonly ports?: ReadonlyMap<PortName, number>;
}

/** The other end of a port's veth. */
export function farEnd(port: PortName): string {
  return `${port}-far`;
}

/** Returns ifindex by name. */
function makePorts(): Map<PortName, number> {
  const options = ['numrxqueues', String(PORT_QUEUES), 'numtxqueues', String(PORT_QUEUES)];
  for (const port of PORTS) execFileSync('ip', ['link', 'add', port, ...options, 'type', 'veth', 'peer', 'name', farEnd(port), ...options]);
  const links = JSON.parse(execFileSync('ip', ['-j', 'link', 'show'], { encoding: 'utf8' })) as { ifindex: number; ifname: string }[];
  const ifindexOf = (port: PortName): number => links.find(({ ifname }) => ifname === port)!.ifindex;
  return new Map(PORTS.map((port) => [port, ifindexOf(port)]));
}

export class Bed {
  readonly #ifindexes: ReadonlyMap<PortName, number>;
  readonly #programs: { readonly uplink: BpfProgram; readonly guest: BpfProgram; readonly queue: BpfProgram; readonly tap: BpfProgram };
  readonly #skbs = new SkbRunner();
  /** That frames wait in. */
  readonly #rings = new Map<VnicName, RingBuffer>();
  readonly #object: BpfObject;
  readonly #events: RingBuffer;
  readonly #filledSlots = new Set<number>();
  #left: Buffer = Buffer.alloc(0);
  readonly vnics;
  readonly slots;
  readonly paths;
  readonly addresses;
  readonly rates;
  readonly txPorts;
  readonly cpus;
  readonly remotes;
  readonly steerings;
  readonly rss;
  readonly flowSeeds;
  readonly flows;
  readonly counters;
  readonly guestDrops;
  readonly eventsLost;
  readonly seen;

  private constructor(object: BpfObject, ifindexes: ReadonlyMap<PortName, number>) {
    const open = <K, V>(spec: MapSpec<K, V>): BpfMap<K, V> => new BpfMap(object.map(spec.name), spec.key, spec.value);
    this.#object = object;
    this.#ifindexes = ifindexes;
    this.#programs = {
      uplink: object.program('steer_uplink'), guest: object.program('steer_guest'), queue: object.program('steer_queue'),
      tap: object.program('steer_tap'),
    };
    this.#events = new RingBuffer(object.map('events'));
    this.vnics = open(hostMaps.vnics);
    this.slots = open(hostMaps.vnic_slots);
    this.paths = open(hostMaps.paths);
    this.addresses = open(hostMaps.vnic_addresses);
    this.rates = open(hostMaps.vnic_rates);
    this.txPorts = open(hostMaps.tx_ports);
    this.cpus = open(hostMaps.cpus);
    this.remotes = open(hostMaps.remotes);
    this.steerings = open(hostMaps.steerings);
    this.rss = open(hostMaps.rss);
    this.flowSeeds = open(hostMaps.flow_seeds);
    this.flows = open(hostMaps.flows);
    this.seen = open(hostMaps.seen_addresses);
    this.guestDrops = open(hostMaps.guest_drops);
    this.eventsLost = new PerCpuMap(object.map('events_lost'), hostMaps.events_lost.key, hostMaps.events_lost.value);
    this.counters = new PerCpuMap(object.map('counters'), hostMaps.counters.key, hostMaps.counters.value);
  }

  /** Un-pinned; everything is gone with the process. */
  static async create(options: BedOptions = {}): Promise<Bed> {
    if (options.netns !== 'current') enterOwnNetns();
    const ifindexes = options.ports ?? makePorts();
    const flowsPerVnic = Buffer.alloc(4);
    flowsPerVnic.writeUInt32LE(FLOWS_PER_VNIC);
    const object = BpfObject.open(hostObjectPath, {
      maxEntries: { flows: FLOWS_PER_VNIC * ContractLimit.MAX_VNICS, cpus: possibleCpus() },
      rodata: { flows_per_vnic: flowsPerVnic, frozen_tick: encode(hostKnobs.frozen_tick, FROZEN_TICK), ...options.rodata },
      programs: ['steer_uplink', 'steer_guest', 'steer_queue', 'steer_tap'],
    });
    await object.load();
    const bed = new Bed(object, ifindexes);
    bed.reset();
    return bed;
  }

  /** Everything as configured: every vNIC on its software path, one queue everywhere, nothing learnt, VF not allowed. */
  reset(): void {
    this.setRssKey(rssVectorKey);
    this.forgetRemotes();
    for (const index of this.#filledSlots) this.slots.set(index, { key: 0n, vnic: 0, role: RoleCode.TAP });
    this.#filledSlots.clear();
    this.forgetFlows();
    for (const port of PORTS) this.allow(port);
    for (const name of VNIC_NAMES) this.#resetVnic(name);
    for (const cpu of [0, 1]) this.allowCpu(cpu);
    this.takeEvents();
  }

  get programs(): readonly BpfProgram[] {
    return Object.values(this.#programs);
  }

  close(): void {
    for (const ring of this.#rings.values()) ring.close();
    this.#events.close();
    this.#object.close();
  }

  ifindex(port: PortName): number {
    const ifindex = this.#ifindexes.get(port);
    if (ifindex === undefined) throw new Error(`no port ${port}`);
    return ifindex;
  }

  #resetVnic(name: VnicName): void {
    const { id, mac, vlan, tap, vf, uplink } = bedVnic(name);
    this.vnics.set(id, {
      tapIfindex: this.ifindex(tap),
      vfIfindex: vf === null ? 0 : this.ifindex(vf),
      uplinkIfindex: this.ifindex(uplink),
      flags: VnicFlag.PLUGIN,
      tapFrameMax: FRAME_MAX,
      vfFrameMax: FRAME_MAX,
      uplinkFrameMax: FRAME_MAX,
      vlan,
      mac: macBytes(mac),
      vlanCount: 1,
      vlans: [vlan, ...new Array<number>(ContractLimit.MAX_VLANS - 1).fill(0)],
    });
    this.paths.set(id, { word: 0n, vfSeen: 0, tapMulticast: 0, holdUntilNs: 0n });
    this.flowSeeds.set(id, FLOW_SEED);
    this.seen.set(id, NONE_SEEN);
    this.withoutRing(name);
    this.addSlot(vnicKey(mac, vlan), id);
    this.setSteering(name, 'tap', {});
    this.setSteering(name, 'vf', {});
    this.own(tap, { vnic: id, role: RoleCode.TAP });
    if (vf !== null) this.own(vf, { vnic: id, role: RoleCode.VF });
  }

  setSlot(index: number, key: bigint, vnic: number, role: RoleCode = RoleCode.TAP): void {
    this.slots.set(index, { key, vnic, role });
    this.#filledSlots.add(index);
  }

  own(port: PortName, { vnic, role }: { readonly vnic: number; readonly role: RoleCode }): void {
    this.addSlot(portKey(this.ifindex(port)), vnic, role);
  }

  disown(port: PortName): void {
    this.removeSlot(portKey(this.ifindex(port)));
  }

  removeSlot(key: bigint): void {
    for (let probe = 0; probe < ContractLimit.VNIC_PROBES; probe++) {
      const index = (firstSlot(key) + probe) % ContractLimit.VNIC_SLOTS;
      if (this.slots.get(index)?.key === key) this.slots.set(index, { key: 0n, vnic: 0, role: RoleCode.TAP });
    }
  }

  /** Open addressing as the programs expect it. @throws when all VNIC_PROBES slots are taken */
  addSlot(key: bigint, vnic: number, role: RoleCode = RoleCode.TAP): void {
    for (let probe = 0; probe < ContractLimit.VNIC_PROBES; probe++) {
      const index = (firstSlot(key) + probe) % ContractLimit.VNIC_SLOTS;
      if (this.slots.get(index)?.key !== 0n) continue;
      this.setSlot(index, key, vnic, role);
      return;
    }
    throw new Error(`no slot free for key ${key.toString(16)}`);
  }

  changeVnic(name: VnicName, change: (before: Vnic) => Partial<Vnic>): void {
    const { id } = bedVnic(name);
    const before = this.vnics.get(id)!;
    this.vnics.set(id, { ...before, ...change(before) });
  }

  changePath(name: VnicName, change: { readonly path?: VnicPath; readonly vfAllowed?: boolean; readonly vfSeen?: number }): void {
    const { id } = bedVnic(name);
    const row = this.paths.get(id)!;
    let { word, vfSeen } = row;
    if (change.path !== undefined) word = (word & ~BigInt(PathBit.MASK)) | BigInt(pathCode(change.path));
    if (change.vfAllowed !== undefined) word = (word & ~BigInt(PathBit.VF_ALLOWED)) | (change.vfAllowed ? BigInt(PathBit.VF_ALLOWED) : 0n);
    vfSeen = change.vfSeen ?? vfSeen;
    this.paths.set(id, { ...row, word, vfSeen });
  }

  /** Frames for it wait, as long as the hold lasts and there is a ring. */
  setHold(name: VnicName, hold: 'holding' | 'releasing' | 'none', untilNs: bigint): void {
    const { id } = bedVnic(name);
    const row = this.paths.get(id)!;
    const [held, released] = [BigInt(PathBit.HOLD), BigInt(PathBit.RELEASE)];
    const bits = hold === 'none' ? 0n : hold === 'holding' ? held : held | released;
    this.paths.set(id, { ...row, word: (row.word & ~(held | released)) | bits, holdUntilNs: untilNs });
  }

  withRing(name: VnicName): void {
    const map = createRing('hold', RING_BYTES);
    setInner(this.#object.map('holds'), bedVnic(name).id, map);
    this.#rings.set(name, new RingBuffer(map));
    map.close();
  }

  withoutRing(name: VnicName): void {
    const ring = this.#rings.get(name);
    if (ring === undefined) return;
    ring.close();
    this.#rings.delete(name);
    deleteInner(this.#object.map('holds'), bedVnic(name).id);
  }

  /** What waits, in order. */
  heldFrames(name: VnicName): { readonly head: HeldFrame; readonly bytes: Buffer }[] {
    const held: { head: HeldFrame; bytes: Buffer }[] = [];
    this.#rings.get(name)?.peek((record) => {
      const head = heldFrameCodec.read(record);
      held.push({ head, bytes: Buffer.from(record.subarray(heldFrameCodec.size, heldFrameCodec.size + head.length)) });
    });
    return held;
  }

  /** Default: one queue. Queue q is served by CPU q % 2 unless said otherwise; queues beyond the last have a CPU, too, from larger days. */
  setSteering(name: VnicName, role: PortRole, row: SteeringChange): void {
    const { queues = 1, reta = () => 0, queueCpus = [0, 1, 0, 1], hashTypes = HashType.DEFAULT } = row;
    const steering: Steering = {
      queues,
      hashTypes,
      rssRow: 0,
      nicHash: 0,
      reta: Uint8Array.from({ length: ContractLimit.RETA_SIZE }, (_, bucket) => reta(bucket)),
      queueCpus: Array.from({ length: ContractLimit.MAX_QUEUES }, (_, queue) => queueCpus[queue] ?? ContractLimit.QUEUE_UNREACHABLE),
    };
    this.steerings.set(bedVnic(name).id * ContractLimit.PORTS_PER_VNIC + (role === 'vf' ? 1 : 0), steering);
  }

  setRssKey(key: Uint8Array, row = 0): void {
    this.rss.set(row, rssRow(key));
  }

  allow(port: PortName): void {
    this.txPorts.set(this.ifindex(port), { ifindex: this.ifindex(port), bpfProg: 0 });
  }

  forbid(port: PortName): void {
    this.txPorts.delete(this.ifindex(port));
  }

  allowCpu(cpu: number): void {
    this.cpus.set(cpu, { qsize: 64, bpfProg: this.#programs.queue.fd });
  }

  forbidCpu(cpu: number): void {
    this.cpus.delete(cpu);
  }

  setRemote(mac: string, vlan: number, uplink: PortName, learnt: number): void {
    const key = vnicKey(mac, vlan);
    this.remotes.set(firstSlot(key) % ContractLimit.REMOTE_SLOTS, { key, uplinkIfindex: this.ifindex(uplink), learnt });
  }

  /** The programs' clock, in ticks. It stands still, unless the bed was made with a running one. */
  tick(): number {
    return FROZEN_TICK;
  }

  /** Runs the program of that port on the frame. */
  run(bytes: Buffer, { on, queue = 0, cpu = 0 }: Arrival): Verdict {
    const program = isUplink(on) ? this.#programs.uplink : this.#programs.guest;
    const { verdict, data } = program.testRun({ data: bytes, ingressIfindex: this.ifindex(on), rxQueue: queue, cpu });
    this.#left = data;
    return VERDICTS[verdict] ?? 'aborted';
  }

  /** Runs steer_tap on a frame that the bridge hands to that port. @returns the tc action */
  runAtTap(bytes: Buffer, at: PortName, cameIn: PortName | null, segmentSize: number): number {
    const ingressIfindex = cameIn === null ? 0 : this.ifindex(cameIn);
    const action = this.#skbs.run(this.#programs.tap, bytes, { ifindex: this.ifindex(at), ingressIfindex, segmentSize });
    this.#left = Buffer.from(this.#skbs.output);
    return action;
  }

  /** For another bed in the same namespace. */
  get ports(): ReadonlyMap<PortName, number> {
    return this.#ifindexes;
  }

  /** The frame of the last run as the program left it; before it lies what another CPU is told. */
  get left(): Buffer {
    return this.#left;
  }

  /** Sends the frame `count` times: what the program says is done. The process must have been started in the bed's namespace. */
  async sendLive(bytes: Buffer, on: PortName, count: number): Promise<void> {
    const program = isUplink(on) ? this.#programs.uplink : this.#programs.guest;
    await program.sendLiveFrames({ data: bytes, ingressIfindex: this.ifindex(on), repeat: count });
  }

  /** Records of the ring buffer since the last call. */
  takeEvents(): Event[] {
    const events: Event[] = [];
    this.#events.consume((record) => events.push(eventCodec.read(record)));
    return events;
  }

  lostEvents(): bigint {
    return this.eventsLost.getAll(0)!.reduce((sum, each) => sum + each, 0n);
  }

  pathWords(): Map<VnicName, PathWord> {
    return new Map(VNIC_NAMES.map((name) => [name, this.paths.get(bedVnic(name).id)!]));
  }

  forgetRemotes(): void {
    for (const [index, remote] of this.remotes.entries()) {
      if (remote.key !== 0n) this.remotes.set(index, { key: 0n, uplinkIfindex: 0, learnt: 0 });
    }
  }

  /** No flow is known, and none is on its way. */
  forgetFlows(): void {
    const noFlow = { learnt: NO_RECORD, steered: NO_RECORD };
    this.flows.setBatch(Array.from({ length: BED_VNICS * FLOWS_PER_VNIC }, (_, i) => [i, noFlow] as const));
  }

  /** Learnt flows of all vNICs, by `vNIC/slot`. */
  learntFlows(): Map<string, FlowRecord> {
    return this.#records('learnt');
  }

  /** Where the last frame of each flow went, likewise. */
  steeredFlows(): Map<string, FlowRecord> {
    return this.#records('steered');
  }

  #records(which: 'learnt' | 'steered'): Map<string, FlowRecord> {
    const learnt = new Map<string, FlowRecord>();
    for (const name of VNIC_NAMES) {
      for (let slot = 0; slot < FLOWS_PER_VNIC; slot++) {
        const record = this.flows.get(bedVnic(name).id * FLOWS_PER_VNIC + slot)![which];
        if (record.valid) learnt.set(`${name}/${slot}`, record);
      }
    }
    return learnt;
  }

  /** Makes every flow of a vNIC as if it was last seen that many ticks ago: from the guest, or on its way to it. */
  ageFlows(name: VnicName, ticks: number, which: 'learnt' | 'steered' = 'learnt'): void {
    const seen = (this.tick() - ticks) & 0xffff;
    for (let slot = 0; slot < FLOWS_PER_VNIC; slot++) {
      const index = bedVnic(name).id * FLOWS_PER_VNIC + slot;
      const flow = this.flows.get(index)!;
      if (flow[which].valid) this.flows.set(index, { ...flow, [which]: { ...flow[which], seen } });
    }
  }

  tallies(): Tallies {
    const tallies = new Map<string, bigint>();
    for (const owner of COUNTER_OWNERS) {
      for (const counters of this.counters.getAll(counterRow(owner))!) addTallies(tallies, owner, counters);
    }
    for (const [{ vnic, role, reason }, frames] of this.guestDrops.entries()) {
      const owner = VNIC_NAMES.find((name) => bedVnic(name).id === vnic);
      tallies.set(`${owner} ${reasonNames[reason as keyof typeof reasonNames]} on ${portRoleNames[role]}`, frames);
    }
    return tallies;
  }
}

function addTallies(tallies: Map<string, bigint>, owner: CounterOwner, counters: VnicCounters): void {
  const add = (name: string, value: bigint): void => {
    if (value !== 0n) tallies.set(`${owner} ${name}`, (tallies.get(`${owner} ${name}`) ?? 0n) + value);
  };
  for (const [reason, name] of Object.entries(reasonNames)) {
    const counter = counters.reasons[Number(reason)]!;
    add(name, counter.packets);
    add(`${name} bytes`, counter.bytes);
  }
  counters.tapQueues.forEach((value, queue) => add(`tap queue ${queue}`, value));
  counters.vfQueues.forEach((value, queue) => add(`vf queue ${queue}`, value));
  add('from tap', counters.fromTap.packets);
  add('from tap bytes', counters.fromTap.bytes);
  add('from vf', counters.fromVf.packets);
  add('from vf bytes', counters.fromVf.bytes);
  add('cpu handovers', counters.cpuHandovers);
  add('flows learnt', counters.flowsLearnt);
  add('flows moved', counters.flowsMoved);
  add('flows replaced', counters.flowsReplaced);
  add('flows expired', counters.flowsExpired);
  add('path changes', counters.pathChanges);
}

/** What rose between two looks. */
export function rises(before: Tallies, after: Tallies): Record<string, bigint> {
  const risen: Record<string, bigint> = {};
  for (const [name, value] of after) {
    const rise = value - (before.get(name) ?? 0n);
    if (rise !== 0n) risen[name] = rise;
  }
  return risen;
}
