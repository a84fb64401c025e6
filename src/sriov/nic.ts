/** Asks the kernel what the netdev of a PF can do, and how its driver treats the VFs: one device at a time. */
import { type ChannelLimits, channelPayload, readChannelLimits } from '../host/channel_messages.js';
import { parseRetaText, parseRssKeyText, readRssText } from '../host/ethtool.js';
import { Families } from '../host/families.js';
import {
  featureNamesPayload,
  featurePayload,
  readFeatureBit,
  readFeatureState,
  readReta,
  readRssKey,
  readXdpFeatureNames,
  rssKeyPayload,
  readXdpHints,
  xdpFeaturePayload,
} from '../host/feature_messages.js';
import { linkPayload, readLink, RTM_GETLINK } from '../host/link_messages.js';
import { NETLINK_ROUTE, NetlinkError, NetlinkSocket } from '../host/netlink_socket.js';
import { readVfList, type VfSettings, vfListPayload } from '../host/vf_messages.js';
import { type Fact, no, unknown, yes } from './fact.js';
import type { FeatureFact, NicFacts } from './facts.js';
import { numberAt, type Sysfs } from './sysfs.js';

/** What the kernel answers where a driver, or the kernel itself, has no such thing. */
const NOT_SUPPORTED = new Set(['EOPNOTSUPP', 'ENOTSUP']);
const NO_FAMILY = 'ENOENT';

export class NicReader {
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #families = new Families(() => undefined);
  readonly #sysfs: Sysfs;
  #featureNames: Promise<Buffer> | null = null;

  constructor(sysfs: Sysfs) {
    this.#sysfs = sysfs;
  }

  /** null: there is no such netdev, or it went meanwhile. @throws NetlinkError */
  async read(name: string): Promise<NicFacts | null> {
    const ifindex = numberAt(this.#sysfs, `/sys/class/net/${name}/ifindex`);
    if (ifindex === null) return null;
    const link = readLink((await this.#route.ask(RTM_GETLINK, linkPayload(ifindex), `link ${name}`)).payload);
    if (link === null) return null;
    const known = {
      ...{ name, ifindex, mac: link.mac, mtu: link.mtu, up: link.up, carrier: link.carrier, xdp: link.xdp },
      speed: this.#speed(name, link.carrier),
      channels: await this.#channels(name),
      rss: await this.#rss(name),
      ntuple: await this.#feature(name, 'rx-ntuple-filter'),
      hwTcOffload: await this.#feature(name, 'hw-tc-offload'),
    };
    // One answer says both; asked for last, so that it is waited for at once.
    const told = this.#askXdp(name, ifindex);
    return { ...known, xdpFeatures: await featuresIn(told), xdpHints: await hintsIn(told) };
  }

  /** How the driver treats each VF. */
  async vfSettings(ifindex: number): Promise<Fact<readonly VfSettings[]>> {
    try {
      const vfs = readVfList((await this.#route.ask(RTM_GETLINK, vfListPayload(ifindex), 'VFs')).payload);
      return vfs === null ? no('the driver of the PF does not tell') : yes(vfs);
    } catch (error) {
      return unknown((error as Error).message);
    }
  }

  /** Of a netdev that is no PF's own: a representor. */
  async xdpFeatures(name: string): Promise<NicFacts['xdpFeatures']> {
    const ifindex = numberAt(this.#sysfs, `/sys/class/net/${name}/ifindex`);
    return ifindex === null ? unknown('it is not there any more') : featuresIn(this.#askXdp(name, ifindex));
  }

  close(): void {
    this.#route.close();
    this.#families.close();
  }

  #speed(name: string, carrier: boolean): Fact<number> {
    if (!carrier) return no('it has no link');
    const speed = numberAt(this.#sysfs, `/sys/class/net/${name}/speed`);
    return speed === null || speed <= 0 ? unknown('the driver does not tell') : yes(speed);
  }

  #channels(name: string): Promise<Fact<ChannelLimits>> {
    return answered('the driver has one channel, or does not tell', async () =>
      yes(readChannelLimits(await this.#families.ask('ethtool', channelPayload(name), 'channels'))),
    );
  }

  /** By netlink since Linux 6.2; before, by the command, which has other ways. */
  async #rss(name: string): Promise<NicFacts['rss']> {
    let [key, reta]: [Buffer | null, readonly number[] | null] = [null, null];
    try {
      const answer = await this.#families.ask('ethtool', rssKeyPayload(name), 'RSS');
      [key, reta] = [readRssKey(answer), readReta(answer)];
    } catch {
      try {
        const text = (await readRssText(name)) ?? '';
        [key, reta] = [parseRssKeyText(text), parseRetaText(text)];
      } catch (error) {
        return unknown((error as Error).message);
      }
    }
    if (reta === null) return no('the driver has no indirection table');
    return yes({ key: key === null ? no('the driver does not show it') : yes(key.toString('hex')), reta });
  }

  #feature(name: string, feature: string): Promise<FeatureFact> {
    return answered(`this kernel knows no feature ${feature}`, async (): Promise<FeatureFact> => {
      this.#featureNames ??= this.#families.ask('ethtool', featureNamesPayload(), 'names of device features');
      const bit = readFeatureBit(await this.#featureNames, feature);
      if (bit === null) return unknown(`this kernel knows no feature ${feature}`);
      const { active, fixed } = readFeatureState(await this.#families.ask('ethtool', featurePayload(name), 'features'), bit);
      if (!active && fixed) return no('the driver cannot do it');
      return yes(active ? 'on' : 'off');
    });
  }

  #askXdp(name: string, ifindex: number): Promise<Buffer> {
    return this.#families.ask('netdev', xdpFeaturePayload(ifindex), `what ${name} can do of XDP`);
  }
}

function featuresIn(told: Promise<Buffer>): Promise<NicFacts['xdpFeatures']> {
  return answered('the driver does not tell', async () => {
    const features = readXdpFeatureNames(await told);
    if (features === null) return unknown('the kernel does not tell');
    return features.length === 0 ? no('the driver has no XDP of its own: programs run in generic mode') : yes(features);
  });
}

function hintsIn(told: Promise<Buffer>): Promise<NicFacts['xdpHints']> {
  return answered('the driver does not tell', async () => {
    const hints = readXdpHints(await told);
    if (hints === null) return unknown('this kernel is too old to tell');
    return hints.length === 0 ? no('its driver tells programs nothing but the frame') : yes(hints);
  });
}

/** The answer; no, when the kernel says that there is no such thing; unknown, when it says something else. */
async function answered<T>(why: string, ask: () => Promise<Fact<T>>): Promise<Fact<T>> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof NetlinkError && NOT_SUPPORTED.has(error.code)) return no(why);
    if (error instanceof NetlinkError && error.code === NO_FAMILY) return unknown('this kernel is too old to tell');
    return unknown((error as Error).message);
  }
}
