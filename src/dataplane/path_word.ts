/** The path of each vNIC: one 64-bit word, changed by compare-and-swap because the packet programs change it, too. */
import { ContractLimit, PathBit, pathWordCodec, VnicPath, vnicPathNames } from '../../maps/generated/contract.js';
import type { VnicPath as Path } from '../core/model.js';
import type { PathState } from './port.js';

const PATH_MASK = BigInt(PathBit.MASK);
const VF_ALLOWED = BigInt(PathBit.VF_ALLOWED);
const GENERATION_SHIFT = BigInt(PathBit.GENERATION_SHIFT);
const WORDS_PER_ROW = pathWordCodec.size / 8;

export interface PathChange {
  readonly path?: Path;
  readonly vfAllowed?: boolean;
}

export function readPathWord(word: bigint): PathState {
  const number = Number(word & PATH_MASK);
  const path = vnicPathNames[number as VnicPath];
  if (path === undefined) throw new RangeError(`path word 0x${word.toString(16)} names path ${number}, which does not exist`);
  return { path, vfAllowed: (word & VF_ALLOWED) !== 0n, generation: Number(word >> GENERATION_SHIFT) };
}

/** The word after the change. The generation rises by one, modulo 2^32, when the path is another; all other bits stay. */
export function changePathWord(word: bigint, change: PathChange): bigint {
  const now = readPathWord(word);
  let next = word;
  if (change.vfAllowed !== undefined) next = change.vfAllowed ? next | VF_ALLOWED : next & ~VF_ALLOWED;
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

  /** Software path, VF not allowed, generation 0. */
  reset(id: number): void {
    for (let i = 0; i < WORDS_PER_ROW; i++) Atomics.store(this.#words, id * WORDS_PER_ROW + i, 0n);
  }
}
