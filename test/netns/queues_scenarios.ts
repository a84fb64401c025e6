/**
 * Runs inside a network namespace. Arguments: SCENARIO PINS. Sends live frames to vNICs whose ports have 1..8 queues and prints, as
 * JSON, on which queue each arrived and on which it should have.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContractLimit } from '../../maps/generated/contract.js';
import { parseMacAddress } from '../../src/core/model.js';
import { planSteering, unreachableQueues } from '../../src/core/queue_plan.js';
import { rssInput2Tuple, rssInput4Tuple, toeplitzHash } from '../../src/core/toeplitz.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import type { SteeringRow } from '../../src/dataplane/port.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { readNonBlocking, writeNonBlocking } from '../../src/native/io.js';
import { Pins } from '../../src/native/pins.js';
import { BpfProgram } from '../../src/native/program.js';
import { openTap } from '../../src/native/tap.js';
import { hostObjectPath } from '../../src/paths.js';
import { frame, type FrameBuilder, IpProtocol } from '../support/packet_builder.js';
import { addressBytes } from '../support/packet_layers.js';
import { FRAME_SIZE, flowMac, flowOfFrame, ifindexes, LiveFrames, pinProcess, until } from './live_frames.js';
import { judgeOrder, type Ordered, type OrderPhase, type QueueRun, type WrongFrame } from './queues_model.js';

const [, , scenarioName = '', pinsRoot = ''] = process.argv;
const MOST_QUEUES = 8;
const { RETA_SIZE, QUIET_TICKS } = ContractLimit;
/** maps/contract.h */
const LONGEST_TICK_MS = 26;
const KEY = Buffer.from(Array.from({ length: ContractLimit.RSS_KEY_SIZE }, (_, i) => (i * 73 + 41) & 0xff));
/** Of each flow in one run: fewer frames in all than a tap's queue holds. */
const FRAMES_PER_FLOW = 8;
/** Longer than a flow waits with its queue. */
const QUIET_MS = (QUIET_TICKS + 1) * LONGEST_TICK_MS;
/** Longer than a flow waits for one that met it in its slot. */
const TWICE_QUIET_MS = 2 * QUIET_MS;
const CPUS = onlineCpus();

type Role = 'vf' | 'tap';

/** One flow to a vNIC: its frame, the guest's answer, and what its hash covers. */
interface Flow {
  readonly title: string;
  readonly bytes: Buffer;
  /** What the guest sends; null where nothing is learnt from it. */
  readonly answer: Buffer | null;
  readonly hashInput: Uint8Array | null;
}

function guestMac(queues: number): string {
  return `52:54:00:00:00:0${queues}`;
}

const built = (builder: FrameBuilder): Buffer => builder.padTo(FRAME_SIZE).build();

interface Ends {
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
}

type Kind = (start: FrameBuilder, ends: Ends) => FrameBuilder;

/** Hashed over both addresses and both ports; the guest's answer is the same with the ends exchanged. */
const WITH_PORTS: Readonly<Record<string, readonly [4 | 6, Kind]>> = {
  'IPv4 UDP': [4, (start, { from, to, fromPort, toPort }) => start.ip(from, to).udp(fromPort, toPort).payload('x')],
  'IPv4 TCP': [4, (start, { from, to, fromPort, toPort }) => start.ip(from, to).tcp(fromPort, toPort)],
  'IPv6 UDP': [6, (start, { from, to, fromPort, toPort }) => start.ip(from, to).udp(fromPort, toPort).payload('x')],
  'IPv6 TCP': [6, (start, { from, to, fromPort, toPort }) => start.ip(from, to).tcp(fromPort, toPort)],
  'IPv6 UDP behind hop-by-hop options': [
    6, (start, { from, to, fromPort, toPort }) => start.ip(from, to).hopByHop().udp(fromPort, toPort).payload('x'),
  ],
};

/** Hashed over both addresses. */
const WITHOUT_PORTS: Readonly<Record<string, readonly [4 | 6, Kind]>> = {
  'IPv4 first fragment': [
    4, (start, { from, to, fromPort, toPort }) => start.ipv4({ from, to, fragment: { offset: 0, more: true } }).udp(fromPort, toPort),
  ],
  'IPv4 last fragment': [
    4, (start, { from, to }) => start.ipv4({ from, to, fragment: { offset: 1480, more: false }, protocol: IpProtocol.udp }).payload('rest'),
  ],
  'IPv6 fragment': [
    6, (start, { from, to }) => start.ipv6({ from, to, fragment: { offset: 0, more: true }, protocol: IpProtocol.udp }).payload('rest'),
  ],
  'ICMP': [4, (start, { from, to }) => start.ip(from, to).echo()],
  'ICMPv6': [6, (start, { from, to }) => start.ip(from, to).echoV6()],
};

