/** `unipath lab ...`: the commands. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CliError, ExitCode, ExitWith } from '../cli/exit.js';
import { LAB_DESCRIPTION } from '../cli/lab.js';
import { offering } from '../cli/offers.js';
import { PROTOCOL_SCHEMA } from '../control/protocol.js';
import { nearName } from '../core/near_name.js';
import { missingCommandHint } from '../host/exec.js';
import { packageRoot } from '../paths.js';
import { foreseenDown, labDown } from './down.js';
import { abortOnSignal } from './interrupt.js';
import { readJournal } from './journal.js';
import { execInMachine, machineOf } from './machine_exec.js';
import { GUEST_KINDS, type GuestKind, labOf, parseGuestKind } from './model.js';
import { labPlace, namespaceOf, namespacePath, type LabPlace } from './place.js';
import { MARK_VARIABLE } from './processes.js';
import { labRun } from './run/lab_run.js';
import { labStatus, printStatus } from './status.js';
import { foreseenUp, labUp } from './up.js';

interface PlaceOptions {
  readonly name?: string;
}

const placeFrom = (options: PlaceOptions): LabPlace => labPlace(options.name ?? null);

/** How JSON is asked for on every command of unipath; null: it is not. */
function jsonPrinter(command: Command): ((document: object) => void) | null {
  const { json, pretty } = command.optsWithGlobals<{ json?: boolean; pretty?: boolean }>();
  if (json !== true && pretty !== true) return null;
  return (document) => void process.stdout.write(`${JSON.stringify(document, null, pretty === true ? 2 : 0)}\n`);
}

/** @throws CliError for what is no kind of guest */
function guestKind(text: string): GuestKind {
  try {
    return parseGuestKind(text);
  } catch (error) {
    throw new CliError((error as Error).message, 'bad_guests', `--guests ${GUEST_KINDS.join(' | ')}`, ExitCode.usage);
  }
}

const withGuests = (command: Command): Command =>
  command.addOption(offering('--guests <kind>', 'netns: network namespaces; qemu: virtual machines of QEMU', GUEST_KINDS).default('netns'));

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** A second lab beside the usual one: for tests. */
const withName = (command: Command): Command => command.addOption(command.createOption('--name <name>').hideHelp());

const HINTS = `the lab is up; now for example:
  unipath lab status
  unipath -S /run/unipath-lab/a/unipath.sock vnic accelerate g1
  unipath lab exec g1 -- ip -statistics link
  unipath lab down`;

interface UpOptions extends PlaceOptions {
  readonly daemons: boolean;
  readonly guests: string;
  readonly failAfter?: string;
  readonly quiet?: boolean;
  readonly dryRun?: boolean;
}

/** What a `--dry-run` says. */
function sayForeseen(titles: readonly string[], would: 'done' | 'undone', command: Command): void {
  const printJson = jsonPrinter(command);
  if (printJson !== null) printJson({ schema: PROTOCOL_SCHEMA, dry_run: true, [would]: titles });
  else for (const title of titles) process.stdout.write(`would be ${would}: ${title}\n`);
}

async function up(options: UpOptions, command: Command): Promise<void> {
  const spec = labOf(guestKind(options.guests));
  if (options.dryRun === true) return sayForeseen(await foreseenUp(placeFrom(options), { spec, daemons: options.daemons }), 'done', command);
  const { signal, stop } = abortOnSignal();
  try {
    const lab = await labUp(placeFrom(options), {
      spec,
      daemons: options.daemons,
      onStep: options.quiet === true ? () => {} : (title) => say(title),
      signal,
      failAfter: options.failAfter === undefined ? null : Number(options.failAfter),
    });
    lab.journal.close();
  } catch (error) {
    if (!signal.aborted) throw error;
    say('interrupted; what was built is taken down again');
    throw new ExitWith(ExitCode.failed);
  } finally {
    stop();
  }
  if (options.quiet !== true) say(HINTS);
}

async function down(options: PlaceOptions & { quiet?: boolean; dryRun?: boolean }, command: Command): Promise<void> {
  if (options.dryRun === true) return sayForeseen(foreseenDown(placeFrom(options)), 'undone', command);
  const { undone, failures } = await labDown(placeFrom(options), options.quiet === true ? () => {} : (title) => say(`undo: ${title}`));
  for (const failure of failures) say(`cannot undo ${failure}`);
  if (failures.length > 0) throw new ExitWith(ExitCode.failed);
  if (undone.length === 0) say('no lab is up');
}

