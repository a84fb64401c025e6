/** `unipath vnic ...`: look at vNICs and say on which path one shall be. */
import type { Command } from 'commander';
import { type CountersReply, MAX_WAIT_MS, type VnicStatus } from '../control/protocol.js';
import { type Context, milliseconds } from './context.js';
import { ExitCode, ExitWith } from './exit.js';
import { named, numberText, pathCell, queuesText, reasonCell, sharesText, vlanText, wantText } from './words.js';

type Verb = 'accelerate' | 'software' | 'auto';

const VERBS: readonly (readonly [Verb, string])[] = [
  ['accelerate', 'move a vNIC to a VF, whatever the configuration says'],
  ['software', 'move a vNIC to its software path and keep it there'],
  ['auto', 'let the configuration decide again'],
];

const VF_REDIRECT_WORDS: Readonly<Record<NonNullable<VnicStatus['vf_redirect']>, string>> = {
  xdp: 'by XDP',
  tc: "by the bridge and tc: its port's driver takes no frames from XDP programs",
};

export function registerVnic(program: Command, context: (command: Command) => Context): void {
  const vnic = program.command('vnic').description('virtual machine NICs');
  vnic
    .command('show')
    .description('all of them, or everything about one')
    .argument('[name]')
    .action(async (name: string | undefined, _options: object, command: Command) => show(context(command), name));
  registerReserve(vnic, context);
  for (const [verb, description] of VERBS) {
    vnic
      .command(verb)
      .description(description)
      .argument('<name>')
      .option('--wait <seconds>', 'until it is there, at most this long; exit code 5 when it is not by then')
      .option('--dry-run', 'only say what would be asked for, and what would stand in the way')
      .action(async (name: string, options: ActOptions, command: Command) => {
        const here = context(command);
        await (options.dryRun === true ? foresee(here, name, verb) : act(here, name, verb, options.wait));
      });
  }
}

function registerReserve(vnic: Command, context: (command: Command) => Context): void {
  vnic
    .command('reserve')
    .description('reserve a VF for a vNIC whose guest is not here yet; it ends by itself, and when the vNIC gets its VF')
    .argument('<name>')
    .option('--lease <seconds>', `for at most this long, ${MAX_WAIT_MS / 1000} at the most`, '120')
    .option('--end', 'reserve nothing any more')
    .option('--dry-run', 'only say what would be done')
    .action(async (name: string, options: ReserveOptions, command: Command) => reserve(context(command), name, options));
}

interface ActOptions {
  readonly wait?: string;
  readonly dryRun?: boolean;
}

type Counters = CountersReply['vnics'][number];
type CountersOf = (vnic: VnicStatus) => Counters | null;

async function show(context: Context, name: string | undefined): Promise<void> {
  const { stats } = context;
  const client = context.client();
  const { vnics } = await client.status();
  const shown = name === undefined ? vnics : [named('vNIC', name, vnics)];
  const counters = stats ? (await client.counters()).vnics : [];
  const countersOf: CountersOf = (vnic) => counters.find((each) => each.name === vnic.name) ?? null;
  if (context.json) context.printJson({ vnics: stats ? shown.map((vnic) => ({ ...vnic, counters: countersOf(vnic) })) : shown });
  else {
    context.printTime();
    if (context.brief) printBrief(context, shown, stats ? countersOf : null);
    else if (name === undefined && !context.details) printAll(context, shown, stats ? countersOf : null);
    else printEach(context, shown, countersOf);
  }
}

function printBrief(context: Context, vnics: readonly VnicStatus[], countersOf: CountersOf | null): void {
  const rows = vnics.map((vnic) => [vnic.name, pathCell(vnic), vnic.vf ?? vnic.tap, ...sumsOf(vnic, countersOf), reasonCell(vnic)]);
  context.printTable([], rows);
}

function printEach(context: Context, vnics: readonly VnicStatus[], countersOf: CountersOf): void {
  for (const [i, vnic] of vnics.entries()) {
    if (i > 0) context.printLine('');
    printOne(context, vnic, countersOf(vnic));
  }
}

/** To the guest and from it; nothing unless asked for. */
function sumsOf(vnic: VnicStatus, countersOf: CountersOf | null): readonly string[] {
  if (countersOf === null) return [];
  const counters = countersOf(vnic);
  return counters === null ? ['0', '0'] : [String(toGuest(counters)), String(fromGuest(counters))];
}

