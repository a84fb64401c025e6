/** Events of the packet programs: read from the ring buffer by a timer, handed to every listener. */
import { ControlCommand, type Event, eventCodec, EventKind, vnicPathNames } from '../../maps/generated/contract.js';
import type { RawMap } from '../native/map.js';
import { RingBuffer } from '../native/ring_buffer.js';
import type { DataPlaneEvent } from './port.js';

const POLL_MS = 2;

type Listener = (event: DataPlaneEvent) => void;

/** Null for an event that means nothing here: the programs pass on no other commands. */
export function toDataPlaneEvent(event: Event): DataPlaneEvent | null {
  const { timeNs, vnic, generation, ifindex } = event;
  switch (event.kind) {
    case EventKind.PATH_CHANGED: {
      const path = vnicPathNames[event.path];
      return path === undefined ? null : { kind: 'path-changed', timeNs, vnic, path, generation, ifindex };
    }
    case EventKind.HEARD: {
      const path = vnicPathNames[event.path];
      return path === undefined ? null : { kind: 'heard', timeNs, vnic, path, ifindex };
    }
    case EventKind.CONTROL: {
      if (event.command !== ControlCommand.DRAINED && event.command !== ControlCommand.RESUMED) return null;
      const command = event.command === ControlCommand.DRAINED ? 'drained' : 'resumed';
      return { kind: 'control', timeNs, vnic, command, sequence: generation, ifindex };
    }
    default: return null;
  }
}

export class EventPump {
  readonly #ring: RingBuffer;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | null = null;

  /** Does not own the map. */
  constructor(events: RawMap) {
    this.#ring = new RingBuffer(events);
  }

  /** The timer runs only while there are listeners, and does not keep the process alive. */
  add(listener: Listener): () => void {
    // One entry per call, so that a function given twice is called twice and stopped once.
    const entry: Listener = (event) => listener(event);
    this.#listeners.add(entry);
    this.#timer ??= setInterval(() => this.#poll(), POLL_MS).unref();
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size === 0) this.#stopTimer();
    };
  }

  close(): void {
    this.#stopTimer();
    this.#listeners.clear();
    this.#ring.close();
  }

  #poll(): void {
    this.#ring.consume((record) => {
      const event = toDataPlaneEvent(eventCodec.read(record));
      if (event === null) return;
      for (const listener of [...this.#listeners]) listener(event);
    });
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
