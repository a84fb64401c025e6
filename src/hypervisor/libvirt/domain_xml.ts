/** What `virsh dumpxml` says about a domain, as far as its network devices are concerned. Pure. */
import { DOMParser, type Element, onErrorStopParsing } from '@xmldom/xmldom';
import { type MacAddress, parseMacAddress } from '../../core/model.js';

export type Teaming =
  /** The virtio NIC that stays. */
  | { readonly type: 'persistent' }
  /** The VF that comes and goes; `persistent` is the alias of the NIC that stands by for it. */
  | { readonly type: 'transient'; readonly persistent: string };

export interface LibvirtInterface {
  /** libvirt's type of what is in force: "bridge", "ethernet", "hostdev", "direct", ... */
  readonly type: string;
  readonly mac: MacAddress;
  /** Its name in libvirt and its id in QEMU; null while the domain does not run and nobody gave it one. */
  readonly alias: string | null;
  /** "virtio", "vmxnet3", ...; null for a hostdev. */
  readonly model: string | null;
  /** The host's end; null while the domain does not run, and for a hostdev. */
  readonly tap: string | null;
  readonly bridge: string | null;
  readonly teaming: Teaming | null;
  /** As the administrator set it (`virsh domif-setlink`). */
  readonly linkUp: boolean;
  readonly queues: number;
  /** The host's PCI device behind a hostdev, "0000:3b:02.1". */
  readonly hostdev: string | null;
  /** Where it is in the guest, "0000:01:00.0". */
  readonly guestPci: string | null;
}

export interface DomainDescription {
  readonly uuid: string;
  readonly name: string;
  /** Another one each time it is started; null when it does not run. */
  readonly id: number | null;
  readonly interfaces: readonly LibvirtInterface[];
  /** Host PCI devices given to it as plain <hostdev>, "0000:3b:02.1". */
  readonly hostdevs: readonly string[];
  /** Has it PCIe slots (machine q35) at all? */
  readonly pcie: boolean;
  /** Numbers of the guest's PCI buses behind root ports that have nothing plugged into them, and may have. */
  readonly freeRootPorts: readonly number[];
}

function children(parent: Element, name: string): Element[] {
  return Array.from(parent.childNodes).filter((node): node is Element => node.nodeType === 1 && node.nodeName === name);
}

/** The first element along a path of names, or null. */
function at(parent: Element, ...path: readonly string[]): Element | null {
  return path.reduce<Element | null>((here, name) => (here === null ? null : (children(here, name)[0] ?? null)), parent);
}

function attribute(element: Element | null, name: string): string | null {
  const value = element?.getAttribute(name) ?? null;
  return value === null || value === '' ? null : value;
}

/** A number as libvirt writes them, decimal or 0x. */
function numberOf(text: string | null): number {
  return text === null ? 0 : Number(text);
}

/** "0000:3b:02.1" from <address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/>, else null. */
function pciAddress(element: Element | null): string | null {
  if (element === null || (attribute(element, 'type') ?? 'pci') !== 'pci' || attribute(element, 'bus') === null) return null;
  const hex = (name: string, digits: number): string => numberOf(attribute(element, name)).toString(16).padStart(digits, '0');
  return `${hex('domain', 4)}:${hex('bus', 2)}:${hex('slot', 2)}.${hex('function', 1)}`;
}

function teamingOf(element: Element | null): Teaming | null {
  const persistent = attribute(element, 'persistent');
  if (attribute(element, 'type') === 'persistent') return { type: 'persistent' };
  return attribute(element, 'type') === 'transient' && persistent !== null ? { type: 'transient', persistent } : null;
}

function interfaceOf(element: Element): LibvirtInterface {
  const type = attribute(element, 'type') ?? '';
  return {
    type,
    mac: parseMacAddress(attribute(at(element, 'mac'), 'address') ?? ''),
    alias: attribute(at(element, 'alias'), 'name'),
    model: attribute(at(element, 'model'), 'type'),
    tap: attribute(at(element, 'target'), 'dev'),
    bridge: attribute(at(element, 'source'), 'bridge'),
    teaming: teamingOf(at(element, 'teaming')),
    linkUp: attribute(at(element, 'link'), 'state') !== 'down',
    queues: numberOf(attribute(at(element, 'driver'), 'queues')) || 1,
    hostdev: type === 'hostdev' ? pciAddress(at(element, 'source', 'address')) : null,
    guestPci: pciAddress(at(element, 'address')),
  };
}

/** Every bus of the guest on which something has its <address>. */
function busesInUse(devices: Element): ReadonlySet<number> {
  const addresses = Array.from(devices.childNodes)
    .filter((node): node is Element => node.nodeType === 1)
    .map((device) => pciAddress(at(device, 'address')));
  return new Set(addresses.filter((address) => address !== null).map((address) => Number.parseInt(address.slice(5, 7), 16)));
}

/** @throws Error; the parser's own errors are not instances of it. */
function rootOf(xml: string): Element | null {
  try {
    return new DOMParser({ onError: onErrorStopParsing }).parseFromString(xml, 'text/xml').documentElement;
  } catch (error) {
    throw new Error(`this is not XML: ${(error as { message?: string }).message}`);
  }
}

/** @throws Error when this is no domain's XML, RangeError when a MAC address in it is none */
export function parseDomainXml(xml: string): DomainDescription {
  const root = rootOf(xml);
  const devices = root === null ? null : at(root, 'devices');
  const uuid = root === null ? null : (at(root, 'uuid')?.textContent?.trim() ?? null);
  const name = root === null ? null : (at(root, 'name')?.textContent ?? null);
  if (root?.nodeName !== 'domain' || uuid === null || name === null || devices === null) {
    throw new Error('this is not the XML of a domain: a name, a uuid and devices are wanted');
  }
  const id = attribute(root, 'id');
  const controllers = children(devices, 'controller').filter((controller) => attribute(controller, 'type') === 'pci');
  // <target hotplug='off'/>
  const lasting = new Set(controllers.filter((controller) => attribute(at(controller, 'target'), 'hotplug') === 'off').map((controller) => numberOf(attribute(controller, 'index'))));
  const models = controllers.map((controller) => [attribute(controller, 'model'), numberOf(attribute(controller, 'index'))] as const);
  const used = busesInUse(devices);
  return {
    uuid,
    name,
    id: id === null ? null : Number(id),
    interfaces: children(devices, 'interface').map(interfaceOf),
    hostdevs: children(devices, 'hostdev')
      .filter((device) => attribute(device, 'type') === 'pci')
      .map((device) => pciAddress(at(device, 'source', 'address')))
      .filter((address) => address !== null),
    pcie: models.some(([model]) => model === 'pcie-root'),
    freeRootPorts: models.filter(([model, bus]) => model === 'pcie-root-port' && !used.has(bus) && !lasting.has(bus)).map(([, bus]) => bus),
  };
}
