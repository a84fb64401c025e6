import test from 'ava';
import { patientTiming } from '../../../src/core/backoff.js';
import { parseMacAddress, type GuestSpec, type VfSpec } from '../../../src/core/model.js';
import { heard, NOTHING_HEARD } from '../../../src/hypervisor/live_state.js';
import type { DeviceHands, LiveMachine, MachineSource } from '../../../src/hypervisor/machine_source.js';
import { guestStateOf, MachineHypervisor } from '../../../src/hypervisor/machines.js';
import type { Machine, Nic } from '../../../src/hypervisor/qemu/machine.js';
import type { DeviceSpec } from '../../../src/hypervisor/qemu/plug.js';
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
  return { name: 'web', uuid: null, version: '7.2.22', runState: 'running', cpus: [], numaNode: null, nics: [virtio], ports, migration: null, ...more };
}

/** A source of one machine, that does what it is told to. */
class FakeSource implements MachineSource {
  monitor = {} as QemuMonitor;
  machine: Machine | null = machine();
  readonly asked: string[] = [];
  #listener: (machine: LiveMachine | null, event: QmpEvent | null) => void = () => {};

  /** What preparing and plugging does; default: it works. */
  work: (spec: DeviceSpec) => Promise<void> = async () => {};
  readonly plugged: DeviceSpec[] = [];

  readonly #hands: DeviceHands = {
    prepare: async (spec) => {
      await this.work(spec);
      return 'ready';
    },
    plug: async (spec) => {
      await this.work(spec);
      this.plugged.push(spec);
    },
    unprepare: async () => {},
    eject: async (id) => void this.asked.push(`eject ${id}`),
    remove: async (id, _netdev, deadlineMs) => void this.asked.push(`remove ${id} within ${deadlineMs}`),
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

const ports = (...names: readonly string[]): Machine['ports'] => names.map((id) => ({ id, model: 'pcie-root-port', bus: id, devices: 0 }));
const second = { ...guest, mac: parseMacAddress('52:54:00:00:00:02') };
const secondVf: VfSpec = { ...vf, port: 'vfp1' };
const secondVirtio: Nic = { ...virtio, id: 'net1', path: '/machine/peripheral/net1', mac: second.mac, netdevId: 'hostnet1', tap: 'tap1', bus: 'rp9' };

test('two NICs of one guest that are given a VF at once get a PCIe port each', async (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source]);
  source.machine = machine({ nics: [virtio, secondVirtio], ports: ports('rp1', 'rp2') });
  await Promise.all([hypervisor.prepare(guest, vf, mac), hypervisor.prepare(second, secondVf, second.mac)]);
  // Again, after a step that failed: each keeps its own.
  await Promise.all([hypervisor.prepare(second, secondVf, second.mac), hypervisor.prepare(guest, vf, mac)]);
  await Promise.all([hypervisor.plug(guest, vf, mac), hypervisor.plug(second, secondVf, second.mac)]);
  t.deepEqual(new Map(source.plugged.map(({ id, bus }) => [id, bus])), new Map([['unipath-primary-net0', 'rp1'], ['unipath-primary-net1', 'rp2']]));
});

test('a PCIe port is free again when what was to be plugged into it is not', async (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source]);
  const both = machine({ nics: [virtio, secondVirtio] });
  source.machine = both;
  const prepareSecond = (): Promise<void> => hypervisor.prepare(second, secondVf, second.mac);
  await hypervisor.prepare(guest, vf, mac);
  await t.throwsAsync(prepareSecond, { message: /no free PCIe port/ });
  // The machine has gone meanwhile.
  source.machine = null;
  await hypervisor.unprepare(guest, vf);
  source.machine = both;
  await t.notThrowsAsync(prepareSecond);
  await hypervisor.unprepare(second, secondVf);

  source.work = async () => Promise.reject(new Error('QEMU says no'));
  await t.throwsAsync(hypervisor.prepare(guest, vf, mac), { message: 'QEMU says no' });
  source.work = async () => {};
  await prepareSecond();
  source.work = async () => Promise.reject(new Error('QEMU says no'));
  await t.throwsAsync(hypervisor.plug(second, secondVf, second.mac), { message: 'QEMU says no' });
  source.work = async () => {};
  await hypervisor.prepare(guest, vf, mac);
  // A machine of the same name that comes anew has all its ports.
  source.monitor = {} as QemuMonitor;
  await t.notThrowsAsync(prepareSecond);
});

