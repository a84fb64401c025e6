/** What libvirt's words mean: from the stderr of virsh to a reason that programs can tell apart and a sentence for the operator. Pure. */

export type LibvirtReason =
  /** Nobody answers on the socket, or the connection broke while we asked. */
  | 'unreachable'
  /** The socket is there, but not for us. */
  | 'not_allowed'
  /** No answer in time. What was asked may have been done, or may yet be done. */
  | 'late'
  | 'no_domain'
  | 'not_running'
  /** Another job holds the domain, mostly a migration. */
  | 'busy'
  /** No device of this alias. */
  | 'no_device'
  | 'alias_in_use'
  /** No free slot in the guest where a device can be plugged while it runs. */
  | 'no_slot'
  /** The host cannot give PCI devices to guests. */
  | 'no_passthrough'
  /** The host has no such PCI device or tap. */
  | 'no_such_source'
  /** Another guest has the PCI device or tap, or a driver of the host has it. */
  | 'source_in_use'
  /** The guest has no virtio NIC that stands by for this VF, or the device to be taken is that NIC. */
  | 'no_standby'
  /** The guest has been asked for the device already, and has not let go of it yet. */
  | 'being_unplugged'
  /** The guest answered that it does not let go of the device. */
  | 'guest_refused'
  /** The guest did not let go of the device in time; it may still do so. */
  | 'guest_silent'
  /** Anything else that libvirt or QEMU did not want to do. */
  | 'refused';

/** libvirt, or the guest, did not do what it was asked to do. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError';

  constructor(
    readonly reason: LibvirtReason,
    message: string,
  ) {
    super(message);
  }
}

/** First match wins. The texts are those of libvirt 9.0. */
const MEANINGS: readonly (readonly [RegExp, LibvirtReason, string])[] = [
  [/Permission denied|authentication (?:failed|unavailable)|access denied|read only access/i, 'not_allowed', 'run as root or as a member of group libvirt'],
  [
    /failed to connect to the hypervisor|Failed to connect socket|client socket is closed|Disconnected from|connection closed|Connection reset|Cannot recv data|Cannot write data|End of file while reading data|Failed to reconnect to the hypervisor/i,
    'unreachable',
    'look whether libvirtd (or virtqemud) runs, and whether the URI names its socket',
  ],
  [/failed to get domain|Domain not found|no domain with matching/i, 'no_domain', 'there is no such domain'],
  [/domain is not running/i, 'not_running', 'the domain does not run'],
  [/cannot acquire state change lock|another migration job is already running|domain is being migrated/i, 'busy', 'something else is done to the domain now, such as a migration'],
  [/no device found with alias|device not found/i, 'no_device', 'the domain has no device of this alias'],
  [/already in the process of unplug/i, 'being_unplugged', 'the guest has been asked for it, and has not let go of it yet'],
  [/non unique alias detected|Duplicate ID/i, 'alias_in_use', 'the domain has another device of this alias'],
  [/No more available PCI slots|only PCI buses up to|Attempted double use of PCI Address/i, 'no_slot', 'the guest has no free hot-plug slot; give its domain more pcie-root-port controllers'],
  [
    /host doesn't support passthrough of host PCI devices|VFIO device assignment is not (?:currently )?supported|vfio-pci.*not (?:found|loaded)|Failed to load PCI driver module vfio/i,
    'no_passthrough',
    'this host cannot give PCI devices to guests: switch the IOMMU on (BIOS, and intel_iommu=on where needed) and load vfio-pci',
  ],
  [/specified dev doesn't exist|Device \S+ not found: could not access|No such device/i, 'no_such_source', 'the host has no such device'],
  [
    /PCI device \S+ is in use|is in use by driver|Unable to create tap device \S+: Device or resource busy|must be manually detached|PCI device \S+ is not assignable/i,
    'source_in_use',
    'another guest, or a driver of the host, has the device',
  ],
  [/teaming (?:persistent|transient)|teaming/i, 'no_standby', 'only an interface of type hostdev can be the transient one of a team'],
];

/** What virsh said, without the "error:" before each line and without the line that only repeats the command. */
function plainWords(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim().replace(/^error: /, ''))
    .filter((line) => line !== '');
  const telling = lines.filter((line) => !/^Failed to (?:attach|detach) device|^failed to connect to the hypervisor$/.test(line));
  return (telling.length > 0 ? telling : lines).join('; ');
}

/**
 * @param what for the message: what was asked, "attach ua-vf0 to web"
 * @param stderr of a virsh that failed
 */
export function refusal(what: string, stderr: string): LibvirtError {
  const words = plainWords(stderr);
  const [, reason = 'refused', meaning = null] = MEANINGS.find(([pattern]) => pattern.test(stderr)) ?? [];
  return new LibvirtError(reason, `${what}: ${words === '' ? 'virsh failed without a word' : words}${meaning === null ? '' : ` (${meaning})`}`);
}
