/** `unipath vm ...`: virtual machines, and moving one to another host. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { ControlClient } from '../control/client.js';
import type { MigrateReply, VmNicStatus, VmStatus } from '../control/vm_protocol.js';
import { type CopiedSteering, copySteering } from '../control/steering_copy.js';
import { type Context, milliseconds } from './context.js';
import { CliError, ExitCode, ExitWith } from './exit.js';
import { printNotes } from './flow_copy.js';
import { named } from './words.js';

const DEFAULT_WAIT_SECONDS = '600';
const COPY_INTERVAL_MS = 500;

const DRY_RUN = ['--dry-run', 'only say what would be done'] as const;

interface MigrateOptions {
  readonly to?: string;
  readonly uri?: string;
  readonly bandwidth?: string;
  readonly downtime?: string;
  readonly wait: string;
  readonly dryRun?: boolean;
}

export function registerVm(program: Command, context: (command: Command) => Context): void {
  const vm = program.command('vm').description('virtual machines that were found');
  vm.command('show')
    .description('all of them, or everything about one')
    .argument('[name]')
    .action(async (name: string | undefined, _options: object, command: Command) => show(context(command), name));
  vm.command('receive')
    .description('on the destination: let a QEMU that was started with -incoming defer wait for its guest')
    .argument('<name>')
    .requiredOption('--uri <uri>', 'where: tcp:ADDRESS:PORT or unix:/PATH')
    .option(...DRY_RUN)
    .action(async (name: string, options: { uri: string; dryRun?: boolean }, command: Command) => {
      const here = context(command);
      if (options.dryRun !== true) return receive(here, name, options.uri);
      await foresee(here, name, (vm) => `${vm.name} (${vm.run_state}) would be told to wait for its guest at ${options.uri}`);
    });
  vm.command('migrate')
    .description('move a running guest to another host: its VFs are taken back first, no frame is lost by that')
    .argument('<name>')
    .option('--to <socket>', "control socket of the destination's unipathd; it is told to receive the guest")
    .option('--uri <uri>', 'where QEMU sends it: tcp:ADDRESS:PORT or unix:/PATH; not needed with --to on the same machine')
    .option('--bandwidth <bytes>', 'bytes a second, at most')
    .option('--downtime <ms>', 'longest standstill that QEMU aims at, milliseconds')
    .option('--wait <seconds>', 'for its end', DEFAULT_WAIT_SECONDS)
    .option(...DRY_RUN)
    .action(async (name: string, options: MigrateOptions, command: Command) => migrate(context(command), name, options));
  vm.command('cancel')
    .description('stop a migration; the guest stays, and gets its VFs again')
    .argument('<name>')
    .option(...DRY_RUN)
    .action(async (name: string, options: { dryRun?: boolean }, command: Command) => {
      const here = context(command);
      if (options.dryRun === true) return foresee(here, name, cancelText);
      await here.client().cancelVm(name);
      if (here.json) here.printJson({ vm: name });
      else here.printLine(`${name} stays`);
    });
}

const cancelText = ({ name, migration }: VmStatus): string =>
  migration === null ? `${name} is not being migrated: nothing would be stopped` : `the migration of ${name} (${migration}) would be stopped`;

async function foresee(context: Context, name: string, words: (vm: VmStatus) => string): Promise<void> {
  const vm = named('virtual machine', name, (await context.client().vms()).vms);
  if (context.json) context.printJson({ dry_run: true, vm, would: words(vm) });
  else context.printLine(words(vm));
}

function failoverOf({ failover, failover_negotiated: agreed }: VmNicStatus): string {
  if (!failover) return 'off';
  return agreed === true ? 'negotiated' : agreed === null ? 'on, unknown' : 'on, not negotiated';
}

const failoverText = ({ nics }: VmStatus): string => nics.map(failoverOf).join(', ') || '-';

async function show(context: Context, name: string | undefined): Promise<void> {
  const reply = await context.client().vms();
  const shown = name === undefined ? reply.vms : [named('virtual machine', name, reply.vms)];
  if (context.json) return context.printJson({ vms: shown, problems: reply.problems });
  context.printTime();
  if (context.brief) context.printTable([], shown.map(({ name: vm, run_state, vnics }) => [vm, run_state, vnics.join(',') || '-']));
  else if (context.details || name !== undefined) printEach(context, shown);
  else printAll(context, shown);
  for (const [vm, problem] of Object.entries(reply.problems)) context.io.err(`${vm}: ${problem}\n`);
}

function printEach(context: Context, vms: readonly VmStatus[]): void {
  for (const [i, vm] of vms.entries()) {
    if (i > 0) context.printLine('');
    context.printList([
      ['name', vm.name],
      ['state', vm.run_state],
      ['migration', vm.migration ?? '-'],
      ['version', vm.version],
      ['free ports', vm.free_ports.join(', ') || '-'],
      ['vNICs', vm.vnics.join(', ') || '-'],
    ]);
    if (vm.nics.length === 0) continue;
    context.printLine('');
    context.printTable(
      ['NIC', 'MAC', 'TAP', 'QUEUES', 'FAILOVER'],
      vm.nics.map((nic) => [nic.id, nic.mac, nic.tap ?? '-', nic.queues === null ? '-' : String(nic.queues), failoverOf(nic)]),
    );
  }
}

function printAll(context: Context, vms: readonly VmStatus[]): void {
  const rows = vms.map((vm) => [
    vm.name, vm.run_state, vm.migration ?? '-', vm.nics.map(({ tap, id }) => tap ?? id).join(', '), failoverText(vm), String(vm.free_ports.length), vm.vnics.join(', ') || '-',
  ]);
  context.printTable(['VM', 'STATE', 'MIGRATION', 'TAPS', 'FAILOVER', 'FREE-PORTS', 'VNICS'], rows);
}

async function receive(context: Context, name: string, uri: string): Promise<void> {
  await context.client().receiveVm(name, { uri });
  if (context.json) context.printJson({ vm: name, uri });
  else context.printLine(`${name} is waited for at ${uri}`);
}

function count(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(text)) throw new CliError(`${option}: "${text}" is not a whole number above 0`, 'bad_number', null, ExitCode.usage);
  return Number(text);
}

async function migrate(context: Context, name: string, options: MigrateOptions): Promise<void> {
  if (options.to === undefined && options.uri === undefined) {
    throw new CliError('where to? name the destination with --to SOCKET, or its address with --uri', 'no_destination', null, ExitCode.usage);
  }
  const uri = options.uri ?? `unix:/run/unipath-migrate-${randomBytes(6).toString('hex')}`;
  const request = { uri, bandwidth: count(options.bandwidth, '--bandwidth'), downtime_ms: count(options.downtime, '--downtime') };
  const client = context.client();
  const destination = options.to === undefined ? null : new ControlClient(options.to);
  if (options.dryRun === true) return foreseeMigration(context, name, destination, uri);
  const vnics = destination === null ? [] : named('virtual machine', name, (await client.vms()).vms).vnics;
  if (destination !== null) {
    await thereIs(destination, name);
    await destination.receiveVm(name, { uri });
  }
  const migration = client.migrateVm(name, request, milliseconds(options.wait, '--wait'));
  const copied = destination === null ? null : await copyMeanwhile(client, destination, vnics, migration);
  const reply = await migration;
  if (context.json) context.printJson({ ...reply, steering: copied });
  else {
    context.printLine(outcomeText(name, reply));
    if (copied !== null) printNotes(context, copied);
  }
  if (reply.outcome !== 'completed') throw new ExitWith(ExitCode.failed);
}

/** @throws CliError that says of which host it speaks */
async function thereIs(destination: ControlClient, name: string): Promise<void> {
  const { vms } = await destination.vms();
  if (vms.some((vm) => vm.name === name)) return;
  const hint = `start its QEMU there with -incoming defer, where unipathd looks for it; there are: ${vms.map((vm) => vm.name).join(', ') || 'none'}`;
  throw new CliError(`the destination has no virtual machine "${name}"`, 'unknown_vm', hint);
}

