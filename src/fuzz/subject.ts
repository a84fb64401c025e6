/** The real object, loaded for one variant: its maps to write a world into, its programs to run frames through. */
import {
  type Decision, decisionCodec, type Event, eventCodec, type Flow, hostMaps, type PathWord, type PortRole, type Remote,
  type SeenAddresses, type Steering, type Vnic, type VnicAddresses, type VnicCounters, ContractLimit, PortRole as Role, rssCodec,
  vnicCountersCodec,
} from '../../maps/generated/contract.js';
import { encode, type MapSpec, u32 } from '../btf/codec.js';
import { rssRow } from '../dataplane/rss_table.js';
import { VnicIndex } from '../dataplane/vnic_index.js';
import { possibleCpus } from '../native/cpus.js';
import { FrameRunner } from '../native/frame_runner.js';
import { createRing, deleteInner, setInner } from '../native/inner_map.js';
import { BpfMap } from '../native/map.js';
import { BpfObject } from '../native/object.js';
import type { BpfProgram } from '../native/program.js';
import { RingBuffer } from '../native/ring_buffer.js';
import { SkbRunner } from '../native/skb_runner.js';
import { hostObjectPath } from '../paths.js';
import { LARGEST_FRAME } from './limits.js';
import type { Variant } from './variants.js';

export type ProgramName = 'steer_uplink' | 'steer_guest' | 'steer_queue' | 'steer_tap';

function word(value: number): Buffer {
  return encode(u32, value);
}

const rssRows = new Map<Uint8Array, Buffer>();

/** Made once for each key: there are some ten thousand numbers in a row. */
function encodedRss(key: Uint8Array): Buffer {
  let row = rssRows.get(key);
  if (row === undefined) rssRows.set(key, (row = encode(rssCodec, rssRow(key))));
  return row;
}

export class Subject {
  readonly variant: Variant;
  readonly runner = new FrameRunner(LARGEST_FRAME);
  readonly skbRunner = new SkbRunner();
  readonly vnics: BpfMap<number, Vnic>;
  readonly paths: BpfMap<number, PathWord>;
  readonly steerings: BpfMap<number, Steering>;
  readonly addresses: BpfMap<number, VnicAddresses>;
  readonly flowSeeds: BpfMap<number, bigint>;
  readonly flows: BpfMap<number, Flow>;
  readonly remotes: BpfMap<number, Remote>;
  readonly seen: BpfMap<number, SeenAddresses>;
  readonly #object: BpfObject;
  readonly #programs: Readonly<Record<ProgramName, BpfProgram>>;
  readonly #events: RingBuffer;
  readonly #slots: Buffer;
  /** That frames wait in, by vNIC id. */
  readonly #rings = new Map<number, RingBuffer>();
  readonly #decisionKey = word(0);
  #index!: VnicIndex;

