/**
 * Frames whose queue another CPU serves: through the cpumap, without loss, against the direct redirect.
 *
 * The source looks at the sink's count and waits while more than LIMIT frames are under way, so the ring between the CPUs (2048) never
 * overflows: what is measured is the rate of the slower CPU, from the first frame sent to the last one at the sink, by the kernel's
 * clock. The direct redirect goes through the same source.
 */
import { toeplitzHash, rssInput4Tuple } from '../../core/toeplitz.js';
import { Bed, QUEUES } from '../bed.js';
import { type BenchFrame, benchFrame, FLOWS_PER_VNIC } from '../frames.js';
import { evenSteering } from '../even_steering.js';
import type { SectionContext } from '../model.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { settledArrivals, XdpSink } from '../sink.js';
import { addGuestVeth, ifindexOf, NAMES } from '../stage.js';

const DIRECT_VNIC = 1;
const REMOTE_VNIC = 2;
const SPREAD_VNIC = 3;
const LIMIT = 1024;
/** A multiple of what the sink stamps. */
const FRAMES_UNIT = 64;

export const cpumap: Section = {
  raise: (netns) => addGuestVeth(netns, QUEUES),

  async measure(context) {
    const { netns, cpu, otherCpu, rounds, sliceNs, object } = context;
    const finder = new Finder();
    if (otherCpu === null) {
      finder.remark('cpumap: not measured, there is no second CPU.');
      return finder.findings();
    }
    const place = { uplink: await ifindexOf(netns.host, NAMES.uplink), port: await ifindexOf(netns.host, NAMES.port) };
    const bed = await Bed.prepare(object, place);
    try {
      bed.setVnic({ id: DIRECT_VNIC, cpus: [cpu] });
      bed.setVnic({ id: REMOTE_VNIC, cpus: [otherCpu] });
      bed.setVnic({ id: SPREAD_VNIC, cpus: [cpu, otherCpu] });
      const sink = await XdpSink.open(bed.bench, netns.guest, NAMES.device);
      const pump = new Pump(bed, sink, otherCpu);
      const frames = Math.max(64, Math.round((2 * sliceNs) / 250 / FRAMES_UNIT)) * FRAMES_UNIT;
      const allOn = (last: number): number[] => Array.from({ length: QUEUES }, (_, queue) => (queue === last % QUEUES ? frames : 0));
      const shares: number[] = [];
      const measured = finder.used(await measureRounds({
        redirect: () => pump.run('pace_redirect', DIRECT_VNIC, frames).then(({ nsPerFrame }) => nsPerFrame),
        direct: () => pump.run('pace_steer', DIRECT_VNIC, frames).then(({ nsPerFrame }) => nsPerFrame),
        minimal: () => pump.run('pace_handover', DIRECT_VNIC, frames).then(({ nsPerFrame }) => nsPerFrame),
        handover: async () => {
          const { nsPerFrame, byQueue } = await pump.run('pace_steer', REMOTE_VNIC, frames);
          shares.push(shareAsComputed(byQueue, allOn(otherCpu), frames));
          return nsPerFrame;
        },
        spread: async () => {
          const wanted = spreadByHash(bed, frames, context);
          const { nsPerFrame, byQueue } = await pump.run('pace_steer', SPREAD_VNIC, frames);
          shares.push(shareAsComputed(byQueue, wanted, frames));
          return nsPerFrame;
        },
      }, { rounds, cpus: [cpu, otherCpu], progress: showProgress('cpumap') }));
      if (bed.handovers([REMOTE_VNIC]) === 0) throw new Error('no frame went through the cpumap');
      sink.close();
      finder.ratio('cpumap', measured.ratios('redirect', 'handover'));
      finder.ratio('cpumap-minimal', measured.ratios('minimal', 'handover'));
      finder.ratio('right-queue', shares);
      const rate = (ns: number): number => 1e3 / ns;
      finder.figure('minimal redirect_map, direct, paced source', 'Mpps', measured.values('redirect').map(rate));
      finder.figure('unipath RSS, direct, paced source', 'Mpps', measured.values('direct').map(rate));
      finder.figure('minimal program, every frame through the cpumap', 'Mpps', measured.values('minimal').map(rate));
      finder.figure('unipath RSS, every frame through the cpumap', 'Mpps', measured.values('handover').map(rate));
      finder.figure('unipath RSS, half of the flows through the cpumap', 'Mpps', measured.values('spread').map(rate));
      finder.figure('every frame through the cpumap, by unipath RSS direct', 'x', measured.ratios('direct', 'handover'));
      finder.figure('half of the flows through the cpumap, by minimal redirect_map', 'x', measured.ratios('redirect', 'spread'));
      finder.remark(`cpumap: the source waits while more than ${LIMIT} frames are under way; the rate is that of the slower CPU, from ` +
        'the first frame sent to the last one at the sink, and every frame arrives. Two CPUs work here, one for the direct redirect.');
      return finder.findings();
    } finally {
      bed.close();
    }
  },
};

