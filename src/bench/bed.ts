/**
 * What is measured, in the host's namespace: the host's programs and the bench's own, loaded, and their maps filled. The one place of
 * the bench that knows the rows of the contract.
 */
import { type BpfDevmapVal, ContractLimit, hostKnobs, hostMaps, type Reason, type VnicCounters } from '../../maps/generated/contract.js';
import { encode, type MapSpec, u32 } from '../btf/codec.js';
import { parseBtf } from '../btf/parse.js';
import { macBytes, parseMacAddress } from '../core/model.js';
import { portKey, vnicKey } from '../core/packet/keys.js';
import { evenSteering } from './even_steering.js';
import { fillCpus } from '../dataplane/cpus.js';
import { PathWords } from '../dataplane/path_word.js';
import { randomRssKey, rssRow } from '../dataplane/rss_table.js';
import { steeringKey, toSteering } from '../dataplane/steering_row.js';
import { VnicIndex } from '../dataplane/vnic_index.js';
import { toVnic } from '../dataplane/vnic_row.js';
import { possibleCpus } from '../native/cpus.js';
import { BpfMap, PerCpuMap, type RawMap } from '../native/map.js';
import { BpfObject } from '../native/object.js';
import type { BpfProgram } from '../native/program.js';
import { benchObjectPath } from '../paths.js';
import { type BenchFrame, benchFrame, FLOWS_PER_VNIC, type Shape } from './frames.js';
import { benchMac } from './stage.js';
import { type Variation, vary } from './variation.js';

/** Of the port and of the guest's device; queue q is served by CPU q. */
export const QUEUES = 2;
/** vNIC ids are the last byte of their MAC addresses. */
export const MOST_VNICS = 254;
const FRAME_MAX = 1514;
/** Behind the uplink. */
export const STATION = Buffer.from('020000be7cff', 'hex');
/** A sample is the mean of so many test runs: the kernel tells whole ns only. */
const RUNS_PER_SAMPLE = 4;
const FRAMES_PER_RUN = 50_000;

/** Indexes of bench.bpf.c's `stages`. */
const STAGES = { empty: 0, pass: 1, redirect: 2, steer: 3, guest: 4, handover: 5 } as const;
/** Indexes of bench.bpf.c's `targets`. */
const TARGETS = { port: 0, wire: 1 } as const;

export interface BedPlace {
  /** Where frames come in. */
  readonly uplink: number;
  /** Where they go: the port of the VF, or the tap. */
  readonly port: number;
}

export interface BedVnic {
  readonly id: number;
  /** Default `accelerated`: the port stands for the VF. On `software` it is the tap, with or without cut-through. */
  readonly path?: 'accelerated' | 'software';
  readonly cutThrough?: boolean;
  /** CPUs that serve the queues of the indirection table in turn. */
  readonly cpus: readonly number[];
  readonly vlan?: number;
  /** Instead of the place's. */
  readonly port?: number;
  /** An entry of its own for the port in the map of ports. */
  readonly ownPort?: boolean;
}

/** What was learnt so long ago is learnt again; unipath forgets it after half a minute. */
const LEARNT_FOR_MS = 8000;

/** Keys of `tx_ports` that are no ifindex of the bench's namespaces. */
const FIRST_OWN_PORT = 100_000;

export class Bed {
  readonly place: BedPlace;
  readonly bench: BpfObject;
  readonly rssKey = randomRssKey();
  readonly #host: BpfObject;
  readonly #counters: PerCpuMap<number, VnicCounters>;
  readonly #index: VnicIndex;
  readonly #paths: PathWords;
  readonly #variations: RawMap;
  /** By vNIC. */
  readonly #learnt = new Map<number, { readonly flows: number; readonly atMs: number }>();

  private constructor(host: BpfObject, bench: BpfObject, place: BedPlace) {
    this.place = place;
    this.bench = bench;
    this.#host = host;
    this.#counters = new PerCpuMap(host.map('counters'), hostMaps.counters.key, hostMaps.counters.value);
    this.#index = new VnicIndex(host.map('vnic_slots').mmap(), () => undefined);
    this.#paths = new PathWords(host.map('paths').mmap());
    this.#variations = bench.map('variations');
    this.#fill();
  }

