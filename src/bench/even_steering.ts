/** An indirection table that gives every bucket in turn to one of some CPUs, each the server of the queue congruent to it. */
import { ContractLimit, HashType } from '../../maps/generated/contract.js';
import type { SteeringRow } from '../dataplane/port.js';

export function evenSteering(queues: number, cpus: readonly number[]): SteeringRow {
  return {
    queues,
    reta: Array.from({ length: ContractLimit.RETA_SIZE }, (_, bucket) => (cpus[bucket % cpus.length] ?? 0) % queues),
    queueCpus: Array.from({ length: queues }, (_, queue) => cpus.find((cpu) => cpu % queues === queue) ?? null),
    hashTypes: HashType.DEFAULT,
    rssRow: 0,
    nicHash: false,
  };
}
