/** What is read at a scrape: a name for the error counter, and one synchronous reading that fills metric families. */
import { Counter, Gauge, type Registry } from 'prom-client';

export interface Collector {
  readonly name: string;
  /** Replaces what its families show by what is now. */
  collect(): void;
}

type Labels = Readonly<Record<string, string>>;

/** One family whose values are read elsewhere: emptied and filled within one turn of the event loop, never scraped half full. */
export interface Family {
  clear(): void;
  set(labels: Labels, value: number | bigint): void;
}

export function gauge(registry: Registry, name: string, help: string, labelNames: readonly string[] = []): Family {
  const metric = new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
  return {
    // A family without labels would otherwise show 0, as if that had been measured.
    clear: () => (labelNames.length === 0 ? metric.remove() : metric.reset()),
    set: (labels, value) => metric.set(labels, Number(value)),
  };
}

/** A counter that the kernel counts. prom-client has no set(): the value is what is added after it was emptied. */
export function counter(registry: Registry, name: string, help: string, labelNames: readonly string[]): Family {
  const metric = new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
  return { clear: () => metric.reset(), set: (labels, value) => metric.inc(labels, Number(value)) };
}
