/**
 * The life of one vNIC, as a state machine that does nothing itself: `next` takes what happened and returns the new state
 * and what is wanted. Whoever calls it grants the wish (a VF), performs the effects, and says how it went.
 *
 *   absent -> software -> plugging (connecting, waiting) -> accelerated
 *                 ^                        |                     |
 *                 +---- draining (asking, settling, releasing) <-+
 *
 * A guest that hears on one path only (net_failover) hears on neither while it changes it. Its frames are kept back meanwhile, and
 * delivered when it has been heard on the new one:
 *
 *   software -> plugging (connecting, waiting, delivering) -> accelerated
 *       ^                    |                                   |  ^
 *       |                    v                                   v  |  it does not let go
 *       +---- draining (holding, ejecting, returning, releasing)  staying
 *
 * A VF belongs to the vNIC from `granted` until a look finds nothing of it left (`released`): so it is never handed out
 * while a guest may still hold it. The software path is not a state that has to be reached: it is always there.
 */
import { addFailure, backoffMs, mayTry, type Timing, type Trouble } from './backoff.js';
import type { BridgePortFlags, NotAcceleratedReason, PortRole, VfSpec, VnicPath, VnicPhase } from './model.js';

/** How a VF port was before it was taken, to be put back. `flags` null: it was no bridge port. */
export interface PortSettings {
  readonly mtu: number;
  readonly up: boolean;
  readonly bridge: string | null;
  readonly flags: BridgePortFlags | null;
}

export interface ClaimedVf {
  readonly kind: VfSpec['kind'];
  readonly port: string;
  readonly device: string;
  /** Of the port when it was taken; a re-created port is another one. */
  readonly ifindex: number;
  readonly before: PortSettings;
}

export type Stage =
  | { readonly phase: 'absent'; readonly blocked: NotAcceleratedReason | null }
  | { readonly phase: 'software'; readonly refusal: NotAcceleratedReason | null }
  /** `heard`: already, on the VF. */
  | { readonly phase: 'plugging'; readonly step: 'connecting'; readonly vf: ClaimedVf; readonly heard: boolean }
  | { readonly phase: 'plugging'; readonly step: 'waiting'; readonly vf: ClaimedVf; readonly deadlineMs: number }
  /** What was kept back is being delivered to the VF. */
  | { readonly phase: 'plugging'; readonly step: 'delivering'; readonly vf: ClaimedVf }
  /** `earlier`: failures on the way here; they count again when the VF fails soon. `refusal`: the guest did not let go of it. */
  | {
      readonly phase: 'accelerated';
      readonly vf: ClaimedVf;
      readonly sinceMs: number;
      readonly earlier: Trouble | null;
      readonly refusal: Trouble | null;
    }
  | DrainingStage;

/** `failed`: the VF is given back because something went wrong with it; `trouble` says what. */
export type DrainingStage = { readonly phase: 'draining'; readonly vf: ClaimedVf; readonly failed: boolean } & (
  | { readonly step: 'asking'; readonly sequence: number; readonly sendAtMs: number; readonly deadlineMs: number }
  | { readonly step: 'settling'; readonly untilMs: number }
  | { readonly step: 'releasing'; readonly notBeforeMs: number; readonly problem: Trouble | null; readonly byHypervisor: boolean }
  /** Frames are kept back, and the last that were sent toward the VF arrive. `byHypervisor`: it takes the VF itself, to migrate. */
  | { readonly step: 'holding'; readonly untilMs: number; readonly byHypervisor: boolean }
  | { readonly step: 'ejecting'; readonly deadlineMs: number; readonly byHypervisor: boolean }
  /** What was kept back is being delivered to the tap. */
  | { readonly step: 'returning'; readonly byHypervisor: boolean }
  /** The guest has not let go: what was kept back is being delivered to the VF. */
  | { readonly step: 'staying'; readonly refusal: Trouble }
);

