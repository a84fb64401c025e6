/**
 * Runs inside a network namespace. Argument: PINS. As many VFs and queues as one adapter can have, through the data plane: start,
 * attach, rows, frames to every queue that a CPU reaches, adoption, end. Prints JSON.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ContractLimit } from '../../maps/generated/contract.js';
import { ADAPTER_MAX_VFS } from '../../src/core/budget.js';
import { parseMacAddress } from '../../src/core/model.js';
import { planSteering, unreachableQueues } from '../../src/core/queue_plan.js';
import { rssInput4Tuple, toeplitzHash } from '../../src/core/toeplitz.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import type { DataPlane, VnicRow } from '../../src/dataplane/port.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { queryXdp } from '../../src/native/link.js';
import { RawMap } from '../../src/native/map.js';
import { Pins } from '../../src/native/pins.js';
import { BpfProgram } from '../../src/native/program.js';
import { openTap } from '../../src/native/tap.js';
import { hostObjectPath } from '../../src/paths.js';
import { frame } from '../support/packet_builder.js';
import { addressBytes } from '../support/packet_layers.js';
import { arriveAt, FRAME_SIZE, flowMac, ifindexes, LiveFrames, until } from './live_frames.js';
import type { Scale } from './scale_model.js';

const [, , pinsRoot = ''] = process.argv;
const VFS = ADAPTER_MAX_VFS;
/** 250 of 8 and 4 of 12. */
const QUEUES = Array.from({ length: VFS }, (_, i) => (i < 4 ? 12 : 8));
const KEY = Buffer.from(Array.from({ length: ContractLimit.RSS_KEY_SIZE }, (_, i) => (i * 57 + 13) & 0xff));
/** Of the configuration, unless it says otherwise. */
const FLOWS_PER_VNIC = 4096;
const FRAMES_PER_FLOW = 4;
/** Fewer frames on their way than another CPU's queue holds. */
const PIECE = 512;
const CPUS = onlineCpus();
const GUEST = '192.0.2.1';

const ms: Record<string, number> = {};
async function timed<T>(phase: string, work: () => T | Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  ms[phase] = Math.round(performance.now() - start);
  return result;
}

const number = (i: number): string => `${(i >> 8).toString(16).padStart(2, '0')}:${(i & 0xff).toString(16).padStart(2, '0')}`;
const macOf = (id: number) => parseMacAddress(`52:54:00:00:${number(id)}`);

function makeDevices(): void {
  const veth = (name: string, queues: number): string[] => {
    const ends = `numrxqueues ${queues} numtxqueues ${queues}`;
    return [`link add ${name} ${ends} type veth peer name ${name}-far ${ends}`, `link set dev ${name} up`, `link set dev ${name}-far up`];
  };
  const batch = [...veth('pf0', 2), ...QUEUES.flatMap((queues, i) => veth(`vf${i}`, queues))];
  execFileSync('ip', ['-batch', '-'], { input: `${batch.join('\n')}\n` });
  for (let i = 0; i < VFS; i++) openTap(`tap${i}`, { multiQueue: false });
  execFileSync('ip', ['-batch', '-'], { input: QUEUES.map((_, i) => `link set dev tap${i} up\n`).join('') });
}

function open(): Promise<DataPlane> {
  return openDataPlane({ objectPath: hostObjectPath, pinsRoot, flowsPerVnic: FLOWS_PER_VNIC, rssKey: KEY, xdpMode: 'native' });
}

/** Memory of the maps that are open here, as the kernel counts it. */
function mapMemory(pins: Pins): Record<string, number> {
  return Object.fromEntries(pins.listMaps().map((name) => {
    const map = RawMap.fromPin(pins.map(name));
    const info = readFileSync(`/proc/self/fdinfo/${map.fd}`, 'utf8');
    map.close();
    return [name, Number(/^memlock:\s*(\d+)/m.exec(info)?.[1] ?? 0)];
  }));
}

