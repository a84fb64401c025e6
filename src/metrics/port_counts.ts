/**
 * What ports have taken for each vNIC on each of its paths. A port counts for itself, and is another vNIC's tomorrow: only what it counts
 * between two readings, while it is this vNIC's, is added. Pure.
 */
import type { VnicPorts } from '../control/controller.js';
import type { VnicPath } from '../core/model.js';
import type { LinkStatistics } from '../host/statistics_messages.js';

export type PortStatistics = ReadonlyMap<number, Omit<LinkStatistics, 'ifindex'>>;

export interface PortCount {
  readonly frames: number;
  readonly bytes: number;
  readonly dropped: number;
}

interface Entry {
  ifindex: number | null;
  frames: number;
  bytes: number;
  dropped: number;
}

const PATHS: readonly VnicPath[] = ['software', 'accelerated'];
const NOTHING = { txFrames: 0, txBytes: 0, txDropped: 0 };

export class PortCounts {
  /** By vNIC. */
  readonly #entries = new Map<string, Map<VnicPath, Entry>>();
  /** The reading before; null: this is the first. */
  #before: PortStatistics | null = null;

  /** First what was counted by the ports as they were, then whose they are from now on. */
  read(ports: Iterable<VnicPorts>, now: PortStatistics): void {
    const before = this.#before;
    // One that is new has counted all that it has since then; what was there at the first reading says nothing of that time.
    const startOf = (ifindex: number) => (before === null ? now.get(ifindex) : before.get(ifindex)) ?? NOTHING;
    for (const paths of this.#entries.values()) for (const entry of paths.values()) add(entry, startOf, now);
    const shown = new Set<string>();
    for (const each of ports) {
      shown.add(each.vnic);
      for (const path of PATHS) this.#assign(each, path, startOf, now);
    }
    for (const vnic of this.#entries.keys()) if (!shown.has(vnic)) this.#entries.delete(vnic);
    this.#before = now;
  }

  #assign(ports: VnicPorts, path: VnicPath, startOf: (ifindex: number) => typeof NOTHING, now: PortStatistics): void {
    const port = ports[path];
    const paths = this.#entries.get(ports.vnic) ?? new Map<VnicPath, Entry>();
    this.#entries.set(ports.vnic, paths);
    if (port === 'adapter') {
      paths.delete(path);
      return;
    }
    const entry = paths.get(path) ?? { ifindex: null, frames: 0, bytes: 0, dropped: 0 };
    paths.set(path, entry);
    if (entry.ifindex === port) return;
    entry.ifindex = port;
    // It was nobody's at the reading before, if it was there at all.
    if (port !== null && this.#before?.has(port) !== true) add(entry, startOf, now);
  }

  /** By vNIC and path. */
  all(): ReadonlyMap<string, ReadonlyMap<VnicPath, PortCount>> {
    return this.#entries;
  }
}

function add(entry: Entry, startOf: (ifindex: number) => typeof NOTHING, now: PortStatistics): void {
  const counted = entry.ifindex === null ? undefined : now.get(entry.ifindex);
  if (counted === undefined || entry.ifindex === null) return;
  const start = startOf(entry.ifindex);
  // A driver may begin anew when it resets its device.
  entry.frames += Math.max(0, counted.txFrames - start.txFrames);
  entry.bytes += Math.max(0, counted.txBytes - start.txBytes);
  entry.dropped += Math.max(0, counted.txDropped - start.txDropped);
}
