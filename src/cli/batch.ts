/** `unipath batch`: commands from a file, one a line. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { Context } from './context.js';
import { CliError, ExitCode, ExitWith } from './exit.js';
import { fileProblem } from './file_words.js';
import { wordsOfLine } from './words_of_line.js';

const HELP_TAIL = `
A line is what would stand behind "unipath": words with blanks between them, quotes and backslashes as in a shell, # begins a comment.
Options in front of "batch" hold for every line. Exit code: of the first command that failed.`;

export function registerBatch(program: Command, context: (command: Command) => Context): void {
  program
    .command('batch')
    .description('run commands from a file, one a line; ends at the first that fails')
    .argument('<file>', '- is standard input')
    .option('--keep-going', 'go on behind one that fails')
    .option('--dry-run', 'only say what would be done: by the --dry-run of each command that has one, by its line for the others')
    .addHelpText('after', HELP_TAIL)
    .action(async (file: string, options: BatchOptions, command: Command) => batch(context(command), file, options));
}

interface BatchOptions {
  readonly keepGoing?: boolean;
  readonly dryRun?: boolean;
}

async function batch(context: Context, file: string, { keepGoing = false, dryRun = false }: BatchOptions): Promise<void> {
  const { runCli } = await import('./program.js');
  const common = commonWords(context);
  const run: Runner = (words) => runCli([...common, ...words], context.io);
  let failed: number = ExitCode.ok;
  let number = 0;
  const input = file === '-' ? process.stdin : createReadStream(file);
  // What goes wrong with the file comes up while it is read.
  const problem = new Promise<never>((_, reject) => {
    input.once('error', (error: Error) => reject(new CliError(`${file}: ${fileProblem(error)}`, 'no_file', 'name a file that can be read')));
  });
  problem.catch(() => undefined);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await Promise.race([lines.next(), problem]);
    if (done === true) break;
    const where = `${file}:${++number}`;
    const code = await line(context, value, where, dryRun ? (words) => foresee(context, words, run) : run);
    if (code !== ExitCode.ok) context.io.err(`${where}: exit code ${code}\n`);
    if (failed === ExitCode.ok) failed = code;
    if (failed !== ExitCode.ok && !keepGoing) break;
  }
  input.destroy();
  if (failed !== ExitCode.ok) throw new ExitWith(failed);
}

type Runner = (words: readonly string[]) => Promise<number>;

/** Only looks, whatever the line does. @returns its exit code */
async function foresee(context: Context, words: readonly string[], run: Runner): Promise<number> {
  const [{ programFor }, { commandOf }] = await Promise.all([import('./program.js'), import('./complete.js')]);
  const root = await programFor(words, context.io);
  const command = commandOf(root, words);
  // What is no command is told as such; nothing is done for it.
  if (command === root || command.commands.length > 0) return run(words);
  if (command.options.some(({ long }) => long === '--dry-run')) return run(words.includes('--dry-run') ? words : [...words, '--dry-run']);
  context.printLine(`would run: unipath ${words.join(' ')}`);
  return ExitCode.ok;
}

/** @returns its exit code */
async function line(context: Context, text: string, where: string, run: Runner): Promise<number> {
  try {
    const words = wordsOfLine(text);
    if (words.length === 0) return ExitCode.ok;
    // A batch in a batch may be itself.
    if (words.find((word) => !word.startsWith('-')) === 'batch') throw new RangeError('batch has no place in a batch');
    return await run(words);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    context.io.err(`unipath: ${where}: ${error.message}\n`);
    return ExitCode.usage;
  }
}

/** The options of all commands that were given, for every line. */
function commonWords({ options }: Context): readonly string[] {
  const { socket, timeout, color, json, pretty, brief, stats, details, timestamp } = options;
  const flags = Object.entries({ json, pretty, brief, stats, details, timestamp }).flatMap(([name, given]) => (given === true ? [`--${name}`] : []));
  const valued = Object.entries({ socket, timeout, color }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  return [...flags, ...valued];
}
