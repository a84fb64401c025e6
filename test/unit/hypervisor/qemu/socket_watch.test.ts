import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { parsePattern, SocketWatch } from '../../../../src/hypervisor/qemu/socket_watch.js';
import { temporaryFolder } from '../../../support/control_socket.js';

async function listen(t: ExecutionContext, path: string): Promise<() => void> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  t.teardown(() => server.close());
  // Node takes the file away, too.
  return () => server.close();
}

/** Watches, and knows the last that it was told. */
async function watching(t: ExecutionContext, patterns: string[], rescanMs: number): Promise<{ names: () => string[]; told: string[][]; watch: SocketWatch }> {
  const told: string[][] = [];
  const watch = new SocketWatch(patterns, rescanMs, (sockets) => told.push([...sockets.keys()].map((path) => basename(path)).sort()));
  t.teardown(() => watch.stop());
  await watch.start();
  return { told, names: () => told.at(-1) ?? [], watch };
}

async function until(t: ExecutionContext, condition: () => boolean, withinMs = 3_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!condition() && Date.now() < deadline) await sleep(5);
  t.true(condition(), `not within ${withinMs} ms`);
}

test('what patterns match', (t) => {
  const matches = (pattern: string, name: string): boolean | undefined => parsePattern(pattern).names?.test(name);
  t.true(matches('/run/*.qmp', 'a.qmp'));
  t.true(matches('/run/*.qmp', 'a\nb.qmp'));
  t.false(matches('/run/*.qmp', '.a.qmp'));
  t.false(matches('/run/*.qmp', 'a.qmp.old'));
  t.false(matches('/run/*.qmp', 'aXqmp'));
  t.true(matches('/run/vm-*-[1]*', 'vm-web-[1]'));
  t.is(parsePattern('/run/a.qmp').names, null);
  for (const wrong of ['qmp', 'a/*.qmp', '/run/*/qmp', '/', '/run/', '']) t.throws(() => parsePattern(wrong), { instanceOf: RangeError }, wrong);
});

test('sockets that come and go are told of, at once; other files are not', async (t) => {
  const folder = temporaryFolder(t);
  const stopA = await listen(t, join(folder, 'a.qmp'));
  writeFileSync(join(folder, 'file.qmp'), '');
  mkdirSync(join(folder, 'folder.qmp'));
  const { names } = await watching(t, [join(folder, '*.qmp'), join(folder, 'other')], 600_000);
  t.deepEqual(names(), ['a.qmp']);
  await listen(t, join(folder, 'b.qmp'));
  await listen(t, join(folder, 'other'));
  await listen(t, join(folder, 'unasked'));
  await until(t, () => names().length === 3);
  t.deepEqual(names(), ['a.qmp', 'b.qmp', 'other']);
  stopA();
  await until(t, () => names().length === 2);
  t.deepEqual(names(), ['b.qmp', 'other']);
});

test('a folder that comes later, and one that is made anew, are found by the slow look, and watched from then on', async (t) => {
  const folder = join(temporaryFolder(t), 'vms');
  const { names } = await watching(t, [join(folder, '*')], 40);
  t.deepEqual(names(), []);
  for (let i = 0; i < 2; i++) {
    mkdirSync(folder);
    const stop = await listen(t, join(folder, 'a'));
    await until(t, () => names().length === 1);
    stop();
    rmSync(folder, { recursive: true });
    await until(t, () => names().length === 0);
  }
});

test('a folder that was made anew is watched like the first', async (t) => {
  const folder = join(temporaryFolder(t), 'vms');
  const { names, watch } = await watching(t, [join(folder, '*')], 600_000);
  for (let i = 0; i < 2; i++) {
    mkdirSync(folder);
    await watch.scan();
    const stop = await listen(t, join(folder, 'a'));
    await until(t, () => names().length === 1);
    stop();
    await until(t, () => names().length === 0);
    rmSync(folder, { recursive: true });
  }
});

test('another socket at the same path is told of', async (t) => {
  const folder = temporaryFolder(t);
  await listen(t, join(folder, 'a'));
  const { told } = await watching(t, [join(folder, 'a')], 600_000);
  await listen(t, join(folder, 'b'));
  renameSync(join(folder, 'b'), join(folder, 'a'));
  await until(t, () => told.length === 2);
  t.deepEqual(told, [['a'], ['a']]);
});

test('nothing is told after stop()', async (t) => {
  const folder = temporaryFolder(t);
  const { told, watch } = await watching(t, [join(folder, '*')], 10);
  watch.stop();
  await listen(t, join(folder, 'a'));
  await watch.scan();
  await sleep(40);
  t.deepEqual(told, []);
});
