/** What must hold in a step, and the words for it when it does not. Pure. */
import type { VnicPath } from '../../core/model.js';
import type { GuestKind } from '../model.js';
import type { Expectation, StepKind } from '../scenario.js';
import type { StepResult } from '../results.js';

/** What only the runner knows at the end of a step. */
export interface StepSurroundings {
  /** Path on which each guest itself transmits, by name. */
  readonly guestPaths: ReadonlyMap<string, VnicPath>;
  /** Path of other vNICs as their unipathd says. */
  readonly otherPaths: ReadonlyMap<string, VnicPath>;
  readonly tcpAlive: boolean;
  /** Things that could not be done. */
  readonly problems: readonly string[];
  /** Which frames were lost, for the message; empty when none. */
  readonly lostWhere: string;
}

/** Frames in flight when a device vanishes: those in its rings, and those sent before anyone could know. */
const IN_FLIGHT_MS: Readonly<Record<GuestKind, number>> = {
  netns: 50,
  // The guest's own driver has to notice, on an emulated CPU.
  qemu: 250,
};

/** From the end of QEMU's standstill until the network has learnt where the guest is. */
const ARRIVAL_MS = 50;

/** Frames that may be lost in a step. */
export interface LossAllowance {
  readonly frames: number;
  /** Which those are, after "at most N"; empty when none may be. */
  readonly reason: string;
}

export interface LossCircumstances {
  readonly kind: StepKind;
  readonly guests: GuestKind;
  /** Frames a second of the guest that travels, planned or as they were. */
  readonly framesPerSecond: number;
  /** QEMU had stopped it for so long. */
  readonly stoodStillMs: number;
  /** It was given a VF of QEMU's rtl8139, which drops what is more than its 64 descriptors take at once; so long frames had waited for it. */
  readonly burstMs: number;
}

/** What may be lost, and why. */
export function lossAllowance({ kind, guests, framesPerSecond, stoodStillMs, burstMs }: LossCircumstances): LossAllowance {
  const during = (ms: number): number => Math.ceil((framesPerSecond * ms) / 1000);
  const parts: LossAllowance[] = [];
  if (kind === 'fault') parts.push({ frames: during(IN_FLIGHT_MS[guests]), reason: 'in flight' });
  if (kind === 'migration') {
    parts.push({ frames: during(stoodStillMs + ARRIVAL_MS), reason: `sent while QEMU stood still (${Math.round(stoodStillMs)} ms) and announced the guest` });
  }
  if (burstMs > 0) parts.push({ frames: during(burstMs), reason: "that had waited and came at once, for which QEMU's rtl8139 has room for 64" });
  return { frames: parts.reduce((sum, part) => sum + part.frames, 0), reason: parts.map(({ reason }) => reason).join(', and ') };
}

const frames = (count: number): string => (count === 1 ? '1 frame' : `${count} frames`);

/** Empty when all is as it must be. */
export function judgeStep(
  subject: string,
  result: Omit<StepResult, 'failures'>,
  expect: Expectation,
  { guestPaths, otherPaths, tcpAlive, problems, lostWhere }: StepSurroundings,
): string[] {
  const failures = [...problems];
  const { where, frames: counted, lossAllowed } = result;
  if (counted.lost > lossAllowed) {
    const bound = lossAllowed === 0 ? 'none may be' : `at most ${lossAllowed} may be`;
    failures.push(`${frames(counted.lost)} lost, ${bound}${lostWhere === '' ? '' : ` (${lostWhere})`}`);
  }
  if (counted.duplicated > 0) failures.push(`${frames(counted.duplicated)} arrived more than once`);
  if (counted.corrupt > 0) failures.push(`${frames(counted.corrupt)} arrived with wrong bytes`);
  if (counted.sent === 0) failures.push('no traffic flowed');
  if (where.host !== expect.host) failures.push(`${subject} is on host ${where.host}, not on ${expect.host}`);
  if (where.path !== expect.path || where.reason !== expect.reason) {
    failures.push(`unipathd says ${subject} is ${where.path} (${where.reason}), not ${expect.path} (${expect.reason})`);
  }
  const paths = { [subject]: expect.path, ...expect.others };
  for (const [guest, path] of Object.entries(paths)) {
    const own = guestPaths.get(guest);
    if (own !== undefined && own !== path) failures.push(`guest ${guest} itself transmits on its ${own} path, not ${path}`);
    const other = otherPaths.get(guest);
    if (other !== undefined && other !== path) failures.push(`unipathd says ${guest} is ${other}, not ${path}`);
  }
  const vf = result.steering.find(({ guest }) => guest === subject)?.ports.find(({ port }) => port === 'vf');
  if (expect.path === 'accelerated' && !vf?.frames.some((count) => count > 0)) {
    failures.push(`no frame was redirected to the VF of ${subject}`);
  }
  if (!tcpAlive) failures.push('the TCP connection broke');
  return failures;
}
