/**
 * What the tests of capturing and explaining do inside a network namespace. Run as a program: SCENARIO PINS; prints one JSON document,
 * bigints as strings.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContractLimit } from '../../maps/generated/contract.js';
import { Captor, type CaptureFilter } from '../../src/capture/captor.js';
import { explainRequest } from '../../src/capture/explain_request.js';
import { type CapturedFrame, verdictNames } from '../../src/capture/record.js';
import { hex32 } from '../../src/capture/words.js';
import { DEFAULT_HASH_TYPES } from '../../src/core/limits.js';
import { parseMacAddress } from '../../src/core/model.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import type { DataPlane, VnicRow } from '../../src/dataplane/port.js';
import { openSite, type Site } from '../../src/dataplane/site.js';
import { RawMap } from '../../src/native/map.js';
import { Pins } from '../../src/native/pins.js';
import { BpfProgram } from '../../src/native/program.js';
import { PacketSocket } from '../../src/native/socket.js';
import { hostObjectPath } from '../../src/paths.js';
import { BROADCAST, frame, type FrameBuilder } from '../support/packet_builder.js';

const [, , name = '', pinsRoot = ''] = process.argv;
const pins = new Pins(pinsRoot, ContractLimit.CONTRACT_VERSION);
const DEVICES = ['pf0', 'tap1', 'vf1', 'tap2', 'tap3', 'vf3', 'tap4'] as const;
type Device = (typeof DEVICES)[number];
const MAC = {
  g1: '52:54:00:00:00:01',
  g2: '52:54:00:00:00:02',
  g3: '52:54:00:00:00:03',
  g4: '52:54:00:00:00:04',
  station: '02:00:00:00:00:aa',
  other: '02:00:00:00:00:ee',
} as const;
const NAMES = new Map([
  [1, 'g1'],
  [2, 'g2'],
  [3, 'g3'],
  [4, 'g4'],
]);
const QUEUES = 4;

function linkIndexes(): ReadonlyMap<string, number> {
  const links = JSON.parse(execFileSync('ip', ['-j', 'link', 'show'], { encoding: 'utf8' })) as { ifname: string; ifindex: number }[];
  return new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
}

const indexes = linkIndexes();
const at = (device: string): number => indexes.get(device) ?? 0;

function row(change: Partial<VnicRow> & { readonly mac: VnicRow['mac'] }): VnicRow {
  return {
    vlans: [0],
    access: false,
    addresses: null,
    maxRate: null,
    tapIfindex: 0,
    vfIfindex: 0,
    uplinkIfindex: at('pf0'),
    tapFrameMax: 1514,
    vfFrameMax: 1514,
    uplinkFrameMax: 1514,
    tapMultiBuffer: false,
    vfMultiBuffer: false,
    uplinkMultiBuffer: false,
    vfNoTransmit: false,
    uplinkNoTransmit: false,
    cutThrough: false,
    plugin: false,
    operatorWant: null,
    ...change,
  };
}

/**
 * g1: accelerated, four queues, of which this machine reaches two. g2: cut-through to its tap, checked addresses. g3: an access vNIC in
 * VLAN 100, accelerated. g4: a trunk in VLANs 10 and 20, software path.
 */
async function openWorld(): Promise<DataPlane> {
  const dataPlane = await openDataPlane({
    objectPath: hostObjectPath,
    pinsRoot,
    flowsPerVnic: 256,
    rssKey: 'random',
    xdpMode: 'auto',
    maxVnics: 64,
  });
  const mac = (of: keyof typeof MAC): VnicRow['mac'] => parseMacAddress(MAC[of]);
  for (const device of DEVICES) {
    await dataPlane.attach(device === 'pf0' ? 'steer_uplink' : 'steer_guest', at(device), device);
    dataPlane.writeTxPort(at(device), true);
  }
  dataPlane.writeVnic(1, row({ mac: mac('g1'), tapIfindex: at('tap1'), vfIfindex: at('vf1'), plugin: true }));
  dataPlane.writeVnic(2, row({ mac: mac('g2'), tapIfindex: at('tap2'), cutThrough: true, addresses: ['10.0.0.2', '2001:db8::2'] }));
  dataPlane.writeVnic(3, row({ mac: mac('g3'), tapIfindex: at('tap3'), vfIfindex: at('vf3'), vlans: [100], access: true }));
  dataPlane.writeVnic(4, row({ mac: mac('g4'), tapIfindex: at('tap4'), vlans: [10, 20] }));
  for (const [device, vnic, role] of [
    ['tap1', 1, 'tap'],
    ['vf1', 1, 'vf'],
    ['tap2', 2, 'tap'],
    ['tap3', 3, 'tap'],
    ['vf3', 3, 'vf'],
    ['tap4', 4, 'tap'],
  ] as const)
    dataPlane.writePort(at(device), { vnic, role });
  const reta = Array.from({ length: ContractLimit.RETA_SIZE }, (_, bucket) => bucket % 2);
  const many = { queues: QUEUES, reta, queueCpus: [0, 1, null, null], hashTypes: DEFAULT_HASH_TYPES, rssRow: 0, nicHash: false };
  const single = { ...many, queues: 1, reta: reta.map(() => 0), queueCpus: [0] };
  dataPlane.writeSteering(1, 'vf', many);
  dataPlane.writeSteering(1, 'tap', many);
  dataPlane.writeSteering(2, 'tap', single);
  dataPlane.writeSteering(3, 'vf', many);
  dataPlane.writeSteering(4, 'tap', single);
  dataPlane.changePath(1, { path: 'accelerated', vfAllowed: true });
  dataPlane.changePath(3, { path: 'accelerated', vfAllowed: true });
  return dataPlane;
}

