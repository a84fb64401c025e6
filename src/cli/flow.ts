/** `unipath flow ...`: what becomes of a flow, which are the busiest, and what has been learnt. */
import type { Command } from 'commander';
import { describeSlots } from '../capture/flow_slots.js';
import { readFlows } from '../dataplane/flow_rows.js';
import { vnicNamed } from '../dataplane/site_names.js';
import type { Context } from './context.js';
import { registerFlowCopy } from './flow_copy.js';
import { registerFlowExplain } from './flow_explain.js';
import { registerFlowTop } from './flow_top.js';
import { PINS_OPTION, siteOf } from './site.js';

export function registerFlow(program: Command, context: (command: Command) => Context): void {
  const flow = program.command('flow').description('flows: what becomes of one, which are the busiest, what has been learnt');
  registerFlowExplain(flow, context);
  registerFlowTop(flow, context);
  registerFlowCopy(flow, context);
  flow
    .command('show')
    .description('what has been learnt of the flows of a vNIC, in numbers: the table holds tags of flows, not their addresses')
    .requiredOption('--vnic <name>', 'whose')
    .option(...PINS_OPTION)
    .action(async (options: { vnic: string; pins?: string }, command: Command) => show(context(command), options));
}

async function show(context: Context, options: { readonly vnic: string; readonly pins?: string }): Promise<void> {
  const site = await siteOf(context, options.pins);
  const vnic = vnicNamed(site, options.vnic);
  const { flows, clock } = readFlows(site.pins, vnic.id);
  const facts = describeSlots(flows, clock);
  if (context.json) return context.printJson({ vnic: vnic.name, ...facts });
  const spread = (queues: Readonly<Record<string, number>>): string =>
    Object.entries(queues)
      .map(([queue, slots]) => `${queue}:${slots}`)
      .join(' ') || '-';
  context.printList([
    ['vnic', vnic.name],
    ['slots', String(facts.slots)],
    ['learnt', `${facts.learnt}, of which ${facts.expired} are older than ${facts.expiry_seconds} s and not used any more`],
    ['steered', `${facts.steered}, of which ${facts.moving} are on their way to the queue that was learnt`],
    ['learnt queues', spread(facts.learnt_queues)],
    ['steered queues', spread(facts.steered_queues)],
    ['learnt ages', facts.learnt_ages.map(({ seconds, slots }) => `<=${seconds}s:${slots}`).join(' ')],
    ['', `another flow may take a slot that has been quiet for ${facts.lifetime_seconds} s`],
  ]);
}
