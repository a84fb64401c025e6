/**
 * Gives a NIC to a running guest: a device on a host's tap, or a real VF passed through.
 *
 * `plugDevice` is done when QEMU shows the device in its slot; whether the guest's driver has taken it is not seen here. It
 * changes nothing when the same device is there already, and leaves nothing behind when it fails. QEMU 7.2 takes a device into
 * a PCIe port that is taken (as function of a slot that no guest looks at), and gives a primary whose standby has no driver yet
 * to nobody, for good: both are looked at before. Sources: QEMU's qapi/qdev.json, qapi/net.json, docs/system/virtio-net-failover.rst.
 *
 * What is not checked: that the tap exists. QEMU makes one of that name when there is none.
 */
import { countDevices } from './machine.js';
import { MonitorLostError, type QemuMonitor, QmpError } from './monitor.js';
import { DevicePlugError, plugError } from './plug_problem.js';
import { childType, devicePath, getProperty, listProperties, modelOfDevice, optional, PERIPHERAL } from './qom.js';
import { hasTakenStandby } from './virtio_features.js';

interface Common {
  /** As `deviceIdOf` makes it. */
  readonly id: string;
  /** Name of a free hot-plug port, as in `Machine.ports`. */
  readonly bus: string;
  /** Of a device of the host the PF has set it already. */
  readonly mac: string;
  /** Id of the guest's standby NIC, which QEMU then treats as a pair; null: the guest pairs by MAC address alone. */
  readonly failoverPairId: string | null;
}

/** A NIC that QEMU makes, on a tap of the host. */
export interface TapDevice extends Common {
  readonly netdevId: string;
  /** The tap's name, in QEMU's network namespace. */
  readonly port: string;
  /** "vmxnet3", "e1000e", "rtl8139", ... */
  readonly model: string;
  /** How many queues the tap was made for; more than 1: with multi_queue. Default 1. */
  readonly queues?: number;
  /**
   * Default false: QEMU then finishes checksums and segments, so that frames on the tap are whole and may be redirected.
   * QEMU sets the tap accordingly.
   */
  readonly vnetHdr?: boolean;
}

/** A device of the host. */
export interface HostDevice extends Common {
  /** PCI address, "0000:01:10.0". It is bound to vfio-pci. */
  readonly host: string;
}

export type DeviceSpec = TapDevice | HostDevice;

export interface PlugResult {
  readonly outcome: 'plugged' | 'already';
  readonly tookMs: number;
}

const isTap = (spec: DeviceSpec): spec is TapDevice => 'port' in spec;
const modelOf = (spec: DeviceSpec): string => (isTap(spec) ? spec.model : 'vfio-pci');

/** Arguments of netdev_add. */
export function netdevArguments(spec: TapDevice): Record<string, unknown> {
  const queues = spec.queues ?? 1;
  return {
    type: 'tap',
    id: spec.netdevId,
    ifname: spec.port,
    script: 'no',
    downscript: 'no',
    vhost: false,
    vnet_hdr: spec.vnetHdr ?? false,
    ...(queues > 1 ? { queues } : {}),
  };
}

/** Arguments of device_add. */
export function deviceArguments(spec: DeviceSpec): Record<string, unknown> {
  const common = { driver: modelOf(spec), id: spec.id, bus: spec.bus, ...(spec.failoverPairId === null ? {} : { failover_pair_id: spec.failoverPairId }) };
  // Without a ROM: a guest that has one migrates only to a QEMU whose device there has the same.
  if (!isTap(spec)) return { ...common, host: spec.host, rombar: 0 };
  const queues = spec.queues ?? 1;
  return { ...common, netdev: spec.netdevId, mac: spec.mac, romfile: '', ...(queues > 1 ? { mq: true } : {}) };
}

/**
 * All that can be done before the guest notices: what would refuse the device is looked at, and its netdev is made. What is left
 * for `plugDevice` takes a millisecond or two. @throws DevicePlugError, MonitorLostError
 */
export async function prepareDevice(monitor: QemuMonitor, spec: DeviceSpec): Promise<'ready' | 'already'> {
  const there = await modelOfDevice(monitor, spec.id);
  if (there !== null) {
    await checkSame(monitor, spec, there);
    return 'already';
  }
  await checkPort(monitor, spec);
  if (spec.failoverPairId !== null) await checkStandby(monitor, spec.failoverPairId);
  if (isTap(spec)) await addNetdev(monitor, spec);
  return 'ready';
}

/**
 * @param prepared `prepareDevice` has just said that it is ready
 * @throws DevicePlugError; MonitorLostError when the outcome is not known: ask again, and it is set right
 */
