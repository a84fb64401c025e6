/**
 * Frames that must not be redirected, or only with care, as bytes: what a virtio guest leaves unfinished, what is too large, what is
 * cut short, what has no target, and what goes by way of another CPU.
 */
import type { VnicPath } from '../../src/core/model.js';
import { frame, type FrameBuilder } from '../support/packet_builder.js';
import { Bed, type Risen, WORLD } from './bed/bed.js';
import { rightPayload, unfinishedTcp } from './bed/bursts.js';
import { ip } from './bed/commands.js';
import { sendLater } from './bed/pace.js';
import { type Place, serveScenarios } from './bed/place.js';

const ETHERNET_HEADER = 14;
/** Bytes of payload: a segment more than one frame takes, and several that would fit into one. */
const BURSTS = [{ segment: 1000, payload: 5000 }, { segment: 300, payload: 900 }] as const;
const FRAMES = 5;

export interface SpecialSeen {
  readonly what: string;
  readonly to: string;
  readonly path: VnicPath;
  readonly cutThrough: boolean;
  /** Frames by end, or segments of TCP; all of them right. */
  readonly arrived: Readonly<Record<string, number>>;
  /** Wrong bytes, wrong checksum, or not ours. */
  readonly wrong: number;
  /** Bytes of TCP payload that arrived, each in its place. */
  readonly payload: number;
  readonly risen: Risen;
}

const portOf = (bed: Bed, end: string) => bed.port(...(end.split(' ') as [string, 'tap' | 'vf' | 'wire']));

class Desk {
  readonly #bed: Bed;
  readonly #ends: readonly string[];
  readonly seen: SpecialSeen[] = [];

  constructor(bed: Bed, ends: readonly string[]) {
    this.#bed = bed;
    this.#ends = ends;
  }

