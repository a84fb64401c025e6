/** The netdevs of our network namespace: all of them at one moment, and a call when something about one changed. */
import type { ObservedLink } from '../core/model.js';
import { channelDumpPayload, ethtoolFamilyPayload, GENL_ID_CTRL, readChannels, readFamilyId } from './channel_messages.js';
import { type DumpedLink, linkDumpPayload, readLink, RTM_GETLINK, RTM_NEWLINK } from './link_messages.js';
import { LinkMonitor } from './link_monitor.js';
import { NETLINK_GENERIC, NETLINK_ROUTE, NetlinkSocket } from './netlink_socket.js';

export class Links {
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #generic = new NetlinkSocket(NETLINK_GENERIC);
  readonly #listeners = new Set<() => void>();
  readonly #warn: (message: string) => void;
  #monitor: LinkMonitor | null = null;
  #ethtoolFamily: number | null = null;
  #channelsWarned = false;

  /** `warn` is told what went wrong but did not stop us. */
  constructor(warn: (message: string) => void = () => undefined) {
    this.#warn = warn;
  }

  /** Every link, by name. @throws NetlinkError */
  async dump(): Promise<ReadonlyMap<string, ObservedLink>> {
    const [links, channels] = await Promise.all([this.#dumpLinks(), this.#dumpChannels()]);
    const byName = new Map<string, ObservedLink>();
    for (const { link } of links) {
      const used = link.kind === 'tun' ? undefined : channels.get(link.ifindex);
      byName.set(link.name, used === undefined ? link : { ...link, rxQueues: used.rx, txQueues: used.tx });
    }
    return byName;
  }

  /** Does the bridge of this ifindex look at VLAN tags? */
  async isVlanAware(bridge: number): Promise<boolean> {
    return (await this.#dumpLinks()).some(({ link, vlanFiltering }) => link.ifindex === bridge && vlanFiltering);
  }

  /** Calls back after a change, once for several that come together; returns the function that stops it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#monitor ??= new LinkMonitor(() => this.#notify(), this.#warn);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#monitor?.close();
      this.#monitor = null;
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#monitor?.close();
    this.#monitor = null;
    this.#route.close();
    this.#generic.close();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  async #dumpLinks(): Promise<readonly DumpedLink[]> {
    const messages = await this.#route.dump(RTM_GETLINK, linkDumpPayload(), 'list of links');
    return messages.filter(({ type }) => type === RTM_NEWLINK).flatMap(({ payload }) => readLink(payload) ?? []);
  }

  /** Queues in use by ifindex. Without them (a kernel without ethtool netlink) the allocated numbers have to do. */
  async #dumpChannels(): Promise<ReadonlyMap<number, { readonly rx: number; readonly tx: number }>> {
    try {
      this.#ethtoolFamily ??= readFamilyId((await this.#generic.ask(GENL_ID_CTRL, ethtoolFamilyPayload(), 'family ethtool')).payload);
      const family = this.#ethtoolFamily;
      if (family === null) return new Map();
      const messages = await this.#generic.dump(family, channelDumpPayload(), 'list of channels');
      const channels = messages.filter(({ type }) => type === family).flatMap(({ payload }) => readChannels(payload) ?? []);
      return new Map(channels.map((entry) => [entry.ifindex, entry]));
    } catch (error) {
      if (!this.#channelsWarned) this.#warn(`cannot read the queues in use, taking those allocated: ${(error as Error).message}`);
      this.#channelsWarned = true;
      return new Map();
    }
  }
}