export async function plugDevice(monitor: QemuMonitor, spec: DeviceSpec, prepared = false): Promise<PlugResult> {
  const started = performance.now();
  const result = (outcome: PlugResult['outcome']): PlugResult => ({ outcome, tookMs: performance.now() - started });
  if (!prepared && (await prepareDevice(monitor, spec)) === 'already') return result('already');
  try {
    await addDevice(monitor, spec);
  } catch (error) {
    // A monitor that is lost cannot undo; what is left then is set right when we are asked again.
    if (isTap(spec) && !(error instanceof MonitorLostError)) await optional(monitor.execute('netdev_del', { id: spec.netdevId }));
    throw error;
  }
  return result('plugged');
}

/** @throws DevicePlugError when the device that has the id is not the one that is wanted */
async function checkSame(monitor: QemuMonitor, spec: DeviceSpec, model: string): Promise<void> {
  const path = devicePath(spec.id);
  const wanted: Record<string, string> = isTap(spec) ? { netdev: spec.netdevId, mac: spec.mac } : { host: spec.host };
  wanted['failover_pair_id'] = spec.failoverPairId ?? '';
  const differences = model === modelOf(spec) ? [] : [`it is of model ${model}, not ${modelOf(spec)}`];
  for (const [property, value] of Object.entries(wanted)) {
    const seen = String((await getProperty(monitor, path, property)) ?? '');
    if (seen.toLowerCase() !== value.toLowerCase()) differences.push(`its ${property} is "${seen}", not "${value}"`);
  }
  if (differences.length === 0) return;
  throw new DevicePlugError('id_in_use', `${monitor.name}: the guest has another device ${spec.id}: ${differences.join(', ')}; unplug it first`);
}

/** A bus that is not that of a PCIe port is left to QEMU to judge. */
async function checkPort(monitor: QemuMonitor, spec: DeviceSpec): Promise<void> {
  const path = devicePath(spec.bus);
  const type = (await listProperties(monitor, path))?.get(spec.bus);
  if (type === undefined || childType(type) !== 'PCIE') return;
  const onBus = await monitor.execute('qom-list', { path: `${path}/${spec.bus}` });
  if (countDevices(onBus) === 0) return;
  throw new DevicePlugError('port_taken', `${monitor.name}: there is a device in port ${spec.bus} already; name a free one, or add pcie-root-ports to the guest`);
}

async function checkStandby(monitor: QemuMonitor, id: string): Promise<void> {
  const path = devicePath(id);
  if ((await getProperty(monitor, path, 'failover')) !== true) {
    throw new DevicePlugError('no_standby', `${monitor.name}: ${id} is no virtio-net device with failover=on; name one, or plug without a pair`);
  }
  const version = await optional(monitor.execute('query-version'));
  const negotiated = await hasTakenStandby(monitor, path, `${path}/virtio-backend`, version);
  if (negotiated === false) throw notNegotiated(monitor, id);
}

const notNegotiated = (monitor: QemuMonitor, id: string): DevicePlugError =>
  new DevicePlugError(
    'failover_not_negotiated',
    `${monitor.name}: the guest has no driver on ${id} that knows of failover, or none yet; wait for QEMU's event FAILOVER_NEGOTIATED, or plug without a pair`,
  );

/** A netdev that has our id but serves no device was left behind by one of us that did not live to clear it away. */
async function addNetdev(monitor: QemuMonitor, spec: TapDevice): Promise<void> {
  const add = (): Promise<unknown> => monitor.execute('netdev_add', netdevArguments(spec));
  try {
    await add().catch(async (error: unknown) => {
      if (!(error instanceof QmpError && /Duplicate ID/.test(error.message)) || (await servesDevice(monitor, spec.netdevId))) throw error;
      await monitor.execute('netdev_del', { id: spec.netdevId });
      await add();
    });
  } catch (error) {
    throw error instanceof QmpError ? plugError(`${monitor.name}: netdev ${spec.netdevId} on ${spec.port}`, error) : error;
  }
}

/** QEMU deletes netdevs that are in use, too: the NIC then stays, and hears nothing any more. */
async function servesDevice(monitor: QemuMonitor, netdevId: string): Promise<boolean> {
  for (const id of ((await listProperties(monitor, PERIPHERAL)) ?? new Map<string, string>()).keys()) {
    if ((await getProperty(monitor, devicePath(id), 'netdev')) === netdevId) return true;
  }
  return false;
}

async function addDevice(monitor: QemuMonitor, spec: DeviceSpec): Promise<void> {
  try {
    await monitor.execute('device_add', deviceArguments(spec));
  } catch (error) {
    if (error instanceof QmpError) throw plugError(`${monitor.name}: device ${spec.id} into ${spec.bus}`, error);
    // Late is not lost: QEMU answers in order, so what it shows after this question is the outcome.
    if (!(error instanceof MonitorLostError) || (await modelOfDevice(monitor, spec.id).catch(() => null)) === null) throw error;
  }
  if ((await modelOfDevice(monitor, spec.id)) !== null) return;
  if (spec.failoverPairId !== null) throw notNegotiated(monitor, spec.failoverPairId);
  throw new DevicePlugError('refused', `${monitor.name}: QEMU took device ${spec.id}, and does not show it`);
}
