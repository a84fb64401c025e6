/** The netdevs of our network namespace: all of them at one moment, and a call when something about one changed. */
import type { ObservedLink } from '../core/model.js';
import { channelDumpPayload, readChannels } from './channel_messages.js';
import { Families } from './families.js';
import {
  featureDumpPayload,
  featureNamesPayload,
  readFeature,
  readFeatureBit,
  readRssKey,
  readXdpFeatures,
  rssKeyPayload,
  type XdpFeatures,
  xdpFeatureDumpPayload,
} from './feature_messages.js';
import { type DumpedLink, linkDumpPayload, readLink, RTM_GETLINK, RTM_NEWLINK } from './link_messages.js';
import { LinkMonitor } from './link_monitor.js';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink_socket.js';
import { type LinkStatistics, readStatistics, RTM_GETSTATS, RTM_NEWSTATS, statisticsDumpPayload } from './statistics_messages.js';

/** The feature of a device that takes TCP frames larger than its MTU; ethtool's name for it. */
const AGGREGATES_FEATURE = 'tx-tcp-segmentation';

export class Links {
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #families: Families;
  readonly #listeners = new Set<() => void>();
  readonly #warn: (message: string) => void;
  #monitor: LinkMonitor | null = null;
  /** Of AGGREGATES_FEATURE; undefined: not asked yet. */
  #aggregatesBit: number | null | undefined;

  readonly #programs: 'native' | 'generic';

  /**
   * `warn` is told what went wrong but did not stop us.
   * @param programs how they run here: what generic ones redirect, every device takes
   */
  constructor(warn: (message: string) => void = () => undefined, programs: 'native' | 'generic' = 'native') {
    this.#warn = warn;
    this.#programs = programs;
    this.#families = new Families(warn);
  }

  /** Every link, by name. @throws NetlinkError */
  async dump(): Promise<ReadonlyMap<string, ObservedLink>> {
    const [links, channels, aggregates, xdp] = await Promise.all([
      this.#dumpLinks(),
      this.#dumpChannels(),
      this.#dumpAggregates(),
      this.#dumpXdpFeatures(),
    ]);
    const byName = new Map<string, ObservedLink>();
    for (const link of links) {
      const used = link.kind === 'tun' ? undefined : channels.get(link.ifindex);
      const queues = used === undefined ? {} : { rxQueues: used.rx, txQueues: used.tx };
      const features = xdp.get(link.ifindex);
      byName.set(link.name, {
        ...link,
        ...queues,
        takesAggregates: aggregates.get(link.ifindex) ?? null,
        takesRedirects: this.#programs === 'generic' ? true : (features?.transmit ?? null),
        tellsHash: features?.hash ?? null,
        xdpFeatures: features === undefined ? null : { multiBufferTransmit: features.multiBufferTransmit },
      });
    }
    return byName;
  }

  /** The same without what must be asked for apart: what devices take, and which of their queues are in use. @throws NetlinkError */
  async dumpPlain(): Promise<ReadonlyMap<string, DumpedLink>> {
    return new Map((await this.#dumpLinks()).map((link) => [link.name, link]));
  }

  /** What every link has counted, by ifindex. @throws NetlinkError */
  async statistics(): Promise<ReadonlyMap<number, LinkStatistics>> {
    const messages = await this.#route.dump(RTM_GETSTATS, statisticsDumpPayload(), 'what links have counted');
    const all = messages.filter(({ type }) => type === RTM_NEWSTATS).flatMap(({ payload }) => readStatistics(payload) ?? []);
    return new Map(all.map((link) => [link.ifindex, link]));
  }

  /** Does the bridge of this ifindex look at VLAN tags? */
  async isVlanAware(bridge: number): Promise<boolean> {
    return (await this.#dumpLinks()).some(({ ifindex, vlanFiltering }) => ifindex === bridge && vlanFiltering !== null);
  }

  /** Key of a NIC's RSS; null: it has none. @throws NetlinkError, on a kernel before 6.2 too */
  async rssKey(device: string): Promise<Buffer | null> {
    return readRssKey(await this.#families.ask('ethtool', rssKeyPayload(device), `RSS key of ${device}`));
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
    this.#families.close();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  async #dumpLinks(): Promise<readonly DumpedLink[]> {
    const messages = await this.#route.dump(RTM_GETLINK, linkDumpPayload(), 'list of links');
    return messages.filter(({ type }) => type === RTM_NEWLINK).flatMap(({ payload }) => readLink(payload) ?? []);
  }

  /** Queues in use by ifindex. */
  async #dumpChannels(): Promise<ReadonlyMap<number, { readonly rx: number; readonly tx: number }>> {
    const answers = await this.#families.dump('ethtool', channelDumpPayload(), 'queues in use', 'taking those allocated');
    return new Map((answers ?? []).flatMap((payload) => readChannels(payload) ?? []).map((entry) => [entry.ifindex, entry]));
  }

  /** By ifindex, whether a device takes aggregated TCP frames. */
  async #dumpAggregates(): Promise<ReadonlyMap<number, boolean>> {
    const without = 'cut-through on auto stays off';
    if (this.#aggregatesBit === undefined) {
      const names = await this.#families.tryToAsk('ethtool', featureNamesPayload(), 'names of device features', without);
      this.#aggregatesBit = names === null ? null : readFeatureBit(names, AGGREGATES_FEATURE);
    }
    const bit = this.#aggregatesBit;
    if (bit === null) return new Map();
    const answers = await this.#families.dump('ethtool', featureDumpPayload(), 'features of devices', without);
    const features = (answers ?? []).flatMap((payload) => readFeature(payload, bit) ?? []);
    return new Map(features.map(({ ifindex, active }) => [ifindex, active]));
  }

  /** By ifindex, what redirected frames a device takes. */
  async #dumpXdpFeatures(): Promise<ReadonlyMap<number, XdpFeatures>> {
    const without = 'redirecting no frame that lies in several buffers, and others to whatever runs programs natively';
    const answers = await this.#families.dump('netdev', xdpFeatureDumpPayload(), 'XDP features of devices', without);
    const features = (answers ?? []).flatMap((payload) => readXdpFeatures(payload) ?? []);
    return new Map(features.map((device) => [device.ifindex, device]));
  }
}
