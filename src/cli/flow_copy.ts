/** `unipath flow copy`: what is known of a guest's flows, to the host that it goes to. */
import type { Command } from 'commander';
import { ControlClient } from '../control/client.js';
import { type CopiedSteering, copySteering } from '../control/steering_copy.js';
import type { Context } from './context.js';
import { CliError, ExitCode, ExitWith } from './exit.js';
import { named } from './words.js';

interface CopyOptions {
  readonly vnic?: string;
  readonly vm?: string;
  readonly to: string;
  readonly dryRun?: boolean;
}

export function registerFlowCopy(flow: Command, context: (command: Command) => Context): void {
  flow
    .command('copy')
    .description("to another host's unipathd: learnt flows, and what was set of shares and hash types; unipath vm migrate --to does it by itself; exit code 1 when nothing could be")
    .option('--vnic <name>', 'of this vNIC')
    .option('--vm <name>', 'of all vNICs of this virtual machine')
    .requiredOption('--to <socket>', 'control socket of the other unipathd')
    .option('--dry-run', 'only say what would be copied')
    .action(async (options: CopyOptions, command: Command) => copy(context(command), options));
}

async function copy(context: Context, { vnic, vm, to, dryRun }: CopyOptions): Promise<void> {
  if ((vnic === undefined) === (vm === undefined)) throw new CliError('whose flows? give either --vnic or --vm', 'usage', null, ExitCode.usage);
  const client = context.client();
  const names = vm === undefined ? [named('vNIC', vnic ?? '', (await client.status()).vnics).name] : named('virtual machine', vm, (await client.vms()).vms).vnics;
  if (dryRun === true) return foresee(context, client, new ControlClient(to), names);
  const copied = await copySteering(client, new ControlClient(to), names);
  if (context.json) context.printJson(copied);
  else {
    for (const one of copied.vnics) context.printLine(`${one.vnic}: ${one.flows} learnt flows${one.waits ? ', in use there as soon as its guest has arrived' : ''}`);
    printNotes(context, copied);
  }
  if (copied.vnics.length === 0) throw new ExitWith(ExitCode.failed);
}

async function foresee(context: Context, from: ControlClient, to: ControlClient, names: readonly string[]): Promise<void> {
  const there = (await to.status()).vnics.map(({ name }) => name);
  const vnics = await Promise.all(
    names.map(async (vnic) => ({ vnic, flows: (await from.flows(vnic)).flows.length, known_there: there.includes(vnic) })),
  );
  if (context.json) return context.printJson({ dry_run: true, vnics });
  for (const { vnic, flows, known_there: known } of vnics) {
    context.printLine(`${vnic}: ${flows} learnt flows would be copied${known ? '' : '; the other unipathd has no such vNIC'}`);
  }
}

export function printNotes(context: Context, { notes }: CopiedSteering): void {
  for (const note of notes) context.io.err(`${note}\n`);
}
