import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { LEFT_OUT, redact, redactAll } from '../../../src/cli/redact.js';
import { run } from '../../support/cli.js';
import { fakeDaemon, temporaryFolder } from '../../support/control_socket.js';
import { monitorEvent, rssStatus } from '../../support/fake_controller.js';

const PARTS = ['versions', 'kernel', 'doctor', 'status', 'conditions', 'events', 'counters', 'rss', 'vms', 'config', 'maps', 'interfaces'];
const KEY = 'ab12cd34'.repeat(10);

test('keys and whoever logs in are left out, addresses and names are not', (t) => {
  const rows: readonly (readonly [string, string])[] = [
    [`rss: {key: ${KEY}}`, `rss: {key: ${LEFT_OUT}}`],
    [`key ${KEY.toUpperCase().replace(/..(?=.)/g, '$&:')}!`, `key ${LEFT_OUT}!`],
    ['libvirt: qemu+ssh://root:pw@host/system', `libvirt: qemu+ssh://${LEFT_OUT}@host/system`],
    ['password: hunter2', `password: ${LEFT_OUT}`],
    ['"token":"abc"', `"token":"${LEFT_OUT}"`],
    ['mac 52:54:00:00:00:01, tcp:192.0.2.1:4444', 'mac 52:54:00:00:00:01, tcp:192.0.2.1:4444'],
    ['https://example.org/a@b', 'https://example.org/a@b'],
  ];
  for (const [text, left] of rows) t.is(redact(text), left);
});

test('no key gets through, however deep it is', (t) => {
  const key = fc.array(fc.nat({ max: 255 }), { minLength: 40, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('hex'));
  const deep = (leaf: string): fc.Arbitrary<unknown> => fc.letrec((tie) => ({
    node: fc.oneof({ maxDepth: 4 }, fc.constant(leaf), fc.constant(`a key: ${leaf};`), fc.array(tie('node'), { maxLength: 3 }), fc.dictionary(fc.string(), tie('node'), { maxKeys: 3 })),
  })).node;
  fc.assert(fc.property(key.chain((leaf) => deep(leaf).map((value) => ({ leaf, value }))), ({ leaf, value }) => !JSON.stringify(redactAll(value)).includes(leaf)));
  t.pass();
});

test('every part is there, or says why it is not; the key is in none', async (t) => {
  const { socket, folder, controller } = await fakeDaemon(t);
  controller.rss = rssStatus({ key: KEY });
  controller.recent = [monitorEvent()];
  writeFileSync(join(folder, 'unipath.yaml'), `rss: {key: "${KEY}"}\nadapters: []\n`);
  const { code, out, err } = await run(`-S ${socket} bugreport`);
  t.is(code, 0);
  t.is(err, '');
  t.false(out.includes(KEY));
  const report = JSON.parse(out) as Record<string, unknown>;
  t.deepEqual(Object.keys(report), ['schema', 'time', ...PARTS]);
  t.is(report['config'], `rss: {key: "${LEFT_OUT}"}\nadapters: []\n`);
  t.like(report['rss'], { key: LEFT_OUT });
  t.like(report['status'], { version: '1.2.3', vnics: [{ name: 'g1' }, { name: 'g2' }] });
  t.deepEqual(report['events'], [monitorEvent()]);
  t.like(report['conditions'], [{ vnic: 'g1', conditions: [{ name: 'wanted' }] }, { vnic: 'g2' }]);
  t.like(report['kernel'], { architecture: process.arch });
  // None of its interfaces is on this machine, or we may not look.
  const interfaces = report['interfaces'] as { readonly missing?: readonly string[]; readonly error?: string };
  t.true(interfaces.error !== undefined || interfaces.missing?.includes('tap-g1'));
});

test('without a daemon: what the machine shows', async (t) => {
  const { code, out, err } = await run(`-S ${temporaryFolder(t)}/none bugreport`);
  t.is(code, 0);
  t.regex(err, /^unipath: unipathd does not answer: /);
  const report = JSON.parse(out) as Record<string, unknown>;
  t.deepEqual(Object.keys(report), ['schema', 'time', ...PARTS]);
  t.deepEqual(report['status'], { error: 'unipathd does not answer' });
  t.true(Array.isArray(report['doctor']) || 'error' in (report['doctor'] as object));
});

test('into a file that only its owner reads; never into one that is there', async (t) => {
  const { socket, folder } = await fakeDaemon(t);
  const file = join(folder, 'report.json');
  const { code, out, err } = await run(`-S ${socket} bugreport ${file}`);
  t.deepEqual([code, out, err], [0, '', `${file} is written; read it before you give it away\n`]);
  t.is(statSync(file).mode & 0o777, 0o600);
  t.like(JSON.parse(readFileSync(file, 'utf8')), { schema: 1, status: { version: '1.2.3' } });
  const again = await run(`-S ${socket} bugreport ${file}`);
  t.deepEqual([again.code, again.err], [1, `unipath: ${file} is there already\n  name another file, or remove it\n`]);
  t.regex((await run(`-S ${socket} bugreport ${folder}/no/folder`)).err, /could not be written to .*\/no\/folder: there is no such file or folder/);
});
