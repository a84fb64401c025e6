/** `unipath adapter show`: the adapters of the configuration, as unipathd has them, and the PFs of this machine, which need no daemon. */
import type { Command } from 'commander';
import { DaemonUnreachableError } from '../control/client.js';
import type { AdapterStatus, QuotaStatus, StatusReply } from '../control/protocol.js';
import type { PfFacts } from '../sriov/facts.js';
import { pfName } from '../sriov/pf_name.js';
import { registerAdapterPool } from './adapter_pool.js';
import { registerAdapterVf } from './adapter_vf.js';
import type { Context } from './context.js';
import { snakeKeys } from './json_keys.js';
import { controlList, PF_HEADINGS, pfList, pfRow, portList, VF_HEADINGS, vfRow } from './pf_words.js';
import { named, queuesOfAdapterText, vfsText, vfStateCell, xdpCell } from './words.js';


export function registerAdapter(program: Command, context: (command: Command) => Context): void {
  const adapter = program.command('adapter').description('network adapters');
  adapter
    .command('show')
    .description('adapters that unipathd has, and PFs of this machine (they need no daemon); or one of either with its VFs')
    .argument('[name]', 'adapter, or netdev or PCI address of a PF')
    .option('-d, --details', 'also what the driver of a PF can set of its VFs')
    .action(async (name: string | undefined, _options: object, command: Command) => show(context(command), name));
  registerAdapterPool(adapter, context);
  registerAdapterVf(adapter, context);
}

/** Null: no daemon answers. */
async function statusOf(context: Context): Promise<StatusReply | null> {
  try {
    return await context.client().status();
  } catch (error) {
    if (error instanceof DaemonUnreachableError) return null;
    throw error;
  }
}

const isNamed = (pf: PfFacts, name: string): boolean => pfName(pf) === name || pf.pci === name.toLowerCase();

async function show(context: Context, name: string | undefined): Promise<void> {
  const status = await statusOf(context);
  const adapters = status?.adapters ?? null;
  const { discoverPfs } = await import('../sriov/discover.js');
  const pfs = await discoverPfs();
  const [shownAdapters, shownPfs] = name === undefined ? [adapters ?? [], pfs] : chosen(adapters, pfs, name);
  if (context.json) {
    context.printJson({ daemon: adapters === null ? 'unreachable' : 'running', adapters: shownAdapters, quotas: status?.quotas ?? [], pfs: snakeKeys(shownPfs) });
    return;
  }
  if (adapters === null) context.io.err('unipath: unipathd does not answer: this is what the machine itself shows\n');
  context.printTime();
  if (context.brief) printBrief(context, shownAdapters, shownPfs);
  else if (name === undefined && !context.details) printAll(context, adapters, shownPfs);
  else printChosen(context, shownAdapters, shownPfs);
  if (!context.brief && shownAdapters.length > 0) printQuotas(context, status?.quotas ?? []);
}

/** Of an adapter also the PF that is its uplink. @throws CliError that suggests the near name */
function chosen(adapters: readonly AdapterStatus[] | null, pfs: readonly PfFacts[], name: string): [AdapterStatus[], PfFacts[]] {
  const pf = pfs.find((each) => isNamed(each, name));
  const adapter = adapters?.find((each) => each.name === name || each.uplink === name);
  if (adapter !== undefined) return [[adapter], pfs.filter((each) => pfName(each) === adapter.uplink)];
  if (pf !== undefined) return [[], [pf]];
  const names = [...(adapters ?? []).map((each) => each.name), ...pfs.map(pfName)];
  named('adapter', name, names.map((each) => ({ name: each })));
  return [[], []];
}

function printAll(context: Context, adapters: readonly AdapterStatus[] | null, pfs: readonly PfFacts[]): void {
  if (adapters !== null) printAdapters(context, adapters);
  if (pfs.length > 0) {
    if (adapters !== null) context.printLine('');
    context.printTable(PF_HEADINGS, pfs.map(pfRow));
  } else if (adapters === null) context.printLine('no network adapter here can have VFs');
}

