/**
 * Asks a running QEMU for everything unipath needs to know of it; `machine.ts` makes sense of the answers. Nothing is changed
 * in QEMU, and nothing needs to be known before. Works from QEMU 7.2 on; where one lacks a command, "cannot tell" is the result.
 *
 * `discoverMachine(monitor)`: some 60 short commands, a few milliseconds.
 * Sources: QEMU's qapi/qom.json (qom-list, qom-get, qom-list-types), qapi/misc.json (human-monitor-command).
 */
import { hostNodeOf } from './host_node.js';
import { type Machine, type MachineAnswers, type NicAnswers, parseMachine, type PortAnswers } from './machine.js';
import type { QemuMonitor } from './monitor.js';
import { childType, getProperty, listModels, listProperties, optional, PERIPHERAL } from './qom.js';
import { hasTakenStandby } from './virtio_features.js';

/** Devices with an id, without one, and those that -nic and the machine itself made. */
const CONTAINERS = [PERIPHERAL, '/machine/peripheral-anon', '/machine/unattached'];
/** Not a PCI device: a guest of machine microvm has it on virtio-mmio. */
const MMIO_NIC = 'virtio-net-device';
const NIC_PROPERTIES = ['parent_bus', 'mac', 'netdev', 'mq', 'failover', 'failover_pair_id', 'host', 'hotplugged'];

interface Device {
  readonly path: string;
  readonly id: string | null;
  readonly model: string;
  /** Types of its properties, by name. */
  readonly properties: ReadonlyMap<string, string>;
}

/** @throws MonitorLostError; QmpError or QmpShapeError when this is no QEMU we understand */
export async function discoverMachine(monitor: QemuMonitor): Promise<Machine> {
  const ask = (command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> => optional(monitor.execute(command, args));
  const [devices, version, status, name, uuid, cpus, migrate, memdevs] = await Promise.all([
    listDevices(monitor),
    ask('query-version'),
    ask('query-status'),
    ask('query-name'),
    ask('query-uuid'),
    ask('query-cpus-fast'),
    ask('query-migrate'),
    ask('query-memdev'),
  ]);
  const nics = (await Promise.all(devices.filter(isNic).map((device) => askNic(monitor, device, version)))).filter((nic) => nic !== null);
  const ports = (await Promise.all(devices.map((device) => askPort(monitor, device)))).filter((port) => port !== null);
  // Last: it names the netdevs of NICs, and one that came since then is not asked for.
  const network = await ask('human-monitor-command', { 'command-line': 'info network' });
  const answers: MachineAnswers = { version, status, name, uuid, cpus, migrate, network, nics, ports };
  const machine = parseMachine(answers);
  return { ...machine, numaNode: hostNodeOf(memdevs, machine.cpus) };
}

/** The PCI devices. One that goes meanwhile is left out. */
async function listDevices(monitor: QemuMonitor): Promise<Device[]> {
  const models = new Set([...(await listModels(monitor, 'pci-device')), MMIO_NIC]);
  // All are known before the first is asked about: when QEMU ends, nobody waits for an answer that then fails.
  const found: (readonly [path: string, id: string | null, model: string])[] = [];
  for (const container of CONTAINERS) {
    for (const [name, type] of (await listProperties(monitor, container)) ?? []) {
      const model = childType(type);
      if (model !== null && models.has(model)) found.push([`${container}/${name}`, container === PERIPHERAL ? name : null, model]);
    }
  }
  const devices = await Promise.all(found.map(([path, id, model]) => describe(monitor, path, id, model)));
  return devices.filter((device) => device !== null);
}

async function describe(monitor: QemuMonitor, path: string, id: string | null, model: string): Promise<Device | null> {
  const properties = await listProperties(monitor, path);
  return properties === null ? null : { path, id, model, properties };
}

const isPassedThrough = (device: Device): boolean => device.model.startsWith('vfio-pci');
const isNic = (device: Device): boolean => (device.properties.has('mac') && device.properties.has('netdev')) || isPassedThrough(device);

async function askNic(monitor: QemuMonitor, device: Device, version: unknown): Promise<NicAnswers | null> {
  const { path, id, model } = device;
  const names = NIC_PROPERTIES.filter((name) => device.properties.has(name));
  const values = await Promise.all(names.map((property) => getProperty(monitor, path, property)));
  const properties = Object.fromEntries(names.map((name, i) => [name, values[i]]));
  // Every NIC is on a bus: this one went while we asked.
  if (properties['parent_bus'] === undefined) return null;
  // The device proper of a virtio PCI function is its child.
  const backend = device.properties.has('virtio-backend') ? `${path}/virtio-backend` : path;
  const standby = properties['failover'] === true ? await hasTakenStandby(monitor, path, backend, version) : null;
  return { path, id, model, properties, standby };
}

/** null when the device is no slot of PCIe's hot-plug, or went meanwhile. */
async function askPort(monitor: QemuMonitor, device: Device): Promise<PortAnswers | null> {
  const { path, id, model, properties } = device;
  const bus = [...properties].find(([, type]) => childType(type) === 'PCIE')?.[0];
  if (bus === undefined || !properties.has('hotplug') || !properties.has('chassis')) return null;
  const [hotplug, onBus] = await Promise.all([
    getProperty(monitor, path, 'hotplug'),
    optional(monitor.execute('qom-list', { path: `${path}/${bus}` })),
  ]);
  return onBus === undefined ? null : { path, id, model, hotplug, bus, onBus };
}
