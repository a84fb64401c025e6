/** Map `cpus`: the CPUs that may be handed a frame, each running steer_queue on it. */
import { bpfCpumapValCodec } from '../../maps/generated/contract.js';
import { encode, u32 } from '../btf/codec.js';
import { onlineCpus } from '../native/cpus.js';
import type { RawMap } from '../native/map.js';
import type { BpfProgram } from '../native/program.js';

/** Frames that may wait for one CPU. */
const QUEUE_SIZE = 2048;

/**
 * One entry per online CPU with this program; entries that have it already stay. The kernel hands on the frames that wait in
 * an entry that is replaced.
 */
export function fillCpus(cpus: RawMap, steerQueue: BpfProgram): void {
  for (const cpu of onlineCpus().filter((number) => number < cpus.maxEntries)) {
    const key = encode(u32, cpu);
    const present = cpus.get(key);
    if (present !== null && bpfCpumapValCodec.read(present).bpfProg === steerQueue.id) continue;
    cpus.set(key, encode(bpfCpumapValCodec, { qsize: QUEUE_SIZE, bpfProg: steerQueue.fd }));
  }
}
