/** What there is to know of a real adapter before anything is done with it. */
import type { ChannelLimits } from '../host/channel_messages.js';
import type { EswitchMode } from '../host/devlink.js';
import type { XdpFeature, XdpHint } from '../host/feature_messages.js';
import type { VfLinkState, VlanProtocol } from '../host/vf_messages.js';
import type { VfControl } from './controls.js';
import type { RedirectWay } from './eswitch.js';
import type { Fact } from './fact.js';
import type { PhysicalFunction, VirtualFunction } from './pci.js';

/** Something that `ethtool -k` lists: on or off, and no when the driver cannot do it. */
export type FeatureFact = Fact<'on' | 'off'>;

/** The netdev of a PF. */
export interface NicFacts {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly carrier: boolean;
  /** Mbit/s. */
  readonly speed: Fact<number>;
  readonly channels: Fact<ChannelLimits>;
  readonly rss: Fact<{ readonly key: Fact<string>; readonly reta: readonly number[] }>;
  /** Can it send frames of a flow to a queue by a rule (`ethtool -N`)? */
  readonly ntuple: FeatureFact;
  readonly hwTcOffload: FeatureFact;
  readonly xdpFeatures: Fact<readonly XdpFeature[]>;
  /** What its driver can tell programs of a frame. */
  readonly xdpHints: Fact<readonly XdpHint[]>;
  /** The XDP program that is attached. */
  readonly xdp: { readonly mode: string; readonly programId: number } | null;
}

export interface VfConfiguration {
  /** null: the PF does not decide it. */
  readonly mac: string | null;
  /** 0: frames are not tagged. */
  readonly vlan: number;
  readonly qos: number;
  readonly protocol: VlanProtocol;
  readonly spoofCheck: Fact<boolean>;
  readonly trust: Fact<boolean>;
  readonly linkState: VfLinkState;
  /** Mbit/s; 0: none. */
  readonly minRate: number;
  readonly maxRate: number;
}

export interface VfFacts extends VirtualFunction {
  /** Netdev that stands for its port of the adapter's switch. */
  readonly representor: Fact<string>;
  /** How frames are redirected to that. */
  readonly redirect: Fact<RedirectWay>;
  readonly configuration: Fact<VfConfiguration>;
}

export interface PfFacts extends Omit<PhysicalFunction, 'driverOverride' | 'netdevs' | 'vfs'> {
  readonly nic: Fact<NicFacts>;
  readonly eswitch: Fact<EswitchMode>;
  /** What its switch calls itself: PFs with the same are ports of one. */
  readonly switchId: Fact<string>;
  readonly controls: Readonly<Record<VfControl, Fact<true>>>;
  readonly vfs: readonly VfFacts[];
}
