/**
 * The life of one vNIC, as a state machine that does nothing itself: `next` takes what happened and returns the new state
 * and what is wanted. Whoever calls it grants the wish (a VF), performs the effects, and says how it went.
 *
 *   absent -> software -> plugging (connecting, waiting) -> accelerated
 *                 ^                        |                     |
 *                 +---- draining (asking, settling, releasing) <-+
 *
 * A VF belongs to the vNIC from `granted` until a look finds nothing of it left (`released`): so it is never handed out
 * while a guest may still hold it. The software path is not a state that has to be reached: it is always there.
 */
import { addFailure, backoffMs, mayTry, type Timing, type Trouble } from './backoff.js';
import type { BridgePortFlags, NotAcceleratedReason, VnicPath, VnicPhase } from './model.js';

/** How a VF port was before it was taken, to be put back. `flags` null: it was no bridge port. */
export interface PortSettings {
  readonly mtu: number;
  readonly up: boolean;
  readonly bridge: string | null;
  readonly flags: BridgePortFlags | null;
}

export interface ClaimedVf {
  readonly port: string;
  readonly device: string;
  /** Of the port when it was taken; a re-created port is another one. */
  readonly ifindex: number;
  readonly before: PortSettings;
}

export type Stage =
  | { readonly phase: 'absent'; readonly blocked: NotAcceleratedReason | null }
  | { readonly phase: 'software'; readonly refusal: NotAcceleratedReason | null }
  | { readonly phase: 'plugging'; readonly step: 'connecting'; readonly vf: ClaimedVf }
  | { readonly phase: 'plugging'; readonly step: 'waiting'; readonly vf: ClaimedVf; readonly deadlineMs: number }
  /** `earlier`: failures on the way here; they count again when the VF fails soon. */
  | { readonly phase: 'accelerated'; readonly vf: ClaimedVf; readonly sinceMs: number; readonly earlier: Trouble | null }
  | DrainingStage;

/** `failed`: the VF is given back because something went wrong with it; `trouble` says what. */
export type DrainingStage = { readonly phase: 'draining'; readonly vf: ClaimedVf; readonly failed: boolean } & (
  | { readonly step: 'asking'; readonly sequence: number; readonly sendAtMs: number; readonly deadlineMs: number }
  | { readonly step: 'settling'; readonly untilMs: number }
  | { readonly step: 'releasing'; readonly notBeforeMs: number; readonly problem: Trouble | null }
);

export interface VnicState {
  readonly stage: Stage;
  /** With its rows, program and FDB entry: the footing of both paths. */
  readonly rowTrouble: Trouble | null;
  /** With getting a VF to carry traffic; until the vNIC is accelerated. */
  readonly vfTrouble: (Trouble & { readonly port: string }) | null;
}

export const INITIAL_STATE: VnicState = { stage: { phase: 'absent', blocked: null }, rowTrouble: null, vfTrouble: null };

/** What a look found, as far as it concerns this vNIC. */
export interface VnicFacts {
  /** Why there cannot be rows for it at all; null: nothing stands in the way. */
  readonly blocked: NotAcceleratedReason | null;
  readonly rowPresent: boolean;
  /** Everything that its software path needs of unipath is in place. */
  readonly footed: boolean;
  /** It shall have a VF, and the one that it has, if any, is one that it may keep. */
  readonly wantVf: boolean;
  readonly path: VnicPath;
  /** The claimed VF is not what it must be for traffic: its port, its link, or the guest's hold on it is gone. */
  readonly vfLost: boolean;
  /** Nothing is left of the claimed VF: no row, no port, not in the guest. */
  readonly released: boolean;
  /** The guest can be asked to drain: it and its tap are there. */
  readonly canAsk: boolean;
  /** A VF that the guest holds although none is claimed. */
  readonly stray: ClaimedVf | null;
}

