/** The virtual machines that were found. */
import type { Registry } from 'prom-client';
import type { VmsReply } from '../../control/vm_protocol.js';
import { type Collector, gauge } from '../collector.js';

export function machineCollector(registry: Registry, status: () => Omit<VmsReply, 'schema'>): Collector {
  const machines = gauge(registry, 'unipath_vms', 'Virtual machines that were found and can be asked.');
  const unreachable = gauge(registry, 'unipath_vms_unreachable', 'Virtual machines that are there and cannot be asked.');
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