export interface VnicState {
  readonly stage: Stage;
  /** The guest hears on one path only. Settled while the vNIC has no VF. */
  readonly oneEared: boolean;
  /** With its rows, program and FDB entry: the footing of both paths. */
  readonly rowTrouble: Trouble | null;
  /** With getting a VF to carry traffic; until the vNIC is accelerated. */
  readonly vfTrouble: (Trouble & { readonly port: string }) | null;
}

export const INITIAL_STATE: VnicState = { stage: { phase: 'absent', blocked: null }, oneEared: false, rowTrouble: null, vfTrouble: null };

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
  readonly oneEared: boolean;
  /** Frames are kept back, or something is left of a hold. */
  readonly held: boolean;
  /** Why the guest can be given no VF now. */
  readonly refusal: NotAcceleratedReason | null;
  /** The claimed VF is in a guest's hands, or nobody can say. */
  readonly inGuest: boolean;
  /** The guest runs, so that it can let go of a device. */
  readonly running: boolean;
  /** The guest is being migrated away. */
  readonly leaving: boolean;
}

/** What a sequence of actions was for. */
export type StepKind = 'hold' | 'eject' | 'release' | 'other';

export type VnicEvent =
  | { readonly kind: 'look'; readonly facts: VnicFacts }
  | { readonly kind: 'granted'; readonly vf: ClaimedVf }
  | { readonly kind: 'refused'; readonly reason: NotAcceleratedReason }
  | { readonly kind: 'step-done'; readonly did: StepKind }
  | { readonly kind: 'step-failed'; readonly did: StepKind; readonly reason: NotAcceleratedReason; readonly message: string }
  /** The guest moved itself. */
  | { readonly kind: 'path-changed'; readonly path: VnicPath }
  | { readonly kind: 'drained'; readonly sequence: number }
  /** The guest hears on this path: it answered there, or (VF) transmitted during a hold. */
  | { readonly kind: 'heard'; readonly path: VnicPath }
  /** The guest has let go of its VF's device. */
  | { readonly kind: 'ejected' }
  /** The hypervisor begins to migrate the guest, and takes its VF to that end. */
  | { readonly kind: 'leaving' }
  /** The migration comes to nothing: the hypervisor gives the guest its VF back. */
  | { readonly kind: 'staying' }
  /** A time of `wakeAt` has come. */
  | { readonly kind: 'tick' }
  /** The operator wants it now: waits for a next attempt are over. */
  | { readonly kind: 'retry-now' };

export type Effect =
  | { readonly kind: 'want-vf' }
  /** `again`: it was asked before, and has not answered. */
  | { readonly kind: 'send-drain'; readonly sequence: number; readonly again: boolean }
  | { readonly kind: 'go-software' }
  | { readonly kind: 'hold'; readonly durationMs: number }
  | { readonly kind: 'eject'; readonly vf: ClaimedVf }
  | { readonly kind: 'release'; readonly path: VnicPath; readonly vf: ClaimedVf | null }
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
      return same({ ...state, stage: { phase: 'plugging', step: 'connecting', vf: event.vf, heard: false } });
    case 'refused':
      if (state.stage.phase !== 'software') return same(state);
      return same({ ...state, stage: { phase: 'software', refusal: event.reason } });
    case 'step-done':
      return stepDone(state, event.did, nowMs, timing);
    case 'step-failed':
      return stepFailed(state, event, nowMs, timing);
    case 'path-changed':
      // Its VF lost its link, or its driver: in the first case it hears by its tap only when it has let go of the device.
      if (event.path === 'software' && state.oneEared && state.stage.phase === 'accelerated') {
        const { vf } = state.stage;
        return takeBack(withLoss(state, vf, nowMs, timing), vf, true, 0, nowMs, timing);
      }
      return event.path === 'accelerated' && state.stage.phase === 'plugging' && state.stage.step === 'waiting'
        ? same(arrive(state, state.stage.vf, nowMs))
        : same(state);
    case 'drained':
      return state.stage.phase === 'draining' && state.stage.step === 'asking' && state.stage.sequence === event.sequence
        ? settle(state, state.stage, nowMs, timing, [])
        : same(state);
    case 'heard':
      return heard(state, event.path, nowMs, timing);
    case 'ejected':
      return ejected(state, nowMs, timing);
    case 'leaving':
      return leaving(state, nowMs, timing);
    case 'staying':
      return staying(state, nowMs, timing);
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
      return earliest(future(rowTrouble?.notBeforeMs));
    case 'accelerated':
      return earliest(future(rowTrouble?.notBeforeMs), future(stage.refusal?.notBeforeMs));
    case 'software':
      return earliest(future(rowTrouble?.notBeforeMs), future(vfTrouble?.notBeforeMs));
    case 'plugging':
      return stage.step === 'waiting' ? earliest(future(stage.deadlineMs), future(rowTrouble?.notBeforeMs)) : null;
    case 'draining':
      if (stage.step === 'asking') return Math.min(stage.sendAtMs, stage.deadlineMs);
      if (stage.step === 'settling' || stage.step === 'holding') return stage.untilMs;
      if (stage.step === 'ejecting') return stage.deadlineMs;
      return stage.step === 'releasing' ? earliest(future(stage.notBeforeMs)) : null;
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
  return { ...state, vfTrouble: null, stage: { phase: 'accelerated', vf, sinceMs: nowMs, earlier: state.vfTrouble, refusal: null } };
}

