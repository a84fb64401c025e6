/**
 * Frames that are kept back while their guest changes its path, as bytes: from the wire and from a neighbour, to a guest without the
 * plug-in on a real tap and on a VF. What is sent is numbered, so that order, loss and damage are seen.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContractLimit } from '../../maps/generated/contract.js';
import type { VnicPath } from '../../src/core/model.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import type { DataPlaneEvent, HoldReport } from '../../src/dataplane/port.js';
import { Pins } from '../../src/native/pins.js';
import { PacketSocket } from '../../src/native/socket.js';
import { TcxLink } from '../../src/native/tcx_link.js';
import { hostObjectPath } from '../../src/paths.js';
import { BROADCAST, frame, type FrameBuilder } from '../support/packet_builder.js';
import { Bed, type GuestOptions, ifindexOf, type Risen, type Station, WORLD } from './bed/bed.js';
import { rightSegment, unfinishedTcp } from './bed/bursts.js';
import { bridge, ip, setFeatures } from './bed/commands.js';
import { type Place, serveScenarios } from './bed/place.js';
import { type Arrived, RawPort, splitTag, type Unfinished } from './bed/raw_port.js';

const ETHERNET_HEADER = 14;
const VLAN = 7;
const RING = 1 << 20;
const LONG_MS = 20_000;
const MULTICAST = '01:00:5e:00:00:01';

export type Tags = 'none' | 'access' | 'trunk';

interface Sending {
  readonly what: string;
  readonly frame: Buffer;
  readonly left: Unfinished | null;
  /** As the guest must get it. An aggregate: null. */
  readonly whole: Buffer | null;
}

export interface KindsSeen {
  readonly to: VnicPath;
  readonly tags: Tags;
  readonly mtu: number;
  readonly tap: string;
  /** Frames that arrived anywhere while they should wait. */
  readonly early: number;
  readonly report: HoldReport;
  /** By sender: what was to arrive and what did, in order. */
  readonly expected: Readonly<Record<string, readonly string[]>>;
  readonly arrived: Readonly<Record<string, readonly string[]>>;
  readonly strange: number;
  readonly risen: Risen;
  readonly heldAfterwards: boolean;
}

const rowOf = (tags: Tags) => ({
  plugin: false, vfMultiBuffer: true, uplinkMultiBuffer: true,
  ...(tags === 'none' ? {} : tags === 'access' ? { vlans: [VLAN], access: true } : { vlans: [0, VLAN] }),
});

function ethernet(from: Station, to: string, vlan: number): FrameBuilder {
  const builder = frame().ethernet({ from: from.mac, to });
  return vlan === 0 ? builder : builder.vlan(vlan, 3);
}

/** Datagrams of both families, of every size that fits, numbered by their source port. */
function datagrams(source: Station, target: Station, sizes: readonly number[], vlan: number, guestVlan: number, isPartial: boolean): Sending[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family, f) => sizes.map((size, i) => {
    const build = (tag: number, partial: boolean): Buffer => {
      const packet = ethernet(source, target.mac, tag).ip(source[family], target[family]);
      const length = size + (tag === 0 ? 0 : 4);
      return (partial ? packet.partialChecksum() : packet).udp(1000 + 100 * f + (isPartial ? 50 : 0) + i, 53).fillTo(length).build();
    };
    const checksumStart = ETHERNET_HEADER + (vlan === 0 ? 0 : 4) + (family === 'ipv4' ? 20 : 40);
    const left = isPartial ? { checksumStart, checksumOffset: 6, segment: 0, headerBytes: 0, kind: 'none' as const } : null;
    const what = `${family} ${size}${isPartial ? ' partial' : ''}`;
    return { what, frame: build(vlan, isPartial), left, whole: build(guestVlan, false) };
  }));
}

function broadcasts(source: Station, target: Station): Sending[] {
  const arp = frame().ethernet({ from: source.mac, to: BROADCAST }).arp({ senderMac: source.mac, sender: source.ipv4, target: target.ipv4 });
  const multicast = frame().ethernet({ from: source.mac, to: MULTICAST }).ip(source.ipv4, '224.0.0.1').udp(9, 9).fillTo(200);
  return [['arp', arp.build()], ['multicast', multicast.build()]].map(([what, bytes]) =>
    ({ what: String(what), frame: bytes as Buffer, left: null, whole: bytes as Buffer }));
}