interface Flow {
  readonly id: number;
  readonly queue: number;
  readonly bytes: Buffer;
}

/** For every vNIC and every queue of its VF that a CPU reaches, a flow whose hash leads there. */
function makeFlows(dataPlane: DataPlane, ids: ReadonlyMap<string, number>): Flow[] {
  const flows: Flow[] = [];
  for (let id = 1; id <= VFS; id++) {
    const reta = dataPlane.steering(id, 'vf')?.reta ?? [];
    for (const queue of new Set(reta)) {
      const from = `10.1.${id & 0xff}.1`;
      const lies = (port: number) => {
        const input = rssInput4Tuple(addressBytes(from), addressBytes(GUEST), port, 53);
        return reta[toeplitzHash(KEY, input) % ContractLimit.RETA_SIZE] === queue;
      };
      let port = 1024;
      while (!lies(port)) port++;
      const ethernet = frame().ethernet({ from: flowMac(flows.length), to: macOf(id) });
      const bytes = ethernet.ip(from, GUEST).udp(port, 53).fillTo(FRAME_SIZE).build();
      flows.push({ id, queue, bytes: arriveAt(bytes, ids.get(`vf${id - 1}-far`) ?? 0) });
    }
  }
  return flows;
}

function refusal(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    return String(error);
  }
}

writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
await timed('devices', makeDevices);
const ids = ifindexes();
const idOf = (name: string): number => ids.get(name) ?? 0;
const pins = new Pins(pinsRoot, ContractLimit.CONTRACT_VERSION);
const rssBefore = process.memoryUsage.rss();
let dataPlane = await timed('load', open);
const uplink = idOf('pf0');

function rowOf(i: number): VnicRow {
  return {
    mac: macOf(i + 1), vlans: [0], access: false, addresses: null, maxRate: null, tapIfindex: idOf(`tap${i}`), vfIfindex: idOf(`vf${i}`),
    uplinkIfindex: uplink, tapFrameMax: 1514, vfFrameMax: 1514, uplinkFrameMax: 1514, tapMultiBuffer: false, vfMultiBuffer: false,
    uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false, cutThrough: false, plugin: true, operatorWant: null,
  };
}

