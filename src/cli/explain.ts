/** `unipath explain`: why a vNIC is on the path it is on, and what would change it. */
import type { Command } from 'commander';
import type { ConditionStatus } from '../control/protocol.js';
import type { Context } from './context.js';
import type { Cell } from './table.js';
import { isAsWanted, named, pathCell } from './words.js';

export function registerExplain(program: Command, context: (command: Command) => Context): void {
  program
    .command('explain')
    .description('why a vNIC is on the path it is on: every condition in order, and what would change it')
    .argument('<vnic>')
    .action(async (vnic: string, _options: object, command: Command) => explain(context(command), vnic));
}

function answer({ holds }: ConditionStatus): Cell {
  if (holds === null) return { text: '-', style: 'quiet' };
  return holds ? { text: 'yes', style: 'good' } : { text: 'no', style: 'bad' };
}

async function explain(context: Context, name: string): Promise<void> {
  const client = context.client();
  const { vnics } = await client.status();
  const { vnic, conditions } = await client.why(named('vNIC', name, vnics).name);
  const { path, want, reason, reason_text } = vnic;
  if (context.json) return context.printJson({ vnic: vnic.name, path, want, reason, reason_text, conditions });
  context.printTime();
  const wanted = isAsWanted(vnic) ? 'as wanted' : `wanted on the ${want} one`;
  context.printLine(`${vnic.name} is on the `, pathCell(vnic), ` path, ${wanted}: ${reason_text}`);
  context.printLine('');
  context.printTable(
    ['CONDITION', 'HOLDS', 'WHAT WAS SEEN'],
    conditions.map((condition) => [condition.name, answer(condition), condition.fact]),
  );
  const failing = conditions.filter(({ remedy }) => remedy !== null);
  if (failing.length > 0) context.printLine('');
  for (const { name: condition, remedy } of failing) context.printLine({ text: condition, style: 'bad' }, `: ${remedy}`);
}
