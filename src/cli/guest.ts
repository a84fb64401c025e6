/** `unipath guest check`: inside a guest, can it use a VF, and if not, what has to be done? Needs no daemon. */
import type { Command } from 'commander';
import type { Verdict } from '../guest/check/judge.js';
import type { Context } from './context.js';
import { ExitCode, ExitWith } from './exit.js';
import { hasProblem, printFindings } from './findings.js';

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
  if (hasProblem(verdict.findings)) throw new ExitWith(ExitCode.degraded);
}

function print(context: Context, { interfaces, findings }: Verdict): void {
  if (context.json) context.printJson({ ok: !hasProblem(findings), interfaces, findings });
  else printFindings(context, findings);
}
