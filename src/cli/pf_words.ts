/** PFs as cells of a table. Pure. */
import type { RedirectWay } from '../sriov/eswitch.js';
import { type Fact, valueOf } from '../sriov/fact.js';
import type { NicFacts, PfFacts, VfFacts } from '../sriov/facts.js';
import type { Cell } from './table.js';

/** The value as a word; the reason why there is none in a sentence of its own. */
export function factText<T>(fact: Fact<T>, word: (value: T) => string = String): string {
  if (fact.answer === 'yes') return word(fact.value);
  return fact.answer === 'no' ? `none: ${fact.why}` : `not known: ${fact.why}`;
}

/** For a column: "-" where there is none, "?" where it is not known. */
export function factCell<T>(fact: Fact<T>, word: (value: T) => string = String): Cell | string {
  if (fact.answer === 'yes') return word(fact.value);
  return fact.answer === 'no' ? '-' : { text: '?', style: 'quiet' };
}

export const onOff = (on: boolean): string => (on ? 'on' : 'off');

export function speedText(megabits: number): string {
  return megabits >= 1000 ? `${megabits / 1000} Gbit/s` : `${megabits} Mbit/s`;
}

export function linkText(nic: NicFacts): string {
  if (!nic.up) return 'down';
  return nic.carrier ? (valueOf(nic.speed) === null ? 'up' : factText(nic.speed, speedText)) : 'no link';
}

/** What a driver can do of XDP: in the driver, or in the generic way only. */
export function xdpText({ xdpFeatures }: NicFacts): string {
  if (xdpFeatures.answer === 'yes') return xdpFeatures.value.includes('basic') ? 'native' : 'generic';
  return xdpFeatures.answer === 'no' ? 'generic' : '?';
}

export function channelsText(nic: NicFacts): string {
  return factText(nic.channels, ({ rx, tx, combined, maxRx, maxTx, maxCombined }) => {
    const parts = [[combined, maxCombined, 'combined'], [rx, maxRx, 'receive'], [tx, maxTx, 'transmit']] as const;
    return parts.filter(([, most]) => most > 0).map(([used, most, kind]) => `${used} of ${most} ${kind}`).join(', ');
  });
}

/** Entries of the indirection table for each queue: "0: 64, 1: 64". */
export function retaText(reta: readonly number[]): string {
  const entries = new Map<number, number>();
  for (const queue of reta) entries.set(queue, (entries.get(queue) ?? 0) + 1);
  return `${reta.length} entries (${[...entries].sort(([a], [b]) => a - b).map(([queue, count]) => `queue ${queue}: ${count}`).join(', ')})`;
}

export const PF_HEADINGS = ['PF', 'NETDEV', 'DRIVER', 'LINK', 'NUMA', 'IOMMU', 'SWITCH', 'XDP', 'VFS'];

export function pfRow(pf: PfFacts): (Cell | string)[] {
  const { pci, driver, nic, numaNode, iommuGroup, eswitch, sriov } = pf;
  return [
    ...[pci, factCell(nic, ({ name }) => name), factCell(driver), factCell(nic, linkText), factCell(numaNode), factCell(iommuGroup)],
    ...[factCell(eswitch), factCell(nic, xdpText), `${sriov.enabled}/${sriov.total}`],
  ];
}

export function pfList(pf: PfFacts): (readonly [string, string])[] {
  const nic = valueOf(pf.nic);
  return [
    ['PF', `${pf.pci} (${pf.id})`],
    ['driver', factText(pf.driver)],
    ['netdev', factText(pf.nic, ({ name }) => name)],
    ...(nic === null ? [] : nicList(nic)),
    ['NUMA node', factText(pf.numaNode)],
    ['IOMMU group', factText(pf.iommuGroup)],
    ['switch mode', factText(pf.eswitch)],
    ['switch', factText(pf.switchId)],
    ['VFs', `${pf.sriov.enabled} of ${pf.sriov.total}${pf.sriov.autoprobe ? '' : '; no driver is bound to new ones'}`],
    ['MSI-X', factText(pf.msix, ({ used, total }) => `${used} of ${total} vectors in use`)],
    ['MSI-X for VFs', factText(pf.sriov.vfMsixTotal, (total) => `${total} vectors to be spread`)],
  ];
}

