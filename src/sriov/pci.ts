/** PCI functions as sysfs has them: PFs of network adapters, their VFs, drivers, IOMMU groups, NUMA nodes. Pure but for the Sysfs it is given. */
import { type Fact, no, unknown, yes } from './fact.js';
import { numberAt, type Sysfs } from './sysfs.js';

export const PCI_DEVICES = '/sys/bus/pci/devices';
const ADDRESS_PATTERN = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]$/;
/** First byte of the class of network controllers. */
const NETWORK_CLASS = 0x02;

/** Domain, bus, device, function: "0000:01:10.0". The only name of a VF that outlives its netdev. */
export type PciAddress = string & { readonly pci: unique symbol };

export const isPciAddress = (text: string): text is PciAddress => ADDRESS_PATTERN.test(text);

/** @throws RangeError unless `text` is one, as sysfs writes it. */
export function parsePciAddress(text: string): PciAddress {
  const address = text.toLowerCase();
  if (!isPciAddress(address)) throw new RangeError(`"${text}" is not a PCI address such as 0000:01:00.0`);
  return address;
}

export const deviceFolder = (pci: PciAddress): string => `${PCI_DEVICES}/${pci}`;

export interface PciFunction {
  readonly pci: PciAddress;
  /** Vendor and device, "8086:10c9". */
  readonly id: string;
  readonly driver: Fact<string>;
  /** What is asked for before the device's own drivers, "vfio-pci"; null: nothing. */
  readonly driverOverride: string | null;
  readonly iommuGroup: Fact<number>;
  readonly numaNode: Fact<number>;
  /** Names of its netdevs in our network namespace. */
  readonly netdevs: readonly string[];
  /** MSI-X vectors: those in use, and how many it has. */
  readonly msix: Fact<{ readonly used: number; readonly total: number }>;
}

const STATUS = 0x06;
const STATUS_CAPABILITIES = 0x10;
const FIRST_CAPABILITY = 0x34;
const CAPABILITY_MSIX = 0x11;
/** More than fit in a configuration space: the list goes round in a circle. */
const MOST_CAPABILITIES = 48;

/** Size of the MSI-X table by a function's configuration space (PCI Express specification, 7.7.2.2); null: it has none, or root is needed to see it. */
export function msixTableSize(config: Buffer): number | null {
  // Without privileges the kernel shows the first 64 bytes only.
  if (config.length <= 64 || (config.readUInt16LE(STATUS) & STATUS_CAPABILITIES) === 0) return null;
  let at = config.readUInt8(FIRST_CAPABILITY) & 0xfc;
  for (let seen = 0; at >= 0x40 && at + 4 <= Math.min(config.length, 256) && seen < MOST_CAPABILITIES; seen++) {
    if (config.readUInt8(at) === CAPABILITY_MSIX) return (config.readUInt16LE(at + 2) & 0x7ff) + 1;
    at = config.readUInt8(at + 1) & 0xfc;
  }
  return null;
}

function readMsix(sysfs: Sysfs, folder: string): PciFunction['msix'] {
  const config = sysfs.bytes(`${folder}/config`);
  if (config === null || config.length <= 64) return unknown('root is needed to look at its configuration space');
  const total = msixTableSize(config);
  return total === null ? no('it has no MSI-X') : yes({ used: sysfs.list(`${folder}/msi_irqs`).length, total });
}

const hexId = (sysfs: Sysfs, path: string): string => (sysfs.text(path) ?? '').replace(/^0x/, '') || '????';

function readNumaNode(sysfs: Sysfs, folder: string): Fact<number> {
  const node = numberAt(sysfs, `${folder}/numa_node`);
  if (node === null) return unknown('the kernel was built without NUMA');
  return node < 0 ? no('the machine does not say to which NUMA node this slot belongs') : yes(node);
}

function readIommuGroup(sysfs: Sysfs, folder: string): Fact<number> {
  const group = sysfs.link(`${folder}/iommu_group`);
  return group === null ? no('there is no IOMMU for it: switch it on in the firmware, and on the kernel command line (intel_iommu=on)') : yes(Number(group));
}

/** A virtio device lies between a PCI function and its netdev. */
function readNetdevs(sysfs: Sysfs, folder: string): readonly string[] {
  const below = sysfs.list(folder).filter((name) => /^virtio\d+$/.test(name));
  return [folder, ...below.map((name) => `${folder}/${name}`)].flatMap((each) => sysfs.list(`${each}/net`));
}

export function readFunction(sysfs: Sysfs, pci: PciAddress): PciFunction {
  const folder = deviceFolder(pci);
  const driver = sysfs.link(`${folder}/driver`);
  const override = sysfs.text(`${folder}/driver_override`);
  return {
    pci,
    id: `${hexId(sysfs, `${folder}/vendor`)}:${hexId(sysfs, `${folder}/device`)}`,
    driver: driver === null ? no('no driver is bound to it') : yes(driver),
    driverOverride: override === null || override === '(null)' || override === '' ? null : override,
    iommuGroup: readIommuGroup(sysfs, folder),
    numaNode: readNumaNode(sysfs, folder),
    netdevs: readNetdevs(sysfs, folder),
    msix: readMsix(sysfs, folder),
  };
}

