/** The reference of commands as manual pages in the man(7) macros: one of the whole, one for each object. Pure. */
import type { CommandReference, Entry, Reference } from './reference.js';

export interface ManPage {
  /** "unipath-vnic.1" */
  readonly file: string;
  readonly text: string;
}

/** Text without what troff would take for a command, a macro or a typographer's dash. */
export const escaped = (text: string): string => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^([.'])/gm, '\\&$1');
/** One argument of a macro. */
export const argument = (text: string): string => `"${escaped(text).replaceAll('"', '\\(dq')}"`;
const sentence = (text: string): string => (text === '' ? '' : `${text[0]?.toUpperCase()}${text.slice(1)}.`);

const entries = (heading: string, all: readonly Entry[]): string[] =>
  all.length === 0 ? [] : [`.SS ${heading}`, ...tagged(all)];

/** Terms in bold, with what they mean. */
export const tagged = (all: readonly Entry[]): string[] =>
  all.flatMap(({ term, description }) => ['.TP', `.B ${argument(term)}`, escaped(description === '' ? term : description)]);

const literal = (text: string): string[] => (text === '' ? [] : ['.PP', '.nf', escaped(text), '.fi']);

const pageName = (command: string): string => command.split(' ').slice(0, 2).join('-');

function body(command: CommandReference): string[] {
  return [
    ...entries('Arguments', command.arguments.filter(({ description }) => description !== '')),
    ...entries('Options', command.options),
    ...literal(command.notes),
  ];
}

/** Title and name. @param section of the manual */
export function head(name: string, description: string, version: string, section = 1): string[] {
  const title = `.TH ${argument(name.toUpperCase())} ${section} "" ${argument(`unipath ${version}`)} "unipath"`;
  return [title, '.SH NAME', `${escaped(name)} \\- ${escaped(description)}`];
}

/** Of one command and all below it. */
function pageOf(command: CommandReference, below: readonly CommandReference[], version: string): ManPage {
  const name = pageName(command.name);
  const all = below.length === 0 ? [command] : below;
  const synopsis = all.flatMap(({ usage }, i) => [...(i === 0 ? [] : ['.br']), `.B ${argument(usage)}`]);
  const heading = ({ name: whole }: CommandReference): string => argument(whole.replace('unipath ', '').toUpperCase());
  const commands = below.flatMap((each) => [`.SH ${heading(each)}`, escaped(sentence(each.description)), ...body(each)]);
  return {
    file: `${name}.1`,
    text: [
      ...head(name, command.description, version),
      ...['.SH SYNOPSIS', ...synopsis, '.SH DESCRIPTION', escaped(sentence(command.description))],
      ...(below.length === 0 ? body(command) : [...body(command), ...commands]),
      ...['.SH SEE ALSO', '.BR unipath (1)', ''],
    ].join('\n'),
  };
}

/** Notes of the whole: sentences, then "Exit codes: 0 ok, 1 failed, ..., 4 degraded (status, doctor), 5 timed out." */
function notesApart(text: string): { readonly notes: string; readonly exits: readonly Entry[] } {
  const [notes = '', codes = ''] = text.split('\nExit codes: ');
  const exits = [...codes.replace(/\.$/, '').matchAll(/(\d) ((?:\([^)]*\)|[^,(])+)/g)].map(([, term = '', meaning = '']) => ({ term, description: sentence(meaning.trim()) }));
  return { notes, exits };
}

/** Notes are lines for a terminal; the exit codes among them get a section of their own. */
export function manPagesOf({ version, commands }: Reference): readonly ManPage[] {
  const [whole, ...rest] = commands;
  if (whole === undefined) return [];
  const { notes, exits } = notesApart(whole.notes);
  const objects = rest.filter(({ name }) => name.split(' ').length === 2);
  const first: ManPage = {
    file: 'unipath.1',
    text: [
      ...head('unipath', whole.description, version),
      ...['.SH SYNOPSIS', `.B ${argument('unipath [options] OBJECT COMMAND [arguments] [options]')}`],
      ...['.SH DESCRIPTION', escaped(sentence(whole.description))],
      ...['.SH OPTIONS', ...tagged(whole.options)],
      ...['.SH COMMANDS', ...objects.flatMap(({ name, description }) => ['.TP', `.BR ${argument(pageName(name))} (1)`, escaped(description)])],
      ...['.SH NOTES', escaped(notes)],
      ...['.SH EXIT STATUS', ...tagged(exits)],
      ...['.SH FILES', '.TP', '.I /run/unipath/unipath.sock', 'Control socket of unipathd.', '.TP', '.I /run/unipath/read/unipath.sock', 'The same, on which nothing can be changed.', '.SH SEE ALSO', '.BR unipathd (8)', ''],
    ].join('\n'),
  };
  const below = (object: CommandReference): CommandReference[] => rest.filter(({ name }) => name.startsWith(`${object.name} `));
  return [first, ...objects.map((object) => pageOf(object, below(object), version))];
}