  /** Sends; counts as right what `isRight` gives a number for: the bytes of payload. */
  async step(
    what: string, to: string, state: Pick<SpecialSeen, 'path' | 'cutThrough'>, send: () => void, isRight: (bytes: Buffer) => number | null,
  ): Promise<void> {
    await this.#bed.settle(20);
    for (const end of this.#ends) portOf(this.#bed, end).take();
    this.#bed.look();
    send();
    await this.#bed.settle();
    const arrived: Record<string, number> = {};
    let [wrong, payload] = [0, 0];
    for (const end of this.#ends) {
      for (const { frame: bytes } of portOf(this.#bed, end).take()) {
        const right = isRight(bytes);
        if (right === null) wrong++;
        else arrived[end] = (arrived[end] ?? 0) + 1;
        payload += right ?? 0;
      }
    }
    this.seen.push({ what, to, ...state, arrived, wrong, payload, risen: this.#bed.look() });
  }
}

interface Datagrams {
  readonly finished: readonly Buffer[];
  readonly partial: readonly Buffer[];
  /** Of the L4 header of each. */
  readonly starts: readonly number[];
}

function datagrams(bed: Bed, from: string, to: string, size = 400): Datagrams {
  const [source, target] = [bed.station(from), bed.station(to)];
  const ethernet = frame().ethernet({ from: source.mac, to: target.mac });
  const packets = (['ipv4', 'ipv6'] as const).map((family) => ethernet.ip(source[family], target[family]));
  const build = (make: (builder: FrameBuilder) => FrameBuilder): Buffer[] =>
    packets.flatMap((packet) => Array.from({ length: FRAMES }, (_, i) => make(packet).udp(4000 + i, 5000).fillTo(size + i).build()));
  const starts = [20, 40].flatMap((l3) => new Array<number>(FRAMES).fill(ETHERNET_HEADER + l3));
  return { finished: build((builder) => builder), partial: build((builder) => builder.partialChecksum()), starts };
}

async function handOver(place: Place, xdpMode: 'auto' | 'generic') {
  const flows = 16;
  // They differ in all bits: the hash is linear, and a few bits may leave its last one as it is.
  const ports = Array.from({ length: flows }, (_, i) => 1000 + ((i * 40_503) % 60_000));
  const row = { cutThrough: true };
  const bed = await Bed.open(place, {
    ends: 'raw', xdpMode, guests: { g1: { software: 'tap', queues: 2, row }, g2: { software: 'veth', vf: 'port', queues: 2, row } },
  });
  await bed.bring('g2', 'accelerated');
  const seen: object[] = [];
  for (const [to, end, side] of [['g1', 'g1 tap', 'tap'], ['g2', 'g2 vf', 'vf']] as const) {
    await bed.settle(20);
    for (const each of ['g1 tap', 'g2 tap', 'g2 vf', 'world wire']) portOf(bed, each).take();
    bed.look();
    const [source, target] = [bed.station(WORLD), bed.station(to)];
    const sent = Array.from({ length: flows * 3 }, (_, i) => frame().ethernet({ from: source.mac, to: target.mac })
      .ip(source.ipv4, target.ipv4).udp(ports[i % flows] ?? 0, 53).fillTo(100 + 20 * i).build());
    await sendLater(sent, (each) => bed.port(WORLD).send(each));
    await bed.settle(80);
    const arrived = portOf(bed, end).take();
    const whole = arrived.filter((one) => sent.some((each) => each.equals(one.frame)));
    const risen = bed.look();
    const byQueue = [0, 1].map((queue) => whole.filter((one) => one.queue === queue).length);
    const counted = [0, 1].map((queue) => risen[`${to} ${side} queue ${queue}`] ?? 0);
    seen.push({ to, sent: sent.length, arrived: arrived.length, whole: whole.length, byQueue, counted, risen });
  }
  const modes = bed.dataPlane.attachments().map(({ mode }) => mode);
  await bed.close();
  return { modes, seen };
}

await serveScenarios({
  async unfinished(place) {
    const bed = await Bed.open(place, {
      ends: 'raw', guests: { g1: { software: 'tap', vnetHeader: true }, g2: { software: 'veth', vf: 'port' }, g3: { software: 'tap' } },
    });
    const desk = new Desk(bed, ['world wire', 'g1 tap', 'g2 tap', 'g2 vf', 'g3 tap']);
    const tap = bed.port('g1', 'tap');
    // The world and the neighbours are known from here on.
    bed.port(WORLD).send(datagrams(bed, WORLD, 'g1').finished[0] ?? Buffer.alloc(0));
    for (const [path, cutThrough] of [['software', false], ['software', true], ['accelerated', false]] as const) {
      bed.cutThrough(cutThrough);
      await bed.bring('g2', path);
      for (const to of ['world', 'g2', 'g3']) {
        const { finished, partial, starts } = datagrams(bed, 'g1', to);
        const isOneOf = (list: readonly Buffer[]) => (bytes: Buffer) => (list.some((each) => each.equals(bytes)) ? 0 : null);
        const rest = { checksumOffset: 6, segment: 0, headerBytes: 0, kind: 'none' } as const;
        const sendPartial = () => partial.forEach((each, i) => tap.send(each, { ...rest, checksumStart: starts[i] ?? 0 }));
        await desk.step('finished', to, { path, cutThrough }, () => finished.forEach((each) => tap.send(each)), isOneOf(finished));
        await desk.step('partial checksum', to, { path, cutThrough }, sendPartial, isOneOf(finished));
        for (const family of [4, 6] as const) {
          for (const burst of BURSTS) {
            const { bytes, left } = unfinishedTcp(bed.station('g1'), bed.station(to), family, burst);
            const what = `${burst.payload} bytes of TCP over IPv${family} in one frame`;
            await desk.step(what, to, { path, cutThrough }, () => tap.send(bytes, left), (each) => rightPayload(each, family));
          }
        }
      }
    }
    await bed.close();
    return desk.seen;
  },

  async targets(place) {
    const bed = await Bed.open(place, {
      ends: 'raw', guests: { g1: { software: 'tap' }, g2: { software: 'veth', vf: 'port' }, g3: { software: 'veth', mtu: 1400 } },
    });
    const desk = new Desk(bed, ['world wire', 'g1 tap', 'g2 tap', 'g2 vf', 'g3 tap']);
    const state = { path: 'accelerated', cutThrough: true } as const;
    bed.cutThrough(true);
    await bed.bring('g2', 'accelerated');
    const tap = bed.port('g1', 'tap');
    const { finished } = datagrams(bed, 'g1', 'g2');
    const large = datagrams(bed, 'g1', 'g3', 1450).finished;
    const fits = datagrams(bed, 'g1', 'g3', 1405).finished;
    const isOneOf = (list: readonly Buffer[]) => (bytes: Buffer) => (list.some((each) => each.equals(bytes)) ? 0 : null);
    const sendAll = (list: readonly Buffer[]) => () => list.forEach((each) => tap.send(each));
    await desk.step('to the VF', 'g2', state, sendAll(finished), isOneOf(finished));
    bed.dataPlane.writeTxPort(bed.ifindex('vf-g2'), false);
    await desk.step('the VF is no target', 'g2', state, sendAll(finished), isOneOf(finished));
    bed.dataPlane.writeTxPort(bed.ifindex('vf-g2'), true);
    ip(place.host, 'link set dev vf-g2 down');
    await desk.step('the VF is down, and nobody noticed', 'g2', state, sendAll(finished), isOneOf(finished));
    ip(place.host, 'link set dev vf-g2 up');
    await desk.step('the VF is up again', 'g2', state, sendAll(finished), isOneOf(finished));
    await desk.step('larger than the tap takes', 'g3', state, sendAll(large), isOneOf(large));
    await desk.step('as large as the tap takes', 'g3', state, sendAll(fits), isOneOf(fits));
    const runts = [14, 16, 17].map((length) => frame().ethernet({ from: bed.station('g1').mac, to: bed.station('g2').mac, type: 0x8100 })
      .payload(Buffer.alloc(length - ETHERNET_HEADER)).build());
    await desk.step('cut short within a tag', 'g2', state, sendAll(runts), () => null);
    await bed.close();
    return desk.seen;
  },

  handOver: (place) => handOver(place, 'auto'),
  handOverGeneric: (place) => handOver(place, 'generic'),
});