async function status(options: PlaceOptions, command: Command): Promise<void> {
  const found = await labStatus(placeFrom(options));
  const printJson = jsonPrinter(command);
  if (printJson !== null) printJson(found);
  else process.stdout.write(printStatus(found));
  if (!found.up) throw new ExitWith(ExitCode.failed);
}

interface RunOptions extends PlaceOptions {
  readonly guests: string;
  readonly html?: string;
  readonly results?: string;
  readonly keep?: boolean;
  readonly quick?: boolean;
}

async function run(options: RunOptions, command: Command): Promise<void> {
  const guests = guestKind(options.guests);
  const printJson = jsonPrinter(command);
  // Whoever reads us may go away; the lab must be taken down all the same.
  process.stdout.removeAllListeners('error').on('error', () => {});
  const { passed, results } = await labRun({
    place: placeFrom(options),
    spec: labOf(guests),
    quick: options.quick ?? false,
    keep: options.keep ?? false,
    htmlFile: options.html ?? join(packageRoot, 'build', guests === 'qemu' ? 'lab-run-vm.html' : 'lab-run.html'),
    jsonFile: options.results ?? null,
    out: printJson === null ? process.stdout : process.stderr,
  });
  if (results !== null) printJson?.(results);
  if (!passed) throw new ExitWith(ExitCode.failed);
}

async function absentText(place: LabPlace, name: string): Promise<string> {
  const names = (await labStatus(place)).namespaces.map((namespace) => namespace.name.slice(place.prefix.length + 1));
  const near = nearName(name, names);
  return `the lab has no namespace and no running guest "${name}"; ${near === null ? `there are: ${names.join(', ')}` : `did you mean "${near}"?`}`;
}

/** Runs a command in a namespace of the lab, on the caller's terminal, or in a machine; ends as it ended. */
async function exec(name: string, words: readonly string[], options: PlaceOptions): Promise<void> {
  // Options are passed on, and with them what separates them.
  const argv = words[0] === '--' ? words.slice(1) : words;
  const place = placeFrom(options);
  const journal = readJournal(place);
  const netns = namespaceOf(place, name);
  const machine = journal === null ? null : machineOf(place, journal, name);
  if (machine !== null) {
    const exitCode = await execInMachine(machine, argv, (text) => void process.stdout.write(text));
    if (exitCode !== 0) throw new ExitWith(exitCode);
    return;
  }
  if (!existsSync(namespacePath(netns))) {
    say(journal === null ? 'no lab is up; make one with `unipath lab up`' : await absentText(place, name));
    throw new ExitWith(ExitCode.failed);
  }
  const mark = journal?.head?.mark ?? '';
  const child = spawn('nsenter', [`--net=${namespacePath(netns)}`, '--', ...argv], {
    stdio: 'inherit',
    env: { ...process.env, [MARK_VARIABLE]: mark },
  });
  const exitCode = await new Promise<number>((resolve) => {
    child.once('error', () => {
      say(`nsenter could not be run: ${missingCommandHint('nsenter')}`);
      resolve(127);
    });
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
  if (exitCode !== 0) throw new ExitWith(exitCode);
}

/** Adds `lab` and what is below it. */
export function registerLab(program: Command): void {
  const lab = program.command('lab').description(LAB_DESCRIPTION);
  withGuests(withName(lab.command('up')))
    .description('build the lab and leave it running')
    .option('--no-daemons', 'software paths only: no unipathd, no guest agents')
    .option('-q, --quiet', 'print nothing but errors')
    .option('--dry-run', 'only say what would be done')
    .addOption(lab.createOption('--fail-after <steps>').hideHelp())
    .action(up);
  withName(lab.command('down'))
    .description('remove every trace of the lab, also of one left half-built by a crash')
    .option('-q, --quiet', 'print nothing but errors')
    .option('--dry-run', 'only say what would be undone')
    .action(down);
  withGuests(withName(lab.command('run')))
    .description('build the lab, move guests between their paths and hosts under traffic, account for every frame, remove the lab')
    .option('--html <file>', 'where the report goes (default: build/lab-run.html, or build/lab-run-vm.html)')
    .option('--results <file>', 'also write the results as JSON')
    .option('--keep', 'leave the lab up afterwards')
    .option('--quick', 'shorter steps')
    .action(run);
  withName(lab.command('status')).description('show what is there and what runs').action(status);
  withName(lab.command('exec'))
    .description('run a command in a namespace of the lab: world, a, b, c, g1, g2 or g3; or in a guest of QEMU')
    .argument('<where>')
    .argument('<command...>')
    .passThroughOptions()
    .action(exec);
}