/** Flows that were never there before: `run` is in their addresses and ports. */
function makeFlows(queues: number, run: number): Flow[] {
  const flows: Flow[] = [];
  const ends = (family: 4 | 6, i: number): Ends => {
    const [high, low] = [run >> 8, run & 0xff];
    const from = family === 4 ? `10.${high}.${low}.${i + 1}` : `2001:db8::${run.toString(16)}:${(i + 1).toString(16)}`;
    return { from, to: family === 4 ? '192.0.2.1' : '2001:db8:1::1', fromPort: 1024 + ((run * 97 + i * 13) % 60_000), toPort: 53 + i };
  };
  const add = (title: string, family: 4 | 6, kind: Kind, withPorts: boolean): void => {
    const i = flows.length;
    const there = ends(family, i);
    const back: Ends = { from: there.to, to: there.from, fromPort: there.toPort, toPort: there.fromPort };
    const [source, destination] = [addressBytes(there.from), addressBytes(there.to)];
    flows.push({
      title: `${title} ${i}`,
      bytes: built(kind(frame().ethernet({ from: flowMac(i), to: guestMac(queues) }), there)),
      answer: withPorts ? built(kind(frame().ethernet({ from: guestMac(queues), to: flowMac(i) }), back)) : null,
      hashInput: withPorts ? rssInput4Tuple(source, destination, there.fromPort, there.toPort) : rssInput2Tuple(source, destination),
    });
  };
  for (const [title, [family, kind]] of Object.entries(WITH_PORTS)) for (let i = 0; i < 4; i++) add(title, family, kind, true);
  for (const [title, [family, kind]] of Object.entries(WITHOUT_PORTS)) for (let i = 0; i < 2; i++) add(title, family, kind, false);
  const arp = frame().ethernet({ from: flowMac(flows.length), to: guestMac(queues) });
  const asks = { senderMac: flowMac(flows.length), sender: '10.0.0.1', target: '192.0.2.1' };
  flows.push({ title: 'ARP', bytes: built(arp.arp(asks)), answer: null, hashInput: null });
  return flows;
}

/** By definition, without any table of ours. */
function queueByHash({ hashInput }: Flow, reta: readonly number[]): number {
  const hash = hashInput === null ? 0 : toeplitzHash(KEY, hashInput);
  return reta[hash % RETA_SIZE] ?? -1;
}

/** A device takes queue CPU % queues (tun_xdp_xmit, veth_xdp_xmit). */
function reachableOf(queues: number): number[] {
  return Array.from({ length: queues }, (_, queue) => queue).filter((queue) => CPUS.some((cpu) => cpu % queues === queue));
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
}

function retasOf(queues: number, equal: readonly number[]): Map<string, readonly number[]> {
  const reachable = reachableOf(queues);
  const table = (choose: (bucket: number) => number) => Array.from({ length: RETA_SIZE }, (_, bucket) => reachable[choose(bucket)] ?? 0);
  const random = seeded(queues);
  const tables = new Map<string, readonly number[]>([['equal', equal]]);
  for (const [i, queue] of reachable.entries()) tables.set(`all on ${queue}`, table(() => i));
  if (reachable.length > 1) {
    tables.set('weighted 7:1', table((bucket) => (bucket % 8 === 0 ? 0 : reachable.length - 1)));
    tables.set('random', table(() => random() % reachable.length));
  }
  return tables;
}

function makeVeth(name: string, queues: number): void {
  const ends = ['numrxqueues', String(queues), 'numtxqueues', String(queues)];
  execFileSync('ip', ['link', 'add', name, ...ends, 'type', 'veth', 'peer', 'name', `${name}-far`, ...ends]);
  for (const end of [name, `${name}-far`]) execFileSync('ip', ['link', 'set', 'dev', end, 'up']);
}

// What the kernel itself would send has no place here.
writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
const pins = new Pins(pinsRoot, ContractLimit.CONTRACT_VERSION);
const dataPlane = await openDataPlane({
  objectPath: hostObjectPath, pinsRoot, flowsPerVnic: 1 << 16, rssKey: KEY, xdpMode: 'native', maxVnics: MOST_QUEUES + 1,
});

interface Equipment {
  readonly live: LiveFrames;
  /** Descriptors of their queues. */
  readonly taps: ReadonlyMap<number, readonly number[]>;
  readonly ids: ReadonlyMap<string, number>;
}

