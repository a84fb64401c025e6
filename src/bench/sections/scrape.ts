/**
 * A scrape of as many vNICs and queues as one adapter can have: counters from the kernel's map, statuses that are made up. Against the same
 * series as objects of prom-client, one update of each per scrape, and its rendering; and against the time for which a scrape may keep the
 * daemon from everything else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Gauge, Registry } from 'prom-client';
import { ContractLimit, vnicCountersCodec } from '../../../maps/generated/contract.js';
import { encode, u32 } from '../../btf/codec.js';
import type { VnicBrief } from '../../control/controller.js';
import { CounterRows } from '../../dataplane/tallies.js';
import type { PortStatistics } from '../../metrics/port_counts.js';
import { Metrics } from '../../metrics/registry.js';
import { possibleCpus } from '../../native/cpus.js';
import type { RawMap } from '../../native/map.js';
import { Bed, MOST_VNICS } from '../bed.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { benchMac, ifindexOf, NAMES } from '../stage.js';

/** Of each VF: 254 times 8 is as many as an adapter's 2048 allow. And of each tap. */
const QUEUES = 8;
/** For so long may one turn of a scrape keep the daemon from everything else. */
const TURN_MS = 5;
const WARM_UPS = 5;
const SWEEP_MS = 30;
const IDS = Array.from({ length: MOST_VNICS }, (_, i) => i + 1);

function brief(id: number): VnicBrief {
  const port = { queues: QUEUES, unreachable: [] };
  return {
    name: `guest-${id}`, mac: benchMac(id), vlans: [0], adapter: 'nic0', tap: `tap-${id}`, want: 'accelerated', path: 'accelerated',
    phase: 'accelerated', reason: 'none', tap_queues: port, vf_queues: port,
  };
}

/** Counters of a busy vNIC, others at every turn. Those that no frame ever comes to stand still, as they do. */
function counters(id: number, turn: number): Buffer {
  const count = (i: number): bigint => BigInt(i < QUEUES ? 1_000_000 * id + 1000 * turn + i : 0);
  const tally = (i: number) => ({ packets: count(i), bytes: count(i) * 1500n });
  const queues = Array.from({ length: ContractLimit.MAX_QUEUES }, (_, i) => count(i));
  const reasons = vnicCountersCodec.read(Buffer.alloc(vnicCountersCodec.size)).reasons.map((_, i) => tally(i));
  const value = encode(vnicCountersCodec, {
    reasons, tapQueues: queues, vfQueues: queues, fromTap: tally(1), fromVf: tally(2), cpuHandovers: count(3), flowsLearnt: count(4),
    flowsMoved: count(5), pathChanges: 0n, flowsReplaced: 0n, flowsExpired: count(6),
  });
  return Buffer.concat(Array.from({ length: possibleCpus() }, () => value));
}

function metricsOf(map: RawMap): Metrics {
  const rows = new CounterRows(map);
  const nobody = (): (() => void) => () => undefined;
  const briefs = IDS.map(brief);
  const ports = IDS.map((id) => ({ vnic: `guest-${id}`, software: id, accelerated: MOST_VNICS + id }));
  let frames = 0;
  const statistics = (): PortStatistics => {
    frames += 1000;
    return new Map(ports.flatMap(({ software, accelerated }) => [software, accelerated]).map((port) => [port, { txFrames: frames, txBytes: frames * 1500, txDropped: 0 }]));
  };
  const ids = new Map(IDS.map((id) => [id, `guest-${id}`]));
  return new Metrics({
    version: '',
    controller: {
      health: () => ({ lastReconcileAgeMs: 0, error: null }), adapterStatus: () => [], quotaStatus: () => [], vnicBriefs: () => briefs, vnicPorts: () => ports, vnicIds: () => ids,
      onEvent: nobody, onLook: nobody,
    },
    dataPlane: {
      tallies: (wanted = IDS) => rows.read(wanted), redirectErrors: () => [], guestDrops: () => [], eventsLost: () => 0n, mapUsage: () => [], programRuns: () => [], attachments: () => [],
    },
    statistics: async () => statistics(),
    vms: () => ({ vms: [], problems: {} }),
  });
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function samplesOf(text: string): Sample[] {
  return [...text.matchAll(/^(unipath_\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name, labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', of = '']) => [label, of])), value: Number(value),
  }));
}

/** One object for each family, as prom-client has it. */
function objectsOf(samples: readonly Sample[]): () => Promise<string> {
  const registry = new Registry();
  const gauges = new Map<string, Gauge>();
  for (const { name, labels } of samples) {
    if (!gauges.has(name)) gauges.set(name, new Gauge({ name, help: 'x', labelNames: Object.keys(labels), registers: [registry] }));
  }
  return () => {
    for (const { name, labels, value } of samples) gauges.get(name)?.set(labels, value);
    return registry.metrics();
  };
}

/** Of the process, ms: time that other processes have the CPU does not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The collector's own threads sweep on for a while, and their time is the process's. */
async function cleanUp(): Promise<void> {
  collectGarbage();
  await sleep(SWEEP_MS);
}

/** CPU time, ms. What others have left to the garbage collector is not its. */
async function cost(work: () => Promise<unknown>): Promise<number> {
  await cleanUp();
  const start = cpuMs();
  await work();
  return cpuMs() - start;
}

/** The most CPU time, ms, between two turns of the event loop. To look at the time at each of them is not cheap: the cost is taken without. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  await cleanUp();
  let [last, longest, isOver] = [cpuMs(), 0, false];
  const turn = (): void => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  return longest;
}

const collectGarbage: () => void = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

export const scrape: Section = {
  raise: () => Promise.resolve(),

  async measure({ netns, cpu, rounds, object }) {
    const uplink = await ifindexOf(netns.host, NAMES.uplink);
    const bed = await Bed.prepare(object, { uplink, port: uplink });
    try {
      const metrics = metricsOf(bed.counters);
      let turn = 0;
      const count = (): void => bed.counters.setBatch(IDS.map((id) => [encode(u32, id), counters(id, turn)] as const));
      const scraped = async (): Promise<string> => Buffer.concat(await metrics.render()).toString();
      count();
      const samples = samplesOf(await scraped());
      const objects = objectsOf(samples);
      const longest: number[] = [];
      const byUs = async (): Promise<number> => {
        turn++;
        count();
        longest.push(await longestTurn(() => metrics.render()));
        turn++;
        count();
        return cost(() => metrics.render());
      };
      const byObjects = (): Promise<number> => cost(objects);
      for (let i = 0; i < WARM_UPS; i++) await byUs(); // a process that has been running for a while
      for (let i = 0; i < WARM_UPS; i++) await byObjects();
      longest.length = 0;
      const finder = new Finder();
      const measured = finder.used(await measureRounds({ scrape: byUs, objects: byObjects }, {
        rounds: Math.max(3, Math.round(rounds / 2)), cpus: [cpu], progress: showProgress('scrape'),
      }));
      finder.ratio('scrape', measured.ratios('scrape', 'objects'));
      finder.ratio('scrape-turn', longest.map((ms) => ms / TURN_MS));
      finder.figure(`scrape, ${MOST_VNICS} vNICs, ${samples.length} series`, 'ms of CPU', measured.values('scrape'));
      finder.figure('the same series by prom-client', 'ms of CPU', measured.values('objects'));
      finder.figure('longest turn of a scrape', 'ms of CPU', longest);
      return finder.findings();
    } finally {
      bed.close();
    }
  },
};
