/** `unipath monitor`: what happens, as it happens. */
import type { Command } from 'commander';
import type { MonitorEvent } from '../control/protocol.js';
import type { Context } from './context.js';
import { CliError, ExitCode } from './exit.js';
import { named } from './words.js';

const KIND_WIDTH = 6;
const WHO_WIDTH = 8;

export function registerMonitor(program: Command, context: (command: Command) => Context): void {
  program
    .command('monitor')
    .description('print events until interrupted; with -j one object per line')
    .option('--vnic <name>', 'only events of this vNIC')
    .action(async (options: { vnic?: string }, command: Command) => monitor(context(command), options.vnic));
}

async function monitor(context: Context, vnic: string | undefined): Promise<void> {
  if (vnic !== undefined) named('vNIC', vnic, (await context.client().status()).vnics);
  const interrupted = context.io.interrupted();
  for await (const event of context.client().events(interrupted)) {
    if (vnic !== undefined && event.vnic !== vnic) continue;
    if (context.json) context.printJson(event);
    else print(context, event);
  }
  if (!interrupted.aborted) throw new CliError('unipathd ended', 'ended', 'start it again', ExitCode.unreachable);
}

function print(context: Context, event: MonitorEvent): void {
  const who = event.vnic ?? event.adapter ?? '-';
  const time = event.time.replace('T', ' ').replace('Z', '');
  const kind = event.kind.padEnd(KIND_WIDTH);
  context.printLine(
    { text: time, style: 'quiet' },
    '  ',
    event.kind === 'error' ? { text: kind, style: 'bad' } : kind,
    `  ${who.padEnd(WHO_WIDTH)}  ${event.message}`,
  );
}