function release(state: VnicState, vf: ClaimedVf, failed: boolean, byHypervisor = false): VnicState {
  return { ...state, stage: { phase: 'draining', step: 'releasing', vf, failed, notBeforeMs: 0, problem: null, byHypervisor } };
}

function withLoss(
  state: VnicState,
  vf: ClaimedVf,
  nowMs: number,
  timing: Timing,
  message = `the VF behind ${vf.port} vanished, lost its link or left the guest`,
): VnicState {
  return { ...state, vfTrouble: vfFailure(state, vf, { reason: 'vf_lost', message }, nowMs, timing) };
}

/** A guest with one ear may listen to its dead VF still: it hears by the tap only when it has let go of the device. */
function lose(state: VnicState, vf: ClaimedVf, facts: VnicFacts, nowMs: number, timing: Timing): Transition {
  const lost = withLoss(state, vf, nowMs, timing);
  if (!state.oneEared) return same(release(lost, vf, true));
  return facts.inGuest ? takeBack(lost, vf, true, 0, nowMs, timing) : giveBack(lost, vf, true);
}

/** How long the data plane keeps frames back by itself, for who waits `waitMs` for the guest. */
const holdFor = (waitMs: number, timing: Timing): Effect => ({ kind: 'hold', durationMs: waitMs + timing.holdReserveMs });

/** Frames are kept back from here on, until the guest is heard by its tap. */
function takeBack(
  state: VnicState,
  vf: ClaimedVf,
  failed: boolean,
  settleMs: number,
  nowMs: number,
  timing: Timing,
  byHypervisor = false,
): Transition {
  const stage: Stage = { phase: 'draining', step: 'holding', vf, failed, untilMs: nowMs + settleMs, byHypervisor };
  return same({ ...state, stage }, [holdFor(settleMs + timing.ejectMs, timing)]);
}

/** The guest hears by its tap, or cannot do so any later: what was kept back goes there. */
function giveBack(state: VnicState, vf: ClaimedVf, failed: boolean, byHypervisor = false): Transition {
  const stage: Stage = { phase: 'draining', step: 'returning', vf, failed, byHypervisor };
  return same({ ...state, stage }, [{ kind: 'release', path: 'software', vf: null }]);
}

function deliver(state: VnicState, vf: ClaimedVf): Transition {
  return same({ ...state, stage: { phase: 'plugging', step: 'delivering', vf } }, [{ kind: 'release', path: 'accelerated', vf }]);
}