/** What a PF says of its VFs. */
export interface SriovState {
  /** VFs that it can have. */
  readonly total: number;
  /** VFs that it has. */
  readonly enabled: number;
  /** Does the kernel bind a driver to VFs that appear? */
  readonly autoprobe: boolean;
  /** MSI-X vectors that may be spread over the VFs (sriov_vf_total_msix); most drivers have a fixed number. */
  readonly vfMsixTotal: Fact<number>;
}

export interface PhysicalFunction extends PciFunction {
  readonly sriov: SriovState;
  /** By number: index 3 is VF 3. */
  readonly vfs: readonly VirtualFunction[];
}

export interface VirtualFunction extends PciFunction {
  readonly index: number;
}

/** PFs of network adapters: functions that can have VFs, whether they have a driver and VFs or not. */
export function listPfs(sysfs: Sysfs): PciAddress[] {
  return sysfs.list(PCI_DEVICES).filter(isPciAddress).filter((pci) => {
    const folder = deviceFolder(pci);
    const classCode = numberAt(sysfs, `${folder}/class`) ?? 0;
    return classCode >> 16 === NETWORK_CLASS && (numberAt(sysfs, `${folder}/sriov_totalvfs`) ?? 0) > 0;
  });
}

/** One VF alone: of many, all are much to read. null: there is none of this number. */
export function readVf(sysfs: Sysfs, pf: PciAddress, index: number): VirtualFunction | null {
  const vf = sysfs.link(`${deviceFolder(pf)}/virtfn${index}`);
  return vf !== null && isPciAddress(vf) ? { ...readFunction(sysfs, vf), index } : null;
}

/** The function that a netdev is of; a virtio device lies between the two. null: of none, or there is no such netdev. */
export function pciOfNetdev(sysfs: Sysfs, name: string): PciAddress | null {
  const folder = `/sys/class/net/${name}/device`;
  const device = sysfs.link(folder);
  if (device === null || isPciAddress(device)) return device;
  return listPfs(sysfs).find((pci) => readNetdevs(sysfs, deviceFolder(pci)).includes(name)) ?? null;
}

/** Of each VF of a PF only what is asked for often. */
export function listVfs(sysfs: Sysfs, pf: PciAddress): { readonly pci: PciAddress; readonly index: number; readonly driver: string | null }[] {
  const folder = deviceFolder(pf);
  return sysfs.list(folder).flatMap((name) => {
    const index = /^virtfn(\d+)$/.exec(name)?.[1];
    const pci = index === undefined ? null : sysfs.link(`${folder}/${name}`);
    return index === undefined || pci === null || !isPciAddress(pci) ? [] : [{ pci, index: Number(index), driver: sysfs.link(`${folder}/${name}/driver`) }];
  });
}

export function readPf(sysfs: Sysfs, pci: PciAddress): PhysicalFunction {
  const folder = deviceFolder(pci);
  const vfMsixTotal = numberAt(sysfs, `${folder}/sriov_vf_total_msix`);
  const vfs = sysfs.list(folder).flatMap((name) => {
    const index = /^virtfn(\d+)$/.exec(name)?.[1];
    return index === undefined ? [] : (readVf(sysfs, pci, Number(index)) ?? []);
  });
  return {
    ...readFunction(sysfs, pci),
    sriov: {
      total: numberAt(sysfs, `${folder}/sriov_totalvfs`) ?? 0,
      enabled: numberAt(sysfs, `${folder}/sriov_numvfs`) ?? 0,
      autoprobe: sysfs.text(`${folder}/sriov_drivers_autoprobe`) !== '0',
      // The kernel shows 0 for drivers that cannot do it.
      vfMsixTotal: vfMsixTotal === null || vfMsixTotal === 0 ? no('the number of vectors of a VF is fixed') : yes(vfMsixTotal),
    },
    vfs: vfs.sort((a, b) => a.index - b.index),
  };
}

/** A netdev's place in the adapter's switch: the PF itself, the representor of a VF, or something else (a subfunction). */
type SwitchPort = { readonly kind: 'pf' } | { readonly kind: 'vf'; readonly index: number } | { readonly kind: 'other' };

/** By its phys_port_name, for which drivers agree on "p0", "pf0", "pf0vf3" (devlink_port.c of the kernel); null: it has none. */
export function switchPortOf(physPortName: string | null): SwitchPort {
  if (physPortName === null) return { kind: 'pf' };
  const vf = /^(?:c\d+)?pf\d+vf(\d+)$/.exec(physPortName)?.[1];
  if (vf !== undefined) return { kind: 'vf', index: Number(vf) };
  return /^(?:c\d+)?pf\d+sf\d+$/.test(physPortName) ? { kind: 'other' } : { kind: 'pf' };
}

/** The netdevs of a PF: in switchdev mode the representors of its VFs are among them. */
export interface SwitchNetdevs {
  /** null: there is none in our network namespace. */
  readonly uplink: string | null;
  /** By number of the VF. */
  readonly representors: ReadonlyMap<number, string>;
}

export function readSwitchNetdevs(sysfs: Sysfs, { netdevs }: PciFunction): SwitchNetdevs {
  const representors = new Map<number, string>();
  let uplink: string | null = null;
  for (const name of netdevs) {
    const port = switchPortOf(sysfs.text(`/sys/class/net/${name}/phys_port_name`));
    if (port.kind === 'vf') representors.set(port.index, name);
    else if (port.kind === 'pf') uplink ??= name;
  }
  return { uplink, representors };
}
