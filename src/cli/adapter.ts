/** `unipath adapter show`: uplinks, and the VFs that can be handed out. */
import type { Command } from 'commander';
import type { AdapterStatus } from '../control/protocol.js';
import type { Context } from './context.js';
import { named, xdpCell } from './words.js';

const VF_STYLES = { free: 'quiet', used: 'good', lost: 'bad' } as const;

export function registerAdapter(program: Command, context: (command: Command) => Context): void {
  program
    .command('adapter')
    .description('network adapters')
    .command('show')
    .description('all of them, or one with its VFs')
    .argument('[name]')
    .action(async (name: string | undefined, _options: object, command: Command) => show(context(command), name));
}

async function show(context: Context, name: string | undefined): Promise<void> {
  const { adapters } = await context.client().status();
  const shown = name === undefined ? adapters : [named('adapter', name, adapters)];
  if (context.json) context.printJson({ adapters: shown });
  else if (name === undefined) printAll(context, shown);
  else for (const adapter of shown) printOne(context, adapter);
}

function printAll(context: Context, adapters: readonly AdapterStatus[]): void {
  context.printTable(
    ['ADAPTER', 'UPLINK', 'BRIDGE', 'XDP', 'VFS', 'USED', 'LIMIT', 'LOST', 'QUEUES', 'LIMIT'],
    adapters.map((adapter) => [
      ...[adapter.name, adapter.uplink, adapter.bridge, xdpCell(adapter), String(adapter.vfs.length)],
      ...[String(adapter.vfs_used), String(adapter.vfs_limit), String(adapter.vfs.filter(({ state }) => state === 'lost').length)],
      ...[String(adapter.queues_used), String(adapter.queues_limit)],
    ]),
  );
}

function printOne(context: Context, adapter: AdapterStatus): void {
  context.printList([
    ['name', adapter.name],
    ['uplink', adapter.uplink],
    ['bridge', adapter.bridge],
    ['xdp', xdpCell(adapter)],
    ...(adapter.fallback_reason === null ? [] : [['why not native', adapter.fallback_reason] as const]),
    ['VFs used', `${adapter.vfs_used} of at most ${adapter.vfs_limit}`],
    ['queues used', `${adapter.queues_used} of at most ${adapter.queues_limit}`],
  ]);
  if (adapter.vfs.length === 0) return;
  context.printLine('');
  context.printTable(
    ['PORT', 'DEVICE', 'STATE', 'QUEUES', 'VNIC'],
    adapter.vfs.map((vf) => [vf.port, vf.device, { text: vf.state, style: VF_STYLES[vf.state] }, String(vf.queues), vf.owner ?? '-']),
  );
}