export type VnicEvent =
  | { readonly kind: 'look'; readonly facts: VnicFacts }
  | { readonly kind: 'granted'; readonly vf: ClaimedVf }
  | { readonly kind: 'refused'; readonly reason: NotAcceleratedReason }
  | { readonly kind: 'step-done' }
  | { readonly kind: 'step-failed'; readonly reason: NotAcceleratedReason; readonly message: string }
  /** The guest moved itself. */
  | { readonly kind: 'path-changed'; readonly path: VnicPath }
  | { readonly kind: 'drained'; readonly sequence: number }
  /** A time of `wakeAt` has come. */
  | { readonly kind: 'tick' }
  /** The operator wants it now: waits for a next attempt are over. */
  | { readonly kind: 'retry-now' };

export type Effect =
  | { readonly kind: 'want-vf' }
  | { readonly kind: 'send-drain'; readonly sequence: number }
  | { readonly kind: 'go-software' }
  /** Something can be done now that needs a look first. */
  | { readonly kind: 'look-again' }
  | { readonly kind: 'warn'; readonly message: string };

export interface Transition {
  readonly state: VnicState;
  readonly effects: readonly Effect[];
}

export function claimedVf(state: VnicState): ClaimedVf | null {
  return 'vf' in state.stage ? state.stage.vf : null;
}

export function next(state: VnicState, event: VnicEvent, nowMs: number, timing: Timing): Transition {
  switch (event.kind) {
    case 'look':
      return look(state, event.facts, nowMs, timing);
    case 'granted':
      if (state.stage.phase !== 'software') return same(state);
      return same({ ...state, stage: { phase: 'plugging', step: 'connecting', vf: event.vf } });
    case 'refused':
      if (state.stage.phase !== 'software') return same(state);
      return same({ ...state, stage: { phase: 'software', refusal: event.reason } });
    case 'step-done':
      return stepDone(state, nowMs, timing);
    case 'step-failed':
      return stepFailed(state, event, nowMs, timing);
    case 'path-changed':
      return event.path === 'accelerated' && state.stage.phase === 'plugging' && state.stage.step === 'waiting'
        ? same(arrive(state, state.stage.vf, nowMs))
        : same(state);
    case 'drained':
      return state.stage.phase === 'draining' && state.stage.step === 'asking' && state.stage.sequence === event.sequence
        ? settle(state, state.stage, nowMs, timing, [])
        : same(state);
    case 'tick':
      return tick(state, nowMs, timing);
    case 'retry-now':
      return retryNow(state);
    default:
      return event satisfies never;
  }
}

/**
 * When `tick` is due next; null: nothing is timed. A step of draining that is overdue stays due, because its tick moves it
 * on; what needs a look is due only once, for the look may take a while.
 */
export function wakeAt(state: VnicState, nowMs: number): number | null {
  const { stage, rowTrouble, vfTrouble } = state;
  const future = (time: number | undefined): number | undefined => (time !== undefined && time > nowMs ? time : undefined);
  switch (stage.phase) {
    case 'absent':
    case 'accelerated':
      return earliest(future(rowTrouble?.notBeforeMs));
    case 'software':
      return earliest(future(rowTrouble?.notBeforeMs), future(vfTrouble?.notBeforeMs));
    case 'plugging':
      return stage.step === 'waiting' ? earliest(future(stage.deadlineMs), future(rowTrouble?.notBeforeMs)) : null;
    case 'draining':
      if (stage.step === 'asking') return Math.min(stage.sendAtMs, stage.deadlineMs);
      return stage.step === 'settling' ? stage.untilMs : earliest(future(stage.notBeforeMs));
    default:
      return stage satisfies never;
  }
}

/** For metrics and messages that need only the phase. */
export function phaseOf(state: VnicState): VnicPhase {
  return state.stage.phase;
}

const same = (state: VnicState, effects: readonly Effect[] = []): Transition => ({ state, effects });

function earliest(...times: readonly (number | undefined)[]): number | null {
  const given = times.filter((time) => time !== undefined);
  return given.length === 0 ? null : Math.min(...given);
}

/** What went wrong before counts no more once the vNIC has been accelerated for a while. */
function vfFailure(
  state: VnicState,
  vf: ClaimedVf,
  failure: { readonly reason: NotAcceleratedReason; readonly message: string },
  nowMs: number,
  timing: Timing,
): VnicState['vfTrouble'] {
  const { stage } = state;
  const stable = stage.phase === 'accelerated' && nowMs - stage.sinceMs >= timing.stableMs;
  const earlier = stage.phase === 'accelerated' ? (stable ? null : stage.earlier) : state.vfTrouble;
  return { ...addFailure(earlier, failure, nowMs, timing), port: vf.port };
}