function nicList(nic: NicFacts): (readonly [string, string])[] {
  return [
    ['link', linkText(nic)],
    ['MAC address', nic.mac],
    ['MTU', String(nic.mtu)],
    ['channels', channelsText(nic)],
    ['RSS table', factText(nic.rss, ({ reta }) => retaText(reta))],
    ['RSS key', factText(nic.rss, ({ key }) => factText(key))],
    ['ntuple rules', factText(nic.ntuple)],
    ['tc offload', factText(nic.hwTcOffload)],
    ['XDP', factText(nic.xdpFeatures, (features) => features.join(', '))],
    ['XDP hints', factText(nic.xdpHints, (hints) => hints.join(', '))],
    ['XDP program', nic.xdp === null ? 'none is attached' : `${nic.xdp.programId}, ${nic.xdp.mode}`],
  ];
}

/** What the PF's driver can set of a VF, a line each. */
export function controlList(pf: PfFacts): (readonly [string, string])[] {
  return Object.entries(pf.controls).map(([control, fact]) => [control, factText(fact, () => 'yes')]);
}

/** The ports by which the host reaches VFs, a line each: what unipathd's configuration needs. */
export function portList(pf: PfFacts): (readonly [string, string])[] {
  return pf.vfs.flatMap(({ index, representor, redirect, netdevs: [device] }) => {
    if (representor.answer !== 'yes') return [];
    const way = redirect.answer === 'yes' ? REDIRECT_WORDS[redirect.value] : `how frames are redirected to it is not known: ${redirect.why}`;
    return [[`VF ${index}`, `{port: ${representor.value}, device: ${device ?? 'its netdev'}}; ${way}`] as const];
  });
}

const REDIRECT_WORDS: Readonly<Record<RedirectWay, string>> = {
  native: 'frames are redirected to it natively',
  tc: 'frames are redirected to it by tc, behind the bridge, or by XDP with xdp_mode: generic',
};

export const VF_HEADINGS = ['VF', 'PCI', 'DRIVER', 'NETDEV', 'REPRESENTOR', 'IOMMU', 'MSI-X', 'MAC', 'VLAN', 'SPOOFCHK', 'TRUST', 'STATE', 'RATE'];

function vlanText(vlan: number, qos: number, protocol: string): string {
  if (vlan === 0) return '-';
  return `${vlan}${qos === 0 ? '' : `,qos ${qos}`}${protocol === '802.1Q' ? '' : ` ${protocol}`}`;
}

function rateText(min: number, max: number): string {
  if (min === 0 && max === 0) return '-';
  return `${min}..${max === 0 ? '' : max}`;
}

export function vfRow(vf: VfFacts): (Cell | string)[] {
  const { index, pci, driver, netdevs, representor, iommuGroup, msix, configuration } = vf;
  return [
    ...[String(index), pci, factCell(driver), netdevs.join(',') || '-', factCell(representor), factCell(iommuGroup), factCell(msix, ({ total }) => String(total))],
    ...[factCell(configuration, ({ mac }) => mac ?? 'its own'), factCell(configuration, ({ vlan, qos, protocol }) => vlanText(vlan, qos, protocol))],
    ...[factCell(configuration, ({ spoofCheck }) => (valueOf(spoofCheck) === null ? '-' : onOff(valueOf(spoofCheck) === true)))],
    ...[factCell(configuration, ({ trust }) => (valueOf(trust) === null ? '-' : onOff(valueOf(trust) === true)))],
    ...[factCell(configuration, ({ linkState }) => linkState), factCell(configuration, ({ minRate, maxRate }) => rateText(minRate, maxRate))],
  ];
}
