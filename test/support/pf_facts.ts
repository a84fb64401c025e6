/** Facts of a PF that nothing is wrong with: QEMU's igb, up, with two VFs. */
import { controlsOf } from '../../src/sriov/controls.js';
import { noRepresentor } from '../../src/sriov/eswitch.js';
import { no, yes } from '../../src/sriov/fact.js';
import type { NicFacts, PfFacts, VfConfiguration, VfFacts } from '../../src/sriov/facts.js';
import { parsePciAddress } from '../../src/sriov/pci.js';

export const nicFacts = (more: Partial<NicFacts> = {}): NicFacts => ({
  ...{ name: 'eth0', ifindex: 2, mac: '52:54:00:5a:00:01', mtu: 1500, up: true, carrier: true, xdp: null, speed: yes(1000) },
  channels: yes({ rx: 0, tx: 0, combined: 2, maxRx: 0, maxTx: 0, maxCombined: 8 }),
  rss: yes({ key: no('the driver does not show it'), reta: [0, 0, 1, 1] }),
  ntuple: no('the driver cannot do it'),
  hwTcOffload: no('the driver cannot do it'),
  xdpFeatures: yes(['basic', 'redirect', 'ndo-xmit']),
  xdpHints: no('its driver tells programs nothing but the frame'),
  ...more,
});

export const vfConfiguration = (more: Partial<VfConfiguration> = {}): VfConfiguration => ({
  ...{ mac: null, vlan: 0, qos: 0, protocol: '802.1Q', linkState: 'auto', minRate: 0, maxRate: 0 },
  ...{ spoofCheck: yes(true), trust: yes(false) },
  ...more,
});

export const vfFacts = (index: number, more: Partial<VfFacts> = {}): VfFacts => ({
  index,
  pci: parsePciAddress(`0000:01:1${index >> 2}.${(2 * index) % 8}`),
  id: '8086:10ca',
  driver: yes('igbvf'),
  driverOverride: null,
  iommuGroup: yes(9 + index),
  numaNode: no('the machine does not say to which NUMA node this slot belongs'),
  netdevs: [`eth${3 + index}`],
  msix: yes({ used: 0, total: 3 }),
  representor: no('the adapter switches by itself (legacy mode)'),
  redirect: noRepresentor(),
  configuration: yes(vfConfiguration()),
  ...more,
});

export const pfFacts = (more: Partial<PfFacts> = {}): PfFacts => ({
  pci: parsePciAddress('0000:01:00.0'),
  id: '8086:10c9',
  driver: yes('igb'),
  numaNode: no('the machine does not say to which NUMA node this slot belongs'),
  iommuGroup: yes(6),
  msix: yes({ used: 3, total: 10 }),
  nic: yes(nicFacts()),
  eswitch: yes('legacy'),
  switchId: no('its driver gives its switch no name'),
  sriov: { total: 7, enabled: 2, autoprobe: true, vfMsixTotal: no('the number of vectors of a VF is fixed') },
  controls: controlsOf('igb'),
  vfs: [vfFacts(0), vfFacts(1)],
  ...more,
});
