import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { QemuGuest } from '../../src/lab/qemu/guest.js';
import { createTap, deleteTap } from '../../src/lab/qemu/tap.js';
import { processStart } from '../../src/lab/processes.js';
import { createNetns } from '../support/netns.js';
import { guestTest, MAC, until } from './guest_bed.js';

function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-guest-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

guestTest.serial('a detached guest is found again by its folder, and its shell goes from hand to hand', async (t) => {
  const netns = createNetns(t);
  await createTap(netns, 'tm', { queues: 2 });
  const folder = join(temporaryFolder(t), 'g2');
  const nics = [{ id: 'net0', tap: 'tm', mac: MAC, queues: 2 }];
  const started = await QemuGuest.start({ name: 'g2', netns, folder, nics, smp: 2, detached: { mark: 'a-test' } });
  t.teardown(() => started.stop());
  await started.waitForShell();
  await started.run('echo kept > /run/note');
  t.regex(await started.run('ethtool -l eth0'), /Combined:\s+2/);
  await started.detachShell();
  await t.throwsAsync(QemuGuest.start({ name: 'g2', netns, folder, nics }), { message: /a guest runs in .*g2 already/ });

  const found = QemuGuest.open('g2', folder);
  t.is(found.pid, started.pid);
  await found.waitForShell(5000);
  t.is(await found.run('cat /run/note'), 'kept\n');
  await t.throwsAsync(found.run('echo oh no; false'), { message: /guest g2: `echo oh no; false` failed with exit code 1: oh no/ });
  await t.throwsAsync(found.shell('echo begun; sleep 20', { deadlineMs: 500 }), { message: /did not end within 500 ms; it said: begun/ });
  t.is(await found.run('echo still here'), 'still here\n');
  await found.stop();
  t.is(processStart(found.pid), null);
  t.false(existsSync(folder));
  t.throws(() => QemuGuest.open('g2', folder), { message: /guest g2 does not run/ });
  await deleteTap(netns, 'tm');
});

guestTest.serial('what QEMU refuses is said in its own words, and leaves nothing', async (t) => {
  const netns = createNetns(t);
  const folder = join(temporaryFolder(t), 'g3');
  await createTap(netns, 'tm', { queues: 2 });
  const nics = [{ id: 'net0', tap: 'tm', mac: MAC }];
  await t.throwsAsync(QemuGuest.start({ name: 'g3', netns, folder, nics }), { message: /QEMU ended at once: .*tm.*Invalid argument/s });
  t.false(existsSync(folder));
});

guestTest.serial('a guest ends with whoever started it', async (t) => {
  const netns = createNetns(t);
  await createTap(netns, 'tv');
  const folder = temporaryFolder(t);
  const script = join(folder, 'owner.mjs');
  const options = { name: 'g4', netns, folder: join(folder, 'g4'), nics: [{ id: 'net0', tap: 'tv', mac: MAC }] };
  const module = new URL('../../src/lab/qemu/guest.js', import.meta.url).href;
  writeFileSync(script, `import { QemuGuest } from '${module}'; console.log((await QemuGuest.start(${JSON.stringify(options)})).pid);`);
  const owner = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => owner.kill('SIGKILL'));
  const pid = Number(await new Promise<Buffer>((resolve) => owner.stdout.once('data', resolve)));
  t.not(processStart(pid), null);
  owner.kill('SIGKILL');
  t.pass(await until('QEMU has ended', () => (processStart(pid) === null ? 'gone' : null)));
});
