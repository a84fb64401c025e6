/** What is measured: both objects loaded, their maps filled for the stage. Runs in the host's namespace. */
import { ContractLimit, HashType, hostMaps, Reason, type VnicCounters } from '../../maps/generated/contract.js';
import { encode, type MapSpec, u32 } from '../btf/codec.js';
import { parseMacAddress } from '../core/model.js';
import { fillCpus } from '../dataplane/cpus.js';
import { PathWords } from '../dataplane/path_word.js';
import type { SteeringRow } from '../dataplane/port.js';
import { randomRssKey, rssRow } from '../dataplane/rss_table.js';
import { steeringKey, toSteering } from '../dataplane/steering_row.js';
import { portKey, VnicIndex, vnicKey } from '../dataplane/vnic_index.js';
import { macBytes, toVnic } from '../dataplane/vnic_row.js';
import { BpfMap, PerCpuMap } from '../native/map.js';
import { BpfObject } from '../native/object.js';
import { possibleCpus } from '../native/cpus.js';
import type { BpfProgram } from '../native/program.js';
import { benchObjectPath, hostObjectPath } from '../paths.js';
import { udpFrame } from './frames.js';
import type { MeasuredProgram, Way, WorkerOptions } from './model.js';
import { benchMac } from './stage.js';

/** vNICs of the bench: one whose flows are learnt, one whose never are, one whose queue another CPU serves. */
const RFS_VNIC = 1;
const RSS_VNIC = 2;
const CPUMAP_VNIC = 3;
export const BENCH_VNICS = 3;

const FLOWS = 256;
const FLOWS_PER_VNIC = 4096;
const FRAME_MAX = 1514;
/** Queues of the guest's device; queue q is served by CPU q. */
export const QUEUES = 2;
const STATION = Buffer.from('020000be7cff', 'hex');

/** Indexes of bench.bpf.c's `stages`. */
const STAGES = { empty: 0, pass: 1, redirect: 2, steer: 3 } as const;

export interface Measured {
  readonly program: BpfProgram;
  readonly frame: Buffer;
}

export class Subject {
  readonly ways: ReadonlyMap<Way, Measured>;
  readonly programs: ReadonlyMap<MeasuredProgram, Measured>;
  readonly uplinkIfindex: number;
  readonly #counters: PerCpuMap<number, VnicCounters>;
  readonly #host: BpfObject;
  readonly bench: BpfObject;

  private constructor(host: BpfObject, bench: BpfObject, ifindexes: Ifindexes, options: WorkerOptions) {
    this.uplinkIfindex = ifindexes.uplink;
    this.#host = host;
    this.bench = bench;
    this.#counters = new PerCpuMap(host.map('counters'), hostMaps.counters.key, hostMaps.counters.value);
    const run = (program: string, vnic: number, version: 4 | 6 = 4): Measured => ({
      program: bench.program(program),
      frame: udpFrame(version, { from: STATION, to: macBytes(parseMacAddress(benchMac(vnic))) }),
    });
    const steered = [
      ['rfs', run('vary_steer', RFS_VNIC)],
      ['rss4', run('vary_steer', RSS_VNIC)],
      ['rss6', run('vary_steer', RSS_VNIC, 6)],
      ...(options.otherCpu === null ? [] : [['cpumap', run('vary_steer', CPUMAP_VNIC)] as const]),
    ] as const;
    const redirect = ['redirect', run('vary_redirect', RSS_VNIC)] as const;
    this.ways = new Map<Way, Measured>([['bridge', run('vary_pass', RSS_VNIC)], redirect, ...steered]);
    this.programs = new Map<MeasuredProgram, Measured>([['empty', run('vary_empty', RSS_VNIC)], redirect, ...steered]);
    fillStages(host, bench);
    fillBenchTarget(bench, ifindexes.port);
    fillHostMaps(host, ifindexes, options);
    learnFlows(host, ifindexes.port, options.cpu);
  }

  /** @param hostObject another build of the host's programs, to compare with */
  static async prepare(ifindexes: Ifindexes, options: WorkerOptions, hostObject = hostObjectPath): Promise<Subject> {
    const host = BpfObject.open(hostObject, {
      maxEntries: { flows: ContractLimit.MAX_VNICS * FLOWS_PER_VNIC, cpus: Math.min(possibleCpus(), ContractLimit.MAX_CPUS) },
      programs: ['steer_uplink', 'steer_guest', 'steer_queue'],
    });
    await host.load();
    const bench = BpfObject.open(benchObjectPath);
    await bench.load();
    return new Subject(host, bench, ifindexes, options);
  }

