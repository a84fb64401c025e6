/** `unipath config ...` and `unipath down`: what is asked for, and asking for nothing. */
import type { Command } from 'commander';
import type { ConfigChange } from '../config/changes.js';
import type { Context } from './context.js';
import { ExitCode, ExitWith } from './exit.js';
import type { Cell } from './table.js';

export function registerConfig(program: Command, context: (command: Command) => Context): void {
  const config = program.command('config').description('the configuration file');
  config
    .command('check')
    .description('say everything that is wrong with a file; needs no daemon')
    .argument('<file>')
    .action(async (file: string, _options: object, command: Command) => check(context(command), file));
  config
    .command('show')
    .description('what is in force, as a file that says everything')
    .action(async (_options: object, command: Command) => show(context(command)));
  config
    .command('diff')
    .description('what a file has otherwise than what is in force: what a reload of it would change, and what only the next start')
    .argument('<file>')
    .action(async (file: string, _options: object, command: Command) => diff(context(command), file));
  config
    .command('schema')
    .description('the JSON Schema of the file, for editors and checkers; needs no daemon')
    .action(async (_options: object, command: Command) => schema(context(command)));
  config
    .command('reload')
    .description('make the daemon read its file again; it keeps the old one when the new one is wrong')
    .option('--dry-run', 'only say what would be added, removed and changed')
    .action(async (options: DryRun, command: Command) => reload(context(command), options.dryRun === true));
  program
    .command('down')
    .description('undo everything: VFs back, programs detached, host as before; the daemon ends')
    .option('--dry-run', 'only say what would be undone')
    .action(async (options: DryRun, command: Command) => {
      const here = context(command);
      await (options.dryRun === true ? foreseeDown(here) : down(here));
    });
}

interface DryRun {
  readonly dryRun?: boolean;
}

const plural = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;

async function check(context: Context, file: string): Promise<void> {
  const { ConfigError, loadConfig } = await import('../config/load.js');
  try {
    const { desired } = await loadConfig(file);
    if (context.json) context.printJson({ ok: true, problems: [] });
    else context.printLine(`${file}: ok: ${plural(desired.adapters.length, 'adapter')}, ${plural(desired.vnics.length, 'vNIC')}`);
  } catch (error) {
    if (!(error instanceof ConfigError) || !context.json) throw error;
    context.printJson({ ok: false, problems: error.problems });
    throw new ExitWith(ExitCode.failed);
  }
}

async function show(context: Context): Promise<void> {
  const reply = await context.client().config();
  if (context.json) return context.printJson(reply);
  const { stringify } = await import('yaml');
  context.printLine({ text: `# ${reply.config_file}`, style: 'quiet' });
  context.io.out(stringify(reply.config, { lineWidth: 0 }));
}

async function schema(context: Context): Promise<void> {
  const { configJsonSchema } = await import('../config/json_schema.js');
  context.io.out(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
}

async function diff(context: Context, file: string): Promise<void> {
  const [{ loadConfig }, { fileFormOf }, { changesOf }] = await Promise.all([
    import('../config/load.js'),
    import('../config/file_form.js'),
    import('../config/changes.js'),
  ]);
  const asked = fileFormOf(await loadConfig(file));
  const { config_file, config } = await context.client().config();
  const changes = changesOf(config, asked);
  if (context.json) return context.printJson({ config_file, file, changes });
  if (changes.length === 0) return context.printLine('nothing would change');
  for (const change of changes) context.printLine(changeCell(change), ' ', changeText(change));
}

const CHANGE_STYLES = { added: 'good', removed: 'bad', changed: 'busy' } as const;
const changeCell = ({ change }: ConfigChange): Cell => ({ text: change.padEnd('changed'.length), style: CHANGE_STYLES[change] });

/** "vnic g1: policy software -> accelerated", "vnic g2", "pins ... (with the next start)" */
function changeText({ object, key, before, after, takes_effect }: ConfigChange): string {
  const what = [...(object === null ? [] : [key === null ? object : `${object}:`]), ...(key === null ? [] : [key])].join(' ');
  const late = takes_effect === 'start' ? ' (with the next start)' : '';
  if (key === null) return `${what}${late}`;
  return `${what} ${valueText(before)} -> ${valueText(after)}${late}`;
}

function valueText(value: unknown): string {
  if (value === null) return '(none)';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

async function reload(context: Context, dryRun: boolean): Promise<void> {
  const reply = await context.client().reload(dryRun);
  if (context.json) return context.printJson({ ...reply, dry_run: dryRun });
  for (const what of ['added', 'removed', 'changed'] as const)
    if (reply[what].length > 0) context.printLine(`${dryRun ? 'would be ' : ''}${what}: ${reply[what].join(', ')}`);
  if (reply.added.length + reply.removed.length + reply.changed.length === 0) context.printLine(dryRun ? 'nothing would change' : 'nothing changed');
}

async function foreseeDown(context: Context): Promise<void> {
  const { adapters, vnics, pid } = await context.client().status();
  const steps = [
    ...vnics.flatMap(({ name, vf }) => (vf === null ? [] : [`VF ${vf} taken back from ${name}`])),
    ...vnics.map(({ name, tap }) => `${name} left to the bridge, program detached from ${tap}`),
    ...adapters.flatMap(({ attached, uplink }) => (attached ? [`program detached from ${uplink}`] : [])),
    `unipathd, pid ${pid}, ends`,
  ];
  if (context.json) return context.printJson({ dry_run: true, undone: steps });
  for (const step of steps) context.printLine(`would be undone: ${step}`);
}

async function down(context: Context): Promise<void> {
  const reply = await context.client().down();
  if (context.json) return context.printJson(reply);
  for (const step of reply.undone) context.printLine(`undone: ${step}`);
}
