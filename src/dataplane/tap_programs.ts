/** The program at the tc egress hook of taps; which of them have it is noted in a map, so that a later daemon can undo it exactly. */
import { hostMaps } from '../../maps/generated/contract.js';
import { BpfMap, type RawMap } from '../native/map.js';
import type { BpfProgram } from '../native/program.js';
import { attachTc, detachTc, queryTc } from '../native/tc.js';

/** The handle, "unip", makes our filter known as ours. */
const PLACE = { priority: 100, handle: 0x756e6970 };

export class TapPrograms {
  readonly #program: BpfProgram;
  readonly #notes: BpfMap<number, { readonly madeQdisc: number }>;

  /** Owns neither. Filters of an earlier daemon get this program in the old one's place, with no frame in between. */
  constructor(program: BpfProgram, notes: RawMap) {
    this.#program = program;
    this.#notes = new BpfMap(notes, hostMaps.tap_programs.key, hostMaps.tap_programs.value);
    for (const ifindex of [...this.#notes.keys()]) {
      const present = queryTc(ifindex, 'egress', PLACE);
      if (present === null) this.#notes.delete(ifindex);
      else if (present.programId !== program.id) attachTc(program, ifindex, 'egress', PLACE, { replace: true });
    }
  }

  attach(ifindex: number, name: string): void {
    if (this.#notes.has(ifindex) && queryTc(ifindex, 'egress', PLACE)?.programId === this.#program.id) return;
    try {
      const { madeQdisc } = attachTc(this.#program, ifindex, 'egress', PLACE, { replace: this.#notes.has(ifindex) });
      this.#notes.set(ifindex, { madeQdisc: madeQdisc || this.#notes.get(ifindex)?.madeQdisc === 1 ? 1 : 0 });
    } catch (error) {
      throw new Error(`${name}: the program for its egress cannot be attached: ${(error as Error).message}`, { cause: error });
    }
  }

  detach(ifindex: number): void {
    const note = this.#notes.get(ifindex);
    if (note === undefined) return;
    detachTc(ifindex, 'egress', PLACE, { removeQdisc: note.madeQdisc === 1 });
    this.#notes.delete(ifindex);
  }

  /** ifindexes of devices that have it; those that are gone are forgotten. */
  attached(): ReadonlySet<number> {
    const present = new Set<number>();
    for (const ifindex of [...this.#notes.keys()]) {
      if (queryTc(ifindex, 'egress', PLACE) === null) this.#notes.delete(ifindex);
      else present.add(ifindex);
    }
    return present;
  }

  detachAll(): void {
    for (const ifindex of [...this.#notes.keys()]) this.detach(ifindex);
  }
}
