/** What the control plane asks of adapters whose VFs are given to virtual machines: seen, lent, and set as they were. */
import type { MacAddress, VfFilter, VfSettings } from '../core/model.js';

/** A VF that a virtual machine can be given: the driver for that is bound to it. */
export interface LendableVf {
  /** PCI address, "0000:01:10.0". */
  readonly pci: string;
  /** null: the adapter does not tell. */
  readonly filter: VfFilter | null;
}

export interface Adapters {
  /** @param pf its netdev. @returns none for a device without VFs. @throws NetlinkError */
  look(pf: string): Promise<readonly LendableVf[]>;
  /** The VF gets the address and the limits, parked; how it was is noted before. @throws AdapterError, when somebody uses it, too */
  lend(pf: string, pci: string, mac: MacAddress, settings: VfSettings): Promise<void>;
  /** It hears, in this VLAN; 0: untagged. @throws AdapterError */
  admit(pf: string, pci: string, vlan: number): Promise<void>;
  /** It hears nothing. @throws AdapterError */
  park(pf: string, pci: string): Promise<void>;
  /** It has no address: a frame to its guest, who has gone, is not for it. @throws AdapterError */
  takeAddress(pf: string, pci: string): Promise<void>;
  /** As it was noted, once nobody uses it any more; nothing where nothing is noted. @throws AdapterError, when somebody still does: it has no address then */
  giveBack(pf: string, pci: string): Promise<void>;
}

/** Where no VF is given to virtual machines. */
export const NO_ADAPTERS: Adapters = {
  look: () => Promise.resolve([]),
  lend: () => Promise.resolve(),
  admit: () => Promise.resolve(),
  park: () => Promise.resolve(),
  takeAddress: () => Promise.resolve(),
  giveBack: () => Promise.resolve(),
};
