/** Frames for a world: by a grammar whose every rule is broken now and then, by damage to what came out, and of random bytes. */
import { ContractLimit, HoldRoom, type Vnic, VnicFlag } from '../../maps/generated/contract.js';
import type { Arrival, TapArrival } from '../core/packet/model.js';
import { LARGEST_FIRST_BUFFER } from '../native/frame_runner.js';
import { LARGEST_SKB, SHORTEST_SKB } from '../native/skb_runner.js';
import { RX_QUEUES, STRAY, tapOf, UPLINKS, vfOf, VNIC_IDS } from './ids.js';
import { LARGEST_FRAME } from './limits.js';
import { anyFlow, type Flow, reversed, writeArp, writeControl, writeIpv4, writeIpv6 } from './packets.js';
import { CONTROL_MAC, FOREIGN_VLANS, GUEST_MACS, MULTICAST_MACS, QUESTION_MACS, STATION_MACS, STRANGER_MACS, VLANS } from './pools.js';
import type { Random } from './random.js';
import type { World } from './world.js';
import { FrameWriter } from './writer.js';

export interface SentFrame {
  readonly bytes: Uint8Array;
  readonly arrival: Arrival;
  /** Not null: the bridge hands it to a tap, and `arrival` says nothing. */
  readonly tap: TapArrival | null;
  /** Bytes of metadata before it; they take headroom away. */
  readonly metadata: number;
}

/** As the kernel's test bed has it: XDP_PACKET_HEADROOM less struct xdp_frame. */
const HEADROOM = 216;
const LARGEST_WITH_METADATA = 2000;
const SHORTEST = 14;
/** Where a frame that waits takes a larger room, and what a tag makes of that. */
const ROOM_EDGES = [HoldRoom.SMALL, HoldRoom.USUAL].flatMap((room) => [-4, 0, 0, 1, 4].map((more) => room + more));

interface Sender {
  readonly program: 'steer_uplink' | 'steer_guest';
  readonly ifindex: number;
  readonly vnic: Vnic | null;
}

/** Cut, or with zeros behind it. */
function resized(bytes: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(length);
  other.set(bytes.subarray(0, length));
  return other;
}

