/** What may stand at the end of a command line that is being typed, from the definitions of the commands. Pure. */
import type { Command, Option } from 'commander';
import { offerOf } from './offers.js';

/** What only the daemon knows, or the machine. */
export type NameKind = 'vnic' | 'vm' | 'vf' | 'adapter' | 'interface' | 'pf' | 'map';

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Names that may stand there, too; each behind `prefix`. */
  readonly names: NameKind | null;
  readonly prefix: string;
  /** The files of the current folder may stand there, too. */
  readonly files: boolean;
  /** Control socket that the line names. */
  readonly socket: string | null;
}

const NAME_KINDS: readonly string[] = ['vnic', 'vm', 'vf', 'adapter', 'interface', 'pf', 'map'] satisfies NameKind[];
/** Placeholders that stand for a file. */
const FILE_WORDS = ['file', 'path', 'socket'];

const takesValue = (option: Option): boolean => option.required || option.optional;
const optionNamed = (command: Command, name: string): Option | undefined =>
  command.options.find(({ long, short }) => name === long || name === short);

/** Options that the help of this command or of the whole shows. */
function optionsOf(command: Command, root: Command): readonly Option[] {
  const common = root.options.filter(({ hidden, long }) => !hidden && long !== undefined && optionNamed(command, long) !== undefined);
  const own = command.createHelp().visibleOptions(command).filter(({ long }) => !common.some((option) => option.long === long));
  return [...own, ...common];
}

interface Value {
  readonly choices: readonly string[];
  /** Several choices, with commas between. */
  readonly isList: boolean;
  readonly names: NameKind | null;
  readonly files: boolean;
}

function valueOf(word: string, owner: string, choices: readonly string[] | undefined): Value {
  // "unipath vnic show NAME" names a vNIC.
  const kind = word === 'name' ? owner : word;
  return { choices: choices ?? [], isList: false, names: NAME_KINDS.includes(kind) ? (kind as NameKind) : null, files: FILE_WORDS.includes(word) };
}

function valueOfOption(option: Option): Value {
  const placeholder = /[<[]([\w-]+)/.exec(option.flags)?.[1] ?? '';
  const offer = offerOf(option);
  const value = { ...valueOf(placeholder, option.long?.slice(2) ?? '', offer?.words ?? option.argChoices), isList: offer?.isList ?? false };
  return value.names === null && NAME_KINDS.includes(option.long?.slice(2) ?? '') ? { ...value, names: option.long?.slice(2) as NameKind } : value;
}

function valueOfArgument(command: Command, position: number): Value | null {
  const all = command.registeredArguments;
  const last = all.at(-1);
  const argument = all[position] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? null : valueOf(argument.name(), command.parent?.name() ?? '', argument.argChoices);
}

/** Where the words before the last lead to. */
function walk(root: Command, words: readonly string[]): { command: Command; position: number; pending: Option | null; socket: string | null } {
  let [command, position, socket] = [root, 0, null as string | null];
  let pending: Option | null = null;
  let onlyArguments = false;
  for (const word of words) {
    if (pending !== null) {
      if (pending.long === '--socket') socket = word;
      pending = null;
    } else if (word === '--') {
      onlyArguments = true;
    } else if (word.startsWith('-') && !onlyArguments) {
      const [name = '', value] = word.split('=', 2);
      const option: Option | undefined = optionNamed(command, name);
      if (option !== undefined && takesValue(option) && value === undefined) pending = option;
      else if (option?.long === '--socket' && value !== undefined) socket = value;
    } else {
      const below: Command | undefined = position > 0 ? undefined : command.commands.find((each) => each.name() === word);
      if (below === undefined) position++;
      else command = below;
    }
  }
  return { command, position, pending, socket };
}

/** The command that a whole line names; the root when it names none. */
export function commandOf(root: Command, words: readonly string[]): Command {
  return walk(root, words).command;
}

/** @param words of the line behind "unipath", up to the one that is being typed, which may be empty */
export function complete(root: Command, words: readonly string[]): Completion {
  // bash takes "--vnic=g1" for three words.
  const apart = words.filter((word, i) => word !== '=' || i === words.length - 1);
  const last = apart.at(-1) === '=' ? '' : (apart.at(-1) ?? '');
  const { command, position, pending, socket } = walk(root, apart.slice(0, -1));
  const from = (value: Value, prefix = ''): Completion => {
    const before = prefix + (value.isList ? last.slice(prefix.length, last.lastIndexOf(',') + 1) : '');
    const candidates = value.choices.map((word) => ({ word: before + word, description: '' })).filter(({ word }) => word.startsWith(last));
    return { candidates, names: value.names, prefix, files: value.files, socket };
  };
  if (pending !== null) return from(valueOfOption(pending));
  const [, name] = /^(--[\w-]+)=/.exec(last) ?? [];
  if (name !== undefined) {
    const option = optionNamed(command, name);
    return from(option === undefined ? valueOf('', '', []) : valueOfOption(option), `${name}=`);
  }
  if (last.startsWith('-')) {
    const candidates = optionsOf(command, root).flatMap(({ long, description }) => (long?.startsWith(last) ? [{ word: long, description }] : []));
    return { candidates, names: null, prefix: '', files: false, socket };
  }
  const commands = (position > 0 ? [] : command.createHelp().visibleCommands(command))
    .filter((each) => each.name().startsWith(last) && each.name() !== 'help')
    .map((each) => ({ word: each.name(), description: each.description() }));
  const value = from(valueOfArgument(command, position) ?? valueOf('', '', []));
  return { ...value, candidates: [...commands, ...value.candidates] };
}
