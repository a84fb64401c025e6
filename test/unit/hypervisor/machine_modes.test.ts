import test from 'ava';
import { parseMacAddress, type GuestModeSetting, type GuestSpec, type VfSpec } from '../../../src/core/model.js';
import type { LiveMachine, MachineSource } from '../../../src/hypervisor/machine_source.js';
import { MachineHypervisor } from '../../../src/hypervisor/machines.js';
import type { HypervisorEvent } from '../../../src/hypervisor/port.js';
import type { Machine, Nic } from '../../../src/hypervisor/qemu/machine.js';
import type { QemuMonitor, QmpEvent } from '../../../src/hypervisor/qemu/monitor.js';
import { deviceIdOf, netdevIdOf } from '../../../src/hypervisor/qemu/device_ids.js';

const MAC = parseMacAddress('52:54:00:aa:00:01');
const VF: VfSpec = { kind: 'emulated', port: 'vfp0', device: 'vmxnet3' };
const guest = (mode: GuestModeSetting): GuestSpec => ({ kind: 'vm', vm: 'g1', mac: MAC, mode });

const VIRTIO: Nic = {
  id: 'net0', path: '/machine/peripheral/net0', model: 'virtio-net-pci', mac: MAC, netdevId: 'host-net0', backend: 'tap', tap: 't-g1', tapFds: [],
  queues: 1, failover: false, failoverNegotiated: false, failoverPairId: null, host: null, bus: 'port-net0', hotplugged: false,
};

/** One machine in memory; what it was asked for is in `calls`. */
function bed(nic: Partial<Nic>) {
  const calls: string[] = [];
  let machine: Machine = {
    name: 'g1', uuid: null, version: '7.2.22', runState: 'running', cpus: [], numaNode: null, migration: null,
    nics: [{ ...VIRTIO, ...nic }],
    ports: [{ id: 'hotplug0', model: 'pcie-root-port', bus: 'hotplug0', devices: 0 }],
  };
  const monitor = {} as QemuMonitor;
  const live = (): LiveMachine => ({
    name: 'g1', machine, monitor,
    refresh: () => Promise.resolve(machine),
    devices: {
      prepare: () => Promise.resolve('ready'),
      plug: ({ id, failoverPairId }) => {
        calls.push(`plug ${id} paired with ${failoverPairId}`);
        const held: Nic = { ...VIRTIO, id, model: 'vmxnet3', netdevId: netdevIdOf('vfp0'), failoverPairId };
        machine = { ...machine, nics: [...machine.nics, held] };
        return Promise.resolve();
      },
      unprepare: () => Promise.resolve(),
      eject: (id) => Promise.resolve(void calls.push(`eject ${id}`)),
      remove: (id, netdevId) => Promise.resolve(void calls.push(`remove ${id} ${netdevId}`)),
    },
  });
  let tell: (machine: LiveMachine | null, event: QmpEvent | null) => void = () => undefined;
  const source: MachineSource = {
    start: () => Promise.resolve(), close: () => undefined, machines: () => [live()], problems: () => new Map(),
    onEvent: (listener) => {
      tell = listener;
      return () => undefined;
    },
  };
  const hypervisor = new MachineHypervisor([source]);
  const events: HypervisorEvent[] = [];
  hypervisor.onEvent((event) => events.push(event));
  const event = (name: string, data: Record<string, unknown> = {}): void => tell(live(), { name, data } as QmpEvent);
  const negotiates = (agreed: boolean): void => void (machine = { ...machine, nics: machine.nics.map((one) => ({ ...one, failoverNegotiated: agreed })) });
  return { hypervisor, calls, events, event, negotiates };
}

async function throughLife({ hypervisor, calls }: ReturnType<typeof bed>, spec: GuestSpec): Promise<string[]> {
  await hypervisor.prepare(spec, VF, MAC);
  await hypervisor.plug(spec, VF, MAC);
  await hypervisor.eject(spec, VF);
  await hypervisor.unplug(spec, VF);
  return calls;
}

const ALONE = [`plug ${deviceIdOf('vfp0')} paired with null`, `eject ${deviceIdOf('vfp0')}`, `remove ${deviceIdOf('vfp0')} ${netdevIdOf('vfp0')}`];
const PAIRED = ['plug unipath-primary-net0 paired with net0', 'eject unipath-primary-net0', `remove unipath-primary-net0 ${netdevIdOf('vfp0')}`];

test('a VF is paired with the virtio NIC only where the guest uses net_failover', async (t) => {
  t.deepEqual(await throughLife(bed({}), guest('plugin')), ALONE);
  t.deepEqual(await throughLife(bed({ failover: true, failoverNegotiated: true }), guest('auto')), PAIRED);
  t.deepEqual(await throughLife(bed({ failover: true, failoverNegotiated: null }), guest('net_failover')), PAIRED);
  // QEMU keeps the primary of a guest that has not negotiated failover to itself.
  t.deepEqual(await throughLife(bed({ failover: true, failoverNegotiated: false }), guest('plugin')), ALONE);
});

test('a device is taken back under the id that it was given', async (t) => {
  const one = bed({ failover: true, failoverNegotiated: false });
  await one.hypervisor.plug(guest('plugin'), VF, MAC);
  // The guest boots a system that does use failover.
  one.negotiates(true);
  await one.hypervisor.eject(guest('auto'), VF);
  await one.hypervisor.unplug(guest('auto'), VF);
  t.deepEqual(one.calls, ALONE);
});

test('of a guest without failover nothing is known until its plug-in answers; a full machine says so then', async (t) => {
  const { hypervisor } = bed({});
  t.like(await hypervisor.look(guest('auto')), { mode: null, refusal: 'guest_without_failover' });
  t.like(await hypervisor.look(guest('plugin')), { mode: 'plugin', refusal: null });
});

test('a reset is told', async (t) => {
  const { event, events, hypervisor } = bed({ failover: true, failoverNegotiated: true });
  event('RESET', { guest: true });
  t.deepEqual(events, [{ kind: 'reset', vm: 'g1' }, { kind: 'changed' }]);
  t.like(await hypervisor.look(guest('auto')), { mode: null });
});
