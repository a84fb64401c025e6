/** `unipath status`: is everything as it should be? */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type ControlClient, DaemonUnreachableError, RequestError } from '../control/client.js';
import type { StatusReply } from '../control/protocol.js';
import { type Context, milliseconds } from './context.js';
import { ExitCode, ExitWith } from './exit.js';
import type { Cell } from './table.js';
import { ageText, degradations, pathCell, queuesOfAdapterText, reasonCell, vfsText, wantText, xdpCell } from './words.js';

const POLL_MS = 200;

interface StatusOptions {
  readonly wait?: string;
}

export function registerStatus(program: Command, context: (command: Command) => Context): void {
  program
    .command('status')
    .description('show the daemon, its adapters and vNICs (with --brief, in one line); exit code 4 when something is not as it should be')
    .option('--wait <seconds>', 'until all is well, at most this long; exit code 5 when it is not by then')
    .action(async (options: StatusOptions, command: Command) => show(context(command), options));
}

async function show(context: Context, options: StatusOptions): Promise<void> {
  const client = context.client();
  const waitMs = options.wait === undefined ? null : milliseconds(options.wait, '--wait');
  const status = waitMs === null ? await client.status() : await waitForHealth(client, waitMs);
  const problems = degradations(status);
  if (context.json) context.printJson({ ...status, degraded: problems });
  else {
    context.printTime();
    (context.brief ? printBrief : printFull)(context, status, problems);
  }
  if (problems.length > 0) throw new ExitWith(waitMs === null ? ExitCode.degraded : ExitCode.timedOut);
}

/** The first status without problems, or the last one before the time is over; a daemon that is not there yet may come. */
async function waitForHealth(client: ControlClient, waitMs: number): Promise<StatusReply> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const isLast = Date.now() >= deadline;
    try {
      const status = await client.status();
      if (isLast || degradations(status).length === 0) return status;
    } catch (error) {
      const mayCome = error instanceof DaemonUnreachableError || (error instanceof RequestError && error.code === 'starting');
      if (isLast || !mayCome) throw error;
    }
    await sleep(Math.min(POLL_MS, Math.max(0, deadline - Date.now())));
  }
}

const count = <T>(all: readonly T[], condition: (each: T) => boolean): number => all.filter(condition).length;

function printBrief(context: Context, { adapters, vnics, last_reconcile_age_ms }: StatusReply, problems: readonly string[]): void {
  const verdict: Cell = problems.length === 0 ? { text: 'OK', style: 'good' } : { text: 'DEGRADED', style: 'bad' };
  const modes = [...new Set(adapters.flatMap((adapter) => adapter.xdp_mode ?? []))].join('+');
  const parts = [
    `uplinks ${count(adapters, ({ attached }) => attached)}/${adapters.length}${modes === '' ? '' : ` ${modes}`}`,
    `vNICs accelerated ${count(vnics, ({ path }) => path === 'accelerated')}/${vnics.length}`,
    `VFs used ${adapters.reduce((sum, { vfs_used }) => sum + vfs_used, 0)}/${adapters.reduce((sum, { vfs }) => sum + vfs.length, 0)}`,
    `last reconcile ${ageText(last_reconcile_age_ms)}`,
  ];
  context.printLine(
    verdict,
    ` ${parts.join(', ')}`,
    problems.length === 0 ? '' : `; ${problems[0]}`,
    problems.length > 1 ? ` (and ${problems.length - 1} more)` : '',
  );
}

function printFull(context: Context, status: StatusReply, problems: readonly string[]): void {
  const { version, pid, adopted, last_reconcile_age_ms, adapters, vnics } = status;
  context.printLine(
    `unipathd ${version}, pid ${pid}${adopted ? ', took over running programs' : ''}, last reconcile ${ageText(last_reconcile_age_ms)}`,
  );
  if (adapters.length > 0) {
    context.printLine('');
    context.printTable(
      ['ADAPTER', 'UPLINK', 'BRIDGE', 'XDP', 'VFS', 'QUEUES'],
      adapters.map((adapter) => [
        adapter.name,
        adapter.uplink,
        adapter.bridge,
        xdpCell(adapter),
        vfsText(adapter),
        queuesOfAdapterText(adapter),
      ]),
    );
  }
  if (vnics.length > 0) {
    context.printLine('');
    context.printTable(
      ['VNIC', 'ADAPTER', 'PATH', 'PHASE', 'WANT', 'VF', 'REASON'],
      vnics.map((vnic) => [vnic.name, vnic.adapter, pathCell(vnic), vnic.phase, wantText(vnic), vnic.vf ?? '-', reasonCell(vnic)]),
    );
  }
  if (problems.length > 0) context.printLine('');
  for (const problem of problems) context.printLine({ text: 'degraded  ', style: 'bad' }, problem);
}