/** Ports, sinks and rows of the vNICs 1..8; vNIC n has ports with n queues. */
async function equip(): Promise<Equipment> {
  makeVeth('pf0', 2);
  const taps = new Map<number, readonly number[]>();
  for (let queues = 1; queues <= MOST_QUEUES; queues++) {
    makeVeth(`vf${queues}`, queues);
    taps.set(queues, Array.from({ length: queues }, () => openTap(`tap${queues}`, { multiQueue: true })));
    execFileSync('ip', ['link', 'set', 'dev', `tap${queues}`, 'up']);
  }
  const ids = ifindexes();
  const idOf = (name: string) => ids.get(name) ?? 0;
  await dataPlane.attach('steer_uplink', idOf('pf0'), 'pf0');
  const live = await LiveFrames.open(idOf('pf0'), BpfProgram.fromPin(pins.program('steer_uplink')));
  for (let queues = 1; queues <= MOST_QUEUES; queues++) {
    const ports = { tap: idOf(`tap${queues}`), vf: idOf(`vf${queues}`) } as const;
    dataPlane.writeVnic(queues, {
      mac: parseMacAddress(guestMac(queues)), vlans: [0], access: false, addresses: null, maxRate: null, tapIfindex: ports.tap, vfIfindex: ports.vf,
      uplinkIfindex: idOf('pf0'), tapFrameMax: 1514, vfFrameMax: 1514, uplinkFrameMax: 1514, tapMultiBuffer: false, vfMultiBuffer: false,
      uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false, cutThrough: true, plugin: true, operatorWant: null,
    });
    for (const role of ['tap', 'vf'] as const) {
      await dataPlane.attach('steer_guest', ports[role], `${role}${queues}`);
      dataPlane.writePort(ports[role], { vnic: queues, role });
      dataPlane.writeTxPort(ports[role], true);
      dataPlane.writeSteering(queues, role, planSteering(queues, CPUS));
    }
    live.sinkAt(idOf(`vf${queues}-far`));
  }
  return { live, taps, ids };
}

const { live, taps, ids } = await equip();
const steerGuest = BpfProgram.fromPin(pins.program('steer_guest'));

/** Frames of each flow by queue, as the guest gets them. */
interface Receiver {
  take(): Promise<number[][]>;
}

/** At the far end of the veth. */
function vfReceiver(flows: number, queues: number, frames: number): Receiver {
  const read = () => Array.from({ length: flows }, (_, flow) => live.arrived(flow, queues));
  const before = read();
  const since = () => read().map((counts, flow) => counts.map((count, queue) => count - (before[flow]?.[queue] ?? 0)));
  const total = () => since().flat().reduce((sum, count) => sum + count, 0);
  return {
    take: async () => {
      await until(() => total() >= frames);
      await sleep(2); // one too many would come now
      return since();
    },
  };
}

/** From the descriptors of the tap's queues. */
function tapReceiver(flows: number, queues: number, frames: number): Receiver {
  const fds = taps.get(queues) ?? [];
  const buffer = Buffer.alloc(2048);
  const counts = Array.from({ length: flows }, () => new Array<number>(queues).fill(0));
  let total = 0;
  const read = (): void => {
    for (const [queue, fd] of fds.entries()) {
      for (let length = readNonBlocking(fd, buffer); length > 0; length = readNonBlocking(fd, buffer)) {
        const row = counts[flowOfFrame(buffer.subarray(0, length)) ?? -1];
        if (row === undefined) continue;
        row[queue] = (row[queue] ?? 0) + 1;
        total++;
      }
    }
  };
  read();
  if (total > 0) throw new Error(`${total} frames came after their run was over`);
  return {
    take: async () => {
      await until(() => {
        read();
        return total >= frames;
      });
      await sleep(2);
      read();
      return counts;
    },
  };
}

function learnt(id: number): number {
  const tally = dataPlane.tallies().find((one) => one.id === id);
  return (tally?.flowsLearnt ?? 0) + (tally?.flowsReplaced ?? 0);
}

/** The guest sends flow i on its queue i % queues. False when two flows share a slot, so that one is not learnt: seldom. */
async function teach(role: Role, queues: number, flows: readonly Flow[], cpu: number): Promise<boolean> {
  const before = learnt(queues);
  let sent = 0;
  for (const [i, { answer }] of flows.entries()) {
    if (answer === null) continue;
    sent++;
    const fd = taps.get(queues)?.[i % queues] ?? -1;
    if (role === 'vf') steerGuest.testRun({ data: answer, ingressIfindex: ids.get(`vf${queues}`) ?? 0, rxQueue: i % queues, cpu });
    else writeNonBlocking(fd, answer, answer.length);
  }
  if (queues === 1) return true; // its guest's flows are learnt, but nothing is chosen
  return until(() => learnt(queues) - before === sent);
}

