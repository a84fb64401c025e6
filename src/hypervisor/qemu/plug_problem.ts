/**
 * QEMU's words for why it does not take a device, put into a few reasons and a sentence that says what to do. Pure.
 * Words: those of QEMU 7.2, where each was provoked but most of vfio-pci, of which no host was at hand.
 */
import type { QmpError } from './monitor.js';

export type PlugReason =
  /** There is no such port, or nothing can be hot-plugged into it. */
  | 'no_hotplug_port'
  | 'port_taken'
  /** Somebody else's device or netdev has the id. */
  | 'id_in_use'
  /** The pair's standby has promised its place to another id, and keeps the promise as long as it lives. */
  | 'primary_reserved'
  | 'no_standby'
  | 'failover_not_negotiated'
  | 'migrating'
  | 'tap_busy'
  /** The tap was made with another number of queues. */
  | 'tap_queues'
  | 'tap_denied'
  | 'unknown_model'
  /** A device that is to be passed through cannot be had. */
  | 'host_device'
  | 'refused';

/** The guest did not get the device; everything is as it was before. The message says what to do. */
export class DevicePlugError extends Error {
  override readonly name = 'DevicePlugError';

  constructor(
    readonly reason: PlugReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** In this order: the first that fits. */
const WORDS: readonly (readonly [RegExp, PlugReason, string])[] = [
  [/not allowed while migrating/, 'migrating', 'a migration of the guest runs; try again when it has ended'],
  [
    /Cannot attach more than one primary/,
    'primary_reserved',
    "the standby keeps its place for the primary that it had first, until the guest's standby is unplugged or QEMU ends; use that id, or plug without failover_pair_id",
  ],
  [/Duplicate (device )?ID/, 'id_in_use', 'unplug what has this id, or give it another one'],
  [
    /Bus '.*' (not found|does not support hotplugging|is full)|unsupported by the port device|no slot\/function available/,
    'no_hotplug_port',
    'name a free hot-plug port; add pcie-root-ports to the guest when there is none',
  ],
  [/failover: primary device must be/, 'no_hotplug_port', 'a primary needs a PCIe slot of its own'],
  [/not a valid device model name/, 'unknown_model', 'this QEMU cannot make such a device; name another model'],
  [/could not configure \/dev\/net\/tun .*Device or resource busy/, 'tap_busy', 'another process has the tap open; end it, or name another tap'],
  [/could not configure \/dev\/net\/tun .*Invalid argument/, 'tap_queues', 'the tap was made with another number of queues (multi_queue), or is no tap; make it anew'],
  [/\/dev\/net\/tun.*(Operation not permitted|Permission denied)/, 'tap_denied', "QEMU's user may not open the tap; make the tap for that user (ip tuntap add ... user NAME)"],
  [/\bvfio\b|iommu/i, 'host_device', "bind the VF to vfio-pci, with every device of its IOMMU group, and see that no one else holds it"],
];

/** @param what what was to be done, for the message: "device unipath-vf-vfp0 into rp1" */
export function plugError(what: string, error: QmpError): DevicePlugError {
  const [, reason, remedy] = WORDS.find(([words]) => words.test(error.message)) ?? [null, 'refused' as const, null];
  return new DevicePlugError(reason, `${what}: ${error.message}${remedy === null ? '' : `: ${remedy}`}`, { cause: error });
}
