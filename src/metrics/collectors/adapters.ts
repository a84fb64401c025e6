/** The VF pool and the queue budget of each adapter. */
import type { AdapterStatus } from '../../control/protocol.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

const VF_STATES = ['free', 'used', 'lost'] as const;

export function adapterCollector(readings: Readings, status: () => readonly AdapterStatus[]): Collector {
  const byAdapter = (name: string, help: string) => readings.gauge(`unipath_adapter_${name}`, help, ['adapter']);
  const info = readings.gauge('unipath_adapter_info', 'What an adapter is; join on adapter.', ['adapter', 'uplink', 'bridge', 'xdp_mode']);
  const attached = byAdapter('attached', '1 when the uplink program is attached.');
  const vfs = readings.gauge('unipath_adapter_vfs', 'VFs of an adapter by what they are doing.', ['adapter', 'state']);
  const vfsLimit = byAdapter('vfs_limit', 'VFs that may be handed out at once.');
  const queuesUsed = byAdapter('queues_used', 'Queues of the VFs that are handed out.');
  const queuesLimit = byAdapter('queues_limit', 'Queues that may be handed out at once.');

  return {
    name: 'adapters',
    collect() {
      for (const family of [info, attached, vfs, vfsLimit, queuesUsed, queuesLimit]) family.clear();
      for (const adapter of status()) {
        const label = { adapter: adapter.name };
        info.set({ ...label, uplink: adapter.uplink, bridge: adapter.bridge, xdp_mode: adapter.xdp_mode ?? 'none' }, 1);
        attached.set(label, adapter.attached ? 1 : 0);
        for (const state of VF_STATES) vfs.set({ ...label, state }, adapter.vfs.filter((vf) => vf.state === state).length);
        vfsLimit.set(label, adapter.vfs_limit);
        queuesUsed.set(label, adapter.queues_used);
        queuesLimit.set(label, adapter.queues_limit);
      }
    },
  };
}