function printAll(context: Context, vnics: readonly VnicStatus[], countersOf: CountersOf | null): void {
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
    const sums = sumsOf(vnic, countersOf);
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
    ['max rate', vnic.max_rate === null ? '-' : `${vnic.max_rate} Mbit/s from the guest`],
    ['adapter', vnic.adapter],
    ['path', pathCell(vnic)],
    ['phase', vnic.phase],
    ['want', wantText(vnic)],
    ['priority', String(vnic.terms.priority)],
    ['quota', vnic.terms.quota ?? '-'],
    ['NUMA node', numberText(vnic.terms.numa_node)],
    ...(vnic.reservation === null ? [] : [['reserved', reservationText(vnic.reservation)] as const]),
    ['reason', reasonCell(vnic)],
    ['', vnic.reason_text],
    ['generation', String(vnic.generation)],
    ['tap', vnic.tap],
    ['cut-through', `${vnic.cut_through.in_force ? 'on' : 'off'} (${vnic.cut_through.setting}): ${vnic.cut_through.why}`],
    ['hash types', vnic.hash_types.join(',')],
    ['tap queues', queuesText(vnic.tap_queues)],
    ['tap shares', sharesText(vnic.tap_queues)],
    ['vf', vnic.vf ?? '-'],
    ...(vnic.vf_redirect === null ? [] : [['vf reached', VF_REDIRECT_WORDS[vnic.vf_redirect]] as const]),
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
    ['handed to another CPU', String(counters.cpu_handovers)],
    ['flows learnt', String(counters.flows_learnt)],
    ['flows moved', String(counters.flows_moved)],
    ['flows replaced', String(counters.flows_replaced)],
    ['flows expired', String(counters.flows_expired)],
    ['path changes', String(counters.path_changes)],
  ]);
}

function reservationText({ vf, lease_seconds, by }: NonNullable<VnicStatus['reservation']>): string {
  const why = by === 'migration' ? 'until its guest is here' : 'as the operator asked';
  return `${vf ?? 'a VF, as soon as one is free'}, ${why}, for ${lease_seconds} s more at most`;
}

interface ReserveOptions {
  readonly lease: string;
  readonly end?: boolean;
  readonly dryRun?: boolean;
}

async function reserve(context: Context, name: string, { lease, end = false, dryRun = false }: ReserveOptions): Promise<void> {
  const client = context.client();
  const before = named('vNIC', name, (await client.status()).vnics);
  const leaseMs = end ? 0 : milliseconds(lease, '--lease', 1, MAX_WAIT_MS);
  if (dryRun) {
    const what = end ? `nothing would be reserved for ${name} any more` : `a VF would be reserved for ${name} for ${leaseMs / 1000} s`;
    return context.json ? context.printJson({ dry_run: true, what, vnic: before }) : context.printLine(what);
  }
  const { vnic } = await client.reserve(name, leaseMs);
  if (context.json) return context.printJson({ dry_run: false, vnic });
  if (vnic.vf !== null) context.printLine(`${name} has ${vnic.vf}: nothing is to be reserved for it`);
  else if (vnic.reservation === null) context.printLine(`nothing is reserved for ${name}`);
  else context.printLine(`reserved for ${name}: ${reservationText(vnic.reservation)}`);
}

const WANTED: Readonly<Record<Verb, string>> = {
  accelerate: 'would be asked to be on the accelerated path',
  software: 'would be asked to be on the software path',
  auto: 'would be on the path that the configuration wants',
};

/** Whoever wants it now, the other conditions stay what they are. */
async function foresee(context: Context, name: string, verb: Verb): Promise<void> {
  const client = context.client();
  const { vnic, conditions } = await client.why(named('vNIC', name, (await client.status()).vnics).name);
  const inTheWay = verb === 'software' ? [] : conditions.filter((condition) => condition.name !== 'wanted' && condition.reason !== null);
  if (context.json) return context.printJson({ dry_run: true, vnic, in_the_way: inTheWay });
  context.printLine(`${vnic.name} ${WANTED[verb]}; now ${vnic.path}, wanted on ${wantText(vnic)}`);
  for (const { name: condition, remedy } of inTheWay) context.printLine({ text: condition, style: 'bad' }, `: ${remedy}`);
}

async function act(context: Context, name: string, verb: Verb, wait: string | undefined): Promise<void> {
  const waitMs = wait === undefined ? 0 : milliseconds(wait, '--wait', 0, MAX_WAIT_MS);
  const reply = await context.client().act(name, verb, waitMs);
  const { vnic, reached } = reply;
  if (context.json) context.printJson(reply);
  else if (reached) context.printLine(`${vnic.name} is on the ${vnic.path} path${vnic.vf === null ? '' : ` by ${vnic.vf}`}`);
  else if (wait === undefined)
    context.printLine(`${vnic.name} is asked to be on the ${vnic.want} path; now ${vnic.path}: ${vnic.reason_text}`);
  else context.io.err(`${vnic.name} is not on the ${vnic.want} path after ${wait} s: ${vnic.reason_text}\n`);
  if (!reached && wait !== undefined) throw new ExitWith(ExitCode.timedOut);
}
