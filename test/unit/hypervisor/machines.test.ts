import test from 'ava';
import { parseMacAddress, type GuestSpec, type VfSpec } from '../../../src/core/model.js';
import { heard, NOTHING_HEARD } from '../../../src/hypervisor/live_state.js';
import type { DeviceHands, LiveMachine, MachineSource } from '../../../src/hypervisor/machine_source.js';
import { guestStateOf, MachineHypervisor } from '../../../src/hypervisor/machines.js';
import type { Machine, Nic } from '../../../src/hypervisor/qemu/machine.js';
import type { QemuMonitor, QmpEvent } from '../../../src/hypervisor/qemu/monitor.js';

const mac = parseMacAddress('52:54:00:00:00:01');
const guest = { kind: 'vm', vm: 'web', mac, mode: 'auto' } as const satisfies GuestSpec;
const vf: VfSpec = { kind: 'emulated', port: 'vfp0', device: 'vmxnet3' };

const virtio: Nic = {
  id: 'net0', path: '/machine/peripheral/net0', model: 'virtio-net-pci', mac, netdevId: 'hostnet0', backend: 'tap', tap: 'tap0', tapFds: [], queues: 1,
  failover: true, failoverNegotiated: true, failoverPairId: null, host: null, bus: 'rp0', hotplugged: false,
};
const primary: Nic = {
  ...virtio, id: 'unipath-primary-net0', model: 'vmxnet3', netdevId: 'unipath-net-vfp0', tap: 'vfp0', failover: false, failoverNegotiated: false, failoverPairId: 'net0', bus: 'rp1',
};

function machine(more: Partial<Machine> = {}): Machine {
  const ports = [{ id: 'rp1', model: 'pcie-root-port', bus: 'rp1', devices: 0 }];
  return { name: 'web', uuid: null, version: '7.2.22', runState: 'running', cpus: [], nics: [virtio], ports, migration: null, ...more };
}

/** A source of one machine, that does what it is told to. */
class FakeSource implements MachineSource {
  monitor = {} as QemuMonitor;
  machine: Machine | null = machine();
  readonly asked: string[] = [];
  #listener: (machine: LiveMachine | null, event: QmpEvent | null) => void = () => {};

  readonly #hands: DeviceHands = {
    prepare: async () => 'ready',
    plug: async () => {},
    unprepare: async () => {},
    eject: async (id) => void this.asked.push(`eject ${id}`),
    remove: async (id) => void this.asked.push(`remove ${id}`),
  };

  async start(): Promise<void> {}
  close(): void {}

  machines(): readonly LiveMachine[] {
    const seen = this.machine;
    return seen === null ? [] : [{ name: 'web', monitor: this.monitor, machine: seen, devices: this.#hands, refresh: async () => seen }];
  }

  problems(): ReadonlyMap<string, string> {
    return new Map();
  }

  onEvent(listener: (machine: LiveMachine | null, event: QmpEvent | null) => void): () => void {
    this.#listener = listener;
    return () => {};
  }

  say(name: string, data: Readonly<Record<string, unknown>> = {}): void {
    this.#listener(this.machines()[0] ?? null, { name, data, timeMs: 0 });
  }
}

test('a guest that migrates leaves its primary here; a VF that is no primary goes with it, and is not taken', (t) => {
  const migration = 'active';
  t.like(guestStateOf(machine({ migration }), guest, null), { leaving: true, refusal: 'guest_leaving' });
  t.like(guestStateOf(machine({ migration, nics: [virtio, primary] }), guest, null), { leaving: true, refusal: 'guest_leaving' });
  t.like(guestStateOf(machine({ migration, nics: [virtio, { ...primary, failoverPairId: null }] }), guest, null), { leaving: false, refusal: 'guest_leaving' });
  t.like(guestStateOf(machine({ migration, runState: 'inmigrate' }), guest, null), { leaving: false, incoming: true, running: false });
});

test('what one run of a machine negotiated says nothing of the next', async (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source]);
  source.machine = machine({ nics: [{ ...virtio, failoverNegotiated: null }] });
  t.like(await hypervisor.look(guest), { mode: null, refusal: 'guest_not_ready' });
  source.say('FAILOVER_NEGOTIATED', { 'device-id': 'net0' });
  source.say('STOP');
  t.like(await hypervisor.look(guest), { mode: 'net_failover', refusal: 'guest_paused', running: false });
  source.monitor = {} as QemuMonitor;
  t.like(await hypervisor.look(guest), { mode: null, refusal: 'guest_not_ready', running: true });
});

test('a device is asked back by the id that it has, whoever gave it one', async (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source]);
  await hypervisor.eject(guest, vf);
  source.machine = machine({ nics: [virtio, { ...primary, id: 'ua-unipath-vfp0' }] });
  t.true(await hypervisor.holds(guest, vf));
  await hypervisor.eject(guest, vf);
  await hypervisor.unplug(guest, vf);
  t.deepEqual(source.asked, ['eject unipath-primary-net0', 'eject ua-unipath-vfp0', 'remove ua-unipath-vfp0']);
});

test('a machine that runs when a migration completes received it, also when its beginning was not heard', (t) => {
  const completed: QmpEvent = { name: 'MIGRATION', data: { status: 'completed' }, timeMs: 0 };
  const resume: QmpEvent = { name: 'RESUME', data: {}, timeMs: 0 };
  const arriving = machine({ runState: 'inmigrate' });
  t.like(heard(heard(NOTHING_HEARD, resume, arriving), completed, arriving), { role: 'target', runState: 'running' });
  t.like(heard(NOTHING_HEARD, completed, machine()), { role: 'target', runState: null });
  t.like(heard(NOTHING_HEARD, completed, machine({ runState: 'finish-migrate' })), { role: 'source', runState: 'postmigrate' });
});