interface Arrives {
  readonly on: Device;
  readonly data: Buffer;
  readonly queue?: number;
  readonly cpu?: number;
}

const wire = (to: string, vlan?: number): FrameBuilder => tagged(frame().ethernet({ from: MAC.station, to }), vlan);
const from = (guest: keyof typeof MAC, to: string, vlan?: number): FrameBuilder => tagged(frame().ethernet({ from: MAC[guest], to }), vlan);
const tagged = (builder: FrameBuilder, vlan: number | undefined): FrameBuilder => (vlan === undefined ? builder : builder.vlan(vlan));
const v4 = (builder: FrameBuilder, source = '10.0.0.9', destination = '10.0.0.1'): FrameBuilder => builder.ip(source, destination);

/** In this order: what one changes, the next ones meet. */
function manyFrames(): readonly Arrives[] {
  const onWire = (data: FrameBuilder, more: Partial<Arrives> = {}): Arrives => ({ on: 'pf0', data: data.build(), ...more });
  const onPort = (on: Device, data: FrameBuilder, more: Partial<Arrives> = {}): Arrives => ({ on, data: data.build(), ...more });
  const flow = (port: number): FrameBuilder => v4(wire(MAC.g1)).udp(port, 53).payload('question');
  const answer = (port: number): FrameBuilder => from('g1', MAC.station).ip('10.0.0.1', '10.0.0.9').udp(53, port).payload('answer');
  return [
    ...[1000, 1001, 1002, 1003, 1004].flatMap((port) => [onWire(flow(port)), onWire(flow(port), { cpu: 1 })]),
    onWire(v4(wire(MAC.g1)).tcp(1000, 80), { cpu: 1 }),
    onWire(wire(MAC.g1).ip('2001:db8::9', '2001:db8::1').tcp(1000, 80)),
    onWire(wire(MAC.g1).ip('2001:db8::9', '2001:db8::1').hopByHop().udp(1000, 80)),
    onWire(v4(wire(MAC.g1)).echo()),
    onWire(wire(MAC.g1).ipv4({ from: '10.0.0.9', to: '10.0.0.1', protocol: 47 }).payload('gre')),
    onWire(v4(wire(MAC.g1)).partialChecksum().udp(1, 2).payload('x')),
    onWire(v4(wire(MAC.g1)).noChecksum().udp(1, 2).payload('x')),
    onWire(v4(wire(MAC.g1)).udp(1, 2).fillTo(1515)),
    onWire(v4(wire(MAC.g1)).udp(1, 2).fillTo(1514)),
    onWire(wire(BROADCAST).arp({ senderMac: MAC.station, sender: '10.0.0.9', target: '10.0.0.1' })),
    onWire(v4(wire(MAC.other)).udp(1, 2)),
    onWire(v4(wire(MAC.g1, 7)).udp(1, 2)),
    onWire(v4(wire(MAC.g1, 0)).udp(1, 2)),
    onWire(v4(wire(MAC.g2)).udp(1, 2)),
    onWire(v4(wire(MAC.g2, 0)).udp(1, 2)),
    onWire(v4(wire(MAC.g3, 100)).udp(1, 2)),
    onWire(v4(wire(MAC.g3, 100)).udp(1, 2), { cpu: 1 }),
    onWire(v4(wire(MAC.g3)).udp(1, 2)),
    onWire(v4(wire(MAC.g4, 10)).udp(1, 2)),
    onWire(v4(wire(MAC.g4, 30)).udp(1, 2)),
    onWire(v4(wire(MAC.g1, 5).vlan(6).vlan(7)).udp(1, 2)),
    onWire(wire(MAC.g1).control({ command: 1, sequence: 1 })),
    onWire(v4(wire(MAC.g1)).udp(1, 2).truncate(14)),
    onPort('vf1', answer(1000), { queue: 1 }),
    onPort('vf1', answer(1001), { queue: 0 }),
    onPort('vf1', answer(1002), { queue: 3 }),
    ...[1000, 1001, 1002, 1000, 1001].flatMap((port) => [onWire(flow(port)), onWire(flow(port), { cpu: 1 })]),
    onPort('vf1', from('g1', MAC.other).ip('10.0.0.1', '10.0.0.77').udp(1, 2)),
    onPort('vf1', from('g1', MAC.g2).ip('10.0.0.1', '10.0.0.2').udp(1, 2)),
    onPort('vf1', from('g1', MAC.g1).ip('10.0.0.1', '10.0.0.1').udp(1, 2)),
    onPort('vf1', from('g2', MAC.station).ip('10.0.0.1', '10.0.0.9').udp(1, 2)),
    onPort('vf1', from('g1', MAC.station, 9).ip('10.0.0.1', '10.0.0.9').udp(1, 2)),
    onPort('vf1', from('g1', MAC.station).ip('10.0.0.1', '10.0.0.9').partialChecksum().tcp(1, 2)),
    onPort('vf1', from('g1', BROADCAST).arp({ senderMac: MAC.g1, sender: '10.0.0.1', target: '10.0.0.9' })),
    onPort('tap1', from('g1', '01:80:c2:00:00:0e').control({ command: 2, sequence: 7 })),
    onPort('tap1', from('g1', '01:80:c2:00:00:0e').control({ command: 1, sequence: 7 })),
    onPort('tap2', from('g2', MAC.station).ip('10.0.0.2', '10.0.0.9').udp(1, 2)),
    onPort('tap2', from('g2', MAC.station).ip('10.0.0.3', '10.0.0.9').udp(1, 2)),
    onPort('tap2', from('g2', BROADCAST).arp({ senderMac: MAC.g2, sender: '10.0.0.3', target: '10.0.0.9' })),
    onPort('tap2', from('g2', MAC.g1).ip('10.0.0.2', '10.0.0.1').udp(1, 2), { cpu: 1 }),
    onPort('vf3', from('g3', MAC.station).ip('10.0.0.3', '10.0.0.9').udp(1, 2)),
    onPort('vf3', from('g3', MAC.station, 100).ip('10.0.0.3', '10.0.0.9').udp(1, 2)),
    onPort('tap4', from('g4', MAC.station, 20).ip('10.0.0.4', '10.0.0.9').udp(1, 2)),
    onPort('tap4', from('g4', MAC.station).ip('10.0.0.4', '10.0.0.9').udp(1, 2)),
  ];
}

