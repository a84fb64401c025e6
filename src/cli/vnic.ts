/** `unipath vnic ...`: look at vNICs and say on which path one shall be. */
import type { Command } from 'commander';
import type { CountersReply, VnicStatus } from '../control/protocol.js';
import { type Context, milliseconds } from './context.js';
import { ExitCode, ExitWith } from './exit.js';
import { named, pathCell, queuesText, reasonCell, sharesText, vlanText, wantText } from './words.js';

type Verb = 'accelerate' | 'software' | 'auto';

const VERBS: readonly (readonly [Verb, string])[] = [
  ['accelerate', 'move a vNIC to a VF, whatever the configuration says'],
  ['software', 'move a vNIC to its software path and keep it there'],
  ['auto', 'let the configuration decide again'],
];

export function registerVnic(program: Command, context: (command: Command) => Context): void {
  const vnic = program.command('vnic').description('virtual machine NICs');
  vnic
    .command('show')
    .description('all of them, or everything about one')
    .argument('[name]')
    .option('-s, --stats', 'with counters')
    .action(async (name: string | undefined, options: { stats?: boolean }, command: Command) =>
      show(context(command), name, options.stats === true),
    );
  for (const [verb, description] of VERBS) {
    vnic
      .command(verb)
      .description(description)
      .argument('<name>')
      .option('--wait <seconds>', 'until it is there, at most this long; exit code 5 when it is not by then')
      .action(async (name: string, options: { wait?: string }, command: Command) => act(context(command), name, verb, options.wait));
  }
}

type Counters = CountersReply['vnics'][number];

async function show(context: Context, name: string | undefined, stats: boolean): Promise<void> {
  const client = context.client();
  const { vnics } = await client.status();
  const shown = name === undefined ? vnics : [named('vNIC', name, vnics)];
  const counters = stats ? (await client.counters()).vnics : [];
  const countersOf = (vnic: VnicStatus): Counters | null => counters.find((each) => each.name === vnic.name) ?? null;
  if (context.json) context.printJson({ vnics: stats ? shown.map((vnic) => ({ ...vnic, counters: countersOf(vnic) })) : shown });
  else if (name === undefined) printAll(context, shown, stats ? countersOf : null);
  else for (const vnic of shown) printOne(context, vnic, countersOf(vnic));
}

function printAll(context: Context, vnics: readonly VnicStatus[], countersOf: ((vnic: VnicStatus) => Counters | null) | null): void {
  const headings = [
    'VNIC',
    'ID',
    'MAC',
    'VLAN',
    'ADAPTER',
    'TAP',
    'PATH',
    'WANT',
    'VF',
    ...(countersOf === null ? [] : ['TO-GUEST', 'FROM-GUEST']),
    'REASON',
  ];
  const rows = vnics.map((vnic) => {
    const counters = countersOf?.(vnic) ?? null;
    const sums =
      countersOf === null ? [] : [String(counters === null ? 0 : toGuest(counters)), String(counters === null ? 0 : fromGuest(counters))];
    const { name, id, mac, adapter, tap, vf } = vnic;
    return [name, String(id), mac, vlanText(vnic), adapter, tap, pathCell(vnic), wantText(vnic), vf ?? '-', ...sums, reasonCell(vnic)];
  });
  context.printTable(headings, rows);
}

/** Frames that were redirected to the guest; those that went by the bridge are not seen on their way to it. */
const toGuest = ({ tap_queues, vf_queues }: Counters): number => [...tap_queues, ...vf_queues].reduce((sum, packets) => sum + packets, 0);
const fromGuest = ({ from_tap, from_vf }: Counters): number => from_tap.packets + from_vf.packets;

function printOne(context: Context, vnic: VnicStatus, counters: Counters | null): void {
  context.printList([
    ['name', vnic.name],
    ['id', String(vnic.id)],
    ['mac', vnic.mac],
    ['vlan', vlanText(vnic)],
    ['addresses', vnic.addresses === null ? 'not checked' : vnic.addresses.join(', ')],
    ['adapter', vnic.adapter],
    ['path', pathCell(vnic)],
    ['phase', vnic.phase],
    ['want', wantText(vnic)],
    ['reason', reasonCell(vnic)],
    ['', vnic.reason_text],
    ['generation', String(vnic.generation)],
    ['tap', vnic.tap],
    ['cut-through', `${vnic.cut_through.in_force ? 'on' : 'off'} (${vnic.cut_through.setting}): ${vnic.cut_through.why}`],
    ['hash types', vnic.hash_types.join(',')],
    ['tap queues', queuesText(vnic.tap_queues)],
    ['tap shares', sharesText(vnic.tap_queues)],
    ['vf', vnic.vf ?? '-'],
    ['vf queues', queuesText(vnic.vf_queues)],
    ['vf shares', sharesText(vnic.vf_queues)],
  ]);
  if (counters === null) return;
  context.printLine('');
  const reasons = Object.entries(counters.reasons).filter(([, { packets }]) => packets > 0);
  context.printTable(
    ['REASON', 'FRAMES', 'BYTES'],
    reasons.map(([reason, { packets, bytes }]) => [reason, String(packets), String(bytes)]),
  );
  const spread = (queues: readonly number[]): string =>
    queues.flatMap((packets, queue) => (packets > 0 ? `${queue}:${packets}` : [])).join(' ') || '-';
  context.printLine('');
  context.printList([
    ['from tap', String(counters.from_tap.packets)],
    ['from vf', String(counters.from_vf.packets)],
    ['to tap queues', spread(counters.tap_queues)],
    ['to vf queues', spread(counters.vf_queues)],
    ['through another CPU', String(counters.cpu_handovers)],
    ['flows learnt', String(counters.flows_learnt)],
    ['flows moved', String(counters.flows_moved)],
    ['flows replaced', String(counters.flows_replaced)],
    ['flows expired', String(counters.flows_expired)],
    ['path changes', String(counters.path_changes)],
  ]);
}

async function act(context: Context, name: string, verb: Verb, wait: string | undefined): Promise<void> {
  const waitMs = wait === undefined ? 0 : milliseconds(wait, '--wait');
  const reply = await context.client().act(name, verb, waitMs);
  const { vnic, reached } = reply;
  if (context.json) context.printJson(reply);
  else if (reached) context.printLine(`${vnic.name} is on the ${vnic.path} path${vnic.vf === null ? '' : ` by ${vnic.vf}`}`);
  else if (wait === undefined)
    context.printLine(`${vnic.name} is asked to be on the ${vnic.want} path; now ${vnic.path}: ${vnic.reason_text}`);
  else context.io.err(`${vnic.name} is not on the ${vnic.want} path after ${wait} s: ${vnic.reason_text}\n`);
  if (!reached && wait !== undefined) throw new ExitWith(ExitCode.timedOut);
}