  /** @param object the host's programs */
  static async prepare(object: string, place: BedPlace): Promise<Bed> {
    const maxEntries = { flows: ContractLimit.MAX_VNICS * FLOWS_PER_VNIC, cpus: Math.min(possibleCpus(), ContractLimit.MAX_CPUS) };
    const rodata = { flows_per_vnic: encode(hostKnobs.flows_per_vnic, FLOWS_PER_VNIC) };
    const host = BpfObject.open(object, { maxEntries, rodata, programs: ['steer_uplink', 'steer_guest', 'steer_queue'] });
    const bench = BpfObject.open(benchObjectPath, { maxEntries, rodata });
    await host.load();
    await bench.load();
    return new Bed(host, bench, place);
  }

  #open<K, V>(spec: MapSpec<K, V>, object = this.#host): BpfMap<K, V> {
    return new BpfMap(object.map(spec.name), spec.key, spec.value);
  }

  #fill(): void {
    const stages = this.bench.map('stages');
    const put = (stage: number, program: BpfProgram): void => stages.set(encode(u32, stage), encode(u32, program.fd));
    put(STAGES.empty, this.bench.program('bench_empty'));
    put(STAGES.pass, this.bench.program('bench_pass'));
    put(STAGES.redirect, this.bench.program('bench_redirect'));
    put(STAGES.steer, this.steerUplink);
    put(STAGES.guest, this.steerGuest);
    const port = { ifindex: this.place.port, bpfProg: 0 };
    put(STAGES.handover, this.bench.program('bench_handover'));
    this.#targets.set(TARGETS.port, port);
    for (const object of [this.#host, this.bench]) this.#open(hostMaps.rss, object).set(0, rssRow(this.rssKey));
    const txPorts = this.#open(hostMaps.tx_ports);
    txPorts.set(this.place.port, port);
    txPorts.set(this.place.uplink, { ifindex: this.place.uplink, bpfProg: 0 });
    fillCpus(this.#host.map('cpus'), this.#host.program('steer_queue'));
    fillCpus(this.bench.map('cpus'), this.bench.program('bench_queue'));
  }

  get #targets(): BpfMap<number, BpfDevmapVal> {
    return new BpfMap(this.bench.map('targets'), u32, hostMaps.tx_ports.value);
  }

  /** What bench_wire gets goes there. @param ifindex in the calling thread's namespace */
  setWire(ifindex: number): void {
    this.#targets.set(TARGETS.wire, { ifindex, bpfProg: 0 });
  }

  get steerUplink(): BpfProgram {
    return this.#host.program('steer_uplink');
  }

  get steerGuest(): BpfProgram {
    return this.#host.program('steer_guest');
  }

  /** Maps of the host's object, for programming them. */
  get steerings() {
    return this.#open(hostMaps.steerings);
  }

  get counters(): RawMap {
    return this.#host.map('counters');
  }

  get flows() {
    return this.#open(hostMaps.flows);
  }

  /** Makes a vNIC known, or changes it. */
  setVnic({ id, path = 'accelerated', cutThrough = false, cpus, vlan = 0, port = this.place.port, ownPort = false }: BedVnic): void {
    const mac = parseMacAddress(benchMac(id));
    const { uplink } = this.place;
    const target = ownPort ? FIRST_OWN_PORT + id : port;
    this.#open(hostMaps.tx_ports).set(target, { ifindex: port, bpfProg: 0 });
    this.#open(hostMaps.vnics).set(id, toVnic({
      mac, vlans: [vlan], access: false, addresses: null, maxRate: null, tapIfindex: port, vfIfindex: path === 'accelerated' ? target : 0,
      uplinkIfindex: uplink, tapFrameMax: FRAME_MAX, vfFrameMax: FRAME_MAX, uplinkFrameMax: FRAME_MAX, tapMultiBuffer: false,
      vfMultiBuffer: false, uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false, cutThrough, plugin: true, operatorWant: null,
    }));
    const steering = toSteering(evenSteering(QUEUES, cpus));
    for (const role of ['tap', 'vf'] as const) this.#open(hostMaps.steerings).set(steeringKey(id, role), steering);
    this.#paths.change(id, { path, vfAllowed: path === 'accelerated' });
    const key = vnicKey(macBytes(mac), vlan);
    if (this.#index.find(key) === null) this.#index.publish(key, { vnic: id, role: 'tap' });
    this.#ownPort(port, id, path);
  }

  /** Frames from the port are this vNIC's from now on. */
  #ownPort(port: number, vnic: number, path: 'accelerated' | 'software'): void {
    const key = portKey(port);
    this.#index.withdraw(key);
    this.#index.publish(key, { vnic, role: path === 'accelerated' ? 'vf' : 'tap' });
  }

  /** A frame from the station to a vNIC, or the reply to it. */
  frame(vnic: number, shape: Shape, flow = 0, reply = false): BenchFrame {
    const mac = macBytes(parseMacAddress(benchMac(vnic)));
    return benchFrame(reply ? { from: mac, to: STATION } : { from: STATION, to: mac }, shape, flow, reply);
  }

  vary(variation: Variation, frame: BenchFrame): void {
    vary(this.#variations, variation, frame);
  }

  /**
   * The vNIC's guest transmits on its first flows, on the queue of `cpu`, unless it has lately. Two flows may want the same slot, so not
   * all are learnt.
   */
  learn({ id, path = 'accelerated', port = this.place.port }: BedVnic, flows: number, cpu: number): void {
    const [before, now] = [this.#learnt.get(id), performance.now()];
    if (before !== undefined && before.flows >= flows && now - before.atMs < LEARNT_FOR_MS) return;
    this.#learnt.set(id, { flows, atMs: now });
    const reply = this.frame(id, { version: 4, l4: 'udp' }, 0, true);
    this.#ownPort(port, id, path);
    this.vary({ flows, order: 'turns', firstVnic: id }, reply);
    this.bench.program('vary_guest').testRun({ data: reply.bytes, ingressIfindex: port, rxQueue: cpu % QUEUES, repeat: flows });
  }

  /** ns per frame by the kernel's clock; no verdict is carried out. */
  costOf(program: string | BpfProgram, frame: Buffer, frames = FRAMES_PER_RUN): number {
    const tested = typeof program === 'string' ? this.bench.program(program) : program;
    let sum = 0;
    for (let i = 0; i < RUNS_PER_SAMPLE; i++) {
      sum += tested.testRun({ data: frame, ingressIfindex: this.place.uplink, repeat: frames }).durationNs;
    }
    return sum / RUNS_PER_SAMPLE;
  }

  /**
   * Sends live frames, so verdicts are carried out; returns ns per frame on the sending CPU. The process must have been started in the
   * host's namespace.
   */
  async send(program: string, frame: Buffer, frames: number): Promise<number> {
    const live = { data: frame, ingressIfindex: this.place.uplink, repeat: frames };
    return (await this.bench.program(program).sendLiveFrames(live)).durationNs;
  }

  /** Frames of these vNICs so far, by reason. */
  reasonCount(reason: Reason, ids: readonly number[]): number {
    return this.#sum(ids, ({ reasons }) => reasons[reason]?.packets ?? 0n);
  }

  handovers(ids: readonly number[]): number {
    return this.#sum(ids, ({ cpuHandovers }) => cpuHandovers);
  }

  #sum(ids: readonly number[], count: (counters: VnicCounters) => bigint): number {
    const rows = ids.flatMap((id) => this.#counters.getAll(id) ?? []);
    return Number(rows.reduce((total, counters) => total + count(counters), 0n));
  }

  /** The last field of bench.bpf.c's `scratch`: hits of the table loops so far. */
  tableHits(): number {
    const scratch = parseBtf(this.bench.btf()).variables('.bss').find(({ name }) => name === 'scratch');
    if (scratch === undefined) throw new Error('bench.bpf.o has no scratch area');
    return this.bench.map('.bss').mmap().readUInt32LE(scratch.offset + scratch.size - 4);
  }

  close(): void {
    this.#host.close();
    this.bench.close();
  }
}
