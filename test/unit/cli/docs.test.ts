import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { documentationFiles, MAN_FOLDER } from '../../../src/cli/docs/files.js';
import { DOCUMENTS } from '../../../src/cli/docs/json_documents.js';
import { jsonPage } from '../../../src/cli/docs/json_page.js';
import { manPagesOf } from '../../../src/cli/docs/man.js';
import { markdownOf } from '../../../src/cli/docs/markdown.js';
import { type CommandReference, referenceOfUnipath } from '../../../src/cli/docs/reference.js';
import { packageRoot } from '../../../src/paths.js';
import { run } from '../../support/cli.js';
import { needs, testWith } from '../../support/require.js';

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');

test('the documentation of commands and configuration is what their definitions say', async (t) => {
  const files = await documentationFiles();
  for (const [path, text] of files) t.is(read(path), text, `${path} is not what the definitions say: run npm run docs`);
  const pages = readdirSync(join(packageRoot, MAN_FOLDER)).map((page) => `${MAN_FOLDER}/${page}`);
  t.deepEqual(pages.filter((path) => !files.has(path)), [], 'pages of commands that are gone: run npm run docs');
});

test('every command of the reference exists, and says there what it says in its help', async (t) => {
  const { commands } = await referenceOfUnipath();
  t.true(commands.length > 30);
  for (const { name, description } of commands.slice(1)) {
    const { code, out } = await run(`${name.replace('unipath ', '')} --help`);
    t.is(code, 0, name);
    t.true(out.startsWith(`Usage: ${name}`), name);
    t.true(out.replace(/\s+/g, ' ').includes(description.replace(/\s+/g, ' ')), name);
  }
});

/** Command lines of unipath that a text shows: what is in backquotes, and lines behind a prompt. */
function linesIn(text: string): string[] {
  const inline = [...text.matchAll(/`(unipath [^`]+)`/g)].map(([, line]) => line ?? '');
  const typed = [...text.matchAll(/^(?:# |\$ |  +)?(unipath [a-z-].*)$/gm)].map(([, line]) => line ?? '');
  return [...inline, ...typed];
}

interface Understood {
  readonly command: CommandReference | null;
  readonly unknown: readonly string[];
}

/** The command that a line names, and options of it that there are not. */
function understand(line: string, all: readonly CommandReference[]): Understood {
  const common = all[0]?.options ?? [];
  const words = line.replace(/\s(#|->|\||>|&&).*$/, '').split(/[\s[\]()]+/).filter(Boolean);
  const valued = new Set(common.filter(({ term }) => term.includes('<')).flatMap(({ term }) => term.split(/[\s,]+/).filter((word) => word.startsWith('-'))));
  let name = 'unipath';
  for (let i = 1; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word.startsWith('-')) i += valued.has(word) ? 1 : 0;
    else if (all.some((command) => command.name === `${name} ${word}`)) name = `${name} ${word}`;
    else break;
  }
  const command = all.find((each) => each.name === name) ?? null;
  const known = [...common, ...(command?.options ?? [])].flatMap(({ term }) => term.split(/[\s,]+/));
  // What is behind "--", or is run by `lab exec`, is another program's.
  const own = name === 'unipath lab exec' ? [] : words.slice(0, words.includes('--') ? words.indexOf('--') : undefined);
  const used = own.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/[=,.;:].*$/, ''));
  return { command, unknown: used.filter((option) => !known.includes(option) && !['--help'].includes(option)) };
}

test('whatever README and guides call a command of unipath is one, with these options', async (t) => {
  const { commands } = await referenceOfUnipath();
  const guides = readdirSync(join(packageRoot, 'docs')).filter((file) => file.endsWith('.md') && file !== 'cli.md').map((file) => `docs/${file}`);
  let seen = 0;
  for (const path of ['README.md', ...guides]) {
    for (const line of linesIn(read(path))) {
      const { command, unknown } = understand(line, commands);
      seen++;
      t.true(command !== null && (command.name !== 'unipath' || !/^unipath [a-z]/.test(line)), `${path}: "${line}": there is no such command`);
      t.deepEqual(unknown, [], `${path}: "${line}": ${command?.name} has no such option`);
    }
  }
  t.true(seen > 30);
  t.is(understand('unipath vnic shaw', commands).command?.name, 'unipath vnic');
  t.deepEqual(understand('unipath -S /run/x vnic show g1 --nothing', commands).unknown, ['--nothing']);
});

test('each command that does something has its document, and no other', async (t) => {
  const { commands } = await referenceOfUnipath();
  const doing = commands.filter((command) => command.commands.length === 0).map(({ name }) => name.replace('unipath ', ''));
  t.deepEqual(Object.keys(DOCUMENTS).sort(), doing.sort());
});

test('the page of JSON has the types that a document reaches, with what is said of them', (t) => {
  const source = `
    /** where it is. */
    export interface Place {
      readonly where: Side;
      /** Of | both. */
      readonly deepHole: readonly Hole[] | null;
      readonly left?: Readonly<Record<string, number>>;
    }
    export interface Hole { readonly metres: number }
    export interface Nobody { readonly asks: string }
    export type Side = 'left' | 'right';`;
  const page = jsonPage({ look: '{places: Place[]}' }, [source]);
  const has = (line: string): void => void t.true(page.split('\n').includes(line), `${line} is not in:\n${page}`);
  has('| `unipath look` | {places: [Place](#place)[]} |');
  has('Where it is.');
  has("| `where` | `'left' \\| 'right'` |  |");
  has('| `deep_hole` | `Hole[] \\| null` | Of \\| both. |');
  has('| `left` | `{[string]: number}` |  |');
  has('## Hole');
  t.false(page.includes('Nobody'));
});

test('troff gets no text for a macro, and Markdown none for a table', (t) => {
  const command = {
    name: 'unipath x', usage: 'unipath x', description: '.so a\\b', arguments: [], commands: [],
    options: [{ term: '--a <x|y>', description: "'quoted\n.bp" }], notes: '.ex',
  };
  const reference = { version: '1', commands: [{ ...command, name: 'unipath' }, command] };
  const page = manPagesOf(reference)[1]?.text ?? '';
  for (const line of ['\\&.so a\\eb.', '.B "\\-\\-a <x|y>"', "\\&'quoted", '\\&.bp', '\\&.ex']) t.true(page.split('\n').includes(line), `${line} is not in:\n${page}`);
  t.true(markdownOf(reference).includes('| `--a <x\\|y>` |'));
});

test('the manual page has every exit code in a section of its own', async (t) => {
  const [whole] = manPagesOf(await referenceOfUnipath());
  const section = /^\.SH EXIT STATUS\n([\s\S]*?)\n\.SH /m.exec(whole?.text ?? '')?.[1] ?? '';
  t.deepEqual([...section.matchAll(/^\.B "(\d)"\n(.+)$/gm)].map(([, code, meaning]) => `${code} ${meaning}`), [
    '0 Ok.', '1 Failed.', '2 Wrong usage.', '3 Daemon unreachable.', '4 Degraded (status, guest check, doctor).', '5 Timed out.',
  ]);
});

testWith(needs.tool('groff'))('groff has nothing to say against the manual pages', async (t) => {
  const pages = readdirSync(join(packageRoot, MAN_FOLDER)).map((page) => join(packageRoot, MAN_FOLDER, page));
  const said = await new Promise<string>((resolve) => {
    execFile('groff', ['-man', '-Tutf8', '-ww', '-z', ...pages], (error, _out, err) => resolve(`${err}${error?.message ?? ''}`));
  });
  t.is(said, '');
});
