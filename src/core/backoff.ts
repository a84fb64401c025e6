/** When to try again what failed: later each time, up to a cap. */
import type { NotAcceleratedReason } from './model.js';

/** Every wait of the control plane, in milliseconds. */
export interface Timing {
  /**
   * A guest that was given a VF must have transmitted on it within this time. A machine has to find its driver first, and adapters take
   * seconds until they have a link; waiting costs nothing, because such a guest hears by its tap as before.
   */
  readonly guestSilentMs: number;
  readonly drainResendMs: number;
  readonly drainDeadlineMs: number;
  /**
   * After the last frame was sent toward a VF, until every ring on the way is empty: also those of a guest that is not let run. The
   * guest hears by its tap meanwhile.
   */
  readonly settleMs: number;
  /** A guest that hears on one path must be heard on its VF within this time after the plug, else it is taken back. */
  readonly plugHoldMs: number;
  /** One that still hears by its tap after this time has no driver for it. */
  readonly driverMs: number;
  /** Until frames that are on their way to the VF have arrived, when it is taken back. */
  readonly holdSettleMs: number;
  /** A guest that was asked to let go of its VF must have done so within this time. */
  readonly ejectMs: number;
  /** A guest that unipath is to migrate must have given its VFs back within this time. */
  readonly partingMs: number;
  /** All guests must have given their VFs back within this time when everything is undone. */
  readonly downMs: number;
  /** Between two questions to a guest whose frames wait. */
  readonly askMs: number;
  /** Between two questions to a guest on its VF, whether it hears by its tap and so not there; the first is due so long after the switch. */
  readonly livenessMs: number;
  /** A hold lasts this much longer in the data plane, for a daemon that is restarted meanwhile. */
  readonly holdReserveMs: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  /** A VF is kept so long for a guest on its way here. */
  readonly leaseMs: number;
  /** Accelerated for this long: earlier failures do not count any more. */
  readonly stableMs: number;
}

export const DEFAULT_TIMING: Timing = {
  guestSilentMs: 15_000,
  drainResendMs: 50,
  drainDeadlineMs: 1000,
  settleMs: 250,
  plugHoldMs: 7000,
  driverMs: 4000,
  holdSettleMs: 3,
  ejectMs: 3000,
  partingMs: 15_000,
  downMs: 20_000,
  askMs: 5,
  livenessMs: 1000,
  holdReserveMs: 5000,
  backoffBaseMs: 250,
  backoffCapMs: 30_000,
  leaseMs: 120_000,
  stableMs: 10_000,
};

/** What guests make us wait for. */
const GUEST_WAITS = ['guestSilentMs', 'drainDeadlineMs', 'plugHoldMs', 'driverMs', 'ejectMs', 'partingMs', 'downMs', 'askMs', 'livenessMs'] as const satisfies readonly (keyof Timing)[];

/** With so many times longer waits for what guests do. */
export function patientTiming(times: number): Timing {
  return { ...DEFAULT_TIMING, ...Object.fromEntries(GUEST_WAITS.map((wait) => [wait, DEFAULT_TIMING[wait] * times])) };
}

/** What went wrong last, how often in a row, and when the next attempt is due. */
export interface Trouble {
  readonly reason: NotAcceleratedReason;
  readonly message: string;
  readonly failures: number;
  readonly notBeforeMs: number;
}

/** Milliseconds to wait after so many failures in a row. */
export function backoffMs(failures: number, timing: Timing): number {
  return Math.min(timing.backoffCapMs, timing.backoffBaseMs * 2 ** Math.min(failures - 1, 30));
}

export function addFailure(
  earlier: Trouble | null,
  failure: { readonly reason: NotAcceleratedReason; readonly message: string },
  nowMs: number,
  timing: Timing,
): Trouble {
  const failures = (earlier?.failures ?? 0) + 1;
  return { ...failure, failures, notBeforeMs: nowMs + backoffMs(failures, timing) };
}

export function mayTry(trouble: Trouble | null, nowMs: number): boolean {
  return trouble === null || nowMs >= trouble.notBeforeMs;
}
