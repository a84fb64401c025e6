/** The VF pool and the queue budget of each adapter. */
import type { AdapterStatus, QuotaStatus } from '../../control/protocol.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

const VF_STATES = ['free', 'used', 'reserved', 'quarantined', 'lost'] as const;
const RESOURCES = ['vfs', 'queues', 'vectors'] as const;

export function adapterCollector(readings: Readings, status: () => readonly AdapterStatus[], quotas: () => readonly QuotaStatus[]): Collector {
  const byAdapter = (name: string, help: string) => readings.gauge(`unipath_adapter_${name}`, help, ['adapter']);
  const info = readings.gauge('unipath_adapter_info', 'What an adapter is; join on adapter.', ['adapter', 'uplink', 'bridge', 'xdp_mode']);
  const attached = byAdapter('attached', '1 when the uplink program is attached.');
  const vfs = readings.gauge('unipath_adapter_vfs', 'VFs of an adapter by what they are doing.', ['adapter', 'state']);
  const vfsLimit = byAdapter('vfs_limit', 'VFs that may be handed out at once.');
  const queuesUsed = byAdapter('queues_used', 'Queues of the VFs that are handed out.');
  const queuesLimit = byAdapter('queues_limit', 'Queues that may be handed out at once.');
  const vectorsUsed = byAdapter('vectors_used', 'MSI-X vectors of the VFs that are handed out, as far as they are known.');
  const vectorsLimit = byAdapter('vectors_limit', 'MSI-X vectors that may be handed out at once; absent when there is no limit.');
  const quotaUsed = readings.gauge('unipath_quota_used', 'What counts against a quota: VFs, queues and MSI-X vectors, handed out or reserved.', ['quota', 'resource']);
  const quotaLimit = readings.gauge('unipath_quota_limit', 'Most that may count against a quota; absent when there is no limit.', ['quota', 'resource']);

  return {
    name: 'adapters',
    collect() {
      for (const family of [info, attached, vfs, vfsLimit, queuesUsed, queuesLimit, vectorsUsed, vectorsLimit, quotaUsed, quotaLimit]) family.clear();
      for (const adapter of status()) {
        const label = { adapter: adapter.name };
        info.set({ ...label, uplink: adapter.uplink, bridge: adapter.bridge, xdp_mode: adapter.xdp_mode ?? 'none' }, 1);
        attached.set(label, adapter.attached ? 1 : 0);
        for (const state of VF_STATES) vfs.set({ ...label, state }, adapter.vfs.filter((vf) => vf.state === state).length);
        vfsLimit.set(label, adapter.vfs_limit);
        queuesUsed.set(label, adapter.queues_used);
        queuesLimit.set(label, adapter.queues_limit);
        vectorsUsed.set(label, adapter.vectors_used);
        if (adapter.vectors_limit !== null) vectorsLimit.set(label, adapter.vectors_limit);
      }
      for (const quota of quotas()) {
        for (const resource of RESOURCES) {
          const label = { quota: quota.name, resource };
          const limit = quota[`${resource}_limit`];
          quotaUsed.set(label, quota[`${resource}_used`]);
          if (limit !== null) quotaLimit.set(label, limit);
        }
      }
    },
  };
}