const BURSTS = [{ segment: 1400, payload: 20_000 }, { segment: 536, payload: 1500 }] as const;

function bursts(source: Station, target: Station, vlan: number): Sending[] {
  return ([4, 6] as const).flatMap((family) => BURSTS.map((burst) => {
    const { bytes, left } = unfinishedTcp(source, target, family, burst, vlan);
    return { what: `tcp${family} ${burst.payload}`, frame: bytes, left, whole: null };
  }));
}

/** What it is of those that were sent, by sender; null: nothing that was sent. */
function recognize(arrived: Arrived, sent: ReadonlyMap<string, readonly Sending[]>, stations: Bed['stations'], tagged: boolean): [string, string] | null {
  const source = [...stations.values()].find(({ mac }) => arrived.frame.subarray(6, 12).toString('hex') === mac.replaceAll(':', ''));
  const sending = sent.get(source?.name ?? '');
  if (source === undefined || sending === undefined) return null;
  const { tci, rest } = splitTag(arrived.frame);
  const whole = sending.find((each) => each.whole?.equals(arrived.frame) === true);
  if (whole !== undefined) return [source.name, whole.what];
  if (tagged && tci === null) return null;
  for (const family of [4, 6] as const) {
    const segment = rightSegment(rest, family);
    if (segment !== null) return [source.name, `tcp${family} at ${segment.at}, ${segment.length}`];
    // Whole, for a reader that takes aggregates: it is the very frame that was sent.
    const aggregate = sending.find((each) => each.whole === null && each.frame.equals(arrived.frame));
    if (aggregate !== undefined && arrived.segment > 0 && arrived.partial) return [source.name, aggregate.what];
    const unfinished = sending.find(({ left, frame: bytes }) => left?.segment === 0 && bytes.equals(arrived.frame));
    if (unfinished !== undefined && arrived.partial) return [source.name, unfinished.what];
  }
  return null;
}

function expectedOf(sending: readonly Sending[], aggregates: boolean): string[] {
  return sending.flatMap(({ what, whole, left, frame: bytes }) => {
    if (whole !== null || left === null || aggregates) return [what];
    const payload = bytes.length - left.headerBytes;
    return Array.from({ length: Math.ceil(payload / left.segment) }, (_, i) => {
      const at = i * left.segment;
      return `${what.split(' ')[0]} at ${at}, ${Math.min(left.segment, payload - at)}`;
    });
  });
}

const ends = (bed: Bed, guests: readonly string[]): RawPort[] => guests.flatMap((name) => {
  const sides = name === WORLD ? (['wire'] as const) : (['tap', 'vf'] as const);
  return sides.flatMap((side) => {
    try {
      return [bed.port(name, side)];
    } catch {
      return [];
    }
  });
});

function portFor(bed: Bed, guest: string, path: VnicPath): number {
  return bed.ifindex(`${path === 'software' ? 'tap' : 'vf'}-${guest}`);
}

function release(bed: Bed, guest: string, path: VnicPath): Promise<HoldReport> {
  return bed.dataPlane.release(bed.id(guest), { path, vfAllowed: path === 'accelerated' }, portFor(bed, guest, path));
}