class World {
  readonly site: Site;
  readonly dataPlane: DataPlane;
  readonly #programs = { uplink: BpfProgram.fromPin(pins.program('steer_uplink')), guest: BpfProgram.fromPin(pins.program('steer_guest')) };

  private constructor(site: Site, dataPlane: DataPlane) {
    this.site = site;
    this.dataPlane = dataPlane;
  }

  static async open(): Promise<World> {
    const dataPlane = await openWorld();
    return new World(await openSite(pinsRoot, NAMES, null), dataPlane);
  }

  run({ on, data, queue = 0, cpu = 0 }: Arrives, repeat = 1): number {
    const program = on === 'pf0' ? this.#programs.uplink : this.#programs.guest;
    return program.testRun({ data, ingressIfindex: at(on), rxQueue: queue, cpu, repeat }).verdict;
  }

  duration({ on, data, queue = 0, cpu = 0 }: Arrives, repeat: number): number {
    const program = on === 'pf0' ? this.#programs.uplink : this.#programs.guest;
    return program.testRun({ data, ingressIfindex: at(on), rxQueue: queue, cpu, repeat }).durationNs;
  }

  /** Every reason counted so far, by owner. */
  counted(): Record<string, number> {
    const all: Record<string, number> = {};
    for (const { id, reasons } of this.dataPlane.tallies())
      for (const [reason, { packets }] of Object.entries(reasons))
        if (packets > 0) all[`${NAMES.get(id) ?? 'nobody'} ${reason}`] = packets;
    return all;
  }