/** Also asks the destination whether it has the machine. */
async function foreseeMigration(context: Context, name: string, destination: ControlClient | null, uri: string): Promise<void> {
  const vm = named('virtual machine', name, (await context.client().vms()).vms);
  if (destination !== null) await thereIs(destination, name);
  const { vnics } = await context.client().status();
  const held = vnics.filter((vnic) => vm.vnics.includes(vnic.name) && vnic.vf !== null).map((vnic) => `${vnic.vf} from ${vnic.name}`);
  const taken = held.length === 0 ? 'no VF has to be taken back' : `${held.join(', ')} taken back first`;
  await foresee(context, name, () => `${vm.name} (${vm.run_state}) would be sent to ${uri}: ${taken}`);
}

/** What is known of its flows, again and again until it is gone: what is learnt grows old quickly. A failure of this fails no migration. */
async function copyMeanwhile(from: ControlClient, to: ControlClient, vnics: readonly string[], migration: Promise<unknown>): Promise<CopiedSteering> {
  let isOver = false;
  const over = migration.catch(() => undefined).then(() => void (isOver = true));
  let last: CopiedSteering = { vnics: [], notes: [] };
  while (!isOver) {
    try {
      const copied = await copySteering(from, to, vnics);
      // At the end the source knows nothing of it any more.
      if (copied.vnics.length > 0) last = copied;
    } catch (error) {
      last = { ...last, notes: [`its learnt flows did not go along: ${(error as Error).message}`] };
    }
    await Promise.race([over, sleep(COPY_INTERVAL_MS)]);
  }
  return last;
}

function outcomeText(name: string, { outcome, error, total_ms, downtime_ms, drain_ms }: MigrateReply): string {
  if (outcome !== 'completed') return `${name} was not migrated (${outcome}${error === null ? '' : `: ${error}`}); it stays, and gets its VFs again`;
  return `${name} is on the other host: VFs back after ${drain_ms} ms, migrated in ${total_ms} ms, stood still for ${downtime_ms} ms`;
}
