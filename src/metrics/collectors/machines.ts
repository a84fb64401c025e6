/** The virtual machines that were found. */
import type { VmsReply } from '../../control/vm_protocol.js';
import type { Collector } from '../collector.js';
import type { Readings } from '../readings.js';

export function machineCollector(readings: Readings, status: () => Omit<VmsReply, 'schema'>): Collector {
  const machines = readings.gauge('unipath_vms', 'Virtual machines that were found and can be asked.');
  const unreachable = readings.gauge('unipath_vms_unreachable', 'Virtual machines that are there and cannot be asked.');
  return {
    name: 'machines',
    collect() {
      for (const family of [machines, unreachable]) family.clear();
      const { vms, problems } = status();
      machines.set({}, vms.length);
      unreachable.set({}, Object.keys(problems).length);
    },
  };
}