export class FrameMaker {
  readonly #random: Random;
  readonly #world: World;
  readonly #writer = new FrameWriter();
  /** Met again and again, in both directions. */
  readonly #flows: readonly Flow[];
  /** vNICs that most frames are from or for, by index. */
  readonly #hot: readonly number[];
  #last: SentFrame | null = null;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    this.#flows = Array.from({ length: random.pick([3, 8, 30]) }, () => anyFlow(random));
    this.#hot = Array.from({ length: random.between(2, 4) }, () => random.below(VNIC_IDS.length));
  }

  #vnicIndex(): number {
    return this.#random.chance(0.6) ? this.#random.pick(this.#hot) : this.#random.below(VNIC_IDS.length);
  }

  /** @param cpu that will run the program */
  next(cpu: number): SentFrame {
    const random = this.#random;
    const sent = this.#last !== null && random.chance(0.1) ? this.#again(this.#last) : this.#make(cpu);
    this.#last = sent;
    return sent;
  }

  /** The last frame with something changed, or not. */
  #again({ bytes, arrival, tap, metadata }: SentFrame): SentFrame {
    const random = this.#random;
    if (tap !== null) return { bytes, arrival, tap, metadata };
    const rxQueue = random.chance(0.5) ? this.#rxQueue() : arrival.rxQueue;
    if (random.chance(0.5)) return { bytes, arrival: { ...arrival, rxQueue }, tap, metadata };
    const damaged = this.#damaged(Uint8Array.from(bytes));
    const { program, ifindex, cpu } = arrival;
    return { bytes: damaged, arrival: { program, ifindex, rxQueue, cpu, ...this.#buffers(damaged.length, 0) }, tap, metadata: 0 };
  }

  #make(cpu: number): SentFrame {
    const random = this.#random;
    if (random.chance(0.12)) return this.#fromBridge(cpu);
    const sender = this.#sender();
    const written = random.chance(0.02) ? this.#noise() : this.#written(sender);
    const damaged = random.chance(0.2) ? this.#damaged(written) : written;
    const bytes = random.chance(0.06) ? resized(damaged, random.pick(ROOM_EDGES)) : damaged;
    const metadata = bytes.length <= LARGEST_WITH_METADATA && random.chance(0.03) ? random.pick([4, 64, 204, 216]) : 0;
    const { program, ifindex } = sender;
    const headroom = HEADROOM - metadata;
    const buffers = this.#buffers(bytes.length, metadata);
    return { bytes, metadata, tap: null, arrival: { program, ifindex, rxQueue: this.#rxQueue(), cpu, headroom, ...buffers } };
  }

  /** To a tap, mostly for its guest or for all; now and then what the guest itself has sent by its VF. */
  #fromBridge(cpu: number): SentFrame {
    const random = this.#random;
    const index = this.#vnicIndex();
    const vnic = this.#world.vnic(VNIC_IDS[index]!);
    const to = random.weighted({ guest: 12, all: 6, others: 3 });
    const written = Uint8Array.from(this.#written({ program: 'steer_uplink', ifindex: 0, vnic: null }));
    written.set({ guest: vnic.mac, all: random.pick(MULTICAST_MACS), others: random.pick([...GUEST_MACS, ...STATION_MACS]) }[to], 0);
    if (random.chance(0.1)) written.set(vnic.mac, 6);
    const damaged = random.chance(0.1) ? this.#damaged(written) : written;
    const length = random.chance(0.1) ? random.pick(ROOM_EDGES) : Math.max(SHORTEST_SKB, Math.min(LARGEST_SKB, damaged.length));
    const bytes = resized(damaged, length);
    const ifindex = random.chance(0.96) ? tapOf(index) : random.pick([vfOf(index), STRAY]);
    const tap = {
      ifindex, tag: null, cameIn: random.pick([0, ...UPLINKS, STRAY]), segmentSize: random.chance(0.2) ? random.between(1, 1448) : 0,
    };
    return { bytes, arrival: { program: 'steer_guest', ifindex, rxQueue: 0, cpu }, tap, metadata: 0 };
  }

  #rxQueue(): number {
    return this.#random.chance(0.97) ? this.#random.below(4) : this.#random.below(RX_QUEUES);
  }

  /** In how many buffers it comes. */
  #buffers(length: number, metadata: number): { firstBuffer?: number } {
    const random = this.#random;
    if (metadata === 0 && random.chance(0.06)) {
      // Mostly such that it ends within the headers.
      return { firstBuffer: random.between(SHORTEST, Math.min(length, random.chance(0.5) ? 120 : LARGEST_FIRST_BUFFER)) };
    }
    return length > LARGEST_FIRST_BUFFER ? { firstBuffer: LARGEST_FIRST_BUFFER } : {};
  }

  #sender(): Sender {
    const random = this.#random;
    const who = random.weighted({ wire: 50, tap: 24, vf: 24, stray: 2 });
    const index = this.#vnicIndex();
    const vnic = this.#world.vnic(VNIC_IDS[index]!);
    const ownVf = vnic.vfIfindex === vfOf(index);
    const onTap = who === 'tap' || (!ownVf && random.chance(0.95));
    switch (who) {
      case 'wire': return { program: 'steer_uplink', ifindex: random.chance(0.85) ? UPLINKS[0] : UPLINKS[1], vnic: null };
      case 'stray': return { program: random.chance(0.5) ? 'steer_uplink' : 'steer_guest', ifindex: STRAY, vnic };
      default: return { program: 'steer_guest', ifindex: onTap ? tapOf(index) : vfOf(index), vnic };
    }
  }

  #noise(): Uint8Array {
    const random = this.#random;
    const bytes = new Uint8Array(random.between(SHORTEST, random.chance(0.8) ? 100 : 1600));
    random.fill(bytes);
    return bytes;
  }

  #written(sender: Sender): Uint8Array {
    const random = this.#random;
    const writer = this.#writer;
    writer.start();
    const guest = sender.vnic;
    const { destination, destinationVlan } = this.#destination(guest);
    const source = guest === null
      ? random.chance(0.9) ? random.pick(random.chance(0.9) ? STATION_MACS : QUESTION_MACS) : random.pick(random.chance(0.7) ? GUEST_MACS : MULTICAST_MACS)
      : random.chance(0.95) ? guest.mac : random.pick([...GUEST_MACS, ...STRANGER_MACS]);
    const vlan = guest === null ? destinationVlan : this.#guestVlan(guest, destinationVlan);
    writer.put(destination).put(source);
    this.#tags(vlan);
    this.#content(guest, source);
    if (random.chance(0.3) && writer.length < 60) writer.fill(60 - writer.length, 0);
    return writer.take();
  }

  #destination(guest: Vnic | null): { destination: Uint8Array; destinationVlan: number } {
    const random = this.#random;
    const to = random.weighted(guest === null
      ? { vnic: 88, station: 3, multicast: 4, stranger: 3, control: 2 }
      : { vnic: 43, station: 38, multicast: 9, stranger: 6, control: 4 });
    const vnic = this.#world.vnic(VNIC_IDS[this.#vnicIndex()]!);
    const anyVlan = random.chance(0.95) ? random.pick(VLANS) : random.pick(FOREIGN_VLANS);
    switch (to) {
      case 'vnic': {
        const destinationVlan = random.chance(0.93) ? vnic.vlans[random.below(vnic.vlanCount)]! : anyVlan;
        return { destination: vnic.mac, destinationVlan };
      }
      case 'station': return { destination: random.pick(STATION_MACS), destinationVlan: anyVlan };
      case 'control': return { destination: guest === null ? random.pick(QUESTION_MACS) : CONTROL_MAC, destinationVlan: anyVlan };
      case 'multicast': return { destination: random.pick(MULTICAST_MACS), destinationVlan: anyVlan };
      default: return { destination: random.pick(STRANGER_MACS), destinationVlan: anyVlan };
    }
  }

  /** A VLAN it may send in, preferably the one where the destination is. */
  #guestVlan(guest: Vnic, wanted: number): number {
    const random = this.#random;
    if (random.chance(0.04)) return random.pick([...VLANS, ...FOREIGN_VLANS]);
    if ((guest.flags & VnicFlag.ACCESS) !== 0) return 0;
    const own = guest.vlans.slice(0, guest.vlanCount);
    return own.includes(wanted) ? wanted : random.pick(own);
  }

  #tags(vlan: number): void {
    const random = this.#random;
    const priority = (): number => (random.chance(0.6) ? 0 : random.below(16)) << 12;
    const tag = (id: number): void => void this.#writer.u16(random.chance(0.85) ? 0x8100 : 0x88a8).u16(priority() | id);
    if (vlan !== 0 || random.chance(0.08)) tag(vlan);
    else if (random.chance(0.99)) return;
    if (random.chance(0.9)) return;
    for (let i = random.pick([1, 1, 1, 2, 3]); i > 0; i--) tag(random.chance(0.3) ? 0 : random.pick(VLANS));
  }

  #content(guest: Vnic | null, source: Uint8Array): void {
    const random = this.#random;
    const writer = this.#writer;
    const usual = random.chance(0.85) ? random.pick(this.#flows) : anyFlow(random);
    // The wire answers what the guests ask, now and then the other way round.
    const flow = (guest === null) === random.chance(0.9) ? usual : reversed(usual);
    switch (random.weighted({ ip: 82, arp: 6, control: 4, other: 4, nothing: 2, mismatch: 2 })) {
      case 'ip':
        if (flow.family === 4) writeIpv4(random, writer.u16(0x0800), flow);
        else writeIpv6(random, writer.u16(0x86dd), flow);
        break;
      case 'arp': writeArp(random, writer.u16(0x0806), source); break;
      case 'control': writeControl(random, writer.u16(ContractLimit.CONTROL_ETHERTYPE)); break;
      case 'mismatch':
        if (flow.family === 4) writeIpv4(random, writer.u16(random.pick([0x86dd, 0x0806, 0x88b5])), flow);
        else writeIpv6(random, writer.u16(random.pick([0x0800, 0x0806, 0x88b5])), flow);
        break;
      case 'other':
        writer.u16(random.pick([0x8847, 0x8864, 0x88cc, 0x8035, 46, 1500, random.below(0x1_0000)])).fill(random.below(200), 0);
        break;
      case 'nothing': writer.u16(random.pick([0x0800, 0x86dd, 0x0806, 0x88b5, 0x8100])); break;
    }
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    // What decides stands in front.
    const at = random.below(random.chance(0.8) ? Math.min(bytes.length, 100) : bytes.length);
    switch (random.weighted({ cut: 4, bit: 4, byte: 3, longer: 1 })) {
      case 'cut': return bytes.slice(0, Math.max(SHORTEST, random.chance(0.9) ? at : random.below(bytes.length)));
      case 'bit': bytes[at] = bytes[at]! ^ (1 << random.below(8)); return bytes;
      case 'byte': bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]); return bytes;
      default: {
        const longer = new Uint8Array(Math.min(LARGEST_FRAME, bytes.length + random.pick([1, 4, 1400, 4000])));
        longer.set(bytes);
        return longer;
      }
    }
  }
}