let runs = 0;

interface RunOptions {
  readonly role: Role;
  readonly queues: number;
  readonly reta: string;
  readonly row: SteeringRow;
  readonly by: 'rss' | 'rfs';
  readonly cpu: number;
}

/** New flows, so that nothing that was before decides. */
async function run(options: RunOptions, wrong: WrongFrame[]): Promise<QueueRun> {
  const { role, queues, row, by, cpu } = options;
  const reachable = reachableOf(queues);
  let flows = makeFlows(queues, ++runs);
  if (by === 'rfs') {
    // What other flows left in the slots of these must be old.
    await sleep(TWICE_QUIET_MS);
    while (!(await teach(role, queues, flows, cpu))) flows = makeFlows(queues, ++runs);
  }
  const expectedOf = (flow: Flow, i: number): number => {
    if (queues === 1) return 0;
    const learntQueue = by === 'rfs' && flow.answer !== null ? i % queues : -1;
    return reachable.includes(learntQueue) ? learntQueue : queueByHash(flow, row.reta);
  };
  live.setFrames(flows.map(({ bytes }) => bytes));
  const frames = flows.length * FRAMES_PER_FLOW;
  const receiver = (role === 'vf' ? vfReceiver : tapReceiver)(flows.length, queues, frames);
  await live.send(frames);
  const arrived = await receiver.take();
  const [byQueue, expected] = [new Array<number>(queues).fill(0), new Array<number>(queues).fill(0)];
  for (const [i, flow] of flows.entries()) {
    const queue = expectedOf(flow, i);
    const counts = arrived[i] ?? [];
    expected[queue] = (expected[queue] ?? 0) + FRAMES_PER_FLOW;
    for (const [at, count] of counts.entries()) byQueue[at] = (byQueue[at] ?? 0) + count;
    const right = counts.every((count, at) => count === (at === queue ? FRAMES_PER_FLOW : 0));
    if (!right) wrong.push({ run: { ...options, row: undefined }, frame: flow.title, expected: queue, arrived: counts });
  }
  return { role, queues, reta: options.reta, by, cpu, frames, byQueue, expected };
}

async function exact(role: Role): Promise<object> {
  const wrong: WrongFrame[] = [];
  const done: QueueRun[] = [];
  const unreachable: number[][] = [];
  for (let queues = 1; queues <= MOST_QUEUES; queues++) {
    const planned = planSteering(queues, CPUS);
    if (planned === null) throw new Error('no steering');
    unreachable.push(unreachableQueues(planned));
    dataPlane.changePath(queues, { path: role === 'vf' ? 'accelerated' : 'software', vfAllowed: role === 'vf' });
    for (const cpu of [0, 1]) {
      pinProcess([cpu]);
      for (const [reta, table] of retasOf(queues, planned.reta)) {
        const row = { ...planned, reta: table };
        dataPlane.writeSteering(queues, role, row);
        done.push(await run({ role, queues, reta, row, by: 'rss', cpu }, wrong));
        if (reta === 'equal' || reta.startsWith('all on')) done.push(await run({ role, queues, reta, row, by: 'rfs', cpu }, wrong));
      }
    }
  }
  const counted = dataPlane.tallies().filter(({ id }) => id > 0).map(({ id, tapQueues, vfQueues }) => {
    return { queues: id, counted: (role === 'vf' ? vfQueues : tapQueues).slice(0, MOST_QUEUES).map(Number) };
  });
  return { runs: done, wrong: wrong.slice(0, 20), wrongCount: wrong.length, unreachable, counted, errors: errors() };
}

function errors(): unknown[] {
  return dataPlane.redirectErrors().map((error) => ({ ...error, packets: Number(error.packets) }));
}

/** The flow whose order is looked at, and its guest's answer. */
function orderedFlow(queues: number): { readonly bytes: Buffer; readonly answer: Buffer } {
  const [there, back] = [['10.9.9.9', '192.0.2.1', 4000, 53], ['192.0.2.1', '10.9.9.9', 53, 4000]] as const;
  const udp = (start: FrameBuilder, [from, to, fromPort, toPort]: typeof there | typeof back) => start.ip(from, to).udp(fromPort, toPort);
  return {
    bytes: built(udp(frame().ethernet({ from: flowMac(0), to: guestMac(queues) }), there).payload('x')),
    answer: built(udp(frame().ethernet({ from: guestMac(queues), to: flowMac(0) }), back).payload('x')),
  };
}

