/**
 * Has the guest's driver of a virtio NIC taken the standby feature (VIRTIO_NET_F_STANDBY)? The only place that asks.
 *
 * QEMU's own answer is that to x-query-virtio-status, and some QEMUs do not survive the question: 11.1.3 has no value for a member that its answer must have, and an
 * assertion ends it and the guest (visit_start_struct in qapi/qapi-visit-core.c). 7.2 and 10.0 were seen to answer. Newer ones are never asked;
 * instead, the register is read that the driver wrote its features to, which has no side effect.
 *
 * Sources: VIRTIO 1.2, clause 4.1.4.3 (common configuration: driver_feature_select, driver_feature, device_status), 2.1 (FEATURES_OK) and 5.1.3 (feature 62);
 * QEMU's hw/virtio/virtio-pci.c (it is at the start of BAR 4), qapi/pci.json (query-pci), qapi/virtio.json, monitor's `xp`.
 */
import { z } from 'zod';
import { parseAnswer, VERSION } from './machine.js';
import type { QemuMonitor } from './monitor.js';
import { optional, PERIPHERAL } from './qom.js';

/** The newest release whose answer was seen. */
const NEWEST_THAT_ANSWERS = [10, 0] as const;
const STANDBY_FEATURE = 'VIRTIO_NET_F_STANDBY';
const STANDBY_BIT = 62;
const FEATURES_OK = 8;
const COMMON_BAR = 4;
/** Of the common configuration, up to the one with device_status. */
const WORDS = 6;

const STATUS = z.object({ 'guest-features': z.object({ 'dev-features': z.array(z.string()) }) });
const REGION = z.object({ bar: z.int(), type: z.string(), address: z.number() });
const BUSES = z.array(z.object({ devices: z.array(z.unknown()) }));
const PCI_DEVICE = z.object({
  qdev_id: z.string(),
  regions: z.array(REGION),
  pci_bridge: z.object({ devices: z.array(z.unknown()).optional() }).optional(),
});

/**
 * @param path of the device in QEMU's tree of objects
 * @param backend the device proper: a virtio PCI function has it as its child, one on another bus is it
 * @param version what query-version said
 * @returns null: it cannot be told
 * @throws MonitorLostError; QmpShapeError for an answer that makes no sense
 */
export async function hasTakenStandby(monitor: QemuMonitor, path: string, backend: string, version: unknown): Promise<boolean | null> {
  if (mayAskStatus(version)) return standbyOfStatus(await optional(monitor.execute('x-query-virtio-status', { path: backend })));
  const [, id] = path.split(`${PERIPHERAL}/`);
  const buses = await optional(monitor.execute('query-pci'));
  if (id === undefined || backend === path || buses === undefined) return null;
  const address = commonConfigOf(id, buses);
  // No driver reaches it.
  if (address === null) return false;
  return standbyOfRegisters(await optional(monitor.execute('human-monitor-command', { 'command-line': `xp /${WORDS}xw 0x${address.toString(16)}` })));
}

function mayAskStatus(version: unknown): boolean {
  const parsed = VERSION.safeParse(version);
  if (!parsed.success) return false;
  const { major, minor } = parsed.data.qemu;
  return major < NEWEST_THAT_ANSWERS[0] || (major === NEWEST_THAT_ANSWERS[0] && minor <= NEWEST_THAT_ANSWERS[1]);
}

/** QEMU writes features as "VIRTIO_NET_F_STANDBY: Device acting as ..."; those it has no words for are not listed. */
function standbyOfStatus(status: unknown): boolean | null {
  const parsed = STATUS.safeParse(status);
  if (!parsed.success) return null;
  return parsed.data['guest-features']['dev-features'].some((feature) => feature.split(':')[0] === STANDBY_FEATURE);
}

/** Where the guest has mapped it; null when it has not: also, when it has not numbered the bus. */
function commonConfigOf(id: string, buses: unknown): number | null {
  const flat = (devices: readonly unknown[]): z.infer<typeof PCI_DEVICE>[] =>
    devices.flatMap((each) => {
      const device = parseAnswer('query-pci', PCI_DEVICE, each);
      return [device, ...flat(device.pci_bridge?.devices ?? [])];
    });
  const device = flat(parseAnswer('query-pci', BUSES, buses).flatMap((bus) => bus.devices)).find(({ qdev_id }) => qdev_id === id);
  const address = device?.regions.find(({ bar, type }) => bar === COMMON_BAR && type === 'memory')?.address ?? 0;
  return Number.isSafeInteger(address) && address > 0 ? address : null;
}

/**
 * "00000000fea00000: 0x00000001 0x40000101 0x00000001 0x40000101" and one line more. A driver that knows of more than 64 features selects a word
 * after ours last: then it cannot be told.
 */
function standbyOfRegisters(dump: unknown): boolean | null {
  if (typeof dump !== 'string') return null;
  const words = [...dump.matchAll(/ 0x([0-9a-f]{8})/g)].map(([, word]) => Number.parseInt(word ?? '', 16));
  const [, , select, features, , status] = words;
  if (words.length !== WORDS || select === undefined || features === undefined || status === undefined) return null;
  if (status === 0xffffffff) return null;
  if ((status & FEATURES_OK) === 0) return false;
  return select === STANDBY_BIT >> 5 ? ((features >>> (STANDBY_BIT & 31)) & 1) === 1 : null;
}
