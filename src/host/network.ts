/** HostNetwork on Linux: rtnetlink for what is seen, iproute2 for what is changed, a packet socket for single frames. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MacAddress, ObservedLink, VfOrigin } from '../core/model.js';
import { PacketSocket } from '../native/socket.js';
import { deleteEntry, hasStaticEntry, readPortFlags, readPortVlans, replaceStaticEntry, writePortFlags, writePortVlan } from './bridge.js';
import { isPciAddress } from '../sriov/pci.js';
import { realSysfs } from '../sriov/sysfs.js';
import { readVfOrigin } from '../sriov/vf_origin.js';
import { readRssKeyByCommand } from './ethtool.js';
import { run, runJson } from './exec.js';
import { Links } from './links.js';
import { checkInterfaceName } from './names.js';
import { addOwnAddress, deleteOwnAddress, ownAddresses } from './own_addresses.js';
import type { LinkStatistics } from './statistics_messages.js';
import type { BridgePortFlags, BridgeVlan, BridgeVlanFlags, FdbEntry, HostNetwork } from './port.js';

const OPERATIONAL_POLL_MS = 10;

interface LinkState {
  readonly operstate?: string;
  readonly flags?: readonly string[];
}

export class LinuxHostNetwork implements HostNetwork {
  readonly #links: Links;
  #packets: PacketSocket | null = null;

  /**
   * `warn` is told what went wrong but did not stop us.
   * @param programs how they run on this host
   */
  constructor(warn: (message: string) => void = () => undefined, programs: 'native' | 'generic' = 'native') {
    this.#links = new Links(warn, programs);
  }

  links(): Promise<ReadonlyMap<string, ObservedLink>> {
    return this.#links.dump();
  }

  /** What every link has counted, by ifindex. @throws NetlinkError */
  statistics(): Promise<ReadonlyMap<number, LinkStatistics>> {
    return this.#links.statistics();
  }

  onChange(listener: () => void): () => void {
    return this.#links.onChange(listener);
  }

  async setLink(device: string, change: { up?: boolean; mac?: MacAddress; mtu?: number; bridge?: string | null }): Promise<void> {
    const words: string[] = [];
    if (change.mac !== undefined) words.push('address', change.mac);
    if (change.mtu !== undefined) words.push('mtu', String(change.mtu));
    if (change.bridge === null) words.push('nomaster');
    else if (change.bridge !== undefined) words.push('master', checkInterfaceName(change.bridge));
    if (change.up !== undefined) words.push(change.up ? 'up' : 'down');
    if (words.length > 0) await run('ip', ['link', 'set', 'dev', checkInterfaceName(device), ...words]);
  }

  async awaitOperational(device: string, deadlineMs: number): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (performance.now() < deadline) {
      const [link] = (await runJson('ip', ['-j', 'link', 'show', 'dev', checkInterfaceName(device)])) as LinkState[];
      // Without carrier nobody has the device open, and who waits for that waits in vain: libvirt opens a tap only when it plugs.
      if (link?.operstate === 'UP' || link?.flags?.includes('LOWER_UP') === false) return;
      await sleep(OPERATIONAL_POLL_MS);
    }
  }

  vfOrigin(port: string, device: string | null): VfOrigin {
    const check = (name: string): string => (isPciAddress(name) ? name : checkInterfaceName(name));
    return readVfOrigin(realSysfs, check(port), device === null ? null : check(device));
  }

  async bridgePortFlags(device: string): Promise<BridgePortFlags | null> {
    return readPortFlags(checkInterfaceName(device));
  }

  async setBridgePortFlags(device: string, flags: BridgePortFlags): Promise<void> {
    await writePortFlags(checkInterfaceName(device), flags);
  }

  bridgeVlans(): Promise<ReadonlyMap<string, readonly BridgeVlan[]>> {
    return readPortVlans();
  }

  async setBridgeVlan(device: string, vid: number, flags: BridgeVlanFlags | null): Promise<void> {
    await writePortVlan(checkInterfaceName(device), vid, flags);
  }

  /** By netlink, and where that has no answer by the command, which has other ways. */
  async rssKey(device: string): Promise<Buffer | null> {
    checkInterfaceName(device);
    const key = await this.#links.rssKey(device).catch(() => null);
    return key ?? (await readRssKeyByCommand(device));
  }

  async addFdb(entry: FdbEntry): Promise<void> {
    if (entry.self === true) return addOwnAddress(checkInterfaceName(entry.device), entry.mac);
    await replaceStaticEntry(entry.mac, checkInterfaceName(entry.device), await this.#entryVlan(entry));
  }

  async deleteFdb(entry: FdbEntry): Promise<void> {
    if (entry.self === true) return deleteOwnAddress(checkInterfaceName(entry.device), entry.mac);
    await deleteEntry(entry.mac, checkInterfaceName(entry.device), await this.#entryVlan(entry));
  }

  async hasStaticFdb(entry: FdbEntry): Promise<boolean> {
    return hasStaticEntry(entry.mac, checkInterfaceName(entry.device), await this.#entryVlan(entry));
  }

  ownAddresses(device: string): Promise<ReadonlySet<string>> {
    return ownAddresses(checkInterfaceName(device));
  }

  sendFrame(ifindex: number, frame: Buffer): void {
    this.#packets ??= new PacketSocket();
    this.#packets.send(ifindex, frame);
  }

  close(): void {
    this.#links.close();
    this.#packets?.close();
    this.#packets = null;
  }

  /** A bridge that is not VLAN-aware keeps every entry under VLAN 0, and refuses any other. */
  async #entryVlan(entry: FdbEntry): Promise<number> {
    if (entry.vlan === 0) return 0;
    const bridge = (await this.#links.dump()).get(entry.device)?.master ?? null;
    return bridge !== null && (await this.#links.isVlanAware(bridge)) ? entry.vlan : 0;
  }
}
