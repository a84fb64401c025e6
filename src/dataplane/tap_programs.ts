/**
 * The program at the egress of taps: by a pinned link (tcx) where the kernel has them, else by a filter of its own (tc), which is noted
 * in a map, so that a later daemon can undo it exactly. Making the qdisc for a filter costs the frames that are on their way just then.
 */
import { hostMaps } from '../../maps/generated/contract.js';
import { isNativeError } from '../native/errors.js';
import { BpfMap, type RawMap } from '../native/map.js';
import type { Pins } from '../native/pins.js';
import type { BpfProgram } from '../native/program.js';
import { attachTc, detachTc, queryTc } from '../native/tc.js';
import { TcxLink } from '../native/tcx_link.js';

/** The handle, "unip", makes our filter known as ours. */
const PLACE = { priority: 100, handle: 0x756e6970 };

export class TapPrograms {
  readonly #pins: Pins;
  readonly #program: BpfProgram;
  readonly #notes: BpfMap<number, { readonly madeQdisc: number }>;

  /** Owns none of them. What an earlier daemon has attached gets this program in the old one's place, with no frame in between. */
  constructor(pins: Pins, program: BpfProgram, notes: RawMap) {
    this.#pins = pins;
    this.#program = program;
    this.#notes = new BpfMap(notes, hostMaps.tap_programs.key, hostMaps.tap_programs.value);
    for (const ifindex of pins.listEgressLinks()) this.#adoptLink(ifindex);
    for (const ifindex of [...this.#notes.keys()]) {
      const present = queryTc(ifindex, 'egress', PLACE);
      if (present === null) this.#notes.delete(ifindex);
      else if (present.programId !== program.id) attachTc(program, ifindex, 'egress', PLACE, { replace: true });
    }
  }

  /** @throws Error with the device's name */
  attach(ifindex: number, name: string): void {
    if (this.attached().has(ifindex)) return;
    try {
      if (!this.#attachLink(ifindex)) this.#attachFilter(ifindex);
    } catch (error) {
      throw new Error(`${name}: the program for its egress cannot be attached: ${(error as Error).message}`, { cause: error });
    }
  }

  detach(ifindex: number): void {
    this.#pins.remove(this.#pins.egressLink(ifindex));
    const note = this.#notes.get(ifindex);
    if (note === undefined) return;
    detachTc(ifindex, 'egress', PLACE, { removeQdisc: note.madeQdisc === 1 });
    this.#notes.delete(ifindex);
  }

  /** ifindexes of devices that have it; those that are gone are forgotten. */
  attached(): ReadonlySet<number> {
    const present = new Set<number>();
    for (const ifindex of this.#pins.listEgressLinks()) if (this.#isAlive(ifindex)) present.add(ifindex);
    for (const ifindex of [...this.#notes.keys()]) {
      if (queryTc(ifindex, 'egress', PLACE) === null) this.#notes.delete(ifindex);
      else present.add(ifindex);
    }
    return present;
  }

  detachAll(): void {
    for (const ifindex of [...this.#notes.keys(), ...this.#pins.listEgressLinks()]) this.detach(ifindex);
  }

  /** False when the kernel has no such links. */
  #attachLink(ifindex: number): boolean {
    let link: TcxLink;
    try {
      link = TcxLink.attachEgress(this.#program, ifindex);
    } catch (error) {
      if (isNativeError(error, 'EINVAL')) return false;
      throw error;
    }
    try {
      link.pin(this.#pins.egressLink(ifindex));
    } finally {
      link.close();
    }
    return true;
  }

  #attachFilter(ifindex: number): void {
    const { madeQdisc } = attachTc(this.#program, ifindex, 'egress', PLACE, { replace: this.#notes.has(ifindex) });
    this.#notes.set(ifindex, { madeQdisc: madeQdisc || this.#notes.get(ifindex)?.madeQdisc === 1 ? 1 : 0 });
  }

  #adoptLink(ifindex: number): void {
    if (!this.#isAlive(ifindex)) return;
    const link = TcxLink.fromPin(this.#pins.egressLink(ifindex));
    try {
      if (link.info().programId !== this.#program.id) link.replace(this.#program);
    } finally {
      link.close();
    }
  }

  #isAlive(ifindex: number): boolean {
    const link = TcxLink.fromPin(this.#pins.egressLink(ifindex));
    const alive = link.info().ifindex !== 0;
    link.close();
    if (!alive) this.#pins.remove(this.#pins.egressLink(ifindex));
    return alive;
  }
}
