/**
 * Cut-through: on the software path a frame can be redirected straight to the tap, past the bridge. That saves the bridge's
 * work per frame, but XDP sees single frames, while the bridge hands a whole burst of a TCP stream to the tap as one (GRO, GSO):
 * for a tap that takes these, the bridge is the faster way. The one place where that is decided.
 */
import type { AttachMode, CutThroughSetting, ObservedLink } from './model.js';
import { takesRedirects } from './redirects.js';

export interface CutThrough {
  readonly setting: CutThroughSetting;
  readonly inForce: boolean;
  /** One sentence. */
  readonly why: string;
}

/** `tap` null: it is not there. */
export function decideCutThrough(
  setting: CutThroughSetting,
  tap: Pick<ObservedLink, 'name' | 'takesAggregates' | 'takesRedirects' | 'xdp'> | null,
): CutThrough {
  if (setting === 'off') return { setting, inForce: false, why: 'the configuration says off' };
  if (tap === null) return { setting, inForce: false, why: 'the tap is not there' };
  if (!takesRedirects(tap)) return { setting, inForce: false, why: `${tap.name} takes no frames from programs on other devices` };
  if (setting === 'on') return { setting, inForce: true, why: 'the configuration says on' };
  const { name, takesAggregates } = tap;
  if (takesAggregates === null) return { setting, inForce: false, why: `it could not be read whether ${name} takes aggregated TCP frames` };
  return takesAggregates
    ? { setting, inForce: false, why: `${name} takes aggregated TCP frames, which the bridge delivers whole` }
    : { setting, inForce: true, why: `${name} takes single frames only, and a redirect costs less than the bridge` };
}

/**
 * A native program on one end of a veth pair switches TSO off at the other, which is the guest's: its bulk TCP falls to half. So where
 * `auto` leaves such a port to the bridge, the program that checks its frames is put there in generic mode, which changes nothing.
 */
export function tapAttachMode(setting: CutThroughSetting, tap: Pick<ObservedLink, 'kind' | 'takesAggregates'>): AttachMode {
  return setting === 'auto' && tap.kind === 'veth' && tap.takesAggregates === true ? 'generic' : 'as-configured';
}
