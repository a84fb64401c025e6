/**
 * What adapters that are not here have answered, written down from where it can be read. Of what the source does not show (IOMMU groups, NUMA nodes,
 * configuration spaces) nothing is made up; PCI addresses and device ids that it does not name are those of such an adapter.
 */
import type { VfSettings } from '../../src/host/vf_messages.js';
import { pciFunction, type RecordedFiles } from './recorded_sysfs.js';

export interface RecordedAdapter {
  readonly source: string;
  readonly driver: string;
  readonly pci: string;
  readonly sysfs: RecordedFiles;
  /** What `devlink dev eswitch show` prints: JSON on standard output, or words on standard error. */
  readonly eswitch: { readonly stdout: object } | { readonly stderr: string };
  /** Lines of `ip link show` about its VFs. */
  readonly vfs: string;
}

const driver = (name: string) => ({ link: `../../../../bus/pci/drivers/${name}` });
const mode = (pci: string, eswitch: string) => ({ stdout: { dev: { [`pci/${pci}`]: { mode: eswitch } } } });

/** Links to VFs, one after the other from a first address on. */
function vfLinks(count: number, address: (index: number) => string): RecordedFiles {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`virtfn${index}`, { link: `../${address(index)}` }]));
}

const virtual = (addresses: readonly string[], device: string): RecordedFiles =>
  Object.assign({}, ...addresses.map((pci) => pciFunction(pci, { class: '0x020000', vendor: '0x8086', device })));

/** X540: eight VFs, with query_rss, which only ixgbe has. */
export const IXGBE: RecordedAdapter = {
  source: 'https://github.com/vishvananda/netlink/issues/580 (2020)',
  driver: 'ixgbe',
  pci: '0000:03:00.0',
  sysfs: {
    ...pciFunction('0000:03:00.0', {
      ...{ class: '0x020000', vendor: '0x8086', device: '0x1528', driver: driver('ixgbe'), sriov_totalvfs: '63', sriov_numvfs: '8', 'net/enp3s0f0/ifindex': '2' },
      ...vfLinks(8, (index) => `0000:03:10.${index}`),
    }),
    ...virtual(Array.from({ length: 8 }, (_, index) => `0000:03:10.${index}`), '0x1515'),
  },
  // A driver without devlink: as igb, which was asked in the machine of test/sriov.
  eswitch: { stderr: 'kernel answers: No such device' },
  vfs: Array.from({ length: 8 }, (_, index) => `vf ${index} MAC 00:00:00:00:00:00, spoof checking on, link-state auto, trust off, query_rss off`).join('\n'),
};

/** X710: its devlink knows no switch. */
export const I40E: RecordedAdapter = {
  source: 'https://github.com/k8snetworkplumbingwg/sriov-network-device-plugin/pull/395 (devlink, 2021); netdev, "i40e: Introduce Port Representor netdevs", 2017 (ip link)',
  driver: 'i40e',
  pci: '0000:3b:00.0',
  sysfs: {
    ...pciFunction('0000:3b:00.0', {
      ...{ class: '0x020000', vendor: '0x8086', device: '0x1572', driver: driver('i40e'), sriov_totalvfs: '64', sriov_numvfs: '2', 'net/enp59s0f0/ifindex': '4' },
      ...vfLinks(2, (index) => `0000:3b:02.${index}`),
    }),
    ...virtual(['0000:3b:02.0', '0000:3b:02.1'], '0x154c'),
  },
  eswitch: { stderr: 'devlink answers: No such device' },
  vfs: 'vf 0 MAC 00:00:00:00:00:00, spoof checking on, link-state auto, trust off\nvf 1 MAC 00:00:00:00:00:00, spoof checking on, link-state auto, trust off',
};

/**
 * E810 in switchdev mode with two VFs. Its representors are devlink ports of the flavour pcivf, and so have the names that devlink_port.c gives
 * (ice_devlink_create_vf_port); the second function of its adapter, so pf1.
 */
export const ICE_SWITCHDEV: RecordedAdapter = {
  source: 'Linux commit "ice: support basic E-Switch mode control" (2021); Linux 6.12, drivers/net/ethernet/intel/ice/devlink/port.c',
  driver: 'ice',
  pci: '0000:03:00.1',
  sysfs: {
    ...pciFunction('0000:03:00.1', {
      ...{ class: '0x020000', vendor: '0x8086', device: '0x1592', driver: driver('ice'), sriov_totalvfs: '128', sriov_numvfs: '2' },
      ...{ 'net/ens4f1/ifindex': '5', 'net/eth0/ifindex': '11', 'net/eth1/ifindex': '12' },
      ...vfLinks(2, (index) => `0000:03:11.${index}`),
    }),
    ...virtual(['0000:03:11.0', '0000:03:11.1'], '0x1889'),
    '/sys/class/net/ens4f1/phys_port_name': 'p1',
    '/sys/class/net/eth0/phys_port_name': 'pf1vf0',
    '/sys/class/net/eth1/phys_port_name': 'pf1vf1',
    '/sys/class/net/eth0/ifindex': '11',
    '/sys/class/net/eth0/device': { link: '../../0000:03:00.1' },
  },
  eswitch: mode('0000:03:00.1', 'switchdev'),
  vfs: 'vf 0 MAC 00:00:00:00:00:00, spoof checking on, link-state auto, trust off\nvf 1 MAC 00:00:00:00:00:00, spoof checking on, link-state auto, trust off',
};

