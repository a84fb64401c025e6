/** One world, and frames through it: the programs and the model side by side. */
import { type Event, type Flow, handoverCodec, heldFrameCodec, hostMaps } from '../../maps/generated/contract.js';
import { decide, type Decision, decideTap, type Effect, NOBODY, steerQueue, type TapArrival, vnicKey } from '../core/packet/model.js';
import { encode } from '../btf/codec.js';
import { onlineCpus } from '../native/cpus.js';
import { LARGEST_FIRST_BUFFER } from '../native/frame_runner.js';
import { ageFlow, ageOthers, changeWorld, deliverHeld } from './changes.js';
import { type Difference, eventText, hex, notedOf, notedText, sameNoted, TC_VERDICTS, VERDICTS } from './difference.js';
import { FrameMaker, type SentFrame } from './frames.js';
import { ID_RANGES, UPLINKS, VNIC_IDS } from './ids.js';
import { EPISODE_FRAMES, LARGEST_FRAME } from './limits.js';
import { GUEST_MACS } from './pools.js';
import { Random } from './random.js';
import type { Subject } from './subject.js';
import { eachCounter, Tallies } from './tallies.js';
import { populate } from './tenants.js';
import { type HeldEffect, NONE_SEEN, World } from './world.js';

const HANDOVER_BYTES = handoverCodec.size;

/** Of a frame that was run, for who wants to look at it. */
export interface Shot {
  readonly program: string;
  readonly sent: SentFrame;
  readonly decision: Decision;
}

/** The CPU that runs the programs; the caller's thread must be there. */
export function cpuOf(episode: number): number {
  const cpus = onlineCpus();
  return cpus[episode % cpus.length]!;
}

export class Episode {
  readonly tallies = new Tallies();
  readonly #subject: Subject;
  readonly #random: Random;
  readonly #world: World;
  readonly #maker: FrameMaker;
  readonly #cpu: number;
  readonly #capturing: boolean;
  readonly #first: number;
  /** Rows of `flows` that have been written. */
  readonly #usedRows: number[] = [];
  #events: Omit<Event, 'timeNs'>[] = [];
  #done = 0;
  shot: Shot | null = null;