try {
  await timed('attach', async () => {
    await dataPlane.attach('steer_uplink', uplink, 'pf0');
    for (let i = 0; i < VFS; i++) {
      for (const port of [`tap${i}`, `vf${i}`]) await dataPlane.attach('steer_guest', idOf(port), port);
    }
  });
  await timed('rows', () => {
    dataPlane.writeTxPort(uplink, true);
    for (const [i, queues] of QUEUES.entries()) {
      const id = i + 1;
      dataPlane.writeVnic(id, rowOf(i));
      for (const role of ['tap', 'vf'] as const) {
        const port = idOf(`${role}${i}`);
        dataPlane.writePort(port, { vnic: id, role });
        dataPlane.writeTxPort(port, true);
        dataPlane.writeSteering(id, role, planSteering(role === 'tap' ? 1 : queues, CPUS, id));
      }
      dataPlane.changePath(id, { path: 'accelerated', vfAllowed: true });
    }
  });
  const attached = dataPlane.attachments().filter(({ mode }) => mode === 'native').length;
  const maps = mapMemory(pins);
  const memory = {
    maps: Object.values(maps).reduce((sum, bytes) => sum + bytes, 0),
    largestMaps: Object.fromEntries(Object.entries(maps).sort(([, a], [, b]) => b - a).slice(0, 5)),
    process: process.memoryUsage.rss() - rssBefore,
  };

  const steerUplink = BpfProgram.fromPin(pins.program('steer_uplink'));
  const live = await LiveFrames.open(uplink, steerUplink);
  await timed('sinks', () => {
    for (let i = 0; i < VFS; i++) live.sinkAt(idOf(`vf${i}-far`));
  });
  const flows = makeFlows(dataPlane, ids);
  live.setFrames(flows.map(({ bytes }) => bytes));
  const sent = flows.length * FRAMES_PER_FLOW;
  const countsOf = (i: number) => live.arrived(i, QUEUES[(flows[i]?.id ?? 0) - 1] ?? 0);
  const arrivedOf = () => flows.reduce((sum, _, i) => sum + countsOf(i).reduce((own, count) => own + count, 0), 0);
  await timed('frames', async () => {
    for (let done = 0; done < sent; done += PIECE) {
      const upTo = Math.min(sent, done + PIECE);
      await live.send(upTo - done);
      await until(() => arrivedOf() >= upTo);
    }
  });
  const byQueue = new Array<number>(Math.max(...QUEUES)).fill(0);
  const wrong = flows.flatMap(({ id, queue }, i) => {
    const counts = countsOf(i);
    for (const [at, count] of counts.entries()) byQueue[at] = (byQueue[at] ?? 0) + count;
    const right = counts.every((count, at) => count === (at === queue ? FRAMES_PER_FLOW : 0));
    return right ? [] : [`vNIC ${id}, queue ${queue}: ${counts.join(' ')}`];
  });
  const tallies = await timed('counters', () => dataPlane.tallies());
  const counted = tallies.reduce((sum, { vfQueues }) => sum + vfQueues.reduce((own, count) => own + Number(count), 0), 0);
  const unreachable = QUEUES.reduce((sum, queues, i) => {
    const row = planSteering(queues, CPUS, i + 1);
    return sum + (row === null ? 0 : unreachableQueues(row).length);
  }, 0);

  const widest = dataPlane.steering(1, 'vf');
  if (widest === null) throw new Error('a row that was written is not there');
  const many = (make: (i: number) => string) => Array.from({ length: ContractLimit.MAX_PREFIXES + 1 }, (_, i) => make(i));
  const refused = {
    vlans: refusal(() => dataPlane.writeVnic(1, { ...rowOf(0), vlans: Array.from({ length: ContractLimit.MAX_VLANS + 1 }, (_, i) => i) })),
    ipv4: refusal(() => dataPlane.writeVnic(1, { ...rowOf(0), addresses: many((i) => `10.0.0.${i}`) })),
    ipv6: refusal(() => dataPlane.writeVnic(1, { ...rowOf(0), addresses: many((i) => `fd00::${i + 1}`) })),
    queues: refusal(() => dataPlane.writeSteering(1, 'vf', { ...widest, queues: ContractLimit.MAX_QUEUES + 1 })),
    id: refusal(() => dataPlane.writeVnic(ContractLimit.MAX_VNICS, rowOf(0))),
  };

  await timed('close', () => dataPlane.close());
  dataPlane = await timed('adopt', open);
  const [adopted, rowsAfterAdoption] = [dataPlane.adopted, await timed('read rows', () => dataPlane.vnics().size)];
  const errors = dataPlane.redirectErrors().map((error) => ({ ...error, packets: Number(error.packets) }));
  const misdelivered = live.misdelivered();
  live.close();
  steerUplink.close();
  await timed('remove', () => dataPlane.remove());
  // What a pin held, the kernel takes down a little later.
  const programs = () => [...ids.values()].filter((ifindex) => queryXdp(ifindex) !== null).length;
  await timed('detached', () => until(() => programs() === 0));
  const left = {
    programs: programs(),
    pins: existsSync(pinsRoot) ? readdirSync(pinsRoot, { recursive: true, encoding: 'utf8' }) : [],
  };
  const result: Scale = {
    vnics: VFS, queues: QUEUES.reduce((sum, queues) => sum + queues, 0), flows: flows.length, unreachable, ms, memory, attached, sent,
    arrived: byQueue.reduce((sum, count) => sum + count, 0), misdelivered, wrong: wrong.slice(0, 10), counted, byQueue, adopted,
    rowsAfterAdoption, errors, refused, left,
  };
  console.log(JSON.stringify(result));
} finally {
  pins.removeAll();
}
process.exit(0);