function arrive(state: VnicState, vf: ClaimedVf, nowMs: number): VnicState {
  return { ...state, vfTrouble: null, stage: { phase: 'accelerated', vf, sinceMs: nowMs, earlier: state.vfTrouble } };
}

function release(state: VnicState, vf: ClaimedVf, failed: boolean): VnicState {
  return { ...state, stage: { phase: 'draining', step: 'releasing', vf, failed, notBeforeMs: 0, problem: null } };
}

function lose(state: VnicState, vf: ClaimedVf, nowMs: number, timing: Timing): VnicState {
  const message = `the VF behind ${vf.port} vanished, lost its link or left the guest`;
  return release({ ...state, vfTrouble: vfFailure(state, vf, { reason: 'vf_lost', message }, nowMs, timing) }, vf, true);
}

/** Take the VF back without losing a frame: the guest is asked first, if it can be. */
function drain(state: VnicState, vf: ClaimedVf, failed: boolean, canAsk: boolean, nowMs: number, timing: Timing): Transition {
  if (!canAsk) return same(release(state, vf, failed));
  const sequence = Math.floor(nowMs) >>> 0;
  const times = { sendAtMs: nowMs + timing.drainResendMs, deadlineMs: nowMs + timing.drainDeadlineMs };
  return same({ ...state, stage: { phase: 'draining', step: 'asking', vf, failed, sequence, ...times } }, [
    { kind: 'send-drain', sequence },
  ]);
}

function settle(state: VnicState, stage: DrainingStage, nowMs: number, timing: Timing, effects: readonly Effect[]): Transition {
  const { vf, failed } = stage;
  const settling: VnicState = { ...state, stage: { phase: 'draining', step: 'settling', vf, failed, untilMs: nowMs + timing.settleMs } };
  return same(settling, [...effects, { kind: 'go-software' }]);
}

function look(state: VnicState, facts: VnicFacts, nowMs: number, timing: Timing): Transition {
  const { stage } = state;
  switch (stage.phase) {
    case 'absent':
      if (facts.stray !== null) return same(release(state, facts.stray, false));
      if (facts.blocked !== null || !facts.rowPresent) return same({ ...state, stage: { phase: 'absent', blocked: facts.blocked } });
      return same({ ...state, stage: { phase: 'software', refusal: null } });
    case 'software':
      if (facts.stray !== null) return same(release(state, facts.stray, false));
      if (facts.blocked !== null || !facts.rowPresent)
        return same({ ...state, stage: { phase: 'absent', blocked: facts.blocked }, rowTrouble: null });
      if (!facts.wantVf) return same({ ...state, stage: { phase: 'software', refusal: null }, vfTrouble: null });
      return same(state, facts.footed && mayTry(state.vfTrouble, nowMs) ? [{ kind: 'want-vf' }] : []);
    case 'plugging':
      // A look comes only while nothing is being done: whoever was connecting it did not say how it ended.
      if (stage.step === 'connecting') return same(release(state, stage.vf, false));
      if (facts.vfLost) return same(lose(state, stage.vf, nowMs, timing));
      if (facts.blocked !== null || !facts.wantVf) return drain(state, stage.vf, false, facts.canAsk, nowMs, timing);
      if (facts.path === 'accelerated') return same(arrive(state, stage.vf, nowMs));
      return nowMs >= stage.deadlineMs ? giveUpOnGuest(state, stage.vf, facts.canAsk, nowMs, timing) : same(state);
    case 'accelerated':
      if (facts.vfLost) return same(lose(state, stage.vf, nowMs, timing));
      if (facts.blocked !== null || !facts.wantVf) return drain(state, stage.vf, false, facts.canAsk, nowMs, timing);
      return same(state);
    case 'draining':
      if (stage.step !== 'releasing')
        return facts.vfLost || !facts.canAsk ? same(release(state, stage.vf, stage.failed)) : tick(state, nowMs, timing);
      return same(facts.released ? released(state, stage.failed, nowMs, timing) : state);
    default:
      return stage satisfies never;
  }
}

