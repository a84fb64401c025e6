/** What has to be set for a VF to be as wished, in which order, and what its PF's driver cannot do of it. Pure. */
import type { VfLinkState, VlanProtocol } from '../host/vf_messages.js';
import type { VfControl } from './controls.js';
import { AdapterError } from './error.js';
import { type Fact, valueOf } from './fact.js';
import type { PfFacts, VfConfiguration } from './facts.js';
import { pfName } from './pf_name.js';

/** What is not said stays as it is. */
export interface VfWish {
  /** null: the PF does not decide it. */
  readonly mac?: string | null;
  readonly vlan?: VfVlan;
  readonly spoofCheck?: boolean;
  readonly trust?: boolean;
  readonly linkState?: VfLinkState;
  /** Mbit/s; 0: none. */
  readonly minRate?: number;
  /** Mbit/s; 0: no limit. */
  readonly maxRate?: number;
}

export interface VfVlan {
  /** 0: frames are not tagged. */
  readonly id: number;
  readonly qos: number;
  readonly protocol: VlanProtocol;
}

export type VfSetting =
  | { readonly kind: 'spoof-check'; readonly on: boolean }
  | { readonly kind: 'trust'; readonly on: boolean }
  | { readonly kind: 'vlan'; readonly vlan: VfVlan }
  | { readonly kind: 'rate'; readonly min: number; readonly max: number }
  | { readonly kind: 'link-state'; readonly state: VfLinkState }
  | { readonly kind: 'mac'; readonly mac: string | null };

export interface VfChange {
  readonly setting: VfSetting;
  readonly before: VfSetting;
}

/** A wish that the PF's driver cannot fulfil. */
export interface VfLack {
  readonly control: VfControl;
  readonly why: string;
}

export interface VfPlan {
  /** What limits the VF comes first, and its MAC address, by which it begins to hear, last; undone the other way round. */
  readonly changes: readonly VfChange[];
  readonly lacking: readonly VfLack[];
}

/** The configuration of a VF as a wish: to have it again. What the driver does not have is not in it. */
export function wishFor(configuration: VfConfiguration): VfWish {
  const { mac, vlan: id, qos, protocol, linkState, minRate, maxRate } = configuration;
  const [spoofCheck, trust] = [valueOf(configuration.spoofCheck), valueOf(configuration.trust)];
  return {
    ...{ mac, vlan: { id, qos, protocol }, linkState, minRate, maxRate },
    ...(spoofCheck === null ? {} : { spoofCheck }),
    ...(trust === null ? {} : { trust }),
  };
}

const sameVlan = (a: VfVlan, b: VfVlan): boolean => a.id === b.id && (a.id === 0 || (a.qos === b.qos && a.protocol === b.protocol));

/** @throws AdapterError when there is no such VF, or when it cannot be told how it is now: then it could not be put back */
export function configurationOf(pf: PfFacts, index: number): VfConfiguration {
  const vf = pf.vfs.find((each) => each.index === index);
  if (vf === undefined) throw new AdapterError(`${pfName(pf)} has no VF ${index}`, pf.vfs.length === 0 ? `make some: unipath adapter setup ${pfName(pf)} --vfs ${pf.sriov.total}` : `it has 0 to ${pf.vfs.length - 1}`);
  if (vf.configuration.answer !== 'yes') throw new AdapterError(`VF ${index} of ${pfName(pf)}: how it is set now cannot be told: ${vf.configuration.why}`);
  return vf.configuration.value;
}

