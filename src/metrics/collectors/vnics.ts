/** On which path each vNIC is, and why. */
import type { VnicStatus } from '../../control/protocol.js';
import type { VnicPath, VnicPhase } from '../../core/model.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

const PATHS: readonly VnicPath[] = ['software', 'accelerated'];
const PHASES: readonly VnicPhase[] = ['absent', 'software', 'plugging', 'accelerated', 'draining'];

export function vnicCollector(readings: Readings, status: () => readonly VnicStatus[]): Collector {
  const info = readings.gauge('unipath_vnic_info', 'What a vNIC is; join on vnic.', ['vnic', 'mac', 'vlan', 'adapter', 'tap']);
  const path = readings.gauge('unipath_vnic_path', '1 for the path that the vNIC is on, 0 for the other.', ['vnic', 'path']);
  const want = readings.gauge('unipath_vnic_want', '1 for the path that the vNIC is wanted on, 0 for the other.', ['vnic', 'path']);
  const phase = readings.gauge('unipath_vnic_phase', '1 for the phase that the vNIC is in, 0 for the others.', ['vnic', 'phase']);
  const reason = readings.gauge('unipath_vnic_reason', '1 for the reason why the vNIC is not accelerated; none when it is.', [
    'vnic',
    'reason',
  ]);
  const queues = readings.gauge('unipath_vnic_queues', 'Queues of the port of a path.', ['vnic', 'path']);
  const unreachable = readings.gauge('unipath_vnic_queues_unreachable', 'Queues of the port of a path that no CPU reaches.', [
    'vnic',
    'path',
  ]);

  return {
    name: 'vnics',
    collect() {
      for (const family of [info, path, want, phase, reason, queues, unreachable]) family.clear();
      for (const vnic of status()) {
        const label = { vnic: vnic.name };
        info.set({ ...label, mac: vnic.mac, vlan: vnic.vlans.join(','), adapter: vnic.adapter, tap: vnic.tap }, 1);
        reason.set({ ...label, reason: vnic.reason }, 1);
        for (const each of PHASES) phase.set({ ...label, phase: each }, vnic.phase === each ? 1 : 0);
        for (const each of PATHS) {
          path.set({ ...label, path: each }, vnic.path === each ? 1 : 0);
          want.set({ ...label, path: each }, vnic.want === each ? 1 : 0);
          const port = each === 'software' ? vnic.tap_queues : vnic.vf_queues;
          queues.set({ ...label, path: each }, port?.queues ?? 0);
          unreachable.set({ ...label, path: each }, port?.unreachable.length ?? 0);
        }
      }
    },
  };
}
