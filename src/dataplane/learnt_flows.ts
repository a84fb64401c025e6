/** What guests have taught: map `flows`, and the keys of the flow hash that its slots and tags depend on (`flow_seeds`). */
import { randomBytes } from 'node:crypto';
import { ContractLimit, flowCodec, type FlowRecord } from '../../maps/generated/contract.js';
import { encode, u32, u64 } from '../btf/codec.js';
import { fitFlows, type LearntFlow, type LearntFlows } from '../core/learnt_flows.js';
import { ticksSince16 } from '../core/packet/ticks.js';
import { loadedKnobs } from '../native/loaded_knobs.js';
import type { RawMap } from '../native/map.js';
import type { BpfProgram } from '../native/program.js';
import { readTickClock, type TickClock } from './tick.js';

const { FLOW_EXPIRY, MAX_VNICS } = ContractLimit;
const NO_RECORD: FlowRecord = { tag: 0, seen: 0, queue: 0, valid: 0 };

export class FlowTable {
  readonly #seeds: RawMap;
  readonly #flows: RawMap;
  readonly #slots: number;
  readonly #program: BpfProgram;

  /**
   * Gives every id that has none a key.
   * @param slots flows per vNIC
   * @param program one of those that use the table: knows the clock
   */
  constructor(seeds: RawMap, flows: RawMap, slots: number, program: BpfProgram) {
    this.#seeds = seeds;
    this.#flows = flows;
    this.#slots = slots;
    this.#program = program;
    const without = Array.from({ length: MAX_VNICS }, (_, id) => id).filter((id) => this.#seed(id) === 0n);
    seeds.setBatch(without.map((id) => [encode(u32, id), randomBytes(u64.size)] as const));
  }

  /** Those that are still used, by the clock of this host. */
  get(id: number): LearntFlows {
    const { now, secondsPerTick } = this.#clock();
    const rows = Buffer.alloc(this.#slots * flowCodec.size);
    this.#flows.readRows(id * this.#slots, this.#slots, rows);
    const flows = Array.from({ length: this.#slots }, (_, slot): LearntFlow | null => {
      const { learnt } = flowCodec.read(rows, slot * flowCodec.size);
      const age = ticksSince16(learnt.seen, now);
      return learnt.valid === 0 || age > FLOW_EXPIRY ? null : { slot, tag: learnt.tag, queue: learnt.queue, ageMs: age * secondsPerTick * 1000 };
    });
    return { seed: this.#seed(id), slots: this.#slots, flows: flows.filter((flow) => flow !== null) };
  }

  /**
   * In the place of what was learnt here. Returns how many of them are used here: there is room, and they are not too old. A program that runs meanwhile may still write a record by the
   * old key; no flow has its tag. @throws RangeError when the table is larger than theirs
   */
  set(id: number, learnt: LearntFlows): number {
    const { now, secondsPerTick } = this.#clock();
    const ticks = (ageMs: number): number => Math.round(ageMs / 1000 / secondsPerTick);
    const fitting = fitFlows(learnt, this.#slots).filter(({ ageMs }) => ticks(ageMs) <= FLOW_EXPIRY);
    const records = new Map(
      fitting.map(({ slot, tag, queue, ageMs }) => [slot, { tag, seen: (now - ticks(ageMs)) & 0xffff, queue, valid: 1 }] as const),
    );
    this.#seeds.set(encode(u32, id), encode(u64, learnt.seed));
    this.#fill(id, (slot) => records.get(slot) ?? NO_RECORD);
    return fitting.length;
  }

  /** Nothing is left of this vNIC's flows, nor of its key. */
  forget(id: number): void {
    this.#seeds.set(encode(u32, id), randomBytes(u64.size));
    this.#fill(id, () => NO_RECORD);
  }

  #fill(id: number, learntOf: (slot: number) => FlowRecord): void {
    const row = (slot: number): Buffer => encode(flowCodec, { learnt: learntOf(slot), steered: NO_RECORD });
    this.#flows.setBatch(Array.from({ length: this.#slots }, (_, slot) => [encode(u32, id * this.#slots + slot), row(slot)] as const));
  }

  #seed(id: number): bigint {
    return u64.read(this.#seeds.get(encode(u32, id)) ?? Buffer.alloc(u64.size));
  }

  #clock(): TickClock {
    return readTickClock(loadedKnobs(this.#program));
  }
}