  constructor(subject: Subject, seed: number, episode: number) {
    this.#subject = subject;
    this.#random = new Random(seed, episode);
    this.#world = new World(subject);
    this.#cpu = cpuOf(episode);
    this.#first = episode * EPISODE_FRAMES;
    populate(this.#world, this.#random);
    this.#maker = new FrameMaker(this.#world, this.#random);
    this.#capturing = this.#random.chance(0.7);
    subject.setCapturing(this.#capturing);
  }

  /** The number of the frame that comes next. */
  get frame(): number {
    return this.#first + this.#done;
  }

  /** Runs one frame. Returns what differs at once; what differs in the maps is found by `compare`. */
  step(): Difference | null {
    const random = this.#random;
    if (this.#done % 192 === 191) changeWorld(this.#world, random);
    if (this.#usedRows.length > 0 && random.chance(0.35)) ageFlow(this.#world, random, random.pick(this.#usedRows));
    if (random.chance(0.03)) ageOthers(this.#world, random);
    if (random.chance(0.08)) deliverHeld(this.#world, random);
    const sent = this.#maker.next(this.#cpu);
    if (sent.tap !== null) {
      const difference = this.#runTap(sent, sent.tap);
      this.#done++;
      return difference;
    }
    const decision = decide(this.#world, sent.bytes, sent.arrival);
    const difference = this.#run(sent.arrival.program, sent, decision) ?? this.#secondStage(sent, decision);
    this.#done++;
    return difference;
  }

  #runTap(sent: SentFrame, tap: TapArrival): Difference | null {
    const decision = decideTap(this.#world, sent.bytes, tap);
    this.shot = { program: 'steer_tap', sent, decision };
    const { ifindex, cameIn: ingressIfindex, segmentSize } = tap;
    const verdict = TC_VERDICTS.get(this.#subject.runTap(sent.bytes, { ifindex, ingressIfindex, segmentSize })) ?? 'none';
    this.#take(decision.effects);
    if (verdict !== decision.verdict) return this.#difference('verdict', this.#told(decision), verdict);
    const { output } = this.#subject.skbRunner;
    // A tag that is put in lies beside the frame.
    if (!sameBytes(output, sent.bytes)) return this.#difference('bytes of the frame', hex(sent.bytes), hex(output));
    return this.#compareNoted(decision);
  }

  #run(program: 'steer_uplink' | 'steer_guest' | 'steer_queue', sent: SentFrame, decision: Decision): Difference | null {
    this.shot = { program, sent, decision };
    const { ifindex: ingressIfindex, rxQueue, firstBuffer } = sent.arrival;
    const how = { ingressIfindex, rxQueue, metadata: sent.metadata, ...(firstBuffer === undefined ? {} : { firstBuffer }) };
    const verdict = VERDICTS[this.#subject.run(program, sent.bytes, how)] ?? 'none';
    this.#take(decision.effects);
    if (verdict !== decision.verdict) {
      const actual = this.#capturing ? `${verdict}: ${notedText(this.#subject.decision(this.#cpu))}` : verdict;
      return this.#difference('verdict', this.#told(decision), actual);
    }
    const { output } = this.#subject.runner;
    if (verdict !== 'aborted' && !sameBytes(output, decision.frame)) {
      return this.#difference(`bytes of the frame (${this.#told(decision)})`, hex(decision.frame), hex(output));
    }
    return this.#compareNoted(decision);
  }

  #compareNoted(decision: Decision): Difference | null {
    const noted = this.#capturing ? notedOf(decision) : null;
    if (noted === null) return null;
    const actual = this.#subject.decision(this.#cpu);
    return sameNoted(noted, actual) ? null : this.#difference('decision', notedText(noted), notedText(actual));
  }

  /** What was handed over goes on; now and then the path changes meanwhile, or something else than was handed over comes. */
  #secondStage(sent: SentFrame, first: Decision): Difference | null {
    const random = this.#random;
    let handed = first.frame;
    if (first.cpu === null) {
      if (random.chance(0.98) || sent.bytes.length + HANDOVER_BYTES > LARGEST_FRAME) return null;
      handed = this.#strangeHandover(sent.bytes);
    }
    if (random.chance(0.1)) changeWorld(this.#world, random);
    const length = handed.length;
    const firstBuffer = Math.min(length, LARGEST_FIRST_BUFFER);
    const decision = steerQueue(this.#world, handed, firstBuffer);
    const arrival = { ...sent.arrival, ifindex: UPLINKS[0], firstBuffer };
    const { shot } = this;
    const difference = this.#run('steer_queue', { bytes: handed, arrival, tap: null, metadata: 0 }, decision);
    // What differs only in the maps is most likely of the first stage, which writes them.
    if (difference === null) this.shot = shot;
    return difference;
  }

  #strangeHandover(frame: Uint8Array): Uint8Array {
    const random = this.#random;
    const handed = new Uint8Array(HANDOVER_BYTES + frame.length);
    handed.set(frame, HANDOVER_BYTES);
    const vnic = this.#world.vnic(random.pick(VNIC_IDS));
    const key = random.chance(0.7) ? vnicKey(vnic.mac, vnic.vlan) : vnicKey(random.pick(GUEST_MACS), random.below(4096));
    new DataView(handed.buffer).setBigUint64(0, key, true);
    return random.chance(0.1) ? handed.slice(0, random.between(14, 30)) : handed;
  }

  #take(effects: readonly Effect[]): void {
    this.#world.apply(effects);
    for (const effect of effects) {
      this.tallies.add(effect);
      if (effect.kind === 'event') this.#events.push(effect.event);
      else if (effect.kind === 'learnt' || effect.kind === 'steered') {
        if (!this.#usedRows.includes(effect.row)) this.#usedRows.push(effect.row);
      }
    }
  }

  /** All maps that frames change, and the events since the last time. */
  compare(): Difference | null {
    return this.#compareEvents() ?? this.#compareCounters() ?? this.#comparePaths() ?? this.#compareHeld() ?? this.#compareSeen()
      ?? this.#compareFlows() ?? this.#compareRemotes();
  }

  #compareEvents(): Difference | null {
    const expected = this.#events.map(eventText);
    const actual = this.#subject.takeEvents().map(eventText);
    this.#events = [];
    for (let i = 0; i < Math.max(expected.length, actual.length); i++) {
      if (expected[i] !== actual[i]) return this.#difference('event', expected[i] ?? 'none', actual[i] ?? 'none');
    }
    return null;
  }

  #compareCounters(): Difference | null {
    let difference: Difference | null = null;
    const compared = new Set<number>();
    for (const [first, count] of ID_RANGES) {
      for (const [i, cpus] of this.#subject.counters(first, count).entries()) {
        compared.add(first + i);
        eachCounter(cpus, (name, actual) => {
          const expected = this.tallies.get(first + i, name);
          if (expected === actual) return;
          difference ??= this.#difference(`counter "${name}" of vNIC ${first + i}`, String(expected), String(actual));
        });
      }
    }
    const beyond = [...this.tallies.vnics()].find((id) => !compared.has(id));
    if (beyond !== undefined) difference ??= this.#difference('counters', `of vNIC ${beyond}`, 'there is no such row');
    return difference;
  }

  #comparePaths(): Difference | null {
    for (const id of [NOBODY, ...VNIC_IDS]) {
      const expected = this.#world.paths.get(id) ?? { word: 0n, vfSeen: 0, tapMulticast: 0, holdUntilNs: 0n };
      const actual = this.#subject.paths.get(id)!;
      const text = ({ word, vfSeen, tapMulticast, holdUntilNs }: typeof actual): string => `0x${word.toString(16)}, VF seen ${vfSeen}, multicast ${tapMulticast}, hold until ${holdUntilNs}`;
      if (text(expected) !== text(actual)) return this.#difference(`path of vNIC ${id}`, text(expected), text(actual));
    }
    return null;
  }

  /** What waits in each ring, byte by byte, but for the time; and how full it is. */
  #compareHeld(): Difference | null {
    for (const id of VNIC_IDS) {
      const [expected, actual] = [this.#world.held.get(id) ?? [], this.#subject.ring(id)];
      const taken = this.#world.holds.get(id)?.taken ?? 0;
      if ((actual?.taken ?? 0) !== taken) return this.#difference(`bytes taken of the ring of vNIC ${id}`, String(taken), String(actual?.taken));
      let i = 0;
      let difference: Difference | null = null;
      actual?.peek((record) => {
        const wanted = expected[i++];
        const [asked, is] = [wanted === undefined ? 'none' : heldText(wanted, record), hex(heldBytes(record))];
        if (asked !== is) difference ??= this.#difference(`frame ${i} that waits for vNIC ${id}`, asked, is);
      });
      if (difference === null && i !== expected.length) difference = this.#difference(`waiting for vNIC ${id}`, String(expected.length), String(i));
      if (difference !== null) return difference;
    }
    return null;
  }

  #compareSeen(): Difference | null {
    for (const id of [NOBODY, ...VNIC_IDS]) {
      const text = ({ ipv4, ipv6 }: typeof NONE_SEEN): string => [ipv4, ...ipv6].map((word) => word.toString(16)).join(' ');
      const [expected, actual] = [text(this.#world.seen.get(id) ?? NONE_SEEN), text(this.#subject.seen.get(id)!)];
      if (expected !== actual) return this.#difference(`addresses of vNIC ${id}`, expected, actual);
    }
    return null;
  }

  #compareFlows(): Difference | null {
    const { flowsPerVnic } = this.#world.knobs;
    const codec = hostMaps.flows.value;
    for (const [first, count] of ID_RANGES) {
      const rows = Buffer.alloc(count * flowsPerVnic * codec.size);
      this.#subject.readFlows(first * flowsPerVnic, count * flowsPerVnic, rows);
      for (let i = 0; i < count * flowsPerVnic; i++) {
        const row = first * flowsPerVnic + i;
        const actual = flowText(codec.read(rows, i * codec.size));
        const expected = flowText(this.#world.flows.get(row));
        if (expected !== actual) return this.#difference(`row ${row} of flows`, expected, actual);
      }
    }
    return null;
  }

  #compareRemotes(): Difference | null {
    const codec = hostMaps.remotes.value;
    const bytes = Buffer.alloc(this.#world.remotes.size * codec.size);
    this.#subject.readRemotes(bytes);
    for (const [slot, expected] of this.#world.remotes) {
      const actual = codec.read(bytes, slot * codec.size);
      if (expected.key === actual.key && expected.uplinkIfindex === actual.uplinkIfindex && expected.learnt === actual.learnt) continue;
      const text = ({ key, uplinkIfindex, learnt }: typeof actual): string => `0x${key.toString(16)} behind ${uplinkIfindex}, ${learnt}`;
      return this.#difference(`slot ${slot} of remotes`, text(expected), text(actual));
    }
    return null;
  }

  #told(decision: Decision): string {
    const noted = notedOf(decision);
    return noted === null ? decision.verdict : `${decision.verdict}: ${notedText(noted)}`;
  }

  #difference(what: string, expected: string, actual: string): Difference {
    return { frame: this.frame, what, expected, actual };
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Header and frame; behind them lies what was there before. */
function heldBytes(record: Buffer): Buffer {
  return record.subarray(0, heldFrameCodec.size + heldFrameCodec.read(record).length);
}

/** As the record must be, which tells the time. */
function heldText({ held, bytes }: HeldEffect, record: Buffer): string {
  const { timeNs } = heldFrameCodec.read(record);
  return hex(Buffer.concat([encode(heldFrameCodec, { ...held, timeNs }), bytes]));
}

function flowText(flow: Flow | undefined): string {
  const { learnt, steered } = flow ?? { learnt: { tag: 0, seen: 0, queue: 0, valid: 0 }, steered: { tag: 0, seen: 0, queue: 0, valid: 0 } };
  const text = ({ tag, seen, queue, valid }: Flow['learnt']): string => `${valid}/${tag.toString(16)}/${seen}/${queue}`;
  return `learnt ${text(learnt)}, steered ${text(steered)}`;
}
