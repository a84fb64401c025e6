/** Is the control plane doing its work? */
import type { ReconcileHealth } from '../../control/controller.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

export interface HealthSource {
  health(): ReconcileHealth;
  adapterStatus(): readonly { readonly attached: boolean }[];
}

export function reconcileCollector(readings: Readings, source: HealthSource): Collector {
  const up = readings.gauge('unipath_up', '1 when every uplink program is attached and the last reconcile succeeded.');
  const age = readings.gauge('unipath_last_reconcile_age_seconds', 'Time since the last completed reconcile; absent before the first.');
  const failed = readings.gauge('unipath_reconcile_failed', '1 when the last reconcile ended in an error.');

  return {
    name: 'reconcile',
    collect() {
      for (const family of [up, age, failed]) family.clear();
      const { lastReconcileAgeMs, error } = source.health();
      const attached = source.adapterStatus().every((adapter) => adapter.attached);
      up.set({}, lastReconcileAgeMs !== null && error === null && attached ? 1 : 0);
      failed.set({}, error === null ? 0 : 1);
      if (lastReconcileAgeMs !== null) age.set({}, Math.round(lastReconcileAgeMs) / 1000);
    },
  };
}
