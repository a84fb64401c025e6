/** Everything that is measured, rendered for Prometheus. Read at the scrape; a collector that fails costs its own families only. */
import { release } from 'node:os';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Controller } from '../control/controller.js';
import type { MonitorEvent } from '../control/protocol.js';
import type { VmsReply } from '../control/vm_protocol.js';
import type { DataPlane, DataPlaneEvent } from '../dataplane/port.js';
import type { Collector } from './collector.js';
import { adapterCollector } from './collectors/adapters.js';
import { announcementCollector } from './collectors/announcements.js';
import { eventDelays } from './collectors/event_delays.js';
import { guestDropCollector } from './collectors/guest_drops.js';
import { holdCollector } from './collectors/holds.js';
import { lookDurations } from './collectors/looks.js';
import { lostEventCollector } from './collectors/lost_events.js';
import { machineCollector } from './collectors/machines.js';
import { mapCollector } from './collectors/maps.js';
import { migrationCounts } from './collectors/migrations.js';
import { portCollector } from './collectors/ports.js';
import { programCollector } from './collectors/programs.js';
import { reconcileCollector } from './collectors/reconcile.js';
import { switchDurations } from './collectors/switches.js';
import { trafficCollector } from './collectors/traffic.js';
import { vnicCollector } from './collectors/vnics.js';
import { type FamilyInfo, Readings } from './readings.js';
import type { PortStatistics } from './port_counts.js';
import { inTurns, type Steps, TURN_MS } from './turns.js';

const EVENT_KINDS: readonly MonitorEvent['kind'][] = [
  'path', 'phase', 'reason', 'vf', 'hold', 'guest', 'link', 'action', 'config', 'error',
];

/** Gauges that prom-client names like counters; without "_total" it has them too, by type. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

function* stepsOf(collector: Collector): Steps {
  yield* collector.collect() ?? [];
}

function* gathered<T>(items: Iterable<T>, into: T[]): Steps {
  for (const item of items) {
    into.push(item);
    yield;
  }
}

export interface MetricsParts {
  readonly version: string;
  readonly controller: Pick<Controller, 'health' | 'adapterStatus' | 'quotaStatus' | 'vnicBriefs' | 'vnicPorts' | 'vnicIds' | 'onEvent' | 'onLook'>;
  readonly dataPlane: Pick<DataPlane, 'tallies' | 'redirectErrors' | 'guestDrops' | 'eventsLost' | 'mapUsage' | 'programRuns' | 'attachments'>;
  /** What every device has counted, by ifindex. */
  readonly statistics: () => Promise<PortStatistics>;
  readonly vms: () => Omit<VmsReply, 'schema'>;
  /** As of inTurns(). */
  readonly turnMs?: number;
  /** Told when a collector failed. */
  readonly failed?: (collector: string, error: Error) => void;
}

