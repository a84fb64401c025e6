/** `unipath rss show` and `unipath rss set`: how flows are spread over the queues of vNICs. */
import type { Command } from 'commander';
import type { RssPort, RssReply, RssRequest, RssSetReply, RssVnic } from '../control/rss_protocol.js';
import { HASH_TYPE_NAMES, hashTypeNames, hashTypeProblem } from '../core/hash_types.js';
import { DEFAULT_HASH_TYPES, MAX_QUEUES, RSS_KEY_SIZE } from '../core/limits.js';
import { nearName } from '../core/near_name.js';
import { retaRanges, weightsProblem } from '../core/reta.js';
import { KEY_WORDS, parseRssKey } from '../core/rss_plan.js';
import type { SettingSource } from '../core/rss_wish.js';
import type { Context } from './context.js';
import { CliError, ExitCode } from './exit.js';
import { offering } from './offers.js';
import { named } from './words.js';

interface SetOptions {
  readonly key?: string;
  readonly types?: string;
  readonly weights?: string;
  readonly equal?: boolean;
  readonly reset?: boolean;
  readonly dryRun?: boolean;
}

export function registerRssSettings(rss: Command, context: (command: Command) => Context): void {
  rss
    .command('show')
    .description('key, hash types and indirection tables, and where each setting comes from')
    .argument('[vnic]')
    .action(async (vnic: string | undefined, _options: object, command: Command) => show(context(command), vnic));
  rss
    .command('set')
    .description('change them, until --reset; without a vNIC for all that have no setting of their own')
    .argument('[vnic]')
    .addOption(offering('--key <key>', `${RSS_KEY_SIZE} bytes in hexadecimal digits, "random", or "nic": that of the uplink`, KEY_WORDS))
    .addOption(offering('--types <list>', `hash types, separated by commas, or "default": ${HASH_TYPE_NAMES.join(', ')}`, [...HASH_TYPE_NAMES, 'default'], true))
    .option('--weights <list>', 'share of each queue, separated by commas; queues beyond the list get nothing')
    .option('--equal', 'equal shares for all queues')
    .option('--reset', 'forget what was set here; the configuration holds again')
    .option('--dry-run', 'only say what would be changed')
    .action(async (vnic: string | undefined, options: SetOptions, command: Command) => set(context(command), vnic, options));
}

const usage = (message: string, hint: string | null = null): CliError => new CliError(message, 'usage', hint, ExitCode.usage);

function keyOption(text: string): string {
  if ((KEY_WORDS as readonly string[]).includes(text)) return text;
  try {
    return parseRssKey(text);
  } catch (error) {
    const near = nearName(text, KEY_WORDS);
    throw usage(`--key: ${(error as Error).message}`, near === null ? null : `did you mean "${near}"?`);
  }
}

function typesOption(text: string): readonly string[] {
  if (text === 'default') return hashTypeNames(DEFAULT_HASH_TYPES);
  const names = text.split(',').map((name) => name.trim());
  const problem = names.map(hashTypeProblem).find((each) => each !== null);
  if (problem !== undefined && problem !== null) throw usage(`--types: ${problem}`);
  return names;
}

function weightsOption(text: string): readonly number[] {
  const words = text.split(',').map((word) => word.trim());
  const bad = words.find((word) => !/^[0-9]+$/.test(word));
  if (bad !== undefined) throw usage(`--weights: "${bad}" is no weight; write whole numbers such as 2,1,1`);
  const weights = words.map(Number);
  const problem = weightsProblem(weights, MAX_QUEUES);
  if (problem !== null) throw usage(`--weights: ${problem}`);
  return weights;
}

function requestOf(options: SetOptions): RssRequest {
  const { key, types, weights, equal, reset, dryRun } = options;
  if ([key, types, weights, equal, reset].every((option) => option === undefined)) {
    throw usage('nothing to set', 'give --key, --types, --weights, --equal or --reset');
  }
  if (weights !== undefined && equal === true) throw usage('give --weights or --equal, not both');
  return {
    ...(key === undefined ? {} : { key: keyOption(key) }),
    ...(types === undefined ? {} : { hash_types: typesOption(types) }),
    ...(weights === undefined ? {} : { weights: weightsOption(weights) }),
    ...(equal === true ? { weights: [] } : {}),
    ...(reset === true ? { reset } : {}),
    ...(dryRun === true ? { dry_run: true } : {}),
  };
}

