/** `unipath adapter setup` and `reset`: the VFs of a PF, made and taken away. Needs no daemon. */
import type { Command } from 'commander';
import type { PfFacts } from '../sriov/facts.js';
import { pfName } from '../sriov/pf_name.js';
import { STATE_FOLDER } from '../paths.js';
import { type PoolPlan, type PoolWish, stepText, VFIO_DRIVER, type VfDriver } from '../sriov/pool_plan.js';
import { needRoot, wholeNumber } from './arguments.js';
import type { Context } from './context.js';
import { CliError, ExitCode } from './exit.js';
import { offering } from './offers.js';

/** As many VFs as PCI Express has numbers for. */
const MOST_VFS = 65_535;
const ESWITCH_MODES = ['legacy', 'switchdev'] as const;
const DRIVERS: readonly VfDriver[] = [VFIO_DRIVER, 'kernel'];

/** Of every command that changes an adapter. */
export const DRY_RUN_OPTION = ['--dry-run', 'only say what would be done, and what traffic would feel of it'] as const;
export const STATE_OPTION = ['--state <folder>', 'where it is noted what was before', STATE_FOLDER] as const;

interface PoolOptions {
  readonly vfs?: string;
  readonly driver?: string;
  readonly eswitch?: string;
  readonly dryRun?: boolean;
  readonly state: string;
}

export function registerAdapterPool(adapter: Command, context: (command: Command) => Context): void {
  const common = (command: Command): Command => command.option(...DRY_RUN_OPTION).option(...STATE_OPTION);
  common(adapter.command('setup'))
    .description('give a PF so many VFs, with the driver for virtual machines or their own; refused while someone uses those that are there')
    .argument('[pf]', 'netdev or PCI address of the PF; none: every one that was set up before, for the time after a reboot')
    .option('--vfs <number>', 'how many; default: as it was set up before')
    .addOption(offering('--driver <name>', `${VFIO_DRIVER}: for virtual machines (default); kernel: for guests that are network namespaces`, DRIVERS))
    .addOption(offering('--eswitch <mode>', `${ESWITCH_MODES.join(' or ')}: who switches between VFs and the wire: the adapter itself, or the host by representors; default: as it is`, ESWITCH_MODES))
    .action(async (pf: string | undefined, options: PoolOptions, command: Command) => setUp(context(command), pf, options));
  common(adapter.command('reset'))
    .argument('<pf>', 'netdev or PCI address of the PF')
    .description('give a PF back what it had before the first setup')
    .action(async (pf: string, options: PoolOptions, command: Command) => reset(context(command), pf, options));
}

/** unipathd has the lock for less than that, while it lends a VF or sets it as it was. */
const DAEMON_MS = 5_000;

/** Nobody else changes adapters meanwhile; who only looks does not mind. */
export async function alone({ dryRun = false, state }: { readonly dryRun?: boolean; readonly state: string }, work: () => Promise<void>): Promise<void> {
  if (dryRun) return work();
  const { whileLocked } = await import('../sriov/setup_lock.js');
  await whileLocked(state, work, DAEMON_MS);
}

/** null: as before. */
function wishOf(pf: string | undefined, { vfs, driver, eswitch }: PoolOptions): PoolWish | null {
  if (vfs === undefined && driver !== undefined) throw new CliError('--driver needs --vfs', 'usage', null, ExitCode.usage);
  if (vfs === undefined && eswitch !== undefined) throw new CliError('--eswitch needs --vfs: all VFs are made anew', 'usage', null, ExitCode.usage);
  if (vfs === undefined) return null;
  if (pf === undefined) throw new CliError('--vfs needs the PF that is to have them', 'usage', null, ExitCode.usage);
  const mode = ESWITCH_MODES.find((each) => each === eswitch);
  if (eswitch !== undefined && mode === undefined) throw new CliError(`--eswitch ${eswitch}: neither ${ESWITCH_MODES.join(' nor ')}`, 'usage', null, ExitCode.usage);
  return { ...newWish(vfs, driver ?? VFIO_DRIVER), ...(mode === undefined ? {} : { eswitch: mode }) };
}

function newWish(vfs: string, driver: string): PoolWish {
  const known = DRIVERS.find((name) => name === driver);
  if (known === undefined) throw new CliError(`--driver ${driver}: neither ${DRIVERS.join(' nor ')}`, 'usage', null, ExitCode.usage);
  return { vfs: wholeNumber(vfs, '--vfs', 1, MOST_VFS), driver: known };
}

async function setUp(context: Context, name: string | undefined, options: PoolOptions): Promise<void> {
  needRoot();
  const wish = wishOf(name, options);
  const [{ planPoolSetup, setUpPool }, { notedPfs }] = await Promise.all([import('../sriov/pool.js'), import('../sriov/pool_notes.js')]);
  const names = name === undefined ? notedPfs(options.state) : [name];
  if (names.length === 0) throw new CliError('no PF was set up before', 'nothing_noted', 'say which, and how many VFs: unipath adapter setup PF --vfs NUMBER');
  for (const each of names) {
    await alone(options, async () => {
      const { pf, plan, wish: wanted } = await planPoolSetup(each, wish, options.state);
      await carryOut(context, pf, plan, options, (say) => setUpPool(pf, plan, wanted, options.state, say));
    });
  }
}

async function reset(context: Context, name: string, options: PoolOptions): Promise<void> {
  needRoot();
  const { planPoolReset, resetPool } = await import('../sriov/pool.js');
  await alone(options, async () => {
    const { pf, plan } = await planPoolReset(name, options.state);
    await carryOut(context, pf, plan, options, (say) => resetPool(pf, plan, options.state, say));
  });
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
