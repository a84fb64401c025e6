/** The command line of `unipath`: the tree of commands, and how errors become messages and exit codes. */
import { Command, CommanderError, Help } from 'commander';
import { DaemonUnreachableError, RequestError, RequestTimeoutError } from '../control/client.js';
import { LookupError } from '../dataplane/site_names.js';
import { AdapterError } from '../sriov/error.js';
import { registerAdapter } from './adapter.js';
import { withBrief, withHelp } from './arguments.js';
import { registerBatch } from './batch.js';
import { registerBugreport } from './bugreport.js';
import { registerCompletion } from './completion.js';
import { registerConfig } from './config.js';
import { addCommonOptions, Context, type GlobalOptions, type Io } from './context.js';
import { registerDoctor } from './doctor.js';
import { CliError, ExitCode, ExitWith } from './exit.js';
import { registerExplain } from './explain.js';
import { registerGuest } from './guest.js';
import { registerLab } from './lab.js';
import { misuseOf } from './misuse.js';
import { registerMonitor } from './monitor.js';
import { registerOther } from './other.js';
import { registerRss } from './rss.js';
import { registerStatus } from './status.js';
import { registerTop } from './top.js';
import { registerVf } from './vf.js';
import { registerVm } from './vm.js';
import { registerVnic } from './vnic.js';
import { version } from '../version.js';

const HELP_TAIL = `
Options may stand behind the command too. unipath COMMAND --help tells more.
Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 daemon unreachable, 4 degraded (status, guest check, doctor), 5 timed out.`;

const HELP = new Help();
/** Default values and choices as they are typed. */
const unquoted = (description: string): string => description.replace(/\((?:choices|default): .*\)$/, (said) => said.replaceAll('"', ''));

/** The tree of commands. Of those that bring much with them, only the ones that `args` name are whole. */
export async function programFor(args: readonly string[], io: Io): Promise<Command> {
  const program = new Command('unipath')
    .description('accelerated-path controller for KVM hosts: moves each virtual machine NIC between its software path and a VF')
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ optionDescription: (option) => unquoted(HELP.optionDescription(option)), argumentDescription: (argument) => unquoted(HELP.argumentDescription(argument)) })
    .version(version, '-V, --version', 'print the version of this command')
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: () => {} })
    .addHelpText('after', HELP_TAIL);
  await register(program, io, args);
  return program;
}

/** Runs one command line. @returns its exit code */
export async function runCli(words: readonly string[], io: Io): Promise<number> {
  const args = withHelp(words);
  try {
    const program = await programFor(args, io);
    await program.parseAsync([...withBrief(args)], { from: 'user' });
    return ExitCode.ok;
  } catch (error) {
    return explain(error as Error, io, asJson(args));
  }
}

async function register(program: Command, io: Io, args: readonly string[]): Promise<void> {
  const context = (command: Command): Context => new Context(io, command.optsWithGlobals<GlobalOptions>());
  for (const part of [registerStatus, registerExplain, registerVnic, registerVm, registerAdapter, registerVf, registerMonitor, registerTop]) part(program, context);
  for (const part of HEAVY) {
    if (args.includes(part.name)) (await part.load())(program, context);
    else program.command(part.name).description(part.description).helpOption(false);
  }
  for (const part of [registerConfig, registerOther, registerRss, registerGuest, registerDoctor, registerBugreport, registerBatch, registerCompletion]) part(program, context);
  await registerLab(program, args);
  addToAll(program);
}

/** Commands that look at the programs themselves, and bring with them all that calls native code: loaded only by who names them. */
const HEAVY: readonly {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<(program: Command, context: (command: Command) => Context) => void>;
}[] = [
  {
    name: 'capture',
    description: 'frames as they come in, with what the programs decide about them; until interrupted, or as many as asked for',
    load: async () => (await import('./capture.js')).registerCapture,
  },
  {
    name: 'flow',
    description: 'flows: what becomes of one, which are the busiest, what has been learnt',
    load: async () => (await import('./flow.js')).registerFlow,
  },
  {
    name: 'map',
    description: 'maps that the packet programs and unipathd share; they are only read',
    load: async () => (await import('./map.js')).registerMap,
  },
  {
    name: 'prog',
    description: 'the packet programs; they are only looked at',
    load: async () => (await import('./prog.js')).registerProg,
  },
];

/** Common options stand before or behind a command; not where the rest of the line belongs to another program. */
function addToAll(command: Command): void {
  const passesThrough = (command as unknown as { readonly _passThroughOptions?: boolean })._passThroughOptions === true;
  if (!passesThrough) addCommonOptions(command);
  for (const each of command.commands) addToAll(each);
}

/** An error may come before the options are parsed. */
function asJson(args: readonly string[]): boolean {
  return args.some((arg) => arg === '--json' || arg === '--pretty' || /^-[jp]+$/.test(arg));
}

function explain(error: Error, io: Io, json: boolean): number {
  if (error instanceof ExitWith) return error.exitCode;
  if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.ok;
  const { code, message, hint, exitCode } = error instanceof CommanderError ? misused(error) : { message: error.message, ...classify(error) };
  if (json) io.out(`${JSON.stringify({ schema: 1, error: { code, message, hint } })}\n`);
  // Help has been printed already.
  else if (!isHelp(error)) io.err(`unipath: ${message}${hint === null ? '' : `\n  ${hint}`}\n`);
  return exitCode;
}

/** An object without a command: its help is the answer. */
const isHelp = (error: Error): boolean => error instanceof CommanderError && error.code === 'commander.help';

function misused(error: CommanderError): { readonly code: string; readonly message: string; readonly hint: string | null; readonly exitCode: number } {
  const misuse = isHelp(error) ? { message: 'no command is named', hint: 'unipath --help, or unipath OBJECT --help' } : misuseOf(error.message);
  return { code: 'usage', ...misuse, exitCode: ExitCode.usage };
}

/** Faults of the command line: words that never mean anything, frames that cannot be. A thing that is not here may come. */
const MISSPELT = ['bad_flow', 'unknown_map', 'unknown_order', 'unknown_protocol', 'unknown_reason', 'unknown_side', 'unknown_verdict'];

function classify(error: Error): { readonly code: string; readonly hint: string | null; readonly exitCode: number } {
  if (error instanceof CliError) return error;
  if (error instanceof DaemonUnreachableError) return { code: 'unreachable', hint: null, exitCode: ExitCode.unreachable };
  if (error instanceof RequestTimeoutError) return { code: 'timed_out', hint: null, exitCode: ExitCode.timedOut };
  if (error instanceof RequestError || error instanceof LookupError) {
    return { code: error.code, hint: error.hint, exitCode: MISSPELT.includes(error.code) ? ExitCode.usage : ExitCode.failed };
  }
  if (error instanceof AdapterError) return { code: 'adapter_refused', hint: error.hint, exitCode: ExitCode.failed };
  if (error.name === 'ConfigError') return { code: 'config_invalid', hint: null, exitCode: ExitCode.failed };
  return { code: 'failed', hint: null, exitCode: ExitCode.failed };
}