  private constructor(object: BpfObject, variant: Variant) {
    const open = <K, V>(spec: MapSpec<K, V>): BpfMap<K, V> => new BpfMap(object.map(spec.name), spec.key, spec.value);
    this.#object = object;
    this.variant = variant;
    this.#programs = {
      steer_uplink: object.program('steer_uplink'), steer_guest: object.program('steer_guest'), steer_queue: object.program('steer_queue'),
      steer_tap: object.program('steer_tap'),
    };
    this.#events = new RingBuffer(object.map('events'));
    this.#slots = object.map('vnic_slots').mmap();
    this.vnics = open(hostMaps.vnics);
    this.paths = open(hostMaps.paths);
    this.steerings = open(hostMaps.steerings);
    this.addresses = open(hostMaps.vnic_addresses);
    this.flowSeeds = open(hostMaps.flow_seeds);
    this.flows = open(hostMaps.flows);
    this.remotes = open(hostMaps.remotes);
    this.seen = open(hostMaps.seen_addresses);
    this.clearIndex();
  }

  /** Un-pinned: gone with the process. */
  static async load(variant: Variant): Promise<Subject> {
    const programs: readonly ProgramName[] = ['steer_uplink', 'steer_guest', 'steer_queue', 'steer_tap'];
    const object = BpfObject.open(hostObjectPath, {
      maxEntries: { flows: variant.flowsPerVnic * ContractLimit.MAX_VNICS, cpus: possibleCpus() },
      rodata: {
        flows_per_vnic: word(variant.flowsPerVnic),
        frozen_tick: word(variant.tick),
        uplink_partial_checksum: Buffer.from([variant.uplinkPartialChecksum ? 1 : 0]),
      },
      programs,
      asPlainXdp: ['steer_queue'],
    });
    await object.load();
    return new Subject(object, variant);
  }

  close(): void {
    this.#events.close();
    for (const ring of this.#rings.values()) ring.close();
    this.#object.close();
  }

  run(program: Exclude<ProgramName, 'steer_tap'>, frame: Uint8Array, how: Parameters<FrameRunner['run']>[2]): number {
    return this.runner.run(this.#programs[program], frame, how);
  }

  runTap(frame: Uint8Array, how: Parameters<SkbRunner['run']>[2]): number {
    return this.skbRunner.run(this.#programs.steer_tap, frame, how);
  }

  /** An empty ring of so many bytes for the vNIC, or none. One that is right already stays: a new one takes a grace period of RCU. */
  setRing(id: number, bytes: number | null): void {
    const present = this.#rings.get(id);
    if (present?.size === bytes) {
      this.drain(id, Infinity);
      return;
    }
    present?.close();
    this.#rings.delete(id);
    const holds = this.#object.map('holds');
    if (bytes === null) {
      deleteInner(holds, id);
      return;
    }
    const map = createRing('hold', bytes);
    setInner(holds, id, map);
    this.#rings.set(id, new RingBuffer(map));
    map.close();
  }

  ring(id: number): RingBuffer | undefined {
    return this.#rings.get(id);
  }

  /** So many frames of those that wait longest go. */
  drain(id: number, frames: number): void {
    this.#rings.get(id)?.drain(() => true, frames);
  }

  clearIndex(): void {
    this.#slots.fill(0);
    this.#index = new VnicIndex(this.#slots, () => undefined);
  }

  publish(key: bigint, vnic: number, role: PortRole): void {
    this.#index.withdraw(key);
    this.#index.publish(key, { vnic, role: role === Role.VF ? 'vf' : 'tap' });
  }

  withdraw(key: bigint): void {
    this.#index.withdraw(key);
  }

  setRssKey(row: number, key: Uint8Array): void {
    this.#object.map('rss').set(word(row), encodedRss(key));
  }

  setCapturing(capturing: boolean): void {
    const metas = this.#object.map('metas');
    const meta = hostMaps.metas.value.read(metas.get(word(0))!);
    metas.set(word(0), encode(hostMaps.metas.value, { ...meta, capturing: capturing ? 1 : 0 }));
  }

  setTxPort(ifindex: number, there: boolean): void {
    const ports = this.#object.map('tx_ports');
    if (there) ports.set(word(ifindex), encode(hostMaps.tx_ports.value, { ifindex, bpfProg: 0 }));
    else ports.delete(word(ifindex));
  }

  setCpu(cpu: number, there: boolean): void {
    const cpus = this.#object.map('cpus');
    if (there) cpus.set(word(cpu), encode(hostMaps.cpus.value, { qsize: 64, bpfProg: 0 }));
    else cpus.delete(word(cpu));
  }

  /** What the last program on that CPU noted. */
  decision(cpu: number): Decision {
    return decisionCodec.read(this.#object.map('decisions').get(this.#decisionKey)!, cpu * decisionCodec.size);
  }

  clearCounters(id: number): void {
    const counters = this.#object.map('counters');
    counters.set(word(id), Buffer.alloc(counters.entrySize));
  }

  /** Of every CPU. */
  counters(first: number, count: number): VnicCounters[][] {
    const map = this.#object.map('counters');
    const rows = Buffer.alloc(count * map.entrySize);
    map.readRows(first, count, rows);
    return Array.from({ length: count }, (_, i) => Array.from({ length: possibleCpus() }, (_unused, cpu) =>
      vnicCountersCodec.read(rows, i * map.entrySize + cpu * vnicCountersCodec.size)));
  }

  clearRemotes(): void {
    const none = encode(hostMaps.remotes.value, { key: 0n, uplinkIfindex: 0, learnt: 0 });
    this.#object.map('remotes').setBatch(Array.from({ length: ContractLimit.REMOTE_SLOTS }, (_, slot) => [word(slot), none] as const));
  }

  readRemotes(into: Buffer): void {
    this.#object.map('remotes').readRows(0, ContractLimit.REMOTE_SLOTS, into);
  }

  setFlows(rows: Iterable<readonly [number, Flow]>): void {
    this.flows.setBatch(rows);
  }

  readFlows(first: number, count: number, into: Buffer): void {
    this.#object.map('flows').readRows(first, count, into);
  }

  /** Since the last call. */
  takeEvents(): Event[] {
    const events: Event[] = [];
    this.#events.consume((record) => events.push(eventCodec.read(record)));
    return events;
  }
}
