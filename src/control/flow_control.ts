/** Learnt flows of vNICs, asked for and brought by the control socket: a guest that moves to another host keeps its queues there. */
import { fitFlows, type LearntFlows } from '../core/learnt_flows.js';
import type { DataPlane } from '../dataplane/port.js';
import type { Controller } from './controller.js';
import type { FlowsReply, FlowsRequest, FlowsTaken } from './flow_protocol.js';

/** What is brought does not fit here; the message says what to do. */
export class FlowsRefusedError extends Error {
  override readonly name = 'FlowsRefusedError';
}

/** Ages go on while they wait, and what is older than this is not used by anybody. */
const WAIT_MS = 60_000;

interface Waiting {
  readonly flows: LearntFlows;
  readonly sinceMs: number;
}

export type FlowController = Pick<Controller, 'vnicStatus' | 'vnicIds' | 'onEvent'>;
export type FlowTables = Pick<DataPlane, 'vnics' | 'learntFlows' | 'writeLearntFlows'>;

export class FlowControl {
  readonly #controller: FlowController;
  readonly #tables: FlowTables;
  readonly #slots: number;
  readonly #nowMs: () => number;
  /** By name of a vNIC that is not in the maps yet: its guest has not arrived. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #unsubscribe: () => void;

  /** @param slots flows per vNIC @param nowMs a clock that never goes back */
  constructor(controller: FlowController, tables: FlowTables, slots: number, nowMs: () => number = () => performance.now()) {
    this.#controller = controller;
    this.#tables = tables;
    this.#slots = slots;
    this.#nowMs = nowMs;
    // Told while a vNIC is being set up, after its row and before any frame is steered.
    this.#unsubscribe = controller.onEvent(({ vnic }) => {
      if (vnic !== null && this.#waiting.has(vnic)) this.#settle(vnic);
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Null: there is no such vNIC. */
  get(name: string): Omit<FlowsReply, 'schema'> | null {
    if (!this.#isKnown(name)) return null;
    const id = this.#idOf(name);
    if (id === null) return { vnic: name, seed: null, slots: this.#slots, flows: [] };
    const { seed, slots, flows } = this.#tables.learntFlows(id);
    return {
      vnic: name,
      seed: seed.toString(16).padStart(16, '0'),
      slots,
      flows: flows.map(({ slot, tag, queue, ageMs }) => [slot, tag, queue, Math.round(ageMs)] as const),
    };
  }

  /** In the place of what was learnt here; of a guest that has not arrived yet, as soon as it has. Null: no such vNIC. @throws FlowsRefusedError */
  put(name: string, request: FlowsRequest): Omit<FlowsTaken, 'schema'> | null {
    if (!this.#isKnown(name)) return null;
    const { slots } = request;
    const bad = request.flows.find(([slot]) => slot >= slots);
    if (bad !== undefined) throw new FlowsRefusedError(`slot ${bad[0]} is not in a table of ${slots}; send them as they were read`);
    const flows: LearntFlows = {
      seed: BigInt(`0x${request.seed}`),
      slots,
      flows: request.flows.map(([slot, tag, queue, ageMs]) => ({ slot, tag, queue, ageMs })),
    };
    try {
      const fitting = fitFlows(flows, this.#slots).length;
      this.#waiting.set(name, { flows, sinceMs: this.#nowMs() });
      const waits = !this.#settle(name);
      return { vnic: name, taken: fitting, waits };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new FlowsRefusedError(`${error.message}; give both hosts the same flows_per_vnic`);
    }
  }

  /** False: it is not in the maps yet. */
  #settle(name: string): boolean {
    const waiting = this.#waiting.get(name);
    const id = this.#idOf(name);
    if (waiting === undefined || id === null) return false;
    this.#waiting.delete(name);
    const waitedMs = this.#nowMs() - waiting.sinceMs;
    if (waitedMs > WAIT_MS) return true;
    const flows = waiting.flows.flows.map((flow) => ({ ...flow, ageMs: flow.ageMs + waitedMs }));
    this.#tables.writeLearntFlows(id, { ...waiting.flows, flows });
    return true;
  }

  #isKnown(name: string): boolean {
    return this.#controller.vnicStatus().some((vnic) => vnic.name === name);
  }

  #idOf(name: string): number | null {
    const [id] = [...this.#controller.vnicIds()].find(([, other]) => other === name) ?? [];
    return id !== undefined && this.#tables.vnics().has(id) ? id : null;
  }
}