async function set(context: Context, vnic: string | undefined, options: SetOptions): Promise<void> {
  const request = requestOf(options);
  const client = context.client();
  // Near names are suggested before anything is asked for.
  if (vnic !== undefined) named('vNIC', vnic, (await client.status()).vnics);
  const reply = await client.setRss(vnic ?? null, request);
  if (context.json) context.printJson(reply);
  else printChanges(context, reply);
}

function printChanges(context: Context, { dry_run, changes }: RssSetReply): void {
  if (changes.length === 0) return context.printLine('nothing changes: it is so already');
  for (const { vnic, device, what, buckets_moved } of changes) {
    const where = device !== null ? `${vnic} ${device}: ` : vnic !== null ? `${vnic}: ` : '';
    const moved = buckets_moved === 0 ? '' : ` (${buckets_moved} buckets move)`;
    context.printLine(`${dry_run ? 'would change: ' : 'changed: '}${where}${what}${moved}`);
  }
}

async function show(context: Context, name: string | undefined): Promise<void> {
  const reply = await context.client().rss();
  const vnics = name === undefined ? reply.vnics : [named('vNIC', name, reply.vnics)];
  if (context.json) return context.printJson({ ...reply, vnics });
  context.printTime();
  if (context.brief) return printBrief(context, vnics);
  printHost(context, reply);
  for (const vnic of vnics) printVnic(context, vnic, reply);
}

function printBrief(context: Context, vnics: readonly RssVnic[]): void {
  const rows = vnics.flatMap((vnic) =>
    vnic.ports.map(({ device, queues, shares }) => [vnic.name, device, String(queues), shares.map(({ percent }) => percent.toFixed(1)).join('/')]),
  );
  if (rows.length > 0) context.printTable([], rows);
}

/** As ethtool writes keys. */
const keyText = (key: string): string => key.replace(/..(?=.)/g, '$&:');
const from = (source: SettingSource): string => ` (${source})`;

function printHost(context: Context, rss: RssReply): void {
  context.printList([
    ['key', `${keyText(rss.key)} (${rss.key_source}${rss.key_random ? ', random' : ''})`],
    ...(rss.key_problem === null ? [] : [['', { text: rss.key_problem, style: 'bad' }] as const]),
    ['hash types', rss.hash_types.join(',') + from(rss.hash_types_source)],
  ]);
}

function printVnic(context: Context, vnic: RssVnic, host: RssReply): void {
  context.printLine('');
  context.printList([
    ['vNIC', vnic.name],
    ...(vnic.key === host.key ? [] : [['key', keyText(vnic.key) + from(vnic.key_source)] as const]),
    ['hash types', vnic.hash_types.join(',') + from(vnic.hash_types_source)],
    ['weights', (vnic.weights === null ? 'equal' : vnic.weights.join(',')) + from(vnic.weights_source)],
    ...vnic.problems.map((problem) => ['', { text: problem, style: 'bad' }] as const),
  ]);
  for (const port of vnic.ports) printPort(context, port);
}

function printPort(context: Context, port: RssPort): void {
  context.printLine('');
  context.printTable(
    [`${port.role.toUpperCase()} ${port.device}`, 'CPU', 'BUCKETS', 'SHARE-%'],
    port.shares.map(({ queue, cpu, buckets, percent }) => [
      `queue ${queue}`,
      cpu === null ? { text: 'none reaches it', style: 'bad' } : String(cpu),
      String(buckets),
      percent.toFixed(1),
    ]),
  );
  for (const line of retaLines(port.reta)) context.printLine(`  ${line}`);
}

/** Buckets in a row that lead to the same queue; where that makes nothing shorter, rows of them as `ethtool -x` has it. */
export function retaLines(reta: readonly number[]): string[] {
  const ranges = retaRanges(reta);
  const columns = 16;
  const rows = Array.from({ length: Math.ceil(reta.length / columns) }, (_, row) => reta.slice(row * columns, (row + 1) * columns).join(' '));
  const alike = rows.length > 0 && rows.every((row) => row === rows[0]);
  if (ranges.length <= rows.length) return ranges.map(({ first, last, queue }) => `buckets ${first}-${last}: ${queue}`);
  if (alike) return [`buckets 0-${reta.length - 1}, again and again: ${rows[0]}`];
  return rows.map((row, i) => `buckets ${i * columns}-${Math.min((i + 1) * columns, reta.length) - 1}: ${row}`);
}
