/** Counters as the kernel keeps them, one per CPU, summed. */
import {
  type Counter, type RedirectErrorKey, type Reason, redirectErrorNames, reasonNames, vnicCountersCodec,
} from '../../maps/generated/contract.js';
import type { RedirectErrorTally, Tally, VnicTally } from './port.js';

/** Adds up `count` blocks of u64 counters, `size` bytes each (a multiple of 8, so they follow each other without a gap). */
export function sumBlocks(values: Buffer, size: number): Buffer {
  const sum = Buffer.alloc(size);
  for (let at = 0; at < size; at += 8) {
    let total = 0n;
    for (let block = at; block < values.length; block += size) total += values.readBigUInt64LE(block);
    sum.writeBigUInt64LE(BigInt.asUintN(64, total), at);
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
