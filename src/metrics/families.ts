/** Every metric family that unipathd exports, as it is before anything has been read. */
import type { FamilyInfo } from './readings.js';
import { Metrics } from './registry.js';

export function allFamilies(): FamilyInfo[] {
  const nobody = (): (() => void) => () => undefined;
  return new Metrics({
    version: '',
    controller: {
      health: () => ({ lastReconcileAgeMs: null, error: null }),
      adapterStatus: () => [],
      quotaStatus: () => [],
      vnicBriefs: () => [],
      vnicPorts: () => [],
      vnicIds: () => new Map(),
      onEvent: nobody,
      onLook: nobody,
    },
    dataPlane: { tallies: () => [], redirectErrors: () => [], guestDrops: () => [], eventsLost: () => 0n, mapUsage: () => [], programRuns: () => [], attachments: () => [] },
    statistics: async () => new Map(),
    vms: () => ({ vms: [], problems: {} }),
  }).families();
}
