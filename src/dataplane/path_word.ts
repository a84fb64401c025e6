/** The path of each vNIC: one 64-bit word, changed by compare-and-swap because the packet programs change it, too. */
import { ContractLimit, PathBit, pathWordCodec, VnicPath, vnicPathNames } from '../../maps/generated/contract.js';
import type { VnicPath as Path } from '../core/model.js';
import type { HoldState, PathState } from './port.js';

const PATH_MASK = BigInt(PathBit.MASK);
const VF_ALLOWED = BigInt(PathBit.VF_ALLOWED);
const HOLD = BigInt(PathBit.HOLD);
const RELEASE = BigInt(PathBit.RELEASE);
const GENERATION_SHIFT = BigInt(PathBit.GENERATION_SHIFT);
const WORDS_PER_ROW = pathWordCodec.size / 8;
/** Position of hold_until_ns in a row. */
const HOLD_UNTIL = 2;

export interface PathChange {
  readonly path?: Path;
  readonly vfAllowed?: boolean;
  /** Frames are kept back; `releasing`: only while others still wait. */
  readonly hold?: HoldState;
}

export function readPathWord(word: bigint): PathState {
  const number = Number(word & PATH_MASK);
  const path = vnicPathNames[number as VnicPath];
  if (path === undefined) throw new RangeError(`path word 0x${word.toString(16)} names path ${number}, which does not exist`);
  const hold = (word & HOLD) === 0n ? 'none' : (word & RELEASE) === 0n ? 'holding' : 'releasing';
  return { path, vfAllowed: (word & VF_ALLOWED) !== 0n, hold, generation: Number(word >> GENERATION_SHIFT) };
}

/** The word after the change. The generation rises by one, modulo 2^32, when the path is another; all other bits stay. */
export function changePathWord(word: bigint, change: PathChange): bigint {
  const now = readPathWord(word);
  let next = word;
  if (change.vfAllowed !== undefined) next = change.vfAllowed ? next | VF_ALLOWED : next & ~VF_ALLOWED;
  if (change.hold !== undefined) {
    next &= ~(HOLD | RELEASE);
    if (change.hold !== 'none') next |= HOLD;
    if (change.hold === 'releasing') next |= RELEASE;
  }
  if (change.path === undefined || change.path === now.path) return next;
  const path = change.path === 'accelerated' ? VnicPath.ACCELERATED : VnicPath.SOFTWARE;
  next = (next & ~PATH_MASK) | BigInt(path);
  return BigInt.asUintN(64, next + (1n << GENERATION_SHIFT));
}

/** Map `paths` in place. */
export class PathWords {
  readonly #words: BigUint64Array;

  /** @param memory MAX_VNICS rows, 8-byte aligned */
  constructor(memory: Buffer) {
    this.#words = new BigUint64Array(memory.buffer, memory.byteOffset, ContractLimit.MAX_VNICS * WORDS_PER_ROW);
  }

  get(id: number): PathState {
    return readPathWord(Atomics.load(this.#words, id * WORDS_PER_ROW));
  }

  /** Returns the state after the change. */
  change(id: number, change: PathChange): PathState {
    const at = id * WORDS_PER_ROW;
    for (;;) {
      const word = Atomics.load(this.#words, at);
      const next = changePathWord(word, change);
      if (next === word || Atomics.compareExchange(this.#words, at, word, next) === word) return readPathWord(next);
    }
  }

  /** When a hold ends by itself, nanoseconds of CLOCK_MONOTONIC. */
  setHoldUntil(id: number, timeNs: bigint): void {
    Atomics.store(this.#words, id * WORDS_PER_ROW + HOLD_UNTIL, timeNs);
  }

  holdUntil(id: number): bigint {
    return Atomics.load(this.#words, id * WORDS_PER_ROW + HOLD_UNTIL);
  }

  /** Software path, VF not allowed, no hold, generation 0. */
  reset(id: number): void {
    for (let i = 0; i < WORDS_PER_ROW; i++) Atomics.store(this.#words, id * WORDS_PER_ROW + i, 0n);
  }
}
