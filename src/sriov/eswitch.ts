/** Which mode the switch in an adapter has, may have, and what follows for the ports of VFs. Pure. */
import type { EswitchMode } from '../host/devlink.js';
import type { XdpFeature } from '../host/feature_messages.js';
import { type Fact, no, unknown, yes } from './fact.js';

/** Drivers without eswitch_mode_set in Linux 6.12. */
const LEGACY_ONLY = new Set(['igb', 'ixgbe', 'i40e', 'sfc']);

/** Why the switch cannot be put into this mode; null: nothing is known that stands in the way. */
export function modeProblem(driver: string | null, mode: EswitchMode): string | null {
  if (mode === 'legacy') return null;
  if (driver === null) return 'no driver is bound to the PF';
  return LEGACY_ONLY.has(driver) ? `the driver ${driver} knows the legacy mode only` : null;
}

/**
 * How frames from the PF are redirected to a representor: `native`, from driver to driver (its ndo_xdp_xmit), or `tc`, as socket buffers behind
 * the bridge. With `xdp_mode: generic` the programs themselves reach either.
 */
export type RedirectWay = 'native' | 'tc';

/** @param features of the representor's driver. */
export function redirectWay(features: Fact<readonly XdpFeature[]>): Fact<RedirectWay> {
  if (features.answer === 'yes') return yes(features.value.includes('ndo-xmit') ? 'native' : 'tc');
  return features.answer === 'no' ? yes('tc') : unknown(features.why);
}

export const noRepresentor = (): Fact<RedirectWay> => no('there is no representor: frames for it leave by the PF, and the adapter itself switches them');
