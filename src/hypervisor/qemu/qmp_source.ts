/** Machines that are reached by QMP sockets of their own, found by path or pattern. */
import { basename } from 'node:path';
import type { DeviceHands, LiveMachine, MachineSource } from '../machine_source.js';
import { MonitorPool, type PoolChange, type PooledGuest } from './monitor_pool.js';
import { type QemuMonitor, QmpError, type QmpEvent } from './monitor.js';
import type { Machine } from './machine.js';
import { type DeviceSpec, plugDevice, prepareDevice } from './plug.js';
import { optional } from './qom.js';
import { unplugDevice } from './unplug.js';

type Listener = (machine: LiveMachine | null, event: QmpEvent | null) => void;

class QmpDevices implements DeviceHands {
  readonly #monitor: QemuMonitor;

  constructor(monitor: QemuMonitor) {
    this.#monitor = monitor;
  }

  prepare(spec: DeviceSpec): Promise<'ready' | 'already'> {
    return prepareDevice(this.#monitor, spec);
  }

  async plug(spec: DeviceSpec): Promise<void> {
    await plugDevice(this.#monitor, spec, true);
  }

  async unprepare(spec: DeviceSpec): Promise<void> {
    if ('netdevId' in spec) await optional(this.#monitor.execute('netdev_del', { id: spec.netdevId }));
  }

  async eject(id: string): Promise<void> {
    try {
      await this.#monitor.execute('device_del', { id });
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      if (error.qmpClass !== 'DeviceNotFound' && !/already in the process of unplug/.test(error.message)) throw error;
    }
  }

  async remove(id: string, netdevId: string, deadlineMs: number): Promise<void> {
    const result = await unplugDevice(this.#monitor, id, { deadlineMs });
    if (result.outcome === 'refused' || result.outcome === 'not_ejected') throw new Error(result.message);
    await optional(this.#monitor.execute('netdev_del', { id: netdevId }));
  }
}

/** A machine without a name is called by its socket. */
function nameOf({ socket, machine }: PooledGuest): string {
  return machine.name ?? basename(socket).replace(/\.(qmp|sock)$/, '');
}

export class QmpSource implements MachineSource {
  readonly #pool: MonitorPool;
  readonly #listeners = new Set<Listener>();
  readonly #warn: (message: string) => void;

  /** @param warn told of sockets that cannot be used */
  constructor(patterns: readonly string[], warn: (message: string) => void) {
    this.#warn = warn;
    this.#pool = new MonitorPool(patterns, { onChange: (change) => this.#changed(change) });
  }

  start(): Promise<void> {
    return this.#pool.start();
  }

  close(): void {
    this.#pool.close();
  }

  machines(): readonly LiveMachine[] {
    return [...this.#pool.guests.values()].map((guest) => this.#live(guest));
  }

  problems(): ReadonlyMap<string, string> {
    return new Map([...this.#pool.problems].map(([socket, problem]) => [basename(socket).replace(/\.(qmp|sock)$/, ''), problem]));
  }

  onEvent(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #live(guest: PooledGuest): LiveMachine {
    return {
      name: nameOf(guest),
      monitor: guest.monitor,
      machine: guest.machine,
      devices: new QmpDevices(guest.monitor),
      refresh: async (): Promise<Machine> => (await this.#pool.look(guest.socket)) ?? guest.machine,
    };
  }

  #changed(change: PoolChange): void {
    if (change.kind === 'unreachable') this.#warn(change.error.message);
    if (change.kind === 'came') {
      // Else QEMU says nothing of migrations.
      void optional(
        change.guest.monitor.execute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] }),
      ).catch(() => undefined);
      change.guest.monitor.onEvent((event) => {
        const guest = this.#pool.guests.get(change.guest.socket);
        if (guest !== undefined) this.#tell(this.#live(guest), event);
      });
    }
    this.#tell(null, null);
  }

  #tell(machine: LiveMachine | null, event: QmpEvent | null): void {
    for (const listener of [...this.#listeners]) listener(machine, event);
  }
}
