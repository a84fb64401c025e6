/** What the control plane asks of the host's network: links seen, bridge and device settings changed. */
import type { BridgePortFlags, BridgeVlan, BridgeVlanFlags, FdbEntry, MacAddress, ObservedLink, VfOrigin } from '../core/model.js';

export type { BridgePortFlags, BridgeVlan, BridgeVlanFlags, FdbEntry } from '../core/model.js';

export interface HostNetwork {
  links(): Promise<ReadonlyMap<string, ObservedLink>>;
  /** "Look again": something about a link changed. Returns the function that stops it. */
  onChange(listener: () => void): () => void;
  setLink(device: string, change: { up?: boolean; mac?: MacAddress; mtu?: number; bridge?: string | null }): Promise<void>;
  /** Resolves when the device is operational (RFC 2863 ifOperStatus up), when nobody has it open, or when the time is over. */
  awaitOperational(device: string, deadlineMs: number): Promise<void>;
  /** Where the VF behind a port belongs. @param device that a guest is given; null: it is none of this host's */
  vfOrigin(port: string, device: string | null): VfOrigin;
  bridgePortFlags(device: string): Promise<BridgePortFlags | null>;
  setBridgePortFlags(device: string, flags: BridgePortFlags): Promise<void>;
  /** VLANs of every bridge port, by device. */
  bridgeVlans(): Promise<ReadonlyMap<string, readonly BridgeVlan[]>>;
  /** Puts a bridge port into a VLAN, or (null) takes it out. Idempotent. */
  setBridgeVlan(device: string, vid: number, flags: BridgeVlanFlags | null): Promise<void>;
  /** Key of a NIC's RSS; null: it has none, or does not show it. */
  rssKey(device: string): Promise<Buffer | null>;
  /** Static entry "this MAC address is behind this port", or of the device itself. Idempotent. */
  addFdb(entry: FdbEntry): Promise<void>;
  deleteFdb(entry: FdbEntry): Promise<void>;
  /** Not for those of a device itself. */
  hasStaticFdb(entry: FdbEntry): Promise<boolean>;
  /** MAC addresses that a device hears besides its first. */
  ownAddresses(device: string): Promise<ReadonlySet<string>>;
  /** Sends one raw Ethernet frame out of a device. */
  sendFrame(ifindex: number, frame: Buffer): void;
  close(): void;
}
