/** What must hold in a step, and the words for it when it does not. Pure. */
import type { VnicPath } from '../../core/model.js';
import type { Expectation } from '../scenario.js';
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
const IN_FLIGHT_MS = 50;

/** Frames that may be lost in a fault, at this rate. */
export const inFlightAllowance = (framesPerSecond: number): number => Math.ceil((framesPerSecond * IN_FLIGHT_MS) / 1000);

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
