/** Where model and programs disagree. */
import { type Decision as Noted, DecisionNone, type Event, reasonNames } from '../../maps/generated/contract.js';
import type { Decision, Verdict } from '../core/packet/model.js';

export interface Difference {
  /** Number of the frame in its run; with the seed it tells everything. */
  readonly frame: number;
  readonly what: string;
  /** By the model. */
  readonly expected: string;
  /** By the programs. */
  readonly actual: string;
}

export const VERDICTS: readonly (Verdict | 'tx')[] = ['aborted', 'drop', 'pass', 'tx', 'redirect'];

/** By tc action, include/uapi/linux/pkt_cls.h. */
export const TC_VERDICTS: ReadonlyMap<number, Verdict> = new Map([[0, 'pass'], [2, 'drop'], [7, 'redirect']]);

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** As the programs leave it to `unipath capture`; null where they leave nothing. */
export function notedOf({ reason, vnic, target, hash, queue, cpu }: Decision): Noted | null {
  if (reason === null) return null;
  return { vnic, targetIfindex: target, hash: hash ?? 0, cpu: cpu ?? DecisionNone.CPU, queue: queue ?? DecisionNone.QUEUE, reason };
}

export function sameNoted(a: Noted, b: Noted): boolean {
  return a.vnic === b.vnic && a.targetIfindex === b.targetIfindex && a.hash === b.hash && a.cpu === b.cpu && a.queue === b.queue
    && a.reason === b.reason;
}

export function notedText({ vnic, targetIfindex, hash, cpu, queue, reason }: Noted): string {
  const name = (reasonNames as Readonly<Record<number, string>>)[reason] ?? String(reason);
  return `${name} of vNIC ${vnic}, to ifindex ${targetIfindex}, queue ${queue}, CPU ${cpu}, hash 0x${hash.toString(16)}`;
}

export function eventText(event: Omit<Event, 'timeNs'>): string {
  const { vnic, generation, ifindex, kind, path, command } = event;
  return `kind ${kind} of vNIC ${vnic}, generation ${generation}, ifindex ${ifindex}, path ${path}, command ${command}`;
}

export function differenceText({ frame, what, expected, actual }: Difference): string {
  return `frame ${frame}: ${what}\n  model:    ${expected}\n  programs: ${actual}`;
}
