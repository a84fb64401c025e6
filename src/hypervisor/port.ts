/** What the control plane asks of whatever runs the guests. */
import type { GuestSpec, MacAddress, VfSpec } from '../core/model.js';

export interface Hypervisor {
  /** Is the guest there? */
  exists(guest: GuestSpec): Promise<boolean>;
  /** Does the guest hold this VF's device? */
  holds(guest: GuestSpec, vf: VfSpec): Promise<boolean>;
  /** Gives the device to the guest under this MAC address. Returns when the guest has it. */
  plug(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void>;
  /** Takes it back. Returns only when the device is really released and on the host again. */
  unplug(guest: GuestSpec, vf: VfSpec): Promise<void>;
}
