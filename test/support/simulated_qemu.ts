/**
 * A monitor with a few devices behind it, for orders of events that a real QEMU shows only by luck. It does what the author
 * believed of QEMU, so it proves nothing about QEMU: its error texts are copied from QEMU 7.2, and everything that matters is
 * tried with a real one in test/qemu. It checks no argument but ids.
 */
import { MonitorLostError, type QemuMonitor, QmpError, type QmpEvent } from '../../src/hypervisor/qemu/monitor.js';

interface Device {
  readonly model: string;
  readonly properties: Record<string, unknown>;
}

/** What a guest does when it is asked for a device. */
export type Guest = (device: string, qemu: SimulatedQemu) => void;

export const ejects: Guest = (device, qemu) => qemu.eject(device);
export const ignores: Guest = () => {};
export const refuses: Guest = (device, qemu) => qemu.event('DEVICE_UNPLUG_GUEST_ERROR', { device, path: `/machine/peripheral/${device}` });

const PREFIX = '/machine/peripheral/';

export class SimulatedQemu implements QemuMonitor {
  readonly name = 'simulated';
  readonly devices = new Map<string, Device>();
  readonly netdevs = new Map<string, Readonly<Record<string, unknown>>>();
  /** Buses of ports, all of them hot-pluggable. */
  readonly ports = new Set(['rp0', 'rp1']);
  readonly asked: string[] = [];
  guest: Guest = ejects;
  /** Answers instead of QEMU when it returns or throws something; undefined: as usual. */
  intercept: (command: string, args: Readonly<Record<string, unknown>>) => unknown = () => undefined;
  readonly #leaving = new Set<string>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #ends = new Set<(why: string) => void>();
  #ended: string | null = null;

  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#ended !== null) throw new MonitorLostError(`${command}: ${this.#ended}`);
    this.asked.push(command);
    await Promise.resolve();
    const instead = await this.intercept(command, args);
    return instead === undefined ? this.perform(command, args) : instead;
  }

  /** As QEMU would. */
  perform(command: string, args: Readonly<Record<string, unknown>>): unknown {
    const refuse = (description: string, qmpClass = 'GenericError'): never => {
      throw new QmpError(command, qmpClass, description);
    };
    const id = String(args['id']);
    switch (command) {
      case 'netdev_add':
        if (this.netdevs.has(id)) refuse(`Duplicate ID '${id}'`);
        this.netdevs.set(id, args);
        return {};
      case 'netdev_del':
        return this.netdevs.delete(id) ? {} : refuse(`Device '${id}' not found`, 'DeviceNotFound');
      case 'device_add': {
        if (this.devices.has(id)) refuse(`Duplicate device ID '${id}'`);
        const { driver, ...properties } = args;
        this.devices.set(id, { model: String(driver), properties });
        return {};
      }
      case 'device_del':
        if (!this.devices.has(id)) refuse(`Device '${id}' not found`, 'DeviceNotFound');
        if (this.#leaving.has(id)) refuse(`Device ${id} is already in the process of unplug`);
        this.#leaving.add(id);
        this.guest(id, this);
        return {};
      case 'query-version':
        return { qemu: { major: 7, minor: 2, micro: 22 }, package: '' };
      case 'qom-list':
        return this.#list(String(args['path'])) ?? refuse(`Device '${args['path']}' not found`, 'DeviceNotFound');
      case 'qom-get': {
        const device = this.devices.get(String(args['path']).slice(PREFIX.length));
        return device?.properties[String(args['property'])] ?? refuse('Property not found');
      }
      default:
        return refuse(`The command ${command} has not been found`, 'CommandNotFound');
    }
  }

  /** The guest gives the device back: QEMU tells of a part of it first. */
  eject(id: string): void {
    const path = `${PREFIX}${id}`;
    this.event('DEVICE_DELETED', { path: `${path}/virtio-backend` });
    this.devices.delete(id);
    this.#leaving.delete(id);
    this.event('DEVICE_DELETED', { device: id, path });
  }

  event(name: string, data: Readonly<Record<string, unknown>> = {}): void {
    for (const listener of [...this.#listeners]) listener({ name, data, timeMs: 0 });
  }

  end(why: string): void {
    this.#ended = why;
    for (const listener of [...this.#ends]) listener(why);
  }

  get listeners(): number {
    return this.#listeners.size + this.#ends.size;
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onEnd(listener: (why: string) => void): () => void {
    this.#ends.add(listener);
    return () => void this.#ends.delete(listener);
  }

  close(): void {
    this.end('closed');
  }

  #list(path: string): { name: string; type: string }[] | null {
    if (path === PREFIX.slice(0, -1)) return [...this.devices].map(([name, { model }]) => ({ name, type: `child<${model}>` }));
    const [id, bus] = path.slice(PREFIX.length).split('/');
    if (id === undefined || !this.ports.has(id)) return null;
    if (bus === undefined) return [{ name: id, type: 'child<PCIE>' }];
    const onBus = [...this.devices.values()].filter((device) => device.properties['bus'] === id);
    return onBus.map(({ model }, i) => ({ name: `child[${i}]`, type: `link<${model}>` }));
  }
}