test('a PCIe port is nobody else\'s while a device is being plugged into it', async (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source]);
  source.machine = machine({ nics: [virtio, secondVirtio] });
  await hypervisor.prepare(guest, vf, mac);
  let done!: () => void;
  source.work = () => new Promise((resolve) => (done = resolve));
  const plugged = hypervisor.plug(guest, vf, mac);
  await t.throwsAsync(hypervisor.prepare(second, secondVf, second.mac), { message: /no free PCIe port/ });
  done();
  await plugged;
});

test('a device is asked back by the id that it has, whoever gave it one', async (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source], patientTiming(20));
  await hypervisor.eject(guest, vf);
  source.machine = machine({ nics: [virtio, { ...primary, id: 'ua-unipath-vfp0' }] });
  t.true(await hypervisor.holds(guest, vf));
  await hypervisor.eject(guest, vf);
  await hypervisor.unplug(guest, vf);
  t.deepEqual(source.asked, ['eject unipath-primary-net0', 'eject ua-unipath-vfp0', 'remove ua-unipath-vfp0 within 60000']);
});

test('a machine that runs when a migration completes received it, also when its beginning was not heard', (t) => {
  const completed: QmpEvent = { name: 'MIGRATION', data: { status: 'completed' }, timeMs: 0 };
  const resume: QmpEvent = { name: 'RESUME', data: {}, timeMs: 0 };
  const arriving = machine({ runState: 'inmigrate' });
  t.like(heard(heard(NOTHING_HEARD, resume, arriving), completed, arriving), { role: 'target', runState: 'running' });
  t.like(heard(NOTHING_HEARD, completed, machine()), { role: 'target', runState: null });
  t.like(heard(NOTHING_HEARD, completed, machine({ runState: 'finish-migrate' })), { role: 'source', runState: 'postmigrate' });
});

test('what is said of a migration is passed on, with the end that this machine is', (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source]);
  const told: string[] = [];
  hypervisor.onEvent((event) => {
    if (event.kind === 'migration') told.push(`${event.vm} ${event.direction} ${event.status}`);
  });
  for (const status of ['setup', 'active', 'completed']) source.say('MIGRATION', { status });
  source.monitor = {} as QemuMonitor;
  source.machine = machine({ runState: 'inmigrate' });
  for (const status of ['setup', 'active', 'completed']) source.say('MIGRATION', { status });
  source.say('STOP');
  t.deepEqual(told, ['outgoing', 'incoming'].flatMap((direction) => ['setup', 'active', 'completed'].map((status) => `web ${direction} ${status}`)));
});

const passed: VfSpec = { kind: 'passthrough', port: '0000:01:10.0', device: '0000:01:10.0' };
/** As QEMU shows it: it does not know the address. */
const vfio: Nic = { ...primary, model: 'vfio-pci', mac: null, netdevId: null, backend: null, tap: null, queues: null, host: '0000:01:10.0' };

test('a VF that is passed through: plugged by its PCI address, and known again by it and by its standby', async (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source]);
  await hypervisor.prepare(guest, passed, mac);
  await hypervisor.plug(guest, passed, mac);
  t.deepEqual(source.plugged, [{ id: 'unipath-primary-net0', mac, bus: 'rp1', failoverPairId: 'net0', host: '0000:01:10.0' }]);
  t.false(await hypervisor.holds(guest, passed));
  source.machine = machine({ nics: [virtio, vfio] });
  t.true(await hypervisor.holds(guest, passed));
  t.false(await hypervisor.holds({ ...guest, mac: parseMacAddress('52:54:00:00:00:02') }, passed));
  t.false(await hypervisor.holds(guest, { ...passed, port: '0000:01:10.2', device: '0000:01:10.2' }));
  await hypervisor.eject(guest, passed);
  await hypervisor.unplug(guest, passed);
  t.deepEqual(source.asked, ['eject unipath-primary-net0', 'remove unipath-primary-net0 within 3000']);
});

test('that it has left is told by its PCI address; of a device that others passed through nothing is told', (t) => {
  const source = new FakeSource();
  const hypervisor = new MachineHypervisor([source]);
  source.machine = machine({ nics: [virtio, vfio, { ...vfio, id: 'hostdev0', host: '0000:01:10.2', failoverPairId: null }] });
  const told: unknown[] = [];
  hypervisor.onEvent((event) => void (event.kind === 'ejected' && told.push(event.port)));
  source.say('DEVICE_DELETED', { device: 'hostdev0' });
  source.say('DEVICE_DELETED', { device: 'unipath-primary-net0' });
  t.deepEqual(told, ['0000:01:10.0']);
  t.like(guestStateOf(machine({ migration: 'active', nics: [virtio, vfio] }), guest, null), { leaving: true, refusal: 'guest_leaving' });
});
