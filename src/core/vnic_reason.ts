/** Why a vNIC is not accelerated, read off its state. */
import type { Trouble } from './backoff.js';
import type { NotAcceleratedReason, VnicPath } from './model.js';
import type { VnicState } from './vnic_state.js';

/** The one reason of this state. `want` and its source decide what a vNIC on the software path says. */
export function reasonOf(state: VnicState, want: VnicPath, source: 'policy' | 'operator', path: VnicPath): NotAcceleratedReason {
  const { stage, vfTrouble, rowTrouble } = state;
  const unwanted = source === 'operator' ? 'operator_software' : 'policy_software';
  switch (stage.phase) {
    case 'absent':
      return stage.blocked ?? rowTrouble?.reason ?? (want === 'software' ? unwanted : 'plugging');
    case 'software':
      if (want === 'software') return unwanted;
      return rowTrouble?.reason ?? stage.refusal ?? vfTrouble?.reason ?? 'plugging';
    case 'plugging':
      return 'plugging';
    case 'accelerated':
      return path === 'accelerated' ? 'none' : 'guest_silent';
    case 'draining':
      return stage.failed ? (vfTrouble?.reason ?? 'draining') : 'draining';
    default:
      return stage satisfies never;
  }
}

/** What exactly went wrong, for the reason's text; null when there is nothing to add. */
export function troubleOf(state: VnicState): Trouble | null {
  const { stage, vfTrouble, rowTrouble } = state;
  if (stage.phase === 'accelerated') return stage.refusal;
  if (stage.phase === 'absent') return stage.blocked === null ? rowTrouble : null;
  if (stage.phase === 'draining')
    return stage.step === 'releasing' && stage.problem !== null ? stage.problem : stage.failed ? vfTrouble : null;
  return stage.phase === 'software' ? (rowTrouble ?? (stage.refusal === null ? vfTrouble : null)) : null;
}