function heard(state: VnicState, path: VnicPath, nowMs: number, timing: Timing): Transition {
  const { stage } = state;
  if (!state.oneEared) return same(state);
  if (path === 'accelerated' && stage.phase === 'plugging') {
    if (stage.step === 'connecting') return same({ ...state, stage: { ...stage, heard: true } });
    return stage.step === 'waiting' ? deliver(state, stage.vf) : same(state);
  }
  // Whoever still hears by the tap has no driver that took the VF: with one, it would be deaf there.
  if (path === 'software' && stage.phase === 'plugging' && stage.step === 'waiting') {
    const sinceMs = nowMs - (stage.deadlineMs - timing.plugHoldMs);
    if (sinceMs < timing.driverMs) return same(state);
    const message = `the guest took no notice of ${stage.vf.device} within ${timing.driverMs} ms, and hears by its tap; has it a driver for it?`;
    const vfTrouble = vfFailure(state, stage.vf, { reason: 'guest_silent', message }, nowMs, timing);
    return takeBack({ ...state, vfTrouble }, stage.vf, true, 0, nowMs, timing);
  }
  if (path === 'software' && stage.phase === 'draining' && stage.step === 'ejecting') {
    return giveBack(state, stage.vf, stage.failed, stage.byHypervisor);
  }
  // An answer from before the switch may come late.
  if (path === 'software' && stage.phase === 'accelerated' && nowMs - stage.sinceMs >= timing.livenessMs) {
    const message = `the guest hears by its tap, and so no more on ${stage.vf.device}: its driver has let go of it`;
    return takeBack(withLoss(state, stage.vf, nowMs, timing, message), stage.vf, true, 0, nowMs, timing);
  }
  return same(state);
}

function ejected(state: VnicState, nowMs: number, timing: Timing): Transition {
  const { stage } = state;
  if (!state.oneEared) return same(state, [{ kind: 'look-again' }]);
  if (stage.phase === 'draining' && (stage.step === 'holding' || stage.step === 'ejecting')) {
    return giveBack(state, stage.vf, stage.failed, stage.byHypervisor);
  }
  const holds = stage.phase === 'accelerated' || (stage.phase === 'plugging' && stage.step !== 'connecting');
  return holds ? giveBack(withLoss(state, stage.vf, nowMs, timing), stage.vf, true) : same(state, [{ kind: 'look-again' }]);
}

function leaving(state: VnicState, nowMs: number, timing: Timing): Transition {
  const { stage } = state;
  const uses = stage.phase === 'accelerated' || (stage.phase === 'plugging' && stage.step !== 'connecting');
  if (!state.oneEared || !uses) return same(state, [{ kind: 'look-again' }]);
  return takeBack(state, stage.vf, false, 0, nowMs, timing, true);
}

function staying(state: VnicState, nowMs: number, timing: Timing): Transition {
  const { stage } = state;
  if (stage.phase !== 'draining' || stage.step !== 'releasing' || !stage.byHypervisor) return same(state, [{ kind: 'look-again' }]);
  return waitForGuest(state, stage.vf, nowMs, timing);
}

/** The guest was asked to let go of its VF, or was taken it, and did not: it stays where it hears. */
function stay(state: VnicState, stage: Extract<DrainingStage, { step: 'ejecting' }>, message: string, nowMs: number, timing: Timing): Transition {
  const { vf, failed, byHypervisor } = stage;
  const refusal = addFailure(state.vfTrouble, { reason: 'guest_refuses', message }, nowMs, timing);
  const warn: Effect = { kind: 'warn', message };
  if (failed) {
    // It hears there no more than by its tap; the software path is the one that can come back to life.
    const back = giveBack(state, vf, true, byHypervisor);
    return { ...back, effects: [...back.effects, warn] };
  }
  const staying: Stage = { phase: 'draining', step: 'staying', vf, failed, refusal };
  return same({ ...state, stage: staying }, [{ kind: 'release', path: 'accelerated', vf }, warn]);
}

/** Take the VF back without losing a frame: the guest is asked first, if it can be. */
function drain(state: VnicState, vf: ClaimedVf, failed: boolean, facts: VnicFacts, nowMs: number, timing: Timing): Transition {
  if (state.oneEared) {
    return facts.inGuest ? takeBack(state, vf, failed, timing.holdSettleMs, nowMs, timing) : giveBack(state, vf, failed);
  }
  if (!facts.canAsk) return same(release(state, vf, failed));
  const sequence = Math.floor(nowMs) >>> 0;
  const times = { sendAtMs: nowMs + timing.drainResendMs, deadlineMs: nowMs + timing.drainDeadlineMs };
  return same({ ...state, stage: { phase: 'draining', step: 'asking', vf, failed, sequence, ...times } }, [
    { kind: 'send-drain', sequence, again: false },
  ]);
}

