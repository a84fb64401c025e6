/** What a check found, a line each, with what to do below it. */
import type { Finding, Level } from '../core/finding.js';
import type { Context } from './context.js';
import type { Style } from './table.js';

const STYLES: Readonly<Record<Level, Style>> = { ok: 'good', warn: 'busy', problem: 'bad' };
const LEVEL_WIDTH = 'problem'.length;

export const hasProblem = (findings: readonly Finding[]): boolean => findings.some(({ level }) => level === 'problem');

export function printFindings(context: Context, findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ about }) => about.length));
  for (const { level, about, text, remedy } of findings) {
    context.printLine({ text: level, style: STYLES[level] }, ' '.repeat(LEVEL_WIDTH - level.length + 2), about.padEnd(width + 2), text);
    if (remedy !== null) context.printLine(' '.repeat(LEVEL_WIDTH + 2 + width + 2), `-> ${remedy}`);
  }
  context.printLine(summary(findings));
}

function summary(findings: readonly Finding[]): string {
  const count = (wanted: Level): number => findings.filter(({ level }) => level === wanted).length;
  const [problems, warnings] = [count('problem'), count('warn')];
  if (problems + warnings === 0) return 'all is well';
  const plural = (many: number, word: string): string => `${many} ${word}${many === 1 ? '' : 's'}`;
  return [problems > 0 ? plural(problems, 'problem') : '', warnings > 0 ? plural(warnings, 'warning') : ''].filter((word) => word !== '').join(', ');
}