/** While it awaits, arrivals are read, so that no queue of the host runs full. */
async function pumping<T>(ports: readonly RawPort[], work: Promise<T>): Promise<T> {
  let done = false;
  const pump = async (): Promise<void> => {
    while (!done) {
      for (const port of ports) port.pump();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const pumped = pump();
  try {
    return await work;
  } finally {
    done = true;
    await pumped;
  }
}

async function kinds(place: Place, mtu: number, tags: Tags, tap: 'plain' | 'aggregates'): Promise<KindsSeen[]> {
  const row = rowOf(tags);
  const g1: GuestOptions = { software: 'tap', vf: 'port', vnetHeader: true, aggregates: tap === 'aggregates', row };
  const bed = await Bed.open(place, { ends: 'raw', mtu, guests: { g1, g2: { software: 'tap', vnetHeader: true, row } } });
  if (tap === 'aggregates') setFeatures(place.host, 'vf-g1', 'tx', 'on', 'tso', 'on');
  bed.dataPlane.attachTap(bed.ifindex('tap-g1'), 'tap-g1');
  const [world, one, two] = [bed.station(WORLD), bed.station('g1'), bed.station('g2')];
  const wireVlan = tags === 'none' ? 0 : VLAN;
  const guestVlan = tags === 'trunk' ? VLAN : 0;
  const sizes = [64, 300, 1514, ...(mtu > 1500 ? [4000, mtu + ETHERNET_HEADER] : [])];
  const all = [bed.port(WORLD), bed.port('g1', 'tap'), bed.port('g1', 'vf'), bed.port('g2', 'tap')];
  const seen: KindsSeen[] = [];
  for (const to of ['software', 'accelerated'] as const) {
    await bed.bring('g1', to === 'software' ? 'accelerated' : 'software');
    await bed.settle();
    all.forEach((port) => port.take());
    bed.look();
    const sent = new Map([
      [WORLD, [...datagrams(world, one, sizes, wireVlan, guestVlan, false), ...(tags === 'none' ? broadcasts(world, one) : [])]],
      ['g2', [
        ...datagrams(two, one, sizes, guestVlan, guestVlan, false), ...bursts(two, one, guestVlan),
        ...datagrams(two, one, sizes, guestVlan, guestVlan, true),
        // What nobody listens to in this VLAN is not flooded to the wire, or it would be.
        ...(tags === 'none' ? broadcasts(two, one) : []),
      ]],
    ]);
    bed.dataPlane.hold(bed.id('g1'), LONG_MS, RING);
    for (const each of sent.get(WORLD)!) bed.port(WORLD).send(each.frame);
    for (const each of sent.get('g2')!) bed.port('g2', 'tap').send(each.frame, each.left);
    await bed.settle();
    const early = [bed.port('g1', 'tap'), bed.port('g1', 'vf')].reduce((sum, port) => sum + port.take().length, 0);
    const report = await pumping(all, release(bed, 'g1', to));
    await bed.settle();
    const arrived: Record<string, string[]> = { [WORLD]: [], g2: [] };
    let strange = bed.port('g1', to === 'software' ? 'vf' : 'tap').take().length;
    for (const each of bed.port('g1', to === 'software' ? 'tap' : 'vf').take()) {
      const known = recognize(each, sent, bed.stations, guestVlan !== 0);
      if (known === null) strange++;
      else arrived[known[0]]!.push(known[1]);
    }
    const takesAggregates = tap === 'aggregates' && to === 'software';
    const expected = Object.fromEntries([...sent].map(([name, sending]) => [name, expectedOf(sending, takesAggregates)]));
    const heldAfterwards = bed.dataPlane.isHeld(bed.id('g1'));
    seen.push({ to, tags, mtu, tap, early, report, expected, arrived, strange, risen: bed.look(), heldAfterwards });
  }
  bed.dataPlane.detachTap(bed.ifindex('tap-g1'));
  await bed.close();
  return seen;
}

// ---- numbered datagrams at a rate, sent by a process of their own

const FLOWS = 4;
/** The number of its flow, and its own in that flow. */
const FLOW_AT = ETHERNET_HEADER + 20 + 4;
const NUMBER_AT = FLOW_AT + 4;
const NUMBERED_BYTES = 120;
/** At once, as fast as it goes. */
const BATCH = 512;

interface Stream {
  readonly from: Pick<Station, 'mac' | 'ipv4'>;
  readonly to: Pick<Station, 'mac' | 'ipv4'>;
  readonly netns: string;
  readonly device: string;
  /** 0 = as fast as it goes. */
  readonly framesPerSecond: number;
}

/** ICMP, whose checksum nobody looks at on the way. */
function numbered({ from, to }: Pick<Stream, 'from' | 'to'>, flow: number): Buffer {
  const bytes = frame().ethernet({ from: from.mac, to: to.mac }).ipv4({ from: from.ipv4, to: to.ipv4, protocol: 1 }).fillTo(NUMBERED_BYTES).build();
  bytes.writeUInt32BE(flow, FLOW_AT);
  return bytes;
}

/** In a process of its own, until it is told to end (SIGTERM). Returns how many went, by flow. */
async function sendStream(stream: Stream): Promise<number[]> {
  let isOver = false;
  process.once('SIGTERM', () => (isOver = true));
  const socket = new PacketSocket(`/run/netns/${stream.netns}`);
  const target = ifindexOf(stream.netns, stream.device);
  const flows = Array.from({ length: FLOWS }, (_, flow) => numbered(stream, flow));
  const sent = new Array<number>(FLOWS).fill(0);
  const started = performance.now();
  for (let count = 0; !isOver && performance.now() - started < LONG_MS;) {
    const due = stream.framesPerSecond === 0 ? count + BATCH : ((performance.now() - started) / 1000) * stream.framesPerSecond;
    for (; count < due; count++) {
      const flow = count % FLOWS;
      flows[flow]!.writeUInt32BE(sent[flow]!, NUMBER_AT);
      try {
        socket.send(target, flows[flow]!);
        sent[flow]!++;
      } catch {
        break;
      }
    }
    await sleep(stream.framesPerSecond === 0 ? 0 : 1);
  }
  socket.close();
  return sent;
}

/** Another scenario of this module, in a process of its own. */
function other(scenario: string, argument: unknown): { readonly output: Promise<unknown>; readonly child: ReturnType<typeof spawn> } {
  const child = spawn(process.execPath, [process.argv[1] ?? '', scenario, JSON.stringify(argument)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data: Buffer) => (text += data.toString()));
  return { child, output: once(child, 'close').then(() => (text === '' ? null : (JSON.parse(text) as unknown))) };
}

export interface FlowSeen {
  readonly to: VnicPath;
  readonly rate: number;
  readonly ring: number;
  readonly sent: readonly number[];
  /** By flow: frames that arrived, numbers that came twice or after a higher one, and bytes that are wrong. */
  readonly arrived: readonly number[];
  readonly late: number;
  readonly strange: number;
  /** Of those, kept back. */
  readonly report: HoldReport;
  readonly risen: Risen;
}

function countOf(bed: Bed, guest: string, reason: string): number {
  return bed.dataPlane.tallies().find(({ id }) => id === bed.id(guest))?.reasons[reason]?.packets ?? 0;
}

async function flow(place: Place, to: VnicPath, framesPerSecond: number, ring: number): Promise<FlowSeen> {
  const bed = await Bed.open(place, {
    ends: 'raw', guests: { g1: { software: 'tap', vf: 'port', row: { plugin: false, cutThrough: true } } },
  });
  ip(place.host, 'link set dev tap-g1 txqueuelen 20000');
  ip(bed.station('g1').netns, 'link set dev raw-vf0 txqueuelen 20000');
  bed.dataPlane.attachTap(bed.ifindex('tap-g1'), 'tap-g1');
  await bed.bring('g1', to === 'software' ? 'accelerated' : 'software');
  const [world, guest] = [bed.station(WORLD), bed.station('g1')];
  const all = ends(bed, [WORLD, 'g1']);
  const stream: Stream = {
    from: { mac: world.mac, ipv4: world.ipv4 }, to: { mac: guest.mac, ipv4: guest.ipv4 }, netns: world.netns, device: 'wire',
    framesPerSecond,
  };
  bed.dataPlane.hold(bed.id('g1'), LONG_MS, ring);
  bed.look();
  const sender = other('stream', stream);
  const report = await pumping(all, (async () => {
    // Until the sender is there, and a while longer.
    while (countOf(bed, 'g1', 'held') < 100) await sleep(20);
    await sleep(200);
    const done = await release(bed, 'g1', to);
    await sleep(300);
    sender.child.kill('SIGTERM');
    await sender.output;
    return done;
  })());
  const sent = (await sender.output) as number[];
  await bed.settle();
  const next = new Array<number>(FLOWS).fill(0);
  const arrived = new Array<number>(FLOWS).fill(0);
  let [late, strange] = [0, bed.port('g1', to === 'software' ? 'vf' : 'tap').take().length];
  const expected = Array.from({ length: FLOWS }, (_, i) => numbered(stream, i));
  for (const { frame: bytes } of bed.port('g1', to === 'software' ? 'tap' : 'vf').take()) {
    const index = bytes.readUInt32BE(FLOW_AT);
    const number = bytes.readUInt32BE(NUMBER_AT);
    expected[index]?.writeUInt32BE(number, NUMBER_AT);
    if (expected[index]?.equals(bytes) !== true) {
      strange++;
      continue;
    }
    if (number < next[index]!) late++;
    next[index] = Math.max(next[index]!, number + 1);
    arrived[index]!++;
  }
  const risen = bed.look();
  await bed.close();
  return { to, rate: framesPerSecond, ring, sent, arrived, late, strange, report, risen };
}

// ---- ends of a hold

const simple = (bed: Bed, first: number, count: number): Buffer[] => Array.from({ length: count }, (_, i) => frame()
  .ethernet({ from: bed.station(WORLD).mac, to: bed.station('g1').mac }).ip(bed.station(WORLD).ipv4, bed.station('g1').ipv4)
  .udp(2000 + first + i, 53).fillTo(200).build());

const numbersOf = (frames: readonly Arrived[]): number[] => frames.map(({ frame: bytes }) => bytes.readUInt16BE(ETHERNET_HEADER + 20) - 2000);

async function holdBed(place: Place, software: 'tap' | 'veth' = 'tap'): Promise<Bed> {
  const bed = await Bed.open(place, { ends: 'raw', guests: { g1: { software, vf: 'port', row: { plugin: false, cutThrough: true } } } });
  bed.dataPlane.attachTap(bed.ifindex('tap-g1'), 'tap-g1');
  return bed;
}

export interface AdapterSeen {
  /** Frames by end, and what was counted for g1. */
  readonly steps: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly report: HoldReport;
  /** Tags of what the VF got. */
  readonly tags: readonly (number | null)[];
}

async function behindAdapter(place: Place, access: boolean): Promise<AdapterSeen> {
  const row = access ? { plugin: false, vlans: [VLAN], access: true } : { plugin: false };
  const bed = await Bed.open(place, {
    ends: 'raw', guests: { g1: { software: 'tap', vf: 'adapter', row }, g2: { software: 'tap', vnetHeader: true, row } },
  });
  const [g1, g2, world] = [bed.station('g1'), bed.station('g2'), bed.station(WORLD)];
  bed.dataPlane.attachTap(bed.ifindex('tap-g1'), 'tap-g1');
  const tags: (number | null)[] = [];
  const look = async (): Promise<Record<string, number>> => {
    await bed.settle();
    const counts = ([['g1', 'tap'], ['g1', 'vf'], ['g2', 'tap'], [WORLD, 'wire']] as const).map(([name, side]) => {
      const arrived = bed.port(name, side).take();
      if (side === 'vf') tags.push(...arrived.map(({ frame: bytes }) => splitTag(bytes).tci));
      return [`${name} ${side}`, arrived.length] as const;
    });
    const risen = Object.entries(bed.look()).filter(([name]) => /^g1 (redirect|drop|held|pass_same)/.test(name));
    return Object.fromEntries([...counts.filter(([, count]) => count > 0), ...risen]);
  };
  const toAll = (from: string): Buffer => frame().ethernet({ from, to: BROADCAST })
    .arp({ senderMac: from, sender: '10.6.0.98', target: '10.6.0.99' }).build();
  const [partial] = datagrams(g2, g1, [300], 0, 0, true);
  const steps: Record<string, Record<string, number>> = {};
  const host = new PacketSocket(`/run/netns/${place.host}`);
  const flood = async (when: string): Promise<void> => {
    const wire = frame().ethernet({ from: world.mac, to: BROADCAST });
    const tagged = access ? wire.vlan(VLAN) : wire;
    bed.port(WORLD).send(tagged.arp({ senderMac: world.mac, sender: world.ipv4, target: '10.6.0.99' }).build());
    steps[`${when}: a broadcast of the world`] = await look();
    bed.port('g2', 'tap').send(toAll(g2.mac));
    steps[`${when}: a broadcast of g2`] = await look();
    host.send(bed.ifindex('br0'), toAll('02:00:00:00:00:77'));
    steps[`${when}: a broadcast of the host`] = await look();
  };
  await bed.bring('g1', 'accelerated');
  await bed.settle();
  await look();
  tags.length = 0;
  await flood('on the VF');
  bed.port('g2', 'tap').send(partial!.frame, partial!.left);
  steps['on the VF: an unfinished datagram of g2'] = await look();
  await bed.bring('g1', 'software');
  bed.dataPlane.hold(bed.id('g1'), LONG_MS, RING);
  await flood('held');
  bed.port('g2', 'tap').send(partial!.frame, partial!.left);
  bed.port('g2', 'tap').send(datagrams(g2, g1, [400], 0, 0, false)[0]!.frame);
  steps['held: datagrams of g2'] = await look();
  bed.adapterKnows('g1', true);
  const report = await bed.dataPlane.release(bed.id('g1'), { path: 'accelerated', vfAllowed: true }, bed.uplink);
  steps['released to the VF'] = await look();
  host.close();
  await bed.close();
  return { steps, report, tags };
}

await serveScenarios({
  kinds1500: (place) => kinds(place, 1500, 'none', 'plain'),
  kindsAggregates: (place) => kinds(place, 1500, 'none', 'aggregates'),
  kinds9000: (place) => kinds(place, 9000, 'none', 'plain'),
  kindsAccess: (place) => kinds(place, 1500, 'access', 'plain'),
  kindsTrunk: (place) => kinds(place, 1500, 'trunk', 'plain'),
  kindsTrunk9000: (place) => kinds(place, 9000, 'trunk', 'aggregates'),

  stream: (stream) => sendStream(stream as unknown as Stream),
  pacedToTap: (place) => flow(place, 'software', 4000, 8 << 20),
  pacedToVf: (place) => flow(place, 'accelerated', 4000, 8 << 20),
  fullToTap: (place) => flow(place, 'software', 0, 1 << 18),
  fullToVf: (place) => flow(place, 'accelerated', 0, 1 << 18),

  /** More than the ring has room for. */
  async full(place) {
    const bed = await holdBed(place);
    bed.dataPlane.hold(bed.id('g1'), LONG_MS, 8192);
    bed.look();
    for (const each of simple(bed, 0, 40)) bed.port(WORLD).send(each);
    await bed.settle();
    const risen = bed.look();
    const report = await release(bed, 'g1', 'software');
    await bed.settle();
    const numbers = numbersOf(bed.port('g1', 'tap').take());
    await bed.close();
    return { risen, report, numbers };
  },

  /** Nobody ends it. */
  async deadline(place) {
    const bed = await holdBed(place);
    const [id, tap] = [bed.id('g1'), bed.port('g1', 'tap')];
    const give = async (first: number): Promise<number[]> => {
      for (const each of simple(bed, first, 5)) bed.port(WORLD).send(each);
      await bed.settle();
      return numbersOf(tap.take());
    };
    bed.dataPlane.hold(id, 400, RING);
    const during = await give(0);
    await sleep(400);
    const after = await give(10);
    const left = bed.dataPlane.isHeld(id);
    // Put off: the end of one that is held already.
    bed.dataPlane.hold(id, 400, RING);
    await sleep(300);
    bed.dataPlane.hold(id, 2_000, RING);
    await sleep(200);
    const putOff = await give(20);
    const report = await release(bed, 'g1', 'software');
    await bed.settle();
    const released = numbersOf(tap.take());
    const gone = !bed.dataPlane.isHeld(id);
    const again = await give(30);
    const path = bed.dataPlane.path(id);
    await bed.close();
    return { during, after, left, putOff, report, released, gone, again, path };
  },

  /** Begun anew while it is released: nothing is lost, and what comes still waits. */
  async again(place) {
    const bed = await holdBed(place);
    const [id, tap] = [bed.id('g1'), bed.port('g1', 'tap')];
    bed.dataPlane.hold(id, LONG_MS, RING);
    for (const each of simple(bed, 0, 600)) bed.port(WORLD).send(each);
    await bed.settle();
    const first = release(bed, 'g1', 'software');
    bed.dataPlane.hold(id, LONG_MS, RING);
    const interrupted = await first;
    for (const each of simple(bed, 600, 5)) bed.port(WORLD).send(each);
    await bed.settle();
    const meanwhile = tap.take().length;
    const held = bed.dataPlane.isHeld(id);
    const second = await release(bed, 'g1', 'software');
    await bed.settle();
    const numbers = numbersOf(tap.take());
    await bed.close();
    return { interrupted, meanwhile, held, second, numbers };
  },

  /** In a process of its own, which dies with the hold. */
  async beginAndDie(place) {
    const bed = await holdBed(place, 'veth');
    bed.dataPlane.hold(bed.id('g1'), LONG_MS, RING);
    for (const each of simple(bed, 0, 5)) bed.port(WORLD).send(each);
    await bed.settle();
    process.kill(process.pid, 'SIGKILL');
  },

  /** Another process finds the hold and ends it. */
  async killed(place) {
    const { signal } = spawnSync(process.execPath, [process.argv[1] ?? '', 'beginAndDie', JSON.stringify(place)], { stdio: ['ignore', 'ignore', 'inherit'] });
    const netns = place.stations['g1'] ?? '';
    const port = RawPort.tap('raw-again', netns);
    ip(netns, 'link set dev raw-again master hub-eth0 up');
    bridge(netns, 'link set dev raw-again learning off flood on');
    const dataPlane = await openDataPlane({
      objectPath: hostObjectPath, pinsRoot: place.pins, flowsPerVnic: 1024, rssKey: 'random', xdpMode: 'auto', maxVnics: 64,
    });
    const tap = ifindexOf(place.host, 'tap-g1');
    const taps = [...dataPlane.tapAttachments()].map((ifindex) => ifindex === tap);
    const before = { adopted: dataPlane.adopted, held: dataPlane.isHeld(1), path: dataPlane.path(1), taps };
    await sleep(100);
    port.pump();
    const early = port.take().length;
    const report = await dataPlane.release(1, { path: 'software', vfAllowed: false }, tap);
    await sleep(100);
    port.pump();
    const numbers = numbersOf(port.take());
    dataPlane.remove();
    port.close();
    const filters = spawnSync('tc', ['-n', place.host, 'qdisc', 'show', 'dev', 'tap-g1'], { encoding: 'utf8' }).stdout;
    return { signal, before, early, report, numbers, filters };
  },

  /** The same, where the adapter's own switch reaches the VF, by the uplink. */
  adapter: (place) => behindAdapter(place, false),
  adapterAccess: (place) => behindAdapter(place, true),

  /** Where the bridge hands frames to a tap whose guest is on its VF; and devices with the program that go. */
  async tap(place) {
    const bed = await Bed.open(place, {
      ends: 'raw', guests: { g1: { software: 'tap', vf: 'port', row: { plugin: false } }, g2: { software: 'tap' } },
    });
    const { dataPlane } = bed;
    const [g1, g2, world] = [bed.station('g1'), bed.station('g2'), bed.station(WORLD)];
    dataPlane.attachTap(bed.ifindex('tap-g1'), 'tap-g1');
    dataPlane.attachTap(bed.ifindex('tap-g1'), 'tap-g1');
    const toAll = (from: Station): Buffer => frame().ethernet({ from: from.mac, to: BROADCAST })
      .arp({ senderMac: from.mac, sender: from.ipv4, target: '10.6.0.99' }).build();
    const events: DataPlaneEvent[] = [];
    dataPlane.onEvent((event) => events.push(event));
    const look = async (): Promise<object> => {
      await bed.settle();
      const counts = Object.fromEntries(([['g1', 'tap'], ['g1', 'vf'], ['g2', 'tap'], [WORLD, 'wire']] as const)
        .map(([name, side]) => [`${name} ${side}`, bed.port(name, side).take().length]));
      return { ...counts, risen: bed.look(), events: events.splice(0).map(({ kind }) => kind) };
    };
    const steps: Record<string, object> = {};
    bed.port(WORLD).send(toAll(world));
    steps['software: a broadcast of the world'] = await look();
    await bed.bring('g1', 'accelerated');
    bed.port(WORLD).send(toAll(world));
    steps['accelerated: a broadcast of the world'] = await look();
    bed.port('g2', 'tap').send(toAll(g2));
    steps['accelerated: a broadcast of g2'] = await look();
    bed.port('g1', 'vf').send(toAll(g1));
    steps['accelerated: its own broadcast'] = await look();
    const answer = frame().ethernet({ from: g1.mac, to: '02:00:00:00:00:01' }).arp({ senderMac: g1.mac, sender: g1.ipv4, target: '0.0.0.0' });
    bed.port('g1', 'vf').send(answer.build());
    steps['accelerated: an answer on the VF'] = await look();
    dataPlane.hold(bed.id('g1'), LONG_MS, RING);
    bed.port('g1', 'tap').send(answer.build());
    steps['held: an answer on the tap'] = await look();
    await release(bed, 'g1', 'software');
    const { ipv4 } = dataPlane.seenAddresses(bed.id('g1'));
    // A device that goes takes its filter along.
    ip(place.host, 'link add gone0 type veth peer name gone1');
    const gone = bed.ifindex('gone0');
    dataPlane.attachTap(gone, 'gone0');
    const withGone = dataPlane.tapAttachments().size;
    ip(place.host, 'link del gone0');
    const withoutGone = dataPlane.tapAttachments().size;
    ip(place.host, 'link add gone0 type veth peer name gone1');
    dataPlane.attachTap(bed.ifindex('gone0'), 'gone0');
    ip(place.host, 'link del gone0');
    dataPlane.close();
    const reopened = await openDataPlane({
      objectPath: hostObjectPath, pinsRoot: place.pins, flowsPerVnic: 1024, rssKey: 'random', xdpMode: 'auto', maxVnics: 64,
    });
    const adopted = reopened.tapAttachments().size;
    // Other programs, as far as anyone can tell: what is at the egress is replaced, a link or - before Linux 6.6 - a filter.
    const programId = (): number | undefined => {
      const pin = new Pins(place.pins, ContractLimit.CONTRACT_VERSION).egressLink(bed.ifindex('tap-g1'));
      if (existsSync(pin)) return TcxLink.fromPin(pin).info().programId;
      const filter = / id (\d+)/.exec(execFileSync('tc', ['-n', place.host, 'filter', 'show', 'dev', 'tap-g1', 'egress'], { encoding: 'utf8' }));
      return filter === null ? undefined : Number(filter[1]);
    };
    const before = programId();
    reopened.close();
    const folder = mkdtempSync(join(tmpdir(), 'unipath-test-'));
    const objectPath = join(folder, 'other.bpf.o');
    copyFileSync(hostObjectPath, objectPath);
    appendFileSync(objectPath, '\0');
    const upgraded = await openDataPlane({ objectPath, pinsRoot: place.pins, flowsPerVnic: 1024, rssKey: 'random', xdpMode: 'auto', maxVnics: 64 });
    rmSync(folder, { recursive: true });
    const replaced = [before, programId()].every((id) => id !== undefined) && before !== programId() && upgraded.tapAttachments().size === 1;
    upgraded.detachTap(bed.ifindex('tap-g1'));
    upgraded.detachTap(bed.ifindex('tap-g1'));
    const detached = upgraded.tapAttachments().size;
    upgraded.remove();
    return { steps, ipv4: ipv4?.join('.'), withGone, withoutGone, adopted, replaced, detached };
  },
});
