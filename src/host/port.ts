/** What the control plane asks of the host's network: links seen, bridge and device settings changed. */
import type { BridgePortFlags, FdbEntry, MacAddress, ObservedLink } from '../core/model.js';

export type { BridgePortFlags, FdbEntry } from '../core/model.js';

export interface HostNetwork {
  links(): Promise<ReadonlyMap<string, ObservedLink>>;
  /** "Look again": something about a link changed. Returns the function that stops it. */
  onChange(listener: () => void): () => void;
  setLink(device: string, change: { up?: boolean; mac?: MacAddress; mtu?: number; bridge?: string | null }): Promise<void>;
  bridgePortFlags(device: string): Promise<BridgePortFlags | null>;
  setBridgePortFlags(device: string, flags: BridgePortFlags): Promise<void>;
  /** Static entry "this MAC address is behind this port". Idempotent. */
  addFdb(entry: FdbEntry): Promise<void>;
  deleteFdb(entry: FdbEntry): Promise<void>;
  hasStaticFdb(entry: FdbEntry): Promise<boolean>;
  /** Sends one raw Ethernet frame out of a device. */
  sendFrame(ifindex: number, frame: Buffer): void;
  close(): void;
}