/** SFN8522, firmware variant full feature, four VFs: `ip link` says nothing but their MAC addresses. */
export const SFC: RecordedAdapter = {
  source: 'Solarflare Server Adapter User Guide, issue 20 (2017), 7.2 "SR-IOV Configuration", steps 3 to 5',
  driver: 'sfc',
  pci: '0000:03:00.0',
  sysfs: {
    ...pciFunction('0000:03:00.0', {
      ...{ class: '0x020000', vendor: '0x1924', device: '0x0a03', driver: driver('sfc'), sriov_totalvfs: '4', sriov_numvfs: '4', 'net/eth4/ifindex': '19' },
      ...vfLinks(4, (index) => `0000:03:00.${index + 2}`),
    }),
    ...Object.assign({}, ...[2, 3, 4, 5].map((fn) => pciFunction(`0000:03:00.${fn}`, { class: '0x020000', vendor: '0x1924', device: '0x1903' }))),
  },
  // Its devlink (2023) has no eswitch operations.
  eswitch: { stderr: 'kernel answers: Operation not supported' },
  vfs: 'vf 0 MAC 76:c1:36:0a:be:2b\nvf 1 MAC 1e:b8:a8:ea:c7:fb\nvf 2 MAC 52:6e:32:3d:50:85\nvf 3 MAC b6:ad:a0:56:39:94',
};

/** In switchdev mode: names by bnxt_vf_rep_get_phys_port_name() and bnxt_get_phys_port_name(), settings by bnxt_get_vf_config(). */
export const BNXT_SWITCHDEV: RecordedAdapter = {
  source: 'Linux 6.12, drivers/net/ethernet/broadcom/bnxt: bnxt_vfr.c, bnxt.c, bnxt_sriov.c',
  driver: 'bnxt_en',
  pci: '0000:18:00.0',
  sysfs: {
    ...pciFunction('0000:18:00.0', {
      ...{ class: '0x020000', vendor: '0x14e4', device: '0x16d7', driver: driver('bnxt_en'), sriov_totalvfs: '64', sriov_numvfs: '1' },
      ...{ 'net/enp24s0f0np0/ifindex': '6', 'net/eth5/ifindex': '17' },
      ...vfLinks(1, () => '0000:18:02.0'),
    }),
    ...pciFunction('0000:18:02.0', { class: '0x020000', vendor: '0x14e4', device: '0x16dc' }),
    '/sys/class/net/enp24s0f0np0/phys_port_name': 'p0',
    '/sys/class/net/eth5/phys_port_name': 'pf0vf0',
  },
  eswitch: mode('0000:18:00.0', 'switchdev'),
  vfs: 'vf 0 MAC 02:11:22:33:44:55, vlan 7, tx rate 1000 (Mbps), max_tx_rate 1000Mbps, spoof checking off, link-state enable, trust on',
};

/** One line of `ip link show` as the kernel's answer that it was printed from (print_vfinfo() of iproute2); what it does not print there was not. */
export function vfSettings(lines: string): VfSettings[] {
  const first = (pattern: RegExp, line: string): string | null => pattern.exec(line)?.[1] ?? null;
  const flag = (text: string | null): boolean | null => (text === null ? null : text === 'on');
  return lines.split('\n').map((line) => ({
    index: Number(first(/vf (\d+)/, line)),
    mac: first(/(?:MAC|link\/ether) ([0-9a-f:]{17})/, line) ?? '',
    vlan: Number(first(/vlan (\d+)/, line) ?? 0),
    qos: Number(first(/qos (\d+)/, line) ?? 0),
    protocol: '802.1Q',
    spoofCheck: flag(first(/spoof checking (on|off)/, line)),
    trust: flag(first(/trust (on|off)/, line)),
    linkState: (first(/link-state (auto|enable|disable)/, line) ?? 'auto') as VfSettings['linkState'],
    minRate: Number(first(/min_tx_rate (\d+)/, line) ?? 0),
    maxRate: Number(first(/max_tx_rate (\d+)/, line) ?? 0),
  }));
}
