/** `unipath vf ...`: the VFs that unipathd hands out, and those that it shall not. */
import type { Command } from 'commander';
import type { AdapterStatus, VfStatus } from '../control/protocol.js';
import type { Context } from './context.js';
import { named, numberText, vfStateCell } from './words.js';

const REASON_MOST = 200;

export function registerVf(program: Command, context: (command: Command) => Context): void {
  const vf = program.command('vf').description('VFs that unipathd hands out, named by the port that stays on the host');
  vf.command('show')
    .description('all of them, or everything about one')
    .argument('[vf]')
    .action(async (port: string | undefined, _options: object, command: Command) => show(context(command), port));
  vf.command('quarantine')
    .description('take a VF back, if someone has it, and hand it out no more')
    .argument('<vf>')
    .requiredOption('--reason <text>', `why, for who looks later; at most ${REASON_MOST} characters`)
    .option('--dry-run', 'only say what would be done')
    .action(async (port: string, options: DecisionOptions, command: Command) => decide(context(command), port, options));
  vf.command('release')
    .description('let a VF be handed out again; it is as soon as it is really free')
    .argument('<vf>')
    .option('--dry-run', 'only say what would be done')
    .action(async (port: string, options: DecisionOptions, command: Command) => decide(context(command), port, options));
}

interface DecisionOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
}

interface NamedVf extends VfStatus {
  readonly adapter: string;
  readonly name: string;
}

const vfsOf = (adapters: readonly AdapterStatus[]): NamedVf[] =>
  adapters.flatMap(({ name: adapter, vfs }) => vfs.map((vf) => ({ ...vf, adapter, name: vf.port })));

async function show(context: Context, port: string | undefined): Promise<void> {
  const all = vfsOf((await context.client().status()).adapters);
  const shown = port === undefined ? all : [named('VF', port, all)];
  if (context.json) return context.printJson({ vfs: shown.map(({ name: _, ...vf }) => vf) });
  context.printTime();
  if (port !== undefined || context.details) {
    for (const [i, vf] of shown.entries()) {
      if (i > 0) context.printLine('');
      printOne(context, vf);
    }
    return;
  }
  const headings = context.brief ? [] : ['PORT', 'ADAPTER', 'DEVICE', 'STATE', 'QUEUES', 'MSI-X', 'PF', 'NUMA', 'VNIC', 'NOTE'];
  context.printTable(
    headings,
    shown.map((vf) => [
      ...[vf.port, vf.adapter, vf.device, vfStateCell(vf), String(vf.queues), numberText(vf.vectors), vf.pf ?? '-', numberText(vf.numa_node)],
      ...[vf.owner ?? '-', noteOf(vf)],
    ]),
  );
}

/** Why it is not handed out, or for how long it is reserved. */
function noteOf({ quarantine, lease_seconds }: VfStatus): string {
  if (quarantine !== null) return `${quarantine.by === 'operator' ? 'by the operator' : 'by unipathd'}: ${quarantine.reason}`;
  return lease_seconds === null ? '-' : `for ${lease_seconds} s more`;
}

function printOne(context: Context, vf: NamedVf): void {
  context.printList([
    ['port', vf.port],
    ['adapter', vf.adapter],
    ['device', vf.device],
    ['state', vfStateCell(vf)],
    ['vNIC', vf.owner ?? '-'],
    ['queues', String(vf.queues)],
    ['MSI-X vectors', numberText(vf.vectors)],
    ['PF', vf.pf ?? '-'],
    ['NUMA node', numberText(vf.numa_node)],
    ...(vf.lease_seconds === null ? [] : [['reserved', noteOf(vf)] as const]),
    ...(vf.quarantine === null ? [] : [['quarantine', noteOf(vf)] as const, ['', `to hand it out again: unipath vf release ${vf.port}`] as const]),
  ]);
}

/** Without a reason: out of quarantine. */
async function decide(context: Context, port: string, { reason, dryRun = false }: DecisionOptions): Promise<void> {
  const client = context.client();
  const before = named('VF', port, vfsOf((await client.status()).adapters));
  if (dryRun) {
    const what = foreseen(before, reason);
    return context.json ? context.printJson({ dry_run: true, what }) : context.printLine(what);
  }
  const { vf } = await (reason === undefined ? client.releaseVf(port) : client.quarantineVf(port, reason));
  if (context.json) return context.printJson({ dry_run: false, vf });
  if (reason === undefined) context.printLine(`${vf.port} is out of quarantine; now `, vfStateCell(vf));
  else context.printLine(`${vf.port} is in quarantine${vf.state === 'used' ? `, and is still being taken back from ${vf.owner ?? 'its guest'}` : ''}`);
}

function foreseen({ port, state, owner, quarantine }: NamedVf, reason: string | undefined): string {
  if (reason !== undefined) return `${port} would be ${state === 'used' ? `taken back from ${owner ?? 'its guest'}, and ` : ''}handed out no more`;
  return quarantine === null ? `${port} is not in quarantine` : `${port} would be handed out again`;
}
