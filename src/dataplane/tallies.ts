/** Counters as the kernel keeps them, one per CPU, summed. */
import {
  ContractLimit, type Counter, type GuestDropKey, PortRole, type RedirectErrorKey, type Reason, redirectErrorNames, reasonNames, vnicCountersCodec,
} from '../../maps/generated/contract.js';
import type { RawMap } from '../native/map.js';
import type { GuestDropTally, RedirectErrorTally, Tally, VnicTally } from './port.js';

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

const WORD = 8;
const WORDS = vnicCountersCodec.size / WORD;

/** Which word of the struct each field is: read from one whose words are numbered. */
const AT = vnicCountersCodec.read(Buffer.from(BigUint64Array.from({ length: WORDS }, (_, i) => BigInt(i)).buffer));
const REASONS = Object.entries(reasonNames).map(([number, name]) => [name, wordsOf(AT.reasons[Number(number) as Reason])] as const);
const [FROM_TAP, FROM_VF] = [wordsOf(AT.fromTap), wordsOf(AT.fromVf)];
const [TAP_QUEUES = 0, VF_QUEUES = 0] = [AT.tapQueues, AT.vfQueues].map(([first]) => Number(first));
const [CPU_HANDOVERS = 0, FLOWS_LEARNT = 0, FLOWS_MOVED = 0, FLOWS_REPLACED = 0, FLOWS_EXPIRED = 0, PATH_CHANGES = 0] = [
  AT.cpuHandovers, AT.flowsLearnt, AT.flowsMoved, AT.flowsReplaced, AT.flowsExpired, AT.pathChanges,
].map(Number);

function wordsOf(counter: Counter | undefined): Tally {
  if (counter === undefined) throw new RangeError('struct vnic_counters has no counter for one of the reasons');
  return { packets: Number(counter.packets), bytes: Number(counter.bytes) };
}

/** Always the same: it is read in volume. */
const sum = new Float64Array(WORDS);

/** One struct vnic_counters per CPU, added up: all of its fields are u64. Holds until the next. */
function sumWords(values: Buffer): Float64Array {
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  sum.fill(0);
  for (let block = 0; block < values.length; block += WORDS * WORD) {
    for (let word = 0; word < WORDS; word++) {
      const at = block + word * WORD;
      sum[word]! += view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    }
  }
  return sum;
}

/** A loop: Array.from() asks a typed array for one number after the other. */
function queuesFrom(words: Float64Array, first: number): number[] {
  const queues = new Array<number>(ContractLimit.MAX_QUEUES);
  for (let queue = 0; queue < queues.length; queue++) queues[queue] = words[first + queue] ?? 0;
  return queues;
}

/** @param values the row of map `counters`, one struct per CPU */
export function toVnicTally(id: number, values: Buffer): VnicTally {
  const words = sumWords(values);
  const word = (at: number): number => words[at] ?? 0;
  const tally = ({ packets, bytes }: Tally): Tally => ({ packets: word(packets), bytes: word(bytes) });
  const reasons: Record<string, Tally> = {};
  for (const [name, at] of REASONS) reasons[name] = tally(at);
  return {
    id,
    reasons,
    tapQueues: queuesFrom(words, TAP_QUEUES),
    vfQueues: queuesFrom(words, VF_QUEUES),
    fromTap: tally(FROM_TAP),
    fromVf: tally(FROM_VF),
    cpuHandovers: word(CPU_HANDOVERS),
    flowsLearnt: word(FLOWS_LEARNT),
    flowsMoved: word(FLOWS_MOVED),
    flowsReplaced: word(FLOWS_REPLACED),
    flowsExpired: word(FLOWS_EXPIRED),
    pathChanges: word(PATH_CHANGES),
  };
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

export function toGuestDropTally({ vnic, role, reason }: GuestDropKey, packets: bigint): GuestDropTally {
  return { vnic, path: role === PortRole.TAP ? 'software' : 'accelerated', reason: reasonNames[reason as Reason], packets };
}