function settle(state: VnicState, stage: DrainingStage, nowMs: number, timing: Timing, effects: readonly Effect[]): Transition {
  const { vf, failed } = stage;
  const settling: VnicState = { ...state, stage: { phase: 'draining', step: 'settling', vf, failed, untilMs: nowMs + timing.settleMs } };
  return same(settling, [...effects, { kind: 'go-software' }]);
}

function look(before: VnicState, facts: VnicFacts, nowMs: number, timing: Timing): Transition {
  const { stage } = before;
  const state = stage.phase === 'absent' || stage.phase === 'software' ? { ...before, oneEared: facts.oneEared } : before;
  switch (stage.phase) {
    case 'absent':
      // A guest that is still on its way here gives nothing back.
      if (facts.stray !== null && facts.blocked !== 'guest_incoming') return same(release(state, facts.stray, false));
      if (facts.blocked !== null || !facts.rowPresent) return same({ ...state, stage: { phase: 'absent', blocked: facts.blocked } });
      return same({ ...state, stage: { phase: 'software', refusal: null } });
    case 'software':
      if (facts.stray !== null) return same(release(state, facts.stray, false));
      if (facts.blocked !== null || !facts.rowPresent)
        return same({ ...state, stage: { phase: 'absent', blocked: facts.blocked }, rowTrouble: null });
      if (facts.held) return same(state, [{ kind: 'release', path: 'software', vf: null }]);
      if (!facts.wantVf) return same({ ...state, stage: { phase: 'software', refusal: null }, vfTrouble: null });
      if (facts.refusal !== null) return same({ ...state, stage: { phase: 'software', refusal: facts.refusal } });
      return same(state, facts.footed && mayTry(state.vfTrouble, nowMs) ? [{ kind: 'want-vf' }] : []);
    case 'plugging':
      return lookWhilePlugging(state, stage, facts, nowMs, timing);
    case 'accelerated':
      if (facts.vfLost) return lose(state, stage.vf, facts, nowMs, timing);
      if (state.oneEared && facts.leaving) return leaving(state, nowMs, timing);
      if (facts.held) return same(state, [{ kind: 'release', path: 'accelerated', vf: stage.vf }]);
      if (facts.blocked === null && facts.wantVf) return same(state);
      // A guest that stands still lets go of nothing, and hears nothing either.
      if (state.oneEared && facts.inGuest && (!facts.running || !mayTry(stage.refusal, nowMs))) return same(state);
      return drain(state, stage.vf, false, facts, nowMs, timing);
    case 'draining':
      return lookWhileDraining(state, stage, facts, nowMs, timing);
    default:
      return stage satisfies never;
  }
}

function lookWhilePlugging(
  state: VnicState,
  stage: Extract<Stage, { phase: 'plugging' }>,
  facts: VnicFacts,
  nowMs: number,
  timing: Timing,
): Transition {
  const { vf, step } = stage;
  // A look comes only while nothing is being done: whoever was connecting it did not say how it ended.
  if (step === 'connecting') return state.oneEared ? drain(state, vf, false, facts, nowMs, timing) : same(release(state, vf, false));
  if (facts.vfLost) return lose(state, vf, facts, nowMs, timing);
  if (step === 'delivering') return deliver(state, vf);
  if (state.oneEared && facts.leaving) return leaving(state, nowMs, timing);
  if (facts.blocked !== null || !facts.wantVf) return drain(state, vf, false, facts, nowMs, timing);
  if (facts.path === 'accelerated') return same(arrive(state, vf, nowMs), facts.held ? [{ kind: 'look-again' }] : []);
  return nowMs >= stage.deadlineMs ? giveUpOnGuest(state, vf, facts, nowMs, timing) : same(state);
}

