/** Rows of map `steerings`: how flows are spread over the queues of one port. */
import { ContractLimit, type HashType, PortRole, type Steering } from '../../maps/generated/contract.js';
import type { PortRole as Role } from '../core/model.js';
import type { SteeringRow } from './port.js';

const { MAX_QUEUES, MAX_CPUS, RETA_SIZE, QUEUE_UNREACHABLE, PORTS_PER_VNIC, RSS_ROWS } = ContractLimit;

export const unusedSteering: Steering = {
  queues: 0, hashTypes: 0 as HashType, rssRow: 0, nicHash: 0, reta: Buffer.alloc(RETA_SIZE), queueCpus: new Array<number>(MAX_QUEUES).fill(0),
};

/** Row number of a port. */
export function steeringKey(vnic: number, role: Role): number {
  return vnic * PORTS_PER_VNIC + (role === 'vf' ? PortRole.VF : PortRole.TAP);
}

/** @throws RangeError for a row that the packet programs could not follow */
export function toSteering(row: SteeringRow): Steering {
  const { queues, reta, queueCpus, hashTypes, rssRow, nicHash } = row;
  if (!Number.isInteger(hashTypes) || hashTypes < 0 || hashTypes > 0xff) throw new RangeError(`${hashTypes} is not a set of hash types`);
  if (!Number.isInteger(rssRow) || rssRow < 0 || rssRow >= RSS_ROWS) throw new RangeError(`there is no row ${rssRow} of RSS keys`);
  if (!Number.isInteger(queues) || queues < 1 || queues > MAX_QUEUES) throw new RangeError(`${queues} queues; a port has 1..${MAX_QUEUES}`);
  if (reta.length !== RETA_SIZE) throw new RangeError(`an indirection table has ${RETA_SIZE} entries, not ${reta.length}`);
  const beyond = reta.find((queue) => !Number.isInteger(queue) || queue < 0 || queue >= queues);
  if (beyond !== undefined) throw new RangeError(`the indirection table names queue ${beyond}, and there are ${queues}`);
  if (queueCpus.length !== queues) throw new RangeError(`${queueCpus.length} CPUs for ${queues} queues`);
  for (const [queue, cpu] of queueCpus.entries()) {
    if (cpu === null) continue;
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= MAX_CPUS) throw new RangeError(`CPU ${cpu} is not in 0..${MAX_CPUS - 1}`);
    // A device transmits on queue CPU % queues.
    if (cpu % queues !== queue) throw new RangeError(`CPU ${cpu} does not reach queue ${queue} of ${queues}`);
  }
  const folded = reta.find((queue) => queueCpus[queue] === null);
  if (folded !== undefined) throw new RangeError(`the indirection table names queue ${folded}, which no CPU reaches`);
  const cpus = Array.from({ length: MAX_QUEUES }, (_, queue) => queueCpus[queue] ?? QUEUE_UNREACHABLE);
  return { queues, hashTypes: hashTypes as HashType, rssRow, nicHash: nicHash ? 1 : 0, reta: Uint8Array.from(reta), queueCpus: cpus };
}

/** Null for a row that is not in use. */
export function fromSteering(steering: Steering): SteeringRow | null {
  if (steering.queues === 0) return null;
  const cpus = steering.queueCpus.slice(0, steering.queues).map((cpu) => (cpu === QUEUE_UNREACHABLE ? null : cpu));
  const { queues, hashTypes, rssRow, nicHash } = steering;
  return { queues, reta: Array.from(steering.reta), queueCpus: cpus, hashTypes, rssRow, nicHash: nicHash !== 0 };
}
