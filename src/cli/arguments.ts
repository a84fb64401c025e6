/** What stands behind an option, checked. */
import { unknownName } from '../dataplane/site_names.js';
import { CliError, ExitCode } from './exit.js';

/** One of these words. @throws LookupError that suggests the near one */
export function wordOf<T extends string>(what: string, word: string, all: readonly T[]): T {
  const found = all.find((each) => each === word);
  if (found === undefined) throw unknownName(what, word, all);
  return found;
}

/** Some of these words, with commas between them. @throws LookupError that suggests the near one */
export const wordsOf = <T extends string>(what: string, text: string, all: readonly T[]): readonly T[] => text.split(',').map((word) => wordOf(what, word.trim(), all));

/** A whole number. @throws CliError */
export function wholeNumber(text: string, option: string, least: number, most: number): number {
  if (!/^[0-9]{1,15}$/.test(text) || Number(text) < least || Number(text) > most)
    throw new CliError(`${option} ${text}: not a whole number from ${least} to ${most}`, 'usage', null, ExitCode.usage);
  return Number(text);
}

/**
 * "-br" as ip(8) has it: commander knows options of one letter only. Not where the rest of the line is another program's, or is being
 * typed.
 */
export function withBrief(args: readonly string[]): readonly string[] {
  const end = args.findIndex((arg) => arg === '--' || arg === 'exec');
  return args.map((arg, i) => (arg === '-br' && (end < 0 || i < end) ? '--brief' : arg));
}

/** "help vnic show" is "vnic show --help": commander's own help takes one word and leaves the others out. */
export function withHelp(args: readonly string[]): readonly string[] {
  const [first, ...words] = args;
  return first === 'help' && words.length > 1 && words.every((word) => !word.startsWith('-')) ? [...words, '--help'] : args;
}

/** For commands that change the machine themselves. @throws CliError */
export function needRoot(): void {
  if (process.getuid?.() !== 0) throw new CliError('root is needed to change adapters', 'not_root', 'run it with sudo');
}