function lookWhileDraining(state: VnicState, stage: DrainingStage, facts: VnicFacts, nowMs: number, timing: Timing): Transition {
  const { vf, failed } = stage;
  switch (stage.step) {
    case 'asking':
    case 'settling':
      return facts.vfLost || !facts.canAsk ? same(release(state, vf, failed)) : tick(state, nowMs, timing);
    case 'holding':
    case 'ejecting':
      return facts.inGuest ? tick(state, nowMs, timing) : giveBack(state, vf, failed, stage.byHypervisor);
    case 'returning':
      return giveBack(state, vf, failed, stage.byHypervisor);
    case 'staying':
      return same(state, [{ kind: 'release', path: 'accelerated', vf }]);
    case 'releasing':
      // The migration came to nothing, and the hypervisor has given the device back.
      if (stage.byHypervisor && facts.inGuest && !facts.leaving) return waitForGuest(state, vf, nowMs, timing);
      return same(facts.released ? released(state, failed, nowMs, timing) : state);
    default:
      return stage satisfies never;
  }
}

/** The guest has, or is just being given, the device: it must be heard there. */
function waitForGuest(state: VnicState, vf: ClaimedVf, nowMs: number, timing: Timing): Transition {
  const waiting: Stage = { phase: 'plugging', step: 'waiting', vf, deadlineMs: nowMs + timing.plugHoldMs };
  return same({ ...state, stage: waiting }, [holdFor(timing.plugHoldMs, timing)]);
}

/** The wait for the next attempt begins now, not when the VF failed: taking it back may have been slow. */
function released(state: VnicState, failed: boolean, nowMs: number, timing: Timing): VnicState {
  const { vfTrouble } = state;
  const waiting = failed && vfTrouble !== null ? { ...vfTrouble, notBeforeMs: nowMs + backoffMs(vfTrouble.failures, timing) } : vfTrouble;
  return { ...state, stage: { phase: 'software', refusal: null }, vfTrouble: waiting };
}

function giveUpOnGuest(state: VnicState, vf: ClaimedVf, facts: VnicFacts, nowMs: number, timing: Timing): Transition {
  const waitedMs = state.oneEared ? timing.plugHoldMs : timing.guestSilentMs;
  const message = `no frame from the guest by ${vf.port} within ${waitedMs} ms`;
  const vfTrouble = vfFailure(state, vf, { reason: 'guest_silent', message }, nowMs, timing);
  return drain({ ...state, vfTrouble }, vf, true, facts, nowMs, timing);
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
        { kind: 'send-drain', sequence: stage.sequence, again: true },
      ]);
    case 'settling':
      return nowMs >= stage.untilMs ? same(release(state, stage.vf, stage.failed), [{ kind: 'look-again' }]) : same(state);
    case 'holding': {
      if (nowMs < stage.untilMs) return same(state);
      const { vf, failed, byHypervisor } = stage;
      const ejecting: Stage = { phase: 'draining', step: 'ejecting', vf, failed, deadlineMs: nowMs + timing.ejectMs, byHypervisor };
      return same({ ...state, stage: ejecting }, byHypervisor ? [] : [{ kind: 'eject', vf }]);
    }
    case 'ejecting':
      if (nowMs < stage.deadlineMs) return same(state);
      return stay(state, stage, `the guest did not let go of ${stage.vf.device} within ${timing.ejectMs} ms`, nowMs, timing);
    case 'returning':
    case 'staying':
    case 'releasing':
      return same(state, [{ kind: 'look-again' }]);
    default:
      return stage satisfies never;
  }
}

