/** Which settings of a VF the PF's driver has. Pure. */
import { type Fact, no, unknown, yes } from './fact.js';

export const VF_CONTROLS = ['mac', 'vlan', 'vlan_protocol', 'spoof_check', 'trust', 'link_state', 'min_rate', 'max_rate'] as const;
export type VfControl = (typeof VF_CONTROLS)[number];

/**
 * What each driver lacks, in legacy mode. The kernel tells only of spoof_check and trust; of the others it says "not supported" when they are
 * set. From the net_device_ops of Linux 6.12: igb_main.c, ixgbe_main.c and ixgbe_sriov.c, i40e_virtchnl_pf.c, ice_sriov.c, mlx5 en_main.c,
 * sfc efx.c and ef10_sriov.c, bnxt.c and bnxt_sriov.c.
 */
const LACKING: Readonly<Record<string, readonly VfControl[]>> = {
  igb: ['vlan_protocol', 'link_state', 'min_rate'],
  ixgbe: ['vlan_protocol', 'min_rate'],
  i40e: ['vlan_protocol', 'min_rate'],
  ice: [],
  mlx5_core: [],
  sfc: ['vlan_protocol', 'trust', 'min_rate', 'max_rate'],
  bnxt_en: ['vlan_protocol'],
};

/** @param driver of the PF; null: none is bound */
export function controlsOf(driver: string | null): Readonly<Record<VfControl, Fact<true>>> {
  const answer = (control: VfControl): Fact<true> => {
    if (driver === null) return no('no driver is bound to the PF');
    const lacking = LACKING[driver];
    if (lacking === undefined) return unknown(`what ${driver} can do is not known here: it says so when it is set`);
    return lacking.includes(control) ? no(`the driver ${driver} has no such setting`) : yes(true);
  };
  return Object.fromEntries(VF_CONTROLS.map((control) => [control, answer(control)])) as Record<VfControl, Fact<true>>;
}