/** Frames one after the other, never more on their way than a CPU's queue holds, until stopped. */
class Stream {
  #stopped = false;
  #change: (() => void) | null = null;
  readonly #ended: Promise<void>;

  constructor() {
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const before = live.sent();
      const sending = before - live.logged() < MOST_ON_THE_WAY ? live.send(PIECE) : null;
      if (sending !== null && this.#change !== null) {
        // Not before its first frames: there may have been a pause, after which the flow would move at once.
        for (const end = performance.now() + LONGEST_START_MS; live.sent() === before && performance.now() < end; );
        this.#change();
        this.#change = null;
      }
      await sending;
      await sleep(1);
    }
  }

  /** Soon, while frames are being sent on the other CPU. */
  async change(change: () => void): Promise<void> {
    this.#change = change;
    await until(() => this.#change === null);
  }

  /** All that was sent arrives before this is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
    await until(() => live.logged() === live.sent());
  }
}

const PIECE = 1024;
const LONGEST_START_MS = 50;
const MOST_ON_THE_WAY = 512;
const CHANGES = 6;
/** On a machine that is too busy to make a change in the middle of frames. */
const MOST_CHANGES = 24;
const ORDER_QUEUES = 2;

/** Frames without a pause, and in the middle of them the flow is given another queue; then a pause; then frames again. */
async function changeQueue(by: OrderPhase['by'], to: number, change: () => void): Promise<OrderPhase> {
  const drained = () => Number(dataPlane.tallies().find(({ id }) => id === ORDER_QUEUES)?.reasons.redirect_drain?.packets ?? 0);
  const [from, drainedBefore] = [live.sent(), drained()];
  const before = new Stream();
  // Long enough for the guest to have been quiet on its old queue.
  await sleep(QUIET_MS);
  await before.change(change);
  await sleep(QUIET_MS);
  await before.stop();
  const phase = { by, to, from, drained: drained() - drainedBefore, pause: live.sent() };
  await sleep(QUIET_MS);
  const after = new Stream();
  await sleep(QUIET_MS / 2);
  await after.stop();
  return { ...phase, end: live.sent() };
}

/** @param cpu on which the frames are sent; this program's own thread, which makes the changes, is on the other */
async function order(cpu: number): Promise<Ordered> {
  const { bytes, answer } = orderedFlow(ORDER_QUEUES);
  const port = ids.get(`vf${ORDER_QUEUES}`) ?? 0;
  const planned = planSteering(ORDER_QUEUES, CPUS);
  if (planned === null) throw new Error('no steering');
  const allOn = (queue: number) =>
    dataPlane.writeSteering(ORDER_QUEUES, 'vf', { ...planned, reta: new Array<number>(RETA_SIZE).fill(queue) });
  dataPlane.changePath(ORDER_QUEUES, { path: 'accelerated', vfAllowed: true });
  allOn(1);
  live.setFrames([bytes]);
  pinProcess([cpu]);
  await live.send(1); // so that the threads for asynchronous calls are there, on this CPU
  execFileSync('taskset', ['--cpu-list', '--pid', String(1 - cpu), String(process.pid)]);
  await until(() => live.arrived(0, ORDER_QUEUES).some((count) => count > 0));
  live.startLog();
  const phases: OrderPhase[] = [];
  const change = async (by: OrderPhase['by'], make: (queue: number) => void): Promise<void> => {
    let [i, held] = [0, 0];
    for (; i < CHANGES || (held === 0 && i < MOST_CHANGES); i++) {
      const phase = await changeQueue(by, i % 2, () => make(i % 2));
      phases.push(phase);
      held += phase.drained;
    }
  };
  await change('reta', allOn);
  await change('rfs', (queue) => void steerGuest.testRun({ data: answer, ingressIfindex: port, rxQueue: queue }));
  return { sent: live.sent(), errors: errors(), ...judgeOrder(live.takeLog(), phases) };
}

const scenarios: Record<string, () => Promise<object>> = {
  vf: () => exact('vf'),
  tap: () => exact('tap'),
  orderFromCpu0: () => order(0),
  orderFromCpu1: () => order(1),
};

const scenario = scenarios[scenarioName];
if (scenario === undefined) throw new Error(`no scenario ${scenarioName}`);
const started = performance.now();
try {
  const result = await scenario();
  console.log(JSON.stringify({ ...result, seconds: Math.round(performance.now() - started) / 1000 }));
} finally {
  dataPlane.remove();
}
process.exit(0);