/** Share of the frames that are where the hash says; 1 only if each queue has exactly its number. */
function shareAsComputed(byQueue: readonly number[], wanted: readonly number[], frames: number): number {
  const astray = byQueue.reduce((sum, arrived, queue) => sum + Math.max(0, arrived - (wanted[queue] ?? 0)), 0);
  return (frames - astray) / frames;
}

/** How many frames of SPREAD_VNIC each queue must get, computed here: flow by flow, as many frames as the turns give it. */
function spreadByHash(bed: Bed, frames: number, { cpu, otherCpu }: SectionContext): number[] {
  const { reta } = evenSteering(QUEUES, [cpu, otherCpu ?? cpu]);
  const wanted = new Array<number>(QUEUES).fill(0);
  for (let flow = 0; flow < FLOWS_PER_VNIC; flow++) {
    const frame = benchFrame({ from: Buffer.alloc(6), to: Buffer.alloc(6) }, { version: 4, l4: 'udp' }, flow).bytes;
    const input = rssInput4Tuple(frame.subarray(26, 30), frame.subarray(30, 34), frame.readUInt16BE(34), frame.readUInt16BE(36));
    const queue = reta[toeplitzHash(bed.rssKey, input) % reta.length] ?? 0;
    const turns = Math.floor(frames / FLOWS_PER_VNIC) + (flow < frames % FLOWS_PER_VNIC ? 1 : 0);
    wanted[queue] = (wanted[queue] ?? 0) + turns;
  }
  return wanted;
}

/** Sends paced frames and times them from end to end. */
class Pump {
  readonly #bed: Bed;
  readonly #sink: XdpSink;
  readonly #pace: Buffer;

  readonly #otherCpu: number;

  constructor(bed: Bed, sink: XdpSink, otherCpu: number) {
    this.#bed = bed;
    this.#sink = sink;
    this.#pace = bed.bench.map('paces').mmap();
    this.#otherCpu = otherCpu;
  }

  /** @throws Error when a frame is lost */
  async run(program: string, vnic: number, frames: number): Promise<{ nsPerFrame: number; byQueue: number[] }> {
    const frame: BenchFrame = this.#bed.frame(vnic, { version: 4, l4: 'udp' });
    this.#bed.vary({ flows: FLOWS_PER_VNIC, order: 'turns', firstVnic: vnic }, frame);
    this.#sink.reset();
    this.#pace.fill(0);
    this.#pace.writeBigUInt64LE(BigInt(LIMIT), 16);
    this.#pace.writeBigUInt64LE(BigInt(this.#otherCpu), 32);
    const sent = await this.#bed.send(program, frame.bytes, frames);
    const arrived = await settledArrivals(this.#sink, frames);
    if (arrived !== frames) throw new Error(`${program}: of ${frames} frames ${arrived} arrived`);
    const firstNs = Number(this.#pace.readBigUInt64LE(8));
    const byQueue = this.#sink.arrivedByQueue();
    // The last stamp of a queue whose share is no multiple of 64 is a little early: never earlier than the source's own end.
    const nsPerFrame = Math.max(sent, (this.#sink.lastNs() - firstNs) / frames);
    return { nsPerFrame, byQueue };
  }
}
