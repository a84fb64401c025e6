/** What there is to know of a guest before it is judged whether it can use a VF. */

export interface NicFacts {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: string;
  readonly up: boolean;
  /** Carrier. */
  readonly link: boolean;
  /** Name of the device it is a slave of. */
  readonly master: string | null;
  /** "veth", "vlan", ...; null for a plain device. */
  readonly kind: string | null;
  /** "virtio0", "0000:02:00.0": devices of one adapter have the same; null: it has none. */
  readonly device: string | null;
  readonly bus: string | null;
  readonly driver: string | null;
  /** phys_port_name: "sby" of a standby. */
  readonly portName: string | null;
  /** Did a virtio NIC negotiate VIRTIO_NET_F_STANDBY? null: it is none. */
  readonly standbyNegotiated: boolean | null;
  /** With prefix length; without link-local ones of IPv6. */
  readonly addresses: readonly string[];
  /** Names of our tc programs on it. */
  readonly programs: readonly string[];
  /** Does it finish checksums, so that frames may be sent without? null: not known. */
  readonly txChecksum: boolean | null;
  /** How each manager that runs treats it. */
  readonly managedBy: readonly Manager[];
}

export type Manager = 'NetworkManager' | 'systemd-networkd';

/** A pinned plug-in, as its map says. */
export interface PluginFacts {
  /** Folder of its pins. */
  readonly pins: string;
  readonly interfaceIfindex: number;
  readonly vfIfindex: number;
  readonly drained: boolean;
  readonly mac: string;
}

export interface GuestFacts {
  /** "6.1.0-56-amd64" */
  readonly kernel: string;
  readonly btf: boolean;
  readonly bpffs: boolean;
  /** Is net_failover in the kernel, or can it be loaded? */
  readonly netFailover: boolean;
  /** Ports and slots that take devices while the guest runs. */
  readonly hotplug: { readonly pciehpPorts: number; readonly acpiSlots: number };
  readonly nics: readonly NicFacts[];
  readonly plugins: readonly PluginFacts[];
  /** Interfaces that an agent runs for. */
  readonly agents: readonly string[];
  readonly managers: readonly Manager[];
  /** Is the guest kit's rule there by which managers leave slaves and VFs alone? */
  readonly leaveAloneRule: boolean;
  /** What could not be found out, and why. */
  readonly unknown: readonly string[];
}