/** @throws AdapterError */
export function planVf(pf: PfFacts, index: number, wish: VfWish): VfPlan {
  const now = configurationOf(pf, index);
  const changes: VfChange[] = [];
  const lacking: VfLack[] = [];
  const lacks = (control: VfControl, fact: Fact<unknown> = pf.controls[control]): boolean => {
    if (fact.answer !== 'no') return false;
    lacking.push({ control, why: fact.why });
    return true;
  };
  const change = (setting: VfSetting, before: VfSetting): void => void changes.push({ setting, before });

  const flag = (kind: 'spoof-check' | 'trust', control: VfControl, wanted: boolean | undefined, fact: Fact<boolean>): void => {
    const before = valueOf(fact);
    if (wanted === undefined || before === wanted) return;
    // What a driver does not have is off.
    if (fact.answer === 'no' && !wanted) return;
    if (lacks(control, fact) || before === null) return;
    change({ kind, on: wanted }, { kind, on: before });
  };
  flag('spoof-check', 'spoof_check', wish.spoofCheck, now.spoofCheck);
  flag('trust', 'trust', wish.trust, now.trust);

  const vlanNow: VfVlan = { id: now.vlan, qos: now.qos, protocol: now.protocol };
  if (wish.vlan !== undefined && !sameVlan(wish.vlan, vlanNow)) {
    const lacksProtocol = wish.vlan.id !== 0 && wish.vlan.protocol !== '802.1Q' && lacks('vlan_protocol');
    if (!lacksProtocol && !lacks('vlan')) change({ kind: 'vlan', vlan: wish.vlan }, { kind: 'vlan', vlan: vlanNow });
  }
  const { minRate = now.minRate, maxRate = now.maxRate } = wish;
  if (minRate !== now.minRate || maxRate !== now.maxRate) {
    if (maxRate !== 0 && minRate > maxRate) throw new AdapterError(`a VF cannot have ${minRate} Mbit/s at least and ${maxRate} at most`);
    const min = minRate !== now.minRate && lacks('min_rate') ? now.minRate : minRate;
    const max = maxRate !== now.maxRate && lacks('max_rate') ? now.maxRate : maxRate;
    if (min !== now.minRate || max !== now.maxRate) change({ kind: 'rate', min, max }, { kind: 'rate', min: now.minRate, max: now.maxRate });
  }
  if (wish.linkState !== undefined && wish.linkState !== now.linkState && !lacks('link_state')) {
    change({ kind: 'link-state', state: wish.linkState }, { kind: 'link-state', state: now.linkState });
  }
  if (wish.mac !== undefined && wish.mac !== now.mac && !lacks('mac')) change({ kind: 'mac', mac: wish.mac }, { kind: 'mac', mac: now.mac });
  return { changes, lacking };
}

/** What of these settings a VF does not show, in words; empty when it shows them all. */
export function unlike(settings: readonly VfSetting[], shown: VfConfiguration): string[] {
  return settings.flatMap((setting) => (isShown(setting, shown) ? [] : [settingText(setting)]));
}

function isShown(setting: VfSetting, shown: VfConfiguration): boolean {
  switch (setting.kind) {
    case 'spoof-check':
      return valueOf(shown.spoofCheck) === setting.on;
    case 'trust':
      return valueOf(shown.trust) === setting.on;
    case 'vlan':
      return sameVlan(setting.vlan, { id: shown.vlan, qos: shown.qos, protocol: shown.protocol });
    case 'rate':
      return shown.minRate === setting.min && shown.maxRate === setting.max;
    case 'link-state':
      return shown.linkState === setting.state;
    case 'mac':
      // Without one from the PF a VF may have chosen its own.
      return setting.mac === null || shown.mac === setting.mac;
    default:
      return setting satisfies never;
  }
}

const onOff = (on: boolean): string => (on ? 'on' : 'off');
const NO_MAC = '00:00:00:00:00:00';

/** The words of `ip link set dev PF vf N` for a setting. */
export function settingWords(setting: VfSetting): string[] {
  switch (setting.kind) {
    case 'spoof-check':
      return ['spoofchk', onOff(setting.on)];
    case 'trust':
      return ['trust', onOff(setting.on)];
    case 'vlan': {
      const { id, qos, protocol } = setting.vlan;
      const more = id === 0 ? [] : [...(qos === 0 ? [] : ['qos', String(qos)]), ...(protocol === '802.1Q' ? [] : ['proto', protocol])];
      return ['vlan', String(id), ...more];
    }
    case 'rate':
      return ['max_tx_rate', String(setting.max), 'min_tx_rate', String(setting.min)];
    case 'link-state':
      return ['state', setting.state];
    case 'mac':
      return ['mac', setting.mac ?? NO_MAC];
    default:
      return setting satisfies never;
  }
}

/** "VLAN 7, qos 3" */
export function settingText(setting: VfSetting): string {
  switch (setting.kind) {
    case 'spoof-check':
      return `source check ${onOff(setting.on)}`;
    case 'trust':
      return `trust ${onOff(setting.on)}`;
    case 'vlan': {
      const { id, qos, protocol } = setting.vlan;
      return id === 0 ? 'no VLAN' : `VLAN ${id}${qos === 0 ? '' : `, qos ${qos}`}${protocol === '802.1Q' ? '' : `, ${protocol}`}`;
    }
    case 'rate':
      return `rate ${setting.min} to ${setting.max === 0 ? 'any' : setting.max} Mbit/s`;
    case 'link-state':
      return `link state ${setting.state}`;
    case 'mac':
      return setting.mac === null ? 'no MAC address of the PF' : `MAC address ${setting.mac}`;
    default:
      return setting satisfies never;
  }
}