  close(): void {
    for (const program of Object.values(this.#programs)) program.close();
    this.dataPlane.remove();
  }
}

function difference(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): Record<string, number> {
  const entries = Object.entries(after).map(([key, count]) => [key, count - (before[key] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, count]) => count !== 0).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function tally(frames: readonly CapturedFrame[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { vnic, reason } of frames) {
    const key = `${NAMES.get(vnic) ?? 'nobody'} ${reason}`;
    all[key] = (all[key] ?? 0) + 1;
  }
  return difference({}, all);
}

/** The frames that a captor with this filter gives out of all. */
function capturedOf(
  world: World,
  frames: readonly Arrives[],
  filter: CaptureFilter,
): { readonly frames: CapturedFrame[]; readonly counts: unknown } {
  const captor = Captor.start(pins, filter);
  for (const each of frames) world.run(each);
  captor.detach();
  const seen: CapturedFrame[] = [];
  captor.poll((one) => seen.push(one));
  const counts = captor.counts();
  captor.stop();
  return { frames: seen, counts };
}

/** What changes with frames, but not with explaining. */
function contents(): string {
  return ['flows', 'remotes', 'paths']
    .map((map) => {
      const raw = RawMap.fromPin(pins.map(map));
      const all = Buffer.concat(Array.from(raw.entries(), ([, value]) => value)).toString('base64');
      raw.close();
      return all;
    })
    .join(' ');
}

function failure(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    return String(error);
  }
}

const link = (site: Site, ifindex: number): string | null => (ifindex === 0 ? null : site.link(ifindex));

const scenarios: Record<string, () => Promise<unknown>> = {
  /** For every frame: what is explained, then what is decided and captured, then what was counted. */
  async explained() {
    const world = await World.open();
    const { site } = world;
    const captor = Captor.start(pins);
    const rows = [];
    for (const each of manyFrames()) {
      const before = contents();
      const frames = [{ frame: each.data.toString('hex'), interface: each.on }];
      const explanation = explainRequest(site, { frames, rx_queue: each.queue ?? 0, cpu: each.cpu ?? 0 }).explanations[0];
      const changed = contents() !== before;
      const counters = world.counted();
      const verdict = verdictNames[world.run(each)];
      const seen: CapturedFrame[] = [];
      captor.poll((one) => seen.push(one));
      const [one] = seen;
      const said =
        explanation === undefined
          ? null
          : {
              verdict: explanation.verdict,
              reason: explanation.reason,
              vnic: explanation.vnic,
              target: explanation.target,
              queue: explanation.queue,
              cpu: explanation.handed_to_cpu,
              hash: explanation.hash,
            };
      const captured =
        one === undefined
          ? null
          : {
              verdict: one.verdict,
              reason: one.reason,
              vnic: one.vnic === 0 ? null : site.vnic(one.vnic),
              target: link(site, one.targetIfindex),
              queue: one.queue,
              cpu: one.toCpu,
              hash: one.hash === null ? null : hex32(one.hash),
            };
      const facts =
        one === undefined
          ? null
          : {
              interface: site.link(one.ifindex),
              rxQueue: one.rxQueue,
              cpu: one.cpu,
              length: one.length,
              sameBytes: one.bytes.equals(each.data),
            };
      rows.push({
        on: each.on,
        queue: each.queue ?? 0,
        cpu: each.cpu ?? 0,
        length: each.data.length,
        changed,
        verdict,
        said,
        captured,
        facts,
        number: seen.length,
        counted: difference(counters, world.counted()),
        steps: explanation?.steps.length,
      });
    }
    captor.stop();
    world.close();
    return rows;
  },

  /** Frames on the wire and from the guests' far ends. */
  async live() {
    const world = await World.open();
    const captor = Captor.start(pins);
    const socket = new PacketSocket();
    const frames = manyFrames().filter(({ data }) => data.length <= 1514);
    const before = world.counted();
    const seen: CapturedFrame[] = [];
    for (let round = 0; round < 20; round++) {
      for (const { on, data } of frames) socket.send(at(`${on}-far`), data);
      captor.poll((one) => seen.push(one));
    }
    await sleep(200);
    captor.detach();
    captor.poll((one) => seen.push(one));
    const result = {
      sent: frames.length * 20,
      captured: tally(seen),
      counted: difference(before, world.counted()),
      counts: captor.counts(),
      inOrder: seen.every((one, i) => i === 0 || one.cpu !== seen[i - 1]?.cpu || one.timeNs >= (seen[i - 1]?.timeNs ?? 0n)),
    };
    socket.close();
    captor.stop();
    world.close();
    return result;
  },

  async filters() {
    const world = await World.open();
    const frames = manyFrames();
    const of = (filter: CaptureFilter) => {
      const { frames: seen, counts } = capturedOf(world, frames, filter);
      return { tally: tally(seen), on: [...new Set(seen.map(({ ifindex }) => world.site.link(ifindex)))].sort(), counts };
    };
    const g2 = { id: 2, tapIfindex: at('tap2'), vfIfindex: 0 };
    const drawn = Captor.start(pins, { sample: 10 });
    world.run(frames[0] as Arrives, 10_000);
    drawn.detach();
    const sample = { given: drawn.poll(() => undefined), counts: drawn.counts() };
    drawn.stop();
    const snap = capturedOf(world, [frames[0] as Arrives], { snaplen: 20 }).frames[0];
    const result = {
      frames: frames.length,
      reasons: of({ reasons: ['pass_oversize', 'drop_spoofed_ip'] }),
      verdicts: of({ verdicts: ['drop'] }),
      ifindex: of({ ifindex: at('tap2') }),
      vnic: of({ vnic: g2 }),
      sample,
      snap: { length: snap?.length, bytes: snap?.bytes.length, head: snap?.bytes.equals((frames[0] as Arrives).data.subarray(0, 20)) },
    };
    world.close();
    return result;
  },

  /** More than the ring takes, and nobody reads meanwhile. */
  async full() {
    const world = await World.open();
    const captor = Captor.start(pins);
    const big = { on: 'pf0', data: v4(wire(MAC.g1)).udp(1, 2).fillTo(1514).build() } as const;
    const before = world.counted();
    world.run(big, 5000);
    const given = captor.poll(() => undefined);
    const counts = captor.counts();
    captor.stop();
    const result = { given, counts, counted: difference(before, world.counted()) };
    world.close();
    return result;
  },

  /** One at a time; nothing is left on, whatever becomes of the captor. */
  async ends() {
    const world = await World.open();
    const one = manyFrames()[0] as Arrives;
    const first = Captor.start(pins);
    const second = failure(() => Captor.start(pins));
    first.stop();
    const third = Captor.start(pins);
    // Nobody comes back to it.
    await sleep(5_300);
    const before = third.isLive();
    world.run(one);
    const after = third.isLive();
    const none = third.poll(() => undefined);
    third.stop();
    const nowhere = failure(() => Captor.start(new Pins(`${pinsRoot}-nowhere`, ContractLimit.CONTRACT_VERSION)));
    // Another daemon's programs take over: the captor must notice.
    const fourth = Captor.start(pins);
    const other = await openDataPlane({
      objectPath: hostObjectPath,
      pinsRoot,
      flowsPerVnic: 512,
      rssKey: 'random',
      xdpMode: 'auto',
      maxVnics: 64,
      warn: () => undefined,
    });
    const exchanged = fourth.isLive();
    fourth.stop();
    other.close();
    world.close();
    return { second, before, after, none, nowhere, exchanged };
  },

  /** Nanoseconds per frame, for a look at what it costs. */
  async cost() {
    const world = await World.open();
    const one = { on: 'pf0', data: v4(wire(MAC.g1)).udp(1000, 53).fillTo(64).build() } as const;
    const repeat = 300_000;
    const measure = (): number => Math.min(...Array.from({ length: 5 }, () => world.duration(one, repeat)));
    const off = measure();
    const cost: Record<string, number> = { off };
    for (const [label, filter] of [
      ['all', {}],
      ['64 bytes', { snaplen: 64 }],
      ['one in 64', { sample: 64 }],
      ['other interface', { ifindex: at('tap1') }],
    ] as const) {
      const captor = Captor.start(pins, filter);
      const timer = setInterval(() => captor.poll(() => undefined), 1);
      cost[label] = measure();
      clearInterval(timer);
      captor.stop();
    }
    cost['off again'] = measure();
    world.close();
    return cost;
  },
};

const asText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
const scenario = scenarios[name];
if (scenario === undefined) throw new Error(`no scenario "${name}"`);
process.stdout.write(JSON.stringify(await scenario(), asText));
