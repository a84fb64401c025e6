import test from 'ava';
import { CommandError, run, runJson } from '../../../src/host/exec.js';

test('stdout of a command that succeeds', async (t) => {
  t.is(await run('printf', ['%s', 'a b;$HOME']), 'a b;$HOME');
});

test('a command that fails tells its line, exit code and words', async (t) => {
  const error = await t.throwsAsync(run('ls', ['/no such folder']), { instanceOf: CommandError });
  t.is(error.exitCode, 2);
  t.is(error.command, 'ls "/no such folder"');
  t.regex(error.stderr, /No such file/);
  t.regex(error.message, /^`ls "\/no such folder"` failed with exit code 2: ls: /);
});

test('a command that is not installed names the package', async (t) => {
  const error = await t.throwsAsync(run('unipath-no-such-command', ['x']), { instanceOf: CommandError });
  t.is(error.reason, 'not-found');
  t.is(error.hint, 'install package unipath-no-such-command');
  t.is(error.exitCode, null);
});

test('a command that is too slow is given up at its deadline', async (t) => {
  const start = Date.now();
  const error = await t.throwsAsync(run('sleep', ['30'], { timeoutMs: 150 }), { instanceOf: CommandError });
  t.is(error.reason, 'timeout');
  t.regex(error.message, /`sleep 30` did not end within 150 ms/);
  t.true(Date.now() - start < 5_000);
});

test('an environment of its own: C locale, nothing inherited but PATH', async (t) => {
  process.env['UNIPATH_TEST_SECRET'] = 'x';
  const environment = await run('env', []);
  t.regex(environment, /^LC_ALL=C$/m);
  t.notRegex(environment, /UNIPATH_TEST_SECRET/);
});

test('a command that waits for input gets none', async (t) => {
  t.is(await run('cat', []), '');
});

test('JSON, and nothing at all for an empty list', async (t) => {
  t.deepEqual(await runJson('printf', ['%s', '[{"a":1}]']), [{ a: 1 }]);
  t.deepEqual(await runJson('true', []), []);
  await t.throwsAsync(runJson('printf', ['%s', 'nonsense']), { instanceOf: SyntaxError });
});
