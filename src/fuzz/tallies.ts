/** The counters that the model's effects add up to, to be compared with the rows of map `counters`. */
import { PortRole, reasonNames, type Reason, type VnicCounters } from '../../maps/generated/contract.js';
import type { Effect } from '../core/packet/model.js';

/** Number by `vNIC id, what`. */
export class Tallies {
  readonly #numbers = new Map<number, Map<string, number>>();

  add(effect: Effect): void {
    switch (effect.kind) {
      case 'reason':
        this.#raise(effect.vnic, reasonNames[effect.reason], 1);
        this.#raise(effect.vnic, bytesOf(reasonNames[effect.reason]), effect.bytes);
        break;
      case 'received': {
        const name = effect.role === PortRole.VF ? 'from vf' : 'from tap';
        this.#raise(effect.vnic, name, 1);
        this.#raise(effect.vnic, bytesOf(name), effect.bytes);
        break;
      }
      case 'queue': this.#raise(effect.vnic, queueName(effect.role, effect.queue), 1); break;
      case 'tally': this.#raise(effect.vnic, effect.tally, 1); break;
      default:
    }
  }

  #raise(vnic: number, name: string, by: number): void {
    let numbers = this.#numbers.get(vnic);
    if (numbers === undefined) this.#numbers.set(vnic, (numbers = new Map<string, number>()));
    numbers.set(name, (numbers.get(name) ?? 0) + by);
  }

  get(vnic: number, name: string): number {
    return this.#numbers.get(vnic)?.get(name) ?? 0;
  }

  /** Over all vNICs, by reason: what a run has seen. */
  reasons(): Map<Reason, number> {
    const seen = new Map<Reason, number>();
    for (const [text, name] of Object.entries(reasonNames)) {
      const reason = Number(text) as Reason;
      for (const numbers of this.#numbers.values()) seen.set(reason, (seen.get(reason) ?? 0) + (numbers.get(name) ?? 0));
    }
    return seen;
  }

  *vnics(): Iterable<number> {
    yield* this.#numbers.keys();
  }
}

function bytesOf(name: string): string {
  return `${name}, bytes`;
}

function queueName(role: PortRole, queue: number): string {
  return `${role === PortRole.VF ? 'vf' : 'tap'} queue ${queue}`;
}

/** Calls back for every counter of a row, the CPUs' values added up. */
export function eachCounter(cpus: readonly VnicCounters[], see: (name: string, value: number) => void): void {
  const sum = (name: string, read: (counters: VnicCounters) => bigint | undefined): void => {
    see(name, cpus.reduce((total, counters) => total + Number(read(counters) ?? 0n), 0));
  };
  for (const [text, name] of Object.entries(reasonNames)) {
    sum(name, ({ reasons }) => reasons[Number(text)]?.packets);
    sum(bytesOf(name), ({ reasons }) => reasons[Number(text)]?.bytes);
  }
  for (let queue = 0; queue < (cpus[0]?.tapQueues.length ?? 0); queue++) {
    sum(queueName(PortRole.TAP, queue), ({ tapQueues }) => tapQueues[queue]);
    sum(queueName(PortRole.VF, queue), ({ vfQueues }) => vfQueues[queue]);
  }
  for (const [name, field] of [['from tap', 'fromTap'], ['from vf', 'fromVf']] as const) {
    sum(name, (counters) => counters[field].packets);
    sum(bytesOf(name), (counters) => counters[field].bytes);
  }
  for (const field of ['cpuHandovers', 'flowsLearnt', 'flowsMoved', 'pathChanges', 'flowsReplaced', 'flowsExpired'] as const) {
    sum(field, (counters) => counters[field]);
  }
}
