/** Tells the log and whoever monitors what happens; the same error ever more seldom (repeats.ts). */
import { PROTOCOL_SCHEMA, type MonitorEvent } from '../control/protocol.js';
import type { Clock } from './clock.js';
import { Repeats } from './repeats.js';

/** What the control plane needs of a logger; pino's fits. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLogger: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Enough for what led to the trouble that somebody reports. */
const EVENTS_KEPT = 200;

export type EventFields = MonitorEvent['fields'];

export class Reporter {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listeners = new Set<(event: MonitorEvent) => void>();
  #recent: readonly MonitorEvent[] = [];
  readonly #repeats: Repeats;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
    this.#repeats = new Repeats(clock);
  }

  /** The last ones, oldest first. */
  get recent(): readonly MonitorEvent[] {
    return this.#recent;
  }

  onEvent(listener: (event: MonitorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  event(kind: MonitorEvent['kind'], vnic: string | null, adapter: string | null, message: string, fields: EventFields = {}): void {
    this.#emit(kind, vnic, adapter, message, fields);
    this.#log.info({ kind, ...(vnic === null ? {} : { vnic }), ...(adapter === null ? {} : { adapter }), ...fields }, message);
  }

  /** `about` and the message together are what is not said again and again. */
  warn(about: string, message: string, vnic: string | null = null, adapter: string | null = null): void {
    const repeats = this.#repeats.of(`${about}: ${message}`);
    if (repeats === null) return;
    this.#emit('error', vnic, adapter, message, { about, suppressed: repeats });
    this.#log.warn({ about, ...(repeats === 0 ? {} : { suppressed: repeats }) }, message);
  }

  #emit(kind: MonitorEvent['kind'], vnic: string | null, adapter: string | null, message: string, fields: EventFields): void {
    const event: MonitorEvent = {
      schema: PROTOCOL_SCHEMA,
      time: new Date().toISOString(),
      monotonic_ms: this.#clock.nowMs(),
      kind,
      vnic,
      adapter,
      message,
      fields,
    };
    this.#recent = [...this.#recent, event].slice(-EVENTS_KEPT);
    for (const listener of this.#listeners) listener(event);
  }
}