  /** Frames that unipath steered in that way so far; null for the ways that are not unipath's. */
  steered(way: Way): number | null {
    const sum = (vnic: number, count: (counters: VnicCounters) => bigint): number =>
      Number((this.#counters.getAll(vnic) ?? []).reduce((total, counters) => total + count(counters), 0n));
    const byReason = (reason: Reason) => ({ reasons }: VnicCounters): bigint => reasons[reason]?.packets ?? 0n;
    switch (way) {
      case 'bridge': case 'redirect': return null;
      case 'rfs': return sum(RFS_VNIC, byReason(Reason.REDIRECT_RFS));
      case 'rss4': case 'rss6': return sum(RSS_VNIC, byReason(Reason.REDIRECT_RSS));
      case 'cpumap': return sum(CPUMAP_VNIC, ({ cpuHandovers }) => cpuHandovers);
    }
  }

  close(): void {
    this.#host.close();
    this.bench.close();
  }
}

export interface Ifindexes {
  readonly uplink: number;
  readonly port: number;
  /** In the guest's namespace. */
  readonly device: number;
}

function fillStages(host: BpfObject, bench: BpfObject): void {
  const stages = bench.map('stages');
  const put = (stage: number, program: BpfProgram): void => stages.set(encode(u32, stage), encode(u32, program.fd));
  put(STAGES.empty, bench.program('bench_empty'));
  put(STAGES.pass, bench.program('bench_pass'));
  put(STAGES.redirect, bench.program('bench_redirect'));
  put(STAGES.steer, host.program('steer_uplink'));
}

function fillBenchTarget(bench: BpfObject, port: number): void {
  new BpfMap(bench.map('target'), u32, hostMaps.tx_ports.value).set(0, { ifindex: port, bpfProg: 0 });
}

function fillHostMaps(host: BpfObject, { uplink, port }: Ifindexes, { cpu, otherCpu }: WorkerOptions): void {
  const open = <K, V>(spec: MapSpec<K, V>): BpfMap<K, V> => new BpfMap(host.map(spec.name), spec.key, spec.value);
  open(hostMaps.rss).set(0, rssRow(randomRssKey()));
  open(hostMaps.tx_ports).set(port, { ifindex: port, bpfProg: 0 });
  fillCpus(host.map('cpus'), host.program('steer_queue'));
  const vnics = open(hostMaps.vnics);
  const steerings = open(hostMaps.steerings);
  const index = new VnicIndex(host.map('vnic_slots').mmap(), () => undefined);
  const paths = new PathWords(host.map('paths').mmap());
  for (let id = 1; id <= BENCH_VNICS; id++) {
    const mac = parseMacAddress(benchMac(id));
    vnics.set(id, toVnic({
      mac, vlans: [0], access: false, addresses: null, tapIfindex: uplink, vfIfindex: port, uplinkIfindex: uplink,
      tapFrameMax: FRAME_MAX, vfFrameMax: FRAME_MAX, uplinkFrameMax: FRAME_MAX, tapMultiBuffer: false, vfMultiBuffer: false,
      uplinkMultiBuffer: false, cutThrough: false, plugin: true, operatorWant: null,
    }));
    paths.change(id, { path: 'accelerated', vfAllowed: true });
    steerings.set(steeringKey(id, 'vf'), toSteering(steeringFor(id === CPUMAP_VNIC ? otherCpu ?? cpu : cpu)));
    index.publish(vnicKey(macBytes(mac), 0), { vnic: id, role: 'tap' });
    if (id === RFS_VNIC) index.publish(portKey(port), { vnic: id, role: 'vf' });
  }
}

/** Every bucket on the queue of that CPU. */
function steeringFor(cpu: number): SteeringRow {
  return {
    queues: QUEUES,
    reta: new Array<number>(ContractLimit.RETA_SIZE).fill(cpu % QUEUES),
    queueCpus: Array.from({ length: QUEUES }, (_, queue) => (cpu % QUEUES === queue ? cpu : null)),
    hashTypes: HashType.DEFAULT,
    rssRow: 0,
  };
}

/** The guest of RFS_VNIC transmits on every flow, on the queue of the measuring CPU. */
function learnFlows(host: BpfObject, port: number, cpu: number): void {
  const macs = { from: macBytes(parseMacAddress(benchMac(RFS_VNIC))), to: STATION };
  for (let flow = 0; flow < FLOWS; flow++) {
    host.program('steer_guest').testRun({ data: udpFrame(4, macs, flow, true), ingressIfindex: port, rxQueue: cpu % QUEUES });
  }
}
