/** What the control plane asks of whatever runs the guests. */
import type { FoundNic, GuestSpec, GuestState, MacAddress, VfSpec } from '../core/model.js';

export type HypervisorEvent =
  /** A guest came, went, or is not as it was: look again. */
  | { readonly kind: 'changed' }
  /** The guest has let go of what it was given on this port. */
  | { readonly kind: 'ejected'; readonly port: string }
  /** A migration of this machine comes to nothing: the hypervisor gives its VFs back. */
  | { readonly kind: 'staying'; readonly vm: string }
  /** This machine boots anew: whatever ran in it does not run any more. */
  | { readonly kind: 'reset'; readonly vm: string }
  /** What a hypervisor says of a live migration. `status`: MigrationStatus of QEMU (qapi/migration.json). */
  | { readonly kind: 'migration'; readonly vm: string; readonly direction: 'outgoing' | 'incoming'; readonly status: string }
  /** The hypervisor begins to migrate this machine, and takes its VFs to that end. */
  | { readonly kind: 'leaving'; readonly vm: string };

export interface Hypervisor {
  /** NICs of virtual machines, as they are found; the last that was seen of those that cannot be asked now. */
  found(): Promise<readonly FoundNic[]>;
  /** Null when it is not there. */
  look(guest: GuestSpec): Promise<GuestState | null>;
  /** Does the guest hold this VF's device? */
  holds(guest: GuestSpec, vf: VfSpec): Promise<boolean>;
  /** All of `plug` that the guest does not notice, so that the rest is quick. */
  prepare(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void>;
  /** Undoes `prepare`; does nothing after `plug`. */
  unprepare(guest: GuestSpec, vf: VfSpec): Promise<void>;
  /** Gives the device to the guest under this MAC address. Returns when the guest has it, or is about to. */
  plug(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void>;
  /** Asks the guest to let go of the device; an `ejected` event tells when it has. */
  eject(guest: GuestSpec, vf: VfSpec): Promise<void>;
  /** Takes it back. Returns only when the device is really released and on the host again. */
  unplug(guest: GuestSpec, vf: VfSpec): Promise<void>;
  /** Returns the function that stops it. */
  onEvent(listener: (event: HypervisorEvent) => void): () => void;
}

/** A device cannot be given to or taken from a guest; the message says what to do. */
export class PlugError extends Error {
  override readonly name = 'PlugError';
}
