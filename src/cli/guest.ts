/** `unipath guest check`: inside a guest, can it use a VF, and if not, what has to be done? Needs no daemon. */
import type { Command } from 'commander';
import type { Finding, Level, Verdict } from '../guest/check/judge.js';
import type { Context } from './context.js';
import { ExitCode, ExitWith } from './exit.js';
import type { Style } from './table.js';

const STYLES: Readonly<Record<Level, Style>> = { ok: 'good', warn: 'busy', problem: 'bad' };
const LEVEL_WIDTH = 'problem'.length;

export function registerGuest(program: Command, context: (command: Command) => Context): void {
  program
    .command('guest')
    .description('inside a guest')
    .command('check')
    .description('say whether this guest can use a VF, and what is to be done if not; exit code 4: it has a problem')
    .option('--pins <path>', 'where the plug-in has its pins (default: /sys/fs/bpf/unipath-guest)')
    .action(async (options: { readonly pins?: string }, command: Command) => check(context(command), options.pins));
}

async function check(context: Context, pins: string | undefined): Promise<void> {
  const [{ gatherFacts }, { judge }] = await Promise.all([import('../guest/check/gather.js'), import('../guest/check/judge.js')]);
  const verdict = judge(await gatherFacts(pins));
  print(context, verdict);
  if (verdict.findings.some(({ level }) => level === 'problem')) throw new ExitWith(ExitCode.degraded);
}

export function print(context: Context, { interfaces, findings }: Verdict): void {
  if (context.json) {
    context.printJson({ ok: findings.every(({ level }) => level !== 'problem'), interfaces, findings });
    return;
  }
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
