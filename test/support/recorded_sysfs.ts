/** A Sysfs that says what was written down. It does not prove that a kernel says so: test/sriov does. */
import type { Sysfs } from '../../src/sriov/sysfs.js';

/** By path: the text of a file, the bytes of one, or {link: TARGET}. Folders are there by what is in them. */
export type RecordedFiles = Readonly<Record<string, string | Buffer | { readonly link: string }>>;

export function recordedSysfs(files: RecordedFiles): Sysfs {
  const at = (path: string) => files[path];
  return {
    text(path) {
      const file = at(path);
      return typeof file === 'string' ? file : null;
    },
    bytes(path) {
      const file = at(path);
      return Buffer.isBuffer(file) ? file : null;
    },
    link(path) {
      const file = at(path);
      return typeof file === 'object' && 'link' in file ? (file.link.split('/').at(-1) ?? null) : null;
    },
    list(path) {
      const below = Object.keys(files).filter((each) => each.startsWith(`${path}/`));
      return [...new Set(below.map((each) => each.slice(path.length + 1).split('/')[0] ?? ''))].sort();
    },
  };
}

/** Files of a PCI function, by their names in its folder. */
export function pciFunction(pci: string, files: RecordedFiles): RecordedFiles {
  return Object.fromEntries(Object.entries(files).map(([name, file]) => [`/sys/bus/pci/devices/${pci}/${name}`, file]));
}

/** A configuration space whose list of capabilities has power management, MSI-X with this many vectors, and PCI Express. */
export function configSpace(vectors: number): Buffer {
  const config = Buffer.alloc(256);
  config.writeUInt16LE(0x0010, 0x06);
  config.writeUInt8(0x40, 0x34);
  config.set([0x01, 0x70], 0x40);
  config.set([0x11, 0xa0], 0x70);
  config.writeUInt16LE(0x8000 | (vectors - 1), 0x72);
  config.set([0x10, 0x00], 0xa0);
  return config;
}

const IGB_PF = {
  class: '0x020000',
  vendor: '0x8086',
  device: '0x10c9',
  driver: { link: '../../../../bus/pci/drivers/igb' },
  driver_override: '(null)',
  iommu_group: { link: '../../../../kernel/iommu_groups/6' },
  numa_node: '-1',
  sriov_totalvfs: '7',
  sriov_numvfs: '2',
  sriov_drivers_autoprobe: '1',
  sriov_vf_total_msix: '0',
  'net/eth0/ifindex': '2',
  'msi_irqs/30': 'msix',
  'msi_irqs/31': 'msix',
  'msi_irqs/32': 'msix',
  config: configSpace(10),
  virtfn0: { link: '../0000:01:10.0' },
  virtfn1: { link: '../0000:01:10.2' },
} as const;

const igbVf = (group: number, netdev: string): RecordedFiles => ({
  class: '0x020000',
  vendor: '0x8086',
  device: '0x10ca',
  driver: { link: '../../../../bus/pci/drivers/igbvf' },
  driver_override: '(null)',
  iommu_group: { link: `../../../../kernel/iommu_groups/${group}` },
  numa_node: '-1',
  physfn: { link: '../0000:01:00.0' },
  [`net/${netdev}/ifindex`]: String(group),
  config: configSpace(3),
});

/** QEMU's igb under Linux 6.12 with two VFs, as read in the machine of test/sriov; another device and a bridge besides. */
export const IGB: RecordedFiles = {
  ...pciFunction('0000:00:02.0', { class: '0x060400', iommu_group: { link: '../../../kernel/iommu_groups/1' } }),
  ...pciFunction('0000:01:00.0', IGB_PF),
  ...pciFunction('0000:01:10.0', igbVf(9, 'eth3')),
  ...pciFunction('0000:01:10.2', igbVf(10, 'eth4')),
  ...pciFunction('0000:03:00.0', { class: '0x020000', 'virtio1/net/eth2/ifindex': '4' }),
};

/**
 * mlx5 in switchdev mode: representors are netdevs of the PF, named after their ports (kernel: Documentation/networking/representors.rst and
 * devlink-port.rst); VFs may be given more vectors (Documentation/ABI/testing/sysfs-bus-pci).
 */
export const MLX5_SWITCHDEV: RecordedFiles = {
  ...pciFunction('0000:03:00.0', {
    class: '0x020000',
    vendor: '0x15b3',
    device: '0x1017',
    driver: { link: '../../../../bus/pci/drivers/mlx5_core' },
    iommu_group: { link: '../../../../kernel/iommu_groups/24' },
    numa_node: '1',
    sriov_totalvfs: '8',
    sriov_numvfs: '2',
    sriov_drivers_autoprobe: '0',
    sriov_vf_total_msix: '1024',
    'net/enp3s0f0np0/ifindex': '6',
    'net/enp3s0f0npf0vf0/ifindex': '11',
    'net/enp3s0f0npf0vf1/ifindex': '12',
    virtfn0: { link: '../0000:03:00.2' },
    virtfn1: { link: '../0000:03:00.3' },
  }),
  ...pciFunction('0000:03:00.2', { class: '0x020000', vendor: '0x15b3', device: '0x1018', driver: { link: '../../../../bus/pci/drivers/vfio-pci' }, driver_override: 'vfio-pci' }),
  ...pciFunction('0000:03:00.3', { class: '0x020000', vendor: '0x15b3', device: '0x1018' }),
  '/sys/class/net/enp3s0f0np0/phys_port_name': 'p0',
  '/sys/class/net/enp3s0f0npf0vf0/phys_port_name': 'pf0vf0',
  '/sys/class/net/enp3s0f0npf0vf1/phys_port_name': 'pf0vf1',
};

/** A PF of an InfiniBand adapter, of a storage controller, and a network adapter without SR-IOV: none of them is one for guests' NICs. */
export const OTHERS: RecordedFiles = {
  ...pciFunction('0000:04:00.0', { class: '0x010802', sriov_totalvfs: '127', sriov_numvfs: '0' }),
  ...pciFunction('0000:05:00.0', { class: '0x020000' }),
  ...pciFunction('0000:06:00.0', { class: '0x020000', sriov_totalvfs: '0' }),
};
