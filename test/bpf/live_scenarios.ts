/** Runs inside a namespace: live frames through steer_uplink, and what arrives behind the ports. Argument: the scenario. Prints JSON. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { u32, u64 } from '../../src/btf/codec.js';
import { PerCpuMap } from '../../src/native/map.js';
import { BpfObject } from '../../src/native/object.js';
import { XdpLink } from '../../src/native/link.js';
import { packageRoot } from '../../src/paths.js';
import { Bed, farEnd, rises } from './bed/bed.js';
import { accelerated, cutThrough } from './bed/given.js';
import { guestFrame, IP, type PortName, PORT_QUEUES, STATION, wireTo } from './bed/world.js';

const FLOWS = 16;
/** Per flow at once; fewer than a CPU's queue holds. */
const FRAMES = 32;
const STEPS = 100;

const bed = await Bed.create({ netns: 'current' });
const probe = BpfObject.open(join(packageRoot, 'bpf', 'probe.bpf.o'), { programs: ['probe_sink'] });
await probe.load();
const arrivals = new PerCpuMap(probe.map('arrivals'), u32, u64);

function ifindexOf(name: string): number {
  return (JSON.parse(execFileSync('ip', ['-j', 'link', 'show', 'dev', name], { encoding: 'utf8' })) as { ifindex: number }[])[0]!.ifindex;
}

/** Up, with the sink at the far end. */
function openPort(port: PortName): void {
  execFileSync('ip', ['link', 'set', 'dev', port, 'up']);
  execFileSync('ip', ['link', 'set', 'dev', farEnd(port), 'up']);
  XdpLink.attach(probe.program('probe_sink'), ifindexOf(farEnd(port)), 'native');
}

function arrivedByQueue(): number[] {
  return Array.from({ length: PORT_QUEUES }, (_, queue) => Number(arrivals.getAll(queue)!.reduce((sum, count) => sum + count, 0n)));
}

/** Frames may still wait for another CPU. */
async function until(done: () => boolean): Promise<void> {
  for (let step = 0; step < STEPS && !done(); step++) await sleep(5);
}

const flow = (port: number) => wireTo('g1').ip(IP.station, IP.g1).udp(port, 53).fillTo(60).build();

/** Sends all flows, waits for what should arrive, and says what did. */
async function sendFlows(): Promise<object> {
  const before = bed.tallies();
  const arrivedBefore = arrivedByQueue();
  for (let i = 0; i < FLOWS; i++) {
    await bed.sendLive(flow(1000 + i), 'pf0', FRAMES);
    await sleep(1);
  }
  const total = (): number => arrivedByQueue().reduce((sum, count, queue) => sum + count - arrivedBefore[queue]!, 0);
  await until(() => total() >= FLOWS * FRAMES);
  const risen = rises(before, bed.tallies());
  return {
    sent: FLOWS * FRAMES,
    arrived: arrivedByQueue().map((count, queue) => count - arrivedBefore[queue]!),
    counted: Object.fromEntries(Object.entries(risen).map(([name, count]) => [name, Number(count)])),
  };
}

const scenarios: Record<string, () => Promise<object>> = {
  async single() {
    openPort('vf1');
    accelerated('g1')(bed);
    return sendFlows();
  },
  async rss() {
    openPort('vf1');
    accelerated('g1')(bed);
    bed.setSteering('g1', 'vf', { queues: 2, reta: (bucket) => bucket & 1 });
    return sendFlows();
  },
  async rssOnTap() {
    openPort('tap1');
    cutThrough('g1')(bed);
    bed.setSteering('g1', 'tap', { queues: 2, reta: (bucket) => bucket & 1 });
    return sendFlows();
  },
  /** The guest sends all flows on queue 1; by RSS all would go to queue 0. */
  async rfs() {
    openPort('vf1');
    bed.setSteering('g1', 'vf', { queues: 2, reta: () => 0 });
    const reply = guestFrame('g1', STATION).ip(IP.g1, IP.station);
    for (let i = 0; i < FLOWS; i++) bed.run(reply.udp(53, 1000 + i).build(), { on: 'vf1', queue: 1 });
    accelerated('g1')(bed);
    return sendFlows();
  },
  /** The first stage hands over to CPU 1, whose second stage finds no port. */
  async secondStageWithoutTarget() {
    openPort('vf1');
    accelerated('g1')(bed);
    bed.setSteering('g1', 'vf', { queues: 2, reta: () => 1 });
    bed.forbid('vf1');
    execFileSync('taskset', ['--cpu-list', '--pid', '--all-tasks', '0', String(process.pid)]);
    return sendFlows();
  },
};

console.log(JSON.stringify(await scenarios[process.argv[2] ?? '']!()));
process.exit(0);