function printBrief(context: Context, adapters: readonly AdapterStatus[], pfs: readonly PfFacts[]): void {
  if (adapters.length > 0) {
    context.printTable([], adapters.map((adapter) => [adapter.name, adapter.uplink, xdpCell(adapter), vfsText(adapter)]));
  }
  if (pfs.length > 0) context.printTable(PF_HEADINGS, pfs.map(pfRow));
}

function printChosen(context: Context, adapters: readonly AdapterStatus[], pfs: readonly PfFacts[]): void {
  const prints = [...adapters.map((adapter) => () => printAdapter(context, adapter)), ...pfs.map((pf) => () => printPf(context, pf, context.details))];
  for (const [i, print] of prints.entries()) {
    if (i > 0) context.printLine('');
    print();
  }
}

function printAdapters(context: Context, adapters: readonly AdapterStatus[]): void {
  context.printTable(
    ['ADAPTER', 'UPLINK', 'BRIDGE', 'XDP', 'VFS', 'VFS-LIMIT', 'LOST', 'QUEUES'],
    adapters.map((adapter) => [
      ...[adapter.name, adapter.uplink, adapter.bridge, xdpCell(adapter), vfsText(adapter), String(adapter.vfs_limit)],
      ...[String(adapter.vfs.filter(({ state }) => state === 'lost').length), queuesOfAdapterText(adapter)],
    ]),
  );
}

const ofAtMost = (used: number, limit: number | null): string => `${used} of ${limit === null ? 'any number' : `at most ${limit}`}`;

function printQuotas(context: Context, quotas: readonly QuotaStatus[]): void {
  if (quotas.length === 0) return;
  context.printLine('');
  context.printTable(
    ['QUOTA', 'VFS', 'QUEUES', 'MSI-X'],
    quotas.map(({ name, vfs_used, vfs_limit, queues_used, queues_limit, vectors_used, vectors_limit }) => [
      ...[name, `${vfs_used}/${vfs_limit ?? '-'}`, `${queues_used}/${queues_limit ?? '-'}`, `${vectors_used}/${vectors_limit ?? '-'}`],
    ]),
  );
}

function printAdapter(context: Context, adapter: AdapterStatus): void {
  context.printList([
    ['name', adapter.name],
    ['uplink', adapter.uplink],
    ['bridge', adapter.bridge],
    ['xdp', xdpCell(adapter)],
    ...(adapter.fallback_reason === null ? [] : [['why not native', adapter.fallback_reason] as const]),
    ['VFs used', `${adapter.vfs_used} of at most ${adapter.vfs_limit}`],
    ['queues used', `${adapter.queues_used} of at most ${adapter.queues_limit}`],
    ['vectors used', ofAtMost(adapter.vectors_used, adapter.vectors_limit)],
    ['placement', adapter.placement],
  ]);
  if (adapter.vfs.length === 0) return;
  context.printLine('');
  context.printTable(
    ['PORT', 'DEVICE', 'STATE', 'QUEUES', 'VNIC'],
    adapter.vfs.map((vf) => [vf.port, vf.device, vfStateCell(vf), String(vf.queues), vf.owner ?? '-']),
  );
}

function printPf(context: Context, pf: PfFacts, details: boolean): void {
  context.printList(pfList(pf));
  if (details) {
    context.printLine('');
    context.printLine('what its driver can set of a VF:');
    context.printList(controlList(pf));
    const ports = portList(pf);
    if (ports.length > 0) {
      context.printLine('');
      context.printLine("its VFs in unipathd's configuration:");
      context.printList(ports);
    }
  }
  if (pf.vfs.length === 0) return;
  context.printLine('');
  context.printTable(VF_HEADINGS, pf.vfs.map(vfRow));
}
