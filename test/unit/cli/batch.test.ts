import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import fc from 'fast-check';
import { wordsOfLine } from '../../../src/cli/words_of_line.js';
import { run } from '../../support/cli.js';
import { fakeDaemon } from '../../support/control_socket.js';

test('words of a line', (t) => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['', []],
    ['  # a comment', []],
    ['vnic  show\tg1 # all of it', ['vnic', 'show', 'g1']],
    ['a#b', ['a#b']],
    ['vnic show "a b" \'c "d\'', ['vnic', 'show', 'a b', 'c "d']],
    ['a\\ b "x\\"y" \'\\n\' ""', ['a b', 'x"y', '\\n', '']],
    ['--key="1 2"', ['--key=1 2']],
  ];
  for (const [line, words] of rows) t.deepEqual(wordsOfLine(line), words, line);
  t.throws(() => wordsOfLine('a "b'), { instanceOf: RangeError, message: /has no end/ });
});

test('whatever a word is, in single quotes it comes back', (t) => {
  const word = fc.string().map((text) => text.replaceAll("'", ''));
  fc.assert(fc.property(fc.array(word), (words) => JSON.stringify(wordsOfLine(words.map((each) => `'${each}'`).join(' '))) === JSON.stringify(words)));
  t.pass();
});

test('each line is a command; options in front hold for all', async (t) => {
  const { socket, folder, controller } = await fakeDaemon(t);
  const file = join(folder, 'commands');
  writeFileSync(file, '# two guests\nvnic accelerate g1\r\n\nvnic software "g2" --wait 1\n-br vnic show g1');
  t.deepEqual(await run(['-S', socket, 'batch', file]), {
    code: 0,
    out: 'g1 is on the accelerated path by vfp0\ng2 is on the software path\ng1  accelerated  vfp0  -\n',
    err: '',
  });
  t.deepEqual(controller.calls, ['want g1 accelerated 0', 'want g2 software 1000']);
  const json = await run(['-j', '-S', socket, 'batch', file]);
  t.is(json.out.trim().split('\n').length, 3);
  for (const line of json.out.trim().split('\n')) t.is((JSON.parse(line) as { schema: number }).schema, 1);
});

test('ends at the first that fails, with its exit code, or goes on', async (t) => {
  const { socket, folder, controller } = await fakeDaemon(t);
  const file = join(folder, 'commands');
  writeFileSync(file, 'vnic auto g1\nvnic show g11\nstatuss\nvnic auto g2\n');
  const first = await run(['-S', socket, 'batch', file]);
  t.is(first.code, 1);
  t.is(first.err, `unipath: there is no vNIC "g11"\n  did you mean "g1"?\n${file}:2: exit code 1\n`);
  t.deepEqual(controller.calls, ['want g1 null 0']);
  const all = await run(['-S', socket, 'batch', '--keep-going', file]);
  t.is(all.code, 1);
  t.regex(all.err, new RegExp(`${file}:2: exit code 1\n[^]*${file}:3: exit code 2\n$`));
  t.deepEqual(controller.calls.slice(1), ['want g1 null 0', 'want g2 null 0']);
});

test('what is no command line, and files that are not there', async (t) => {
  const { folder } = await fakeDaemon(t);
  const file = join(folder, 'commands');
  for (const [text, words] of [['version "', 'the quote " has no end'], [`batch ${file}`, 'batch has no place in a batch']] as const) {
    writeFileSync(file, text);
    t.deepEqual(await run(['batch', file]), { code: 2, out: '', err: `unipath: ${file}:1: ${words}\n${file}:1: exit code 2\n` });
  }
  const { code, err } = await run(['batch', join(folder, 'nothing')]);
  t.is(code, 1);
  t.regex(err, /there is no such file or folder\n {2}name a file that can be read/);
});

test('from standard input', async (t) => {
  const program = fileURLToPath(new URL('../../../src/cli.js', import.meta.url));
  const out = await new Promise<string>((resolve, reject) => {
    const child = execFile(process.execPath, [program, 'batch', '-'], (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(stderr))));
    child.stdin?.end('version\nrss hash 66.9.149.187 161.142.100.80');
  });
  t.regex(out, /^unipath \d.*\n0x323e8fc2 bucket 66 of 128\n$/);
});
