/** `unipath batch`: commands from a file, one a line. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { Context } from './context.js';
import { CliError, ExitCode, ExitWith } from './exit.js';
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
    .addHelpText('after', HELP_TAIL)
    .action(async (file: string, options: { keepGoing?: boolean }, command: Command) => batch(context(command), file, options.keepGoing === true));
}

async function batch(context: Context, file: string, keepGoing: boolean): Promise<void> {
  const { runCli } = await import('./program.js');
  const common = commonWords(context);
  let failed: number = ExitCode.ok;
  let number = 0;
  const input = file === '-' ? process.stdin : createReadStream(file);
  // What goes wrong with the file comes up while it is read.
  const problem = new Promise<never>((_, reject) => {
    input.once('error', ({ message }: Error) => reject(new CliError(`${file}: ${message}`, 'no_file', 'name a file that can be read')));
  });
  problem.catch(() => undefined);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await Promise.race([lines.next(), problem]);
    if (done === true) break;
    const where = `${file}:${++number}`;
    const code = await line(context, value, where, (words) => runCli([...common, ...words], context.io));
    if (code !== ExitCode.ok) context.io.err(`${where}: exit code ${code}\n`);
    if (failed === ExitCode.ok) failed = code;
    if (failed !== ExitCode.ok && !keepGoing) break;
  }
  input.destroy();
  if (failed !== ExitCode.ok) throw new ExitWith(failed);
}

type Runner = (words: readonly string[]) => Promise<number>;

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
