import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { parseMacAddress } from '../../../src/core/model.js';
import { LinuxAdapters } from '../../../src/sriov/adapters.js';
import { AdapterError } from '../../../src/sriov/error.js';
import { lockHolder, whileLocked } from '../../../src/sriov/setup_lock.js';
import { needs, testWith } from '../../support/require.js';

function emptyFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-lock-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('who holds a lock, by /proc/locks: of that inode, by flock, and known here', (t) => {
  const locks = [
    '1: POSIX  ADVISORY  WRITE 5402 00:18:77 0 EOF',
    '2: FLOCK  ADVISORY  WRITE 0 00:18:78 0 EOF',
    '3: FLOCK  ADVISORY  WRITE 4711 fe:01:79 0 EOF',
    '3: -> FLOCK  ADVISORY  WRITE 4712 fe:01:79 0 EOF',
    '',
  ].join('\n');
  t.deepEqual([77, 78, 79, 9].map((inode) => lockHolder(locks, inode)), [null, null, 4711, null]);
});

test('the second is refused, and told who is first; afterwards it may, also after a failure', async (t) => {
  const state = emptyFolder(t);
  await whileLocked(state, async () => {
    const error = await t.throwsAsync(whileLocked(state, async () => undefined), { instanceOf: AdapterError, message: / is changing adapters$/ });
    t.true(error?.message.startsWith(`process ${process.pid} (`), error?.message);
  });
  await t.throwsAsync(whileLocked(state, () => Promise.reject(new Error('no'))), { message: 'no' });
  t.is(await whileLocked(state, async () => 7), 7);
});

testWith(needs.tool('flock'))('whoever is killed holds it no more', async (t) => {
  const state = emptyFolder(t);
  await whileLocked(state, async () => undefined);
  const holder = spawn('flock', ['--no-fork', join(state, 'adapters'), 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => holder.kill('SIGKILL'));
  holder.stdin.write('locked\n');
  await once(holder.stdout, 'data');
  await t.throwsAsync(whileLocked(state, async () => undefined), { message: new RegExp(`^process ${holder.pid} \\(cat\\) is changing adapters$`) });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  t.is(await whileLocked(state, async () => 'free'), 'free');
});

test('who waits has it when the first has ended', async (t) => {
  const state = emptyFolder(t);
  const order: string[] = [];
  const first = whileLocked(state, async () => void (await sleep(150), order.push('first')));
  await whileLocked(state, async () => void order.push('second'), 10_000);
  await first;
  t.deepEqual(order, ['first', 'second']);
});

test('unipathd lends no VF while another process changes adapters; of its own, one after the other', async (t) => {
  const state = emptyFolder(t);
  const adapters = new LinuxAdapters(state);
  const lend = (name: string) => adapters.lend(name, '0000:00:00.0', parseMacAddress('52:54:00:00:00:01'), {});
  await whileLocked(state, async () => {
    await t.throwsAsync(lend('none0'), { instanceOf: AdapterError, message: / is changing adapters$/ });
  });
  const results = await Promise.allSettled(['none0', 'none1', 'none2'].map(lend));
  t.deepEqual(results.map((each) => String((each as PromiseRejectedResult).reason.message).replace(/ VF.*/, '')), ['none0 has no', 'none1 has no', 'none2 has no']);
});