function stepDone(state: VnicState, did: StepKind, nowMs: number, timing: Timing): Transition {
  const { stage } = state;
  if (stage.phase === 'plugging') {
    if (stage.step === 'connecting') {
      if (stage.heard) return deliver(state, stage.vf);
      const waitMs = state.oneEared ? timing.plugHoldMs : timing.guestSilentMs;
      return same({ ...state, stage: { phase: 'plugging', step: 'waiting', vf: stage.vf, deadlineMs: nowMs + waitMs } });
    }
    if (stage.step === 'delivering' && did === 'release') return same(arrive(state, stage.vf, nowMs), [{ kind: 'look-again' }]);
  }
  if (stage.phase === 'draining') {
    if (did !== 'release') return same(state);
    const { vf, failed } = stage;
    if (stage.step === 'returning') return same(release(state, vf, failed, stage.byHypervisor), [{ kind: 'look-again' }]);
    if (stage.step === 'staying') {
      const { refusal } = stage;
      const stays: Stage = { phase: 'accelerated', vf, sinceMs: nowMs, earlier: null, refusal };
      return same({ ...state, stage: stays, vfTrouble: null }, [{ kind: 'look-again' }]);
    }
    return same(state);
  }
  return did === 'other' ? same({ ...state, rowTrouble: null }) : same(state);
}

function stepFailed(
  state: VnicState,
  failure: { readonly did: StepKind; readonly reason: NotAcceleratedReason; readonly message: string },
  nowMs: number,
  timing: Timing,
): Transition {
  const { stage } = state;
  if (stage.phase === 'plugging' && stage.step === 'connecting') {
    // What was done has been undone; the release makes sure of it, and of the guest's hands, before the VF is free again.
    return same(release({ ...state, vfTrouble: vfFailure(state, stage.vf, failure, nowMs, timing) }, stage.vf, true));
  }
  // The adapter did not let it hear.
  if (failure.did === 'release' && stage.phase === 'plugging' && stage.step === 'delivering' && stage.vf.kind === 'passthrough') {
    return takeBack({ ...state, vfTrouble: vfFailure(state, stage.vf, failure, nowMs, timing) }, stage.vf, true, 0, nowMs, timing);
  }
  // Without a hold some frames may be lost, and what could not be delivered is: that is no reason to stop half-way.
  if (failure.did === 'hold' || failure.did === 'release') return stepDone(state, failure.did, nowMs, timing);
  if (stage.phase === 'draining') {
    if (stage.step === 'ejecting' && failure.did === 'eject') return stay(state, stage, failure.message, nowMs, timing);
    if (stage.step !== 'releasing') return same(state);
    const problem = addFailure(stage.problem, failure, nowMs, timing);
    return same({ ...state, stage: { ...stage, problem, notBeforeMs: problem.notBeforeMs } });
  }
  return same({ ...state, rowTrouble: addFailure(state.rowTrouble, failure, nowMs, timing) });
}

/**
 * On which of its ports the guest is asked whether it hears, and how often. By the tap of one that has a VF there is no answer, because net_failover
 * drops what comes there (drivers/net/net_failover.c, net_failover_handle_frame), until its driver has lost the VF: a guest
 * that says nothing by itself would not be missed otherwise.
 */
export function asked({ stage, oneEared }: VnicState, timing: Timing): { readonly ports: readonly PortRole[]; readonly intervalMs: number } | null {
  if (!oneEared) return null;
  if (stage.phase === 'plugging' && stage.step === 'waiting') return { ports: ['vf', 'tap'], intervalMs: timing.askMs };
  if (stage.phase === 'draining' && stage.step === 'ejecting') return { ports: ['tap'], intervalMs: timing.askMs };
  return stage.phase === 'accelerated' ? { ports: ['tap'], intervalMs: timing.livenessMs } : null;
}

function retryNow(state: VnicState): Transition {
  const { stage } = state;
  const releasing = stage.phase === 'draining' && stage.step === 'releasing';
  const changed: VnicState = {
    ...state,
    stage: releasing ? { ...stage, notBeforeMs: 0 } : stage.phase === 'accelerated' ? { ...stage, refusal: null } : stage,
    rowTrouble: state.rowTrouble === null ? null : { ...state.rowTrouble, notBeforeMs: 0 },
    vfTrouble: state.vfTrouble === null ? null : { ...state.vfTrouble, notBeforeMs: 0 },
  };
  return same(changed, [{ kind: 'look-again' }]);
}
