/** The results as a table for a terminal. Pure. */
import { bytes, grouped, milliseconds, percent } from '../report/html.js';
import {
  allFailures,
  type FrameCounts,
  type GuestSteering,
  type RunResults,
  type StepResult,
  totalFrames,
  worstSwitchMs,
} from '../results.js';

/** Columns two spaces apart; numbers to the right. */
export function columns(rows: readonly (readonly string[])[], rightFrom: number): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, index) => (index >= rightFrom ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

const FRAME_HEADS = ['SENT', 'RECEIVED', 'LOST', 'DUP', 'REORD', 'CORRUPT'];
const HEAD = ['', 'STEP', 'HOST', 'PATH', ...FRAME_HEADS, 'SWITCH-MS', 'GAP-MS', 'FRAMES/S', 'QUEUES', 'RFS'];

const counts = (frames: FrameCounts): string[] => [
  grouped(frames.sent),
  grouped(frames.received),
  grouped(frames.lost),
  grouped(frames.duplicated),
  grouped(frames.reordered),
  grouped(frames.corrupt),
];

const optionalMs = (value: number | null): string => (value === null ? '-' : milliseconds(value));

const sum = (frames: readonly number[]): number => frames.reduce((total, value) => total + value, 0);

/** "vf 47/53": percent of the redirected frames by queue, of the port that got most; x: no CPU reaches it. */
function queueCell(steering: GuestSteering | undefined): string {
  const [busiest] = [...(steering?.ports ?? [])].sort((a, b) => sum(b.frames) - sum(a.frames));
  if (busiest === undefined || sum(busiest.frames) === 0) return '-';
  const { port, frames, unreachable } = busiest;
  const share = (value: number, queue: number) => (unreachable.includes(queue) ? 'x' : Math.round((100 * value) / sum(frames)));
  return `${port} ${frames.map(share).join('/')}`;
}

function stepRow(step: StepResult, index: number, subject: string): string[] {
  const { where } = step;
  const steering = step.steering.find(({ guest }) => guest === subject);
  const { rfs, rss } = steering ?? { rfs: 0, rss: 0 };
  return [
    step.failures.length === 0 ? 'ok' : 'FAIL',
    `${index + 1} ${step.title}`,
    where.host,
    where.reason === 'none' ? where.path : `${where.path} (${where.reason})`,
    ...counts(step.frames),
    optionalMs(worstSwitchMs(step.switchTimes)),
    optionalMs(step.longestGapMs),
    grouped(Math.round(step.framesPerSecond)),
    queueCell(steering),
    percent(rfs, rfs + rss).replace('–', '-'),
  ];
}

export function resultTable(results: RunResults, subject: string): string {
  const total = ['', 'all', '', '', ...counts(totalFrames(results)), '', '', '', '', ''];
  const lines = columns([HEAD, ...results.steps.map((step, index) => stepRow(step, index, subject)), total], 4);
  const lossy = results.steps.filter((step) => step.lossAllowed > 0);
  if (lossy.length > 0) lines.push('');
  for (const step of lossy) lines.push(`${step.title}: ${step.frames.lost} frames lost of at most ${step.lossAllowed} ${step.lossReason}`);
  const { alive, bytes: carried, wrongWords } = results.tcp;
  lines.push(`one TCP connection ${alive ? 'lived through all of it' : 'BROKE'}: ${bytes(carried)}, ${wrongWords} wrong words`);
  for (const note of results.notes) lines.push(note);
  const failures = allFailures(results);
  lines.push('', failures.length === 0 ? 'passed' : 'FAILED');
  for (const failure of failures) lines.push(`  ${failure}`);
  return `${lines.join('\n')}\n`;
}
