/** Finds the lines of a verifier log that say why a program was refused. */

/** Lines at the end of every log that say nothing about the cause. */
const statistics = [
  /^processed \d+ insns/,
  /^verification time /,
  /^stack depth /,
  /^insns_state /,
  /^-- (BEGIN|END) PROG LOAD LOG --/,
  /^\s*$/,
];
const contextLines = 3;

/**
 * The last meaningful line first, then the few before it (the instruction and the source line it came from), then how
 * many lines were left out.
 */
export function summarizeVerifierLog(log: string): string {
  const lines = log.replaceAll('\0', '').split('\n').filter((line) => !statistics.some((pattern) => pattern.test(line)));
  const last = lines.at(-1);
  if (last === undefined) return 'the verifier left no log';
  const before = lines.slice(Math.max(0, lines.length - 1 - contextLines), -1);
  const omitted = lines.length - 1 - before.length;
  const context = before.map((line) => `\n    ${line}`).join('');
  return `${last}${before.length === 0 ? '' : `\n  after:${context}`}${omitted > 0 ? `\n  (${omitted} earlier lines left out)` : ''}`;
}