/** The wait for the next attempt begins now, not when the VF failed: taking it back may have been slow. */
function released(state: VnicState, failed: boolean, nowMs: number, timing: Timing): VnicState {
  const { vfTrouble } = state;
  const waiting = failed && vfTrouble !== null ? { ...vfTrouble, notBeforeMs: nowMs + backoffMs(vfTrouble.failures, timing) } : vfTrouble;
  return { ...state, stage: { phase: 'software', refusal: null }, vfTrouble: waiting };
}

function giveUpOnGuest(state: VnicState, vf: ClaimedVf, canAsk: boolean, nowMs: number, timing: Timing): Transition {
  const message = `no frame from the guest by ${vf.port} within ${timing.guestSilentMs} ms`;
  const vfTrouble = vfFailure(state, vf, { reason: 'guest_silent', message }, nowMs, timing);
  return drain({ ...state, vfTrouble }, vf, true, canAsk, nowMs, timing);
}

function tick(state: VnicState, nowMs: number, timing: Timing): Transition {
  const { stage } = state;
  if (stage.phase !== 'draining') return same(state, [{ kind: 'look-again' }]);
  switch (stage.step) {
    case 'asking':
      if (nowMs >= stage.deadlineMs) {
        const silence = `the guest did not answer DRAIN ${stage.sequence} within ${timing.drainDeadlineMs} ms`;
        const message = `${silence}; its VF ${stage.vf.device} is taken without`;
        return settle(state, stage, nowMs, timing, [{ kind: 'warn', message }]);
      }
      if (nowMs < stage.sendAtMs) return same(state);
      return same({ ...state, stage: { ...stage, sendAtMs: nowMs + timing.drainResendMs } }, [
        { kind: 'send-drain', sequence: stage.sequence },
      ]);
    case 'settling':
      return nowMs >= stage.untilMs ? same(release(state, stage.vf, stage.failed), [{ kind: 'look-again' }]) : same(state);
    case 'releasing':
      return same(state, [{ kind: 'look-again' }]);
    default:
      return stage satisfies never;
  }
}

function stepDone(state: VnicState, nowMs: number, timing: Timing): Transition {
  const { stage } = state;
  if (stage.phase === 'plugging' && stage.step === 'connecting') {
    const waiting: Stage = { phase: 'plugging', step: 'waiting', vf: stage.vf, deadlineMs: nowMs + timing.guestSilentMs };
    return same({ ...state, stage: waiting });
  }
  if (stage.phase === 'draining') return same(state);
  return same({ ...state, rowTrouble: null });
}

function stepFailed(
  state: VnicState,
  failure: { readonly reason: NotAcceleratedReason; readonly message: string },
  nowMs: number,
  timing: Timing,
): Transition {
  const { stage } = state;
  if (stage.phase === 'plugging' && stage.step === 'connecting') {
    // What was done has been undone; the release makes sure of it, and of the guest's hands, before the VF is free again.
    return same(release({ ...state, vfTrouble: vfFailure(state, stage.vf, failure, nowMs, timing) }, stage.vf, true));
  }
  if (stage.phase === 'draining') {
    if (stage.step !== 'releasing') return same(state);
    const problem = addFailure(stage.problem, failure, nowMs, timing);
    return same({ ...state, stage: { ...stage, problem, notBeforeMs: problem.notBeforeMs } });
  }
  return same({ ...state, rowTrouble: addFailure(state.rowTrouble, failure, nowMs, timing) });
}

function retryNow(state: VnicState): Transition {
  const { stage } = state;
  const releasing = stage.phase === 'draining' && stage.step === 'releasing';
  const changed: VnicState = {
    stage: releasing ? { ...stage, notBeforeMs: 0 } : stage,
    rowTrouble: state.rowTrouble === null ? null : { ...state.rowTrouble, notBeforeMs: 0 },
    vfTrouble: state.vfTrouble === null ? null : { ...state.vfTrouble, notBeforeMs: 0 },
  };
  return same(changed, [{ kind: 'look-again' }]);
}
