/** `unipath adapter setup` and `reset`: the VFs of a PF, made and taken away. Needs no daemon. */
import type { Command } from 'commander';
import type { PfFacts } from '../sriov/facts.js';
import { pfName } from '../sriov/judge.js';
import { STATE_FOLDER } from '../paths.js';
import { type PoolPlan, type PoolWish, stepText, VFIO_DRIVER, type VfDriver } from '../sriov/pool_plan.js';
import { needRoot, wholeNumber } from './arguments.js';
import type { Context } from './context.js';
import { CliError, ExitCode } from './exit.js';

/** As many VFs as PCI Express has numbers for. */
const MOST_VFS = 65_535;
const DRIVERS: readonly VfDriver[] = [VFIO_DRIVER, 'kernel'];

/** Of every command that changes an adapter. */
export const DRY_RUN_OPTION = ['--dry-run', 'only say what would be done, and what traffic would feel of it'] as const;
export const STATE_OPTION = ['--state <folder>', 'where it is noted what was before', STATE_FOLDER] as const;

interface PoolOptions {
  readonly vfs?: string;
  readonly driver?: string;
  readonly dryRun?: boolean;
  readonly state: string;
}

export function registerAdapterPool(adapter: Command, context: (command: Command) => Context): void {
  const common = (command: Command): Command =>
    command
      .argument('<pf>', 'netdev or PCI address of the PF')
      .option(...DRY_RUN_OPTION)
      .option(...STATE_OPTION);
  common(adapter.command('setup'))
    .description('give a PF so many VFs, with the driver for virtual machines or their own; refused while someone uses those that are there')
    .requiredOption('--vfs <number>', 'how many')
    .option('--driver <name>', `${VFIO_DRIVER}: for virtual machines; kernel: for guests that are network namespaces`, VFIO_DRIVER)
    .action(async (pf: string, options: PoolOptions, command: Command) => setUp(context(command), pf, options));
  common(adapter.command('reset'))
    .description('give a PF back what it had before the first setup')
    .action(async (pf: string, options: PoolOptions, command: Command) => reset(context(command), pf, options));
}

function wishOf({ vfs = '', driver = VFIO_DRIVER }: PoolOptions): PoolWish {
  const known = DRIVERS.find((name) => name === driver);
  if (known === undefined) throw new CliError(`--driver ${driver}: neither ${DRIVERS.join(' nor ')}`, 'usage', null, ExitCode.usage);
  return { vfs: wholeNumber(vfs, '--vfs', 1, MOST_VFS), driver: known };
}

async function setUp(context: Context, name: string, options: PoolOptions): Promise<void> {
  needRoot();
  const wish = wishOf(options);
  const { planPoolSetup, setUpPool } = await import('../sriov/pool.js');
  const { pf, plan } = await planPoolSetup(name, wish);
  await carryOut(context, pf, plan, options, (say) => setUpPool(pf, plan, wish, options.state, say));
}

async function reset(context: Context, name: string, options: PoolOptions): Promise<void> {
  needRoot();
  const { planPoolReset, resetPool } = await import('../sriov/pool.js');
  const { pf, plan } = await planPoolReset(name, options.state);
  await carryOut(context, pf, plan, options, (say) => resetPool(pf, plan, options.state, say));
}

async function carryOut(
  context: Context,
  pf: PfFacts,
  plan: PoolPlan,
  { dryRun = false }: PoolOptions,
  work: (say: (text: string) => void) => Promise<void>,
): Promise<void> {
  const lines = plan.steps.map((step) => stepText(pfName(pf), step));
  if (!dryRun) await work((text) => (context.json ? undefined : context.printLine(text)));
  if (context.json) {
    context.printJson({ pf: pf.pci, done: !dryRun, steps: lines, effects: plan.effects });
    return;
  }
  if (dryRun) for (const line of [...lines, ...plan.effects.map((effect) => `! ${effect}`)]) context.printLine(line);
  if (lines.length === 0) context.printLine('nothing is to be done');
}
