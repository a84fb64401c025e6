/** What PCI, the netdevs and the PF's driver say, put together: the facts of one PF. Pure. */
import type { EswitchMode } from '../host/devlink.js';
import type { VfSettings } from '../host/vf_messages.js';
import type { XdpFeature } from '../host/feature_messages.js';
import { controlsOf } from './controls.js';
import { noRepresentor, redirectWay } from './eswitch.js';
import { type Fact, no, unknown, valueOf, yes } from './fact.js';
import type { NicFacts, PfFacts, VfConfiguration, VfFacts } from './facts.js';
import type { PhysicalFunction, VirtualFunction } from './pci.js';

const NO_MAC = '00:00:00:00:00:00';

export interface PfAnswers {
  readonly pf: PhysicalFunction;
  /** null: the PF has no netdev in our network namespace. */
  readonly nic: NicFacts | null;
  readonly eswitch: Fact<EswitchMode>;
  /** phys_switch_id of the PF's netdev; null: it has none. */
  readonly switchId: string | null;
  /** Representors by number of their VF. */
  readonly representors: ReadonlyMap<number, string>;
  /** What their driver can do of XDP, by the same numbers. */
  readonly representorXdp: ReadonlyMap<number, Fact<readonly XdpFeature[]>>;
  readonly settings: Fact<readonly VfSettings[]>;
}

function whyNoNetdev(pf: PhysicalFunction): string {
  if (pf.driver.answer !== 'yes') return pf.driver.why;
  return `its driver ${pf.driver.value} has no netdev in this network namespace: it is in another one, or the driver is none of networks`;
}

function control(set: boolean | null, driver: string | null): Fact<boolean> {
  return set === null ? no(`the driver ${driver ?? 'of the PF'} has no such setting`) : yes(set);
}

function configurationOf(settings: VfSettings, driver: string | null): VfConfiguration {
  const { mac, vlan, qos, protocol, spoofCheck, trust, linkState, minRate, maxRate } = settings;
  return {
    ...{ mac: mac === NO_MAC ? null : mac, vlan, qos, protocol, linkState, minRate, maxRate },
    ...{ spoofCheck: control(spoofCheck, driver), trust: control(trust, driver) },
  };
}

function representorOf({ representors, eswitch }: PfAnswers, index: number): Fact<string> {
  const name = representors.get(index);
  if (name !== undefined) return yes(name);
  if (valueOf(eswitch) === 'switchdev') return unknown('no netdev in this network namespace stands for it');
  return no('the adapter switches by itself (legacy mode)');
}

function vfFacts(vf: VirtualFunction, answers: PfAnswers): VfFacts {
  const { settings } = answers;
  const driver = valueOf(answers.pf.driver);
  const own = valueOf(settings)?.find(({ index }) => index === vf.index);
  let configuration: Fact<VfConfiguration>;
  if (settings.answer !== 'yes') configuration = settings;
  else configuration = own === undefined ? unknown('the PF does not list it') : yes(configurationOf(own, driver));
  const xdp = answers.representorXdp.get(vf.index);
  const redirect = xdp === undefined ? noRepresentor() : redirectWay(xdp);
  return { ...vf, representor: representorOf(answers, vf.index), redirect, configuration };
}

export function assemblePf(answers: PfAnswers): PfFacts {
  const { pf, nic, eswitch, switchId } = answers;
  const { pci, id, driver, numaNode, iommuGroup, msix, sriov } = pf;
  return {
    ...{ pci, id, driver, numaNode, iommuGroup, msix, sriov, eswitch },
    nic: nic === null ? no(whyNoNetdev(pf)) : yes(nic),
    switchId: switchId === null ? no('its driver gives its switch no name') : yes(switchId),
    controls: controlsOf(valueOf(driver)),
    vfs: pf.vfs.map((vf) => vfFacts(vf, answers)),
  };
}
