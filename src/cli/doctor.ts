/** `unipath doctor`: is this host ready for unipath and for VFs, and what is to be done if not? Needs no daemon. */
import type { Command } from 'commander';
import type { Context } from './context.js';
import { ExitCode, ExitWith } from './exit.js';
import { hasProblem, printFindings } from './findings.js';

export function registerDoctor(program: Command, context: (command: Command) => Context): void {
  program
    .command('doctor')
    .description('say whether this host is ready for unipath and for VFs, and what is to be done if not; exit code 4: it has a problem')
    .action(async (_options: object, command: Command) => examine(context(command)));
}

async function examine(context: Context): Promise<void> {
  const [{ gatherHost }, { judgeHost }] = await Promise.all([import('../sriov/gather.js'), import('../sriov/judge.js')]);
  const findings = judgeHost(await gatherHost());
  if (context.json) context.printJson({ ok: !hasProblem(findings), findings });
  else printFindings(context, findings);
  if (hasProblem(findings)) throw new ExitWith(ExitCode.degraded);
}
