/** The XML of a NIC that is plugged into a running domain. Every value is checked, so nothing in it needs escaping. Pure. */
import { PARKING_VLAN } from '../../core/adapter_vf.js';
import type { MacAddress } from '../../core/model.js';
import { checkInterfaceName } from '../../host/names.js';

/** A VF that the host's vfio-pci driver has already. */
export interface VfSource {
  /** "0000:3b:02.1" */
  readonly pci: string;
  /** Alias of the virtio NIC that stands by for it (<teaming type='persistent'/>). */
  readonly persistent: string;
}

/** An emulated NIC on a tap that exists already; for hosts without VFs. libvirt teams only hostdevs, so the guest pairs it by its MAC. */
export interface TapSource {
  readonly tap: string;
  /** "vmxnet3", "e1000e", "rtl8139": a model that the guest's failover driver takes for a VF. */
  readonly model: string;
}

export interface NicToAttach {
  readonly mac: MacAddress;
  /** "ua-" and then letters, digits, "_" and "-": libvirt silently replaces any other. */
  readonly alias: string;
  readonly source: VfSource | TapSource;
}

const ALIAS_PATTERN = /^ua-[A-Za-z0-9_-]{1,80}$/;
const ANY_ALIAS_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;
const PCI_PATTERN = /^([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/;
const MODEL_PATTERN = /^[a-z][a-z0-9-]{0,30}$/;
/** libvirt puts all models but these into slots of plain PCI by itself, and q35 machines have none. */
const PCIE_MODELS: ReadonlySet<string> = new Set(['virtio', 'e1000e', 'igb']);

/** @throws RangeError */
export function checkOwnAlias(alias: string): string {
  if (!ALIAS_PATTERN.test(alias)) throw new RangeError(`"${alias}" is not an alias that libvirt keeps: "ua-", then letters, digits, "_" and "-"`);
  return alias;
}

function matched(what: string, pattern: RegExp, text: string): RegExpExecArray {
  const match = pattern.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not ${what}`);
  return match;
}

/** Must libvirt be told the slot for this NIC, because by itself it would find none? */
export function wantsRootPort(source: VfSource | TapSource): boolean {
  return 'tap' in source && !PCIE_MODELS.has(source.model);
}

/**
 * @param rootPort number of the guest's bus whose slot it shall have; null lets libvirt choose
 * @throws RangeError when a value is not what it should be
 */
export function nicXml(nic: NicToAttach, rootPort: number | null): string {
  const { source } = nic;
  matched('a MAC address', /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, nic.mac);
  const common = [`  <mac address='${nic.mac}'/>`, `  <alias name='${checkOwnAlias(nic.alias)}'/>`];
  if (rootPort !== null) common.push(`  <address type='pci' domain='0x0000' bus='0x${rootPort.toString(16).padStart(2, '0')}' slot='0x00' function='0x0'/>`);
  // No option ROM: its memory would have to be the same on both sides of a migration.
  common.push(`  <rom enabled='no'/>`);
  if ('tap' in source) {
    return [
      `<interface type='ethernet'>`,
      `  <target dev='${checkInterfaceName(source.tap)}' managed='no'/>`,
      `  <model type='${matched('a model of a NIC', MODEL_PATTERN, source.model)[0]}'/>`,
      ...common,
      '</interface>',
      '',
    ].join('\n');
  }
  const [, domain, bus, slot, fn] = matched('a PCI address such as 0000:3b:02.1', PCI_PATTERN, source.pci);
  const persistent = matched('an alias', ANY_ALIAS_PATTERN, source.persistent)[0];
  return [
    `<interface type='hostdev' managed='no'>`,
    `  <source><address type='pci' domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'/></source>`,
    `  <teaming type='transient' persistent='${persistent}'/>`,
    // libvirt sets a VF's VLAN, too, and puts back what it was: it stays parked.
    `  <vlan><tag id='${PARKING_VLAN}'/></vlan>`,
    ...common,
    '</interface>',
    '',
  ].join('\n');
}
