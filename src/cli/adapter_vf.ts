/** `unipath adapter vf`: how the PF's driver treats a VF, set and put back. Needs no daemon. */
import type { Command } from 'commander';
import { parseMacAddress } from '../core/model.js';
import { pfName } from '../sriov/pf_name.js';
import { settingText, type VfPlan, type VfVlan, type VfWish } from '../sriov/vf_plan.js';
import { alone, DRY_RUN_OPTION, STATE_OPTION } from './adapter_pool.js';
import { needRoot, wholeNumber } from './arguments.js';
import type { Context } from './context.js';
import { CliError, ExitCode } from './exit.js';
import { offering } from './offers.js';

const MOST_VF = 65_534;
const MOST_VLAN = 4094;
const MOST_QOS = 7;
/** Mbit/s; the kernel's number has 32 bits, and half of them are enough. */
const MOST_RATE = 2_147_483_647;
const ON_OFF = ['on', 'off'] as const;
const LINK_STATES = ['auto', 'enable', 'disable'] as const;
const VLAN_PATTERN = /^(\d{1,4})(?::(\d))?(?::(802\.1Q|802\.1ad))?$/i;

interface VfOptions {
  readonly mac?: string;
  readonly vlan?: string;
  readonly spoofCheck?: string;
  readonly trust?: string;
  readonly linkState?: string;
  readonly minRate?: string;
  readonly maxRate?: string;
  readonly restore?: boolean;
  readonly dryRun?: boolean;
  readonly state: string;
}

export function registerAdapterVf(adapter: Command, context: (command: Command) => Context): void {
  adapter
    .command('vf')
    .description('set how the driver of a PF treats a VF, or put back what was before; exit code 1 when it cannot do all of it')
    .argument('<pf>', 'netdev or PCI address of the PF')
    .argument('<number>', 'of the VF')
    .option('--mac <address>', 'what frames it hears, and may send; none: it decides by itself')
    .option('--vlan <id>', 'ID, ID:QOS or ID:QOS:802.1ad of all its frames on the wire; 0: none')
    .addOption(offering('--spoof-check <on|off>', 'drop frames from other addresses than its own', ON_OFF))
    .addOption(offering('--trust <on|off>', 'it may choose its address and listen to everything', ON_OFF))
    .addOption(offering('--link-state <state>', `${LINK_STATES.join(', ')}: what link it sees; auto: that of the PF`, LINK_STATES))
    .option('--min-rate <mbit>', 'Mbit/s it gets at least; 0: none')
    .option('--max-rate <mbit>', 'Mbit/s it gets at most; 0: no limit')
    .option('--restore', 'as it was before the first change')
    .option(...DRY_RUN_OPTION)
    .option(...STATE_OPTION)
    .action(async (pf: string, number: string, options: VfOptions, command: Command) => setOrRestore(context(command), pf, number, options));
}

function usage(message: string): CliError {
  return new CliError(message, 'usage', null, ExitCode.usage);
}

function onOff(text: string, option: string): boolean {
  if (text !== 'on' && text !== 'off') throw usage(`${option} ${text}: neither on nor off`);
  return text === 'on';
}

function vlanOf(text: string): VfVlan {
  const [, id, qos = '0', protocol = '802.1Q'] = VLAN_PATTERN.exec(text) ?? [];
  if (id === undefined || Number(id) > MOST_VLAN || Number(qos) > MOST_QOS) throw usage(`--vlan ${text}: not an id from 0 to ${MOST_VLAN}, such as 7, 7:3 or 7:3:802.1ad`);
  return { id: Number(id), qos: Number(qos), protocol: protocol.toLowerCase() === '802.1ad' ? '802.1ad' : '802.1Q' };
}

function macOf(text: string): string | null {
  if (text === 'none') return null;
  try {
    return parseMacAddress(text);
  } catch (error) {
    throw usage(`--mac ${text}: ${(error as Error).message}`);
  }
}

function wishOf(options: VfOptions): VfWish {
  const { mac, vlan, spoofCheck, trust, linkState, minRate, maxRate } = options;
  const state = LINK_STATES.find((each) => each === linkState);
  if (linkState !== undefined && state === undefined) throw usage(`--link-state ${linkState}: none of ${LINK_STATES.join(', ')}`);
  return {
    ...(mac === undefined ? {} : { mac: macOf(mac) }),
    ...(vlan === undefined ? {} : { vlan: vlanOf(vlan) }),
    ...(spoofCheck === undefined ? {} : { spoofCheck: onOff(spoofCheck, '--spoof-check') }),
    ...(trust === undefined ? {} : { trust: onOff(trust, '--trust') }),
    ...(state === undefined ? {} : { linkState: state }),
    ...(minRate === undefined ? {} : { minRate: wholeNumber(minRate, '--min-rate', 0, MOST_RATE) }),
    ...(maxRate === undefined ? {} : { maxRate: wholeNumber(maxRate, '--max-rate', 0, MOST_RATE) }),
  };
}

async function setOrRestore(context: Context, name: string, number: string, options: VfOptions): Promise<void> {
  needRoot();
  const index = wholeNumber(number, 'VF', 0, MOST_VF);
  const wish = wishOf(options);
  if (options.restore === true && Object.keys(wish).length > 0) throw usage('--restore takes nothing else to be set');
  const [{ findPf }, { planVf }, { planVfRestore, restoreVf, setVf }] = await Promise.all([
    import('../sriov/discover.js'),
    import('../sriov/vf_plan.js'),
    import('../sriov/vf_settings.js'),
  ]);
  await alone(options, async () => {
    const pf = await findPf(name);
    const plan = options.restore === true ? planVfRestore(pf, index, options.state) : planVf(pf, index, wish);
    if (options.dryRun !== true) await (options.restore === true ? restoreVf : setVf)(pf, index, plan, options.state);
    print(context, `VF ${index} of ${pfName(pf)}`, plan, options.dryRun !== true);
    complain(plan);
  });
}

function complain(plan: VfPlan): void {
  if (plan.lacking.length > 0) throw new CliError(`the driver cannot do all of it: ${plan.lacking.map(({ control, why }) => `${control}: ${why}`).join('; ')}`, 'control_missing');
}

function print(context: Context, vf: string, { changes, lacking }: VfPlan, done: boolean): void {
  const lines = changes.map(({ setting, before }) => `${vf}: ${settingText(setting)} (before: ${settingText(before)})`);
  // With something lacking the error is the document.
  if (context.json && lacking.length === 0) context.printJson({ done, changes: lines });
  if (context.json) return;
  for (const line of lines) context.printLine(line);
  if (lines.length === 0) context.printLine(`${vf}: nothing is to be done`);
}
