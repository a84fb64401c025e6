/** The reference of commands as one Markdown page. Pure. */
import type { CommandReference, Entry, Reference } from './reference.js';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function entries(heading: string, all: readonly Entry[]): string[] {
  if (all.length === 0) return [];
  return [`| ${heading} | |`, '|---|---|', ...all.map(({ term, description }) => `| \`${term.replaceAll('|', '\\|')}\` | ${cell(description)} |`), ''];
}

const anchor = (name: string): string => name.replaceAll(' ', '-');
const sentence = (text: string): string => (text === '' ? '' : `${text[0]?.toUpperCase()}${text.slice(1)}.`);
const fenced = (text: string): string[] => (text === '' ? [] : ['```', text, '```', '']);

function section(command: CommandReference): string[] {
  const below = command.commands.map((name) => `[${name}](#${anchor(name)})`).join(', ');
  return [
    `## ${command.name}`,
    '',
    '```',
    command.usage,
    '```',
    '',
    cell(sentence(command.description)),
    '',
    ...(below === '' ? [] : [`Commands: ${below}.`, '']),
    ...entries('argument', command.arguments.filter(({ description }) => description !== '')),
    ...entries('option', command.options),
    ...fenced(command.notes),
  ];
}

export function markdownOf({ commands }: Reference): string {
  const [whole, ...rest] = commands;
  if (whole === undefined) return '';
  return [
    '# unipath: commands',
    '',
    'Generated from the definitions of the commands: `npm run docs`. The same as manual pages: `docs/man/`; read one with `man -l docs/man/unipath.1`.',
    '',
    '```',
    'unipath [options] OBJECT COMMAND [arguments] [options]',
    '```',
    '',
    `Data goes to standard output, messages to standard error. JSON has stable keys in snake_case and a schema number ([JSON](json.md) has them all); so have errors with \`-j\`:`,
    '`{"schema":1,"error":{"code":...,"message":...,"hint":...}}`.',
    '',
    ...entries('option of every command', whole.options),
    ...fenced(whole.notes),
    ...rest.flatMap(section),
  ]
    .join('\n')
    .replace(/\n+$/, '\n');
}
