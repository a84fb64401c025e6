/** Counters as the kernel keeps them, one per CPU, summed. */
import {
  type Counter, type RedirectErrorKey, type Reason, redirectErrorNames, reasonNames, vnicCountersCodec,
} from '../../maps/generated/contract.js';
import type { RawMap } from '../native/map.js';
import type { RedirectErrorTally, Tally, VnicTally } from './port.js';

/** Rows in one system call: the whole map is 1.6 MB per CPU, and those in use are few. */
const ROWS_AT_ONCE = 8;

/** Rows that follow each other, as [first, count]. */
export function runsOf(ids: readonly number[], most: number): (readonly [first: number, count: number])[] {
  const runs: [first: number, count: number][] = [];
  for (const id of ids) {
    const run = runs.at(-1);
    if (run !== undefined && run[0] + run[1] === id && run[1] < most) run[1] += 1;
    else runs.push([id, 1]);
  }
  return runs;
}

/** Map `counters`, read in batches. */
export class CounterRows {
  readonly #map: RawMap;
  /** Always the same: see RawMap.readRows. */
  readonly #rows: Buffer;

  constructor(map: RawMap) {
    this.#map = map;
    this.#rows = Buffer.alloc(ROWS_AT_ONCE * map.entrySize);
  }

  /** In the order of the ids. */
  read(ids: readonly number[]): VnicTally[] {
    const size = this.#map.entrySize;
    return runsOf(ids, ROWS_AT_ONCE).flatMap(([first, count]) => {
      this.#map.readRows(first, count, this.#rows);
      return Array.from({ length: count }, (_, i) => toVnicTally(first + i, this.#rows.subarray(i * size, (i + 1) * size)));
    });
  }
}

/** Adds up `count` blocks of u64 counters, `size` bytes each (a multiple of 8, so they follow each other without a gap). */
export function sumBlocks(values: Buffer, size: number): Buffer {
  const sum = Buffer.alloc(size);
  // Views and sums of 64 bits: V8 keeps these in registers, and makes no object of each number.
  const [from, to] = [values, sum].map(({ buffer, byteOffset, byteLength }) => new DataView(buffer, byteOffset, byteLength)) as [DataView, DataView];
  for (let at = 0; at < size; at += 8) {
    let total = 0n;
    for (let block = at; block < values.length; block += size) total = BigInt.asUintN(64, total + from.getBigUint64(block, true));
    to.setBigUint64(at, total, true);
  }
  return sum;
}

/** @param values the row of map `counters`: one struct vnic_counters per CPU, all of whose fields are u64 */
export function toVnicTally(id: number, values: Buffer): VnicTally {
  const sum = vnicCountersCodec.read(sumBlocks(values, vnicCountersCodec.size));
  const reasons: Record<string, Tally> = {};
  for (const [number, name] of Object.entries(reasonNames)) reasons[name] = toTally(sum.reasons[Number(number) as Reason]);
  return {
    id,
    reasons,
    tapQueues: sum.tapQueues,
    vfQueues: sum.vfQueues,
    fromTap: sum.fromTap,
    fromVf: sum.fromVf,
    cpuHandovers: sum.cpuHandovers,
    flowsLearnt: sum.flowsLearnt,
    flowsMoved: sum.flowsMoved,
    flowsReplaced: sum.flowsReplaced,
    flowsExpired: sum.flowsExpired,
    pathChanges: sum.pathChanges,
  };
}

function toTally(counter: Counter | undefined): Tally {
  return counter ?? { packets: 0n, bytes: 0n };
}

/** @param values one u64 per CPU */
export function toRedirectErrorTally(key: RedirectErrorKey, values: Buffer): RedirectErrorTally {
  return {
    kind: redirectErrorNames[key.kind],
    ifindex: key.ifindex,
    errno: Math.abs(key.error),
    packets: sumBlocks(values, 8).readBigUInt64LE(),
  };
}