export class Metrics {
  /** What is counted as it happens. */
  readonly #registry = new Registry();
  readonly #readings = new Readings();
  readonly #collectors: readonly Collector[];
  readonly #turnMs: number;
  readonly #failed: (collector: string, error: Error) => void;
  readonly #errors: Counter<'collector'>;
  readonly #durations: Gauge<'collector'>;
  readonly #reloaded: Gauge;
  readonly #delays: (event: DataPlaneEvent) => void;
  readonly #longestTurn: Gauge;
  /** The scrape that was asked for last. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({ version, controller, dataPlane, statistics, vms, turnMs = TURN_MS, failed = () => undefined }: MetricsParts) {
    const registry = this.#registry;
    const readings = this.#readings;
    this.#failed = failed;
    this.#turnMs = turnMs;
    new Gauge({ name: 'unipath_build_info', help: 'What is running.', labelNames: ['version', 'node_version', 'kernel'], registers: [registry] })
      .labels(version, process.version, release())
      .set(1);
    const vnicNames = (): Iterable<string> => controller.vnicIds().values();
    const holds = holdCollector(readings, registry, vnicNames);
    const ports = portCollector(readings, { statistics, vnicPorts: () => controller.vnicPorts() });
    // Also those that are not here: the first announcement of one is that it has come.
    const announcements = announcementCollector(readings, () => Array.from(controller.vnicPorts(), ({ vnic }) => vnic));
    this.#collectors = [
      reconcileCollector(readings, controller),
      adapterCollector(readings, () => controller.adapterStatus(), () => controller.quotaStatus()),
      vnicCollector(readings, () => controller.vnicBriefs()),
      trafficCollector(readings, {
        tallies: (ids) => dataPlane.tallies(ids),
        redirectErrors: () => dataPlane.redirectErrors(),
        vnicIds: () => controller.vnicIds(),
      }),
      guestDropCollector(readings, { guestDrops: () => dataPlane.guestDrops(), vnicIds: () => controller.vnicIds() }),
      ports,
      holds,
      announcements,
      machineCollector(readings, vms),
      lostEventCollector(readings, () => dataPlane.eventsLost()),
      mapCollector(readings, () => dataPlane.mapUsage()),
      programCollector(readings, dataPlane),
    ];
    const events = new Counter({
      name: 'unipath_events_total',
      help: 'Events of the control plane.',
      labelNames: ['kind'],
      registers: [registry],
    });
    for (const kind of EVENT_KINDS) events.inc({ kind }, 0);
    const listeners = [
      (event: MonitorEvent) => events.inc({ kind: event.kind }), holds.heard, ports.heard, announcements.heard,
      switchDurations(registry), migrationCounts(registry),
    ];
    controller.onEvent((event) => {
      for (const listener of listeners) listener(event);
    });
    controller.onLook(lookDurations(registry));
    this.#delays = eventDelays(registry, process.hrtime.bigint);
    this.#reloaded = new Gauge({
      name: 'unipath_config_last_reload_successful',
      help: '0 when the last attempt to read the configuration again was refused.',
      registers: [registry],
    });
    this.#reloaded.set(1);
    this.#errors = new Counter({
      name: 'unipath_scrape_collector_errors_total',
      help: 'Scrapes in which a collector failed; its families are missing then.',
      labelNames: ['collector'],
      registers: [registry],
    });
    this.#durations = new Gauge({
      name: 'unipath_scrape_collector_duration_seconds',
      help: 'Time that a collector took in this scrape.',
      labelNames: ['collector'],
      registers: [registry],
    });
    this.#longestTurn = new Gauge({
      name: 'unipath_scrape_longest_turn_seconds',
      help: 'Longest time for which this scrape kept unipathd from everything else.',
      registers: [registry],
    });
    for (const { name } of this.#collectors) this.#errors.inc({ collector: name }, 0);
    collectDefaultMetrics({ register: registry });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
  }

  static readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly contentType = Metrics.contentType;

  /** The text, in pieces. Never fails because of a collector. One scrape after the other: each fills the same families. */
  render(): Promise<readonly Buffer[]> {
    const result = this.#last.then(() => this.#scrape());
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #scrape(): Promise<readonly Buffer[]> {
    const turns: number[] = [];
    for (const collector of this.#collectors) {
      const before = turns.length;
      try {
        await collector.prepare?.();
        await inTurns(stepsOf(collector), turns, this.#turnMs);
      } catch (error) {
        this.#errors.inc({ collector: collector.name });
        this.#failed(collector.name, error as Error);
      }
      this.#durations.set({ collector: collector.name }, turns.slice(before).reduce((sum, seconds) => sum + seconds, 0));
    }
    const pieces: Buffer[] = [];
    await inTurns(gathered(this.#readings.pieces(), pieces), turns, this.#turnMs);
    this.#longestTurn.set(Math.max(...turns));
    return [...pieces, Buffer.from(await this.#registry.metrics())];
  }

  /** From now on measures how late events of the packet programs are read. */
  follow(dataPlane: Pick<DataPlane, 'onEvent'>): void {
    dataPlane.onEvent(this.#delays);
  }

  /** Every family that is exported, in the order of the output. */
  families(): FamilyInfo[] {
    const counted = this.#registry.getMetricsAsArray().map((metric) => {
      const { name, help, type, labelNames } = metric as unknown as FamilyInfo;
      return { name, help, type, labelNames: [...labelNames] };
    });
    return [...this.#readings.families(), ...counted];
  }

  configReloaded(successful: boolean): void {
    this.#reloaded.set(successful ? 1 : 0);
  }
}
