/**
 * Who hears a guest's MAC address on an adapter that switches by itself (VEB): the host, or a VF. Pure.
 *
 * Such an adapter gives a frame to every function that has its address and is in its VLAN, and to the wire when no function has it. A VF gets
 * its address before its guest has a driver, so it must not hear yet; and the VF of a neighbour reaches the host's taps only by addresses
 * that the PF itself has. So the PF has the address as an entry of its own while the host's path is in use, and until the VF takes over it is parked:
 * in a VLAN that nobody uses. Both hear for a moment at each change, so that there is none in which neither does.
 */
import { AdapterError } from './error.js';
import type { PfFacts } from './facts.js';
import { configurationOf, type VfSetting, settingText, type VfVlan } from './vf_plan.js';

/** The highest id there is. */
export const PARKING_VLAN = 4094;
const PARKED: VfVlan = { id: PARKING_VLAN, qos: 0, protocol: '802.1Q' };
const UNTAGGED: VfVlan = { id: 0, qos: 0, protocol: '802.1Q' };

export type VebStep =
  /** Does the PF have this address as one of its own? */
  | { readonly kind: 'own-entry'; readonly mac: string; readonly present: boolean }
  | { readonly kind: 'set-vf'; readonly vf: number; readonly setting: VfSetting; readonly before: VfSetting };

export interface HandOver {
  readonly vf: number;
  readonly mac: string;
  /** Of the guest's frames on the wire. */
  readonly vlan: VfVlan;
}

const vlanStep = (vf: number, to: VfVlan, from: VfVlan): VebStep => ({ kind: 'set-vf', vf, setting: { kind: 'vlan', vlan: to }, before: { kind: 'vlan', vlan: from } });
const macStep = (vf: number, to: string | null, from: string | null): VebStep => ({ kind: 'set-vf', vf, setting: { kind: 'mac', mac: to }, before: { kind: 'mac', mac: from } });
const entryStep = (mac: string, present: boolean): VebStep => ({ kind: 'own-entry', mac, present });

/** Before the guest is given the device: the host hears, and goes on doing so. @throws AdapterError */
export function prepareSteps(pf: PfFacts, { vf, mac, vlan }: HandOver): VebStep[] {
  if (vlan.id === PARKING_VLAN) throw new AdapterError(`VLAN ${PARKING_VLAN} is where VFs wait that hear nothing yet: no guest can be in it`);
  for (const control of ['mac', 'vlan'] as const) {
    const fact = pf.controls[control];
    if (fact.answer === 'no') throw new AdapterError(`VF ${vf} cannot be kept from hearing before its guest does: ${control}: ${fact.why}`);
  }
  const { mac: before, vlan: id, qos, protocol } = configurationOf(pf, vf);
  return [entryStep(mac, true), vlanStep(vf, PARKED, { id, qos, protocol }), macStep(vf, mac, before)];
}

/** The guest hears on its VF. */
export const takeOverSteps = ({ vf, mac, vlan }: HandOver): VebStep[] => [vlanStep(vf, vlan, PARKED), entryStep(mac, false)];

/** The guest hears on the host's path again, and not on its VF any more, which it still has. */
export const giveBackSteps = ({ vf, mac, vlan }: HandOver): VebStep[] => [entryStep(mac, true), vlanStep(vf, PARKED, vlan)];

/** The device is released: the VF has nothing of the guest's any more. The address stays the PF's. */
export const releaseSteps = ({ vf, mac }: HandOver): VebStep[] => [macStep(vf, null, mac), vlanStep(vf, UNTAGGED, PARKED)];

export function vebStepText(pf: string, step: VebStep): string {
  switch (step.kind) {
    case 'own-entry':
      return `${pf}: ${step.present ? 'hear' : 'no longer hear'} ${step.mac}`;
    case 'set-vf':
      return `${pf}: VF ${step.vf}: ${settingText(step.setting)}`;
    default:
      return step satisfies never;
  }
}
