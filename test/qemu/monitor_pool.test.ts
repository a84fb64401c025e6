import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { MonitorPool, type PoolChange } from '../../src/hypervisor/qemu/monitor_pool.js';
import { QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import { temporaryFolder } from '../support/control_socket.js';
import { EJECTS_AT_ONCE, PORTS } from '../support/qemu_arguments.js';
import { qemuTest, startQemu } from '../support/real_qemu.js';

interface Bed {
  readonly folder: string;
  readonly pool: MonitorPool;
  readonly changes: PoolChange[];
  /** The first change from here on that is like this; they are taken away up to it. */
  readonly next: (kind: PoolChange['kind']) => Promise<PoolChange>;
}

async function bed(t: ExecutionContext): Promise<Bed> {
  const folder = temporaryFolder(t);
  const changes: PoolChange[] = [];
  const pool = new MonitorPool([join(folder, '*.qmp')], { onChange: (change) => void changes.push(change), rescanMs: 500, slowestRetryMs: 400 });
  t.teardown(() => pool.close());
  await pool.start();
  const next = async (kind: PoolChange['kind']): Promise<PoolChange> => {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const index = changes.findIndex((change) => change.kind === kind);
      const found = changes[index];
      if (found !== undefined) {
        changes.splice(0, index + 1);
        return found;
      }
      if (Date.now() > deadline) throw new Error(`no change "${kind}": ${JSON.stringify(changes.map((change) => change.kind))}`);
      await sleep(5);
    }
  };
  return { folder, pool, changes, next };
}

const nameOf = (change: PoolChange): string | null | undefined => (change.kind === 'came' ? change.guest.machine.name : undefined);

qemuTest('QEMUs that start, are killed, start again at the same path, and end', async (t) => {
  const { folder, pool, next } = await bed(t);
  t.is(pool.guests.size, 0);
  const first = await startQemu(t, { folder, sockets: ['a.qmp'], args: '-name one' });
  t.is(nameOf(await next('came')), 'one');
  await startQemu(t, { folder, sockets: ['b.qmp'], args: '-name two' });
  t.is(nameOf(await next('came')), 'two');
  t.is(pool.guests.size, 2);

  await first.kill();
  t.like(await next('went'), { socket: join(folder, 'a.qmp') });
  t.deepEqual([...pool.guests.values()].map((guest) => guest.machine.name), ['two']);
  t.true(existsSync(join(folder, 'a.qmp')));
  t.regex((await next('unreachable') as { error: Error }).error.message, /nobody listens/);

  const again = await startQemu(t, { folder, sockets: ['a.qmp'], args: '-name three' });
  t.is(nameOf(await next('came')), 'three');
  t.like(await pool.guests.get(join(folder, 'a.qmp'))?.monitor.execute('query-name'), { name: 'three' });

  await again.kill('SIGTERM');
  await next('went');
  const deadline = Date.now() + 3_000;
  while (pool.problems.size > 0 && Date.now() < deadline) await sleep(5);
  t.deepEqual([pool.guests.size, pool.problems.size, existsSync(join(folder, 'a.qmp'))], [1, 0, false]);
});

qemuTest('a monitor that somebody else holds is said to be held, and taken when it is free', async (t) => {
  const { folder, pool, next } = await bed(t);
  const elsewhere = temporaryFolder(t);
  const { monitor } = await startQemu(t, { folder: elsewhere, sockets: ['a.qmp'] });
  const holder = await QmpClient.connect(monitor);
  const own = new MonitorPool([monitor], { onChange: () => {}, slowestRetryMs: 200, connect: (path) => QmpClient.connect(path, { deadlineMs: 300 }) });
  t.teardown(() => own.close());
  await own.start();
  t.regex(own.problems.get(monitor) ?? '', /somebody else probably holds this one/);
  holder.close();
  const deadline = Date.now() + 5_000;
  while (own.guests.size === 0 && Date.now() < deadline) await sleep(10);
  t.deepEqual([own.guests.size, own.problems.size, pool.guests.size], [1, 0, 0]);
  // The other pool's folder is another.
  await startQemu(t, { folder, sockets: ['c.qmp'] });
  await next('came');
});

qemuTest('the picture follows what QEMU tells of', async (t) => {
  const { folder, pool, next } = await bed(t);
  await startQemu(t, { folder, sockets: ['a.qmp'], args: `${PORTS} ${EJECTS_AT_ONCE}` });
  await next('came');
  const socket = join(folder, 'a.qmp');
  const monitor = pool.guests.get(socket)?.monitor;
  await monitor?.execute('cont');
  await next('changed');
  t.is(pool.guests.get(socket)?.machine.runState, 'running');
  await monitor?.execute('device_add', { driver: 'vmxnet3', id: 'vf0', bus: 'rp1', romfile: '' });
  t.is((await pool.look(socket))?.nics.length, 1);
  await monitor?.execute('device_del', { id: 'vf0' });
  const change = await next('changed');
  t.true(change.kind === 'changed' && change.events.some((event) => event.name === 'DEVICE_DELETED'));
  t.is(pool.guests.get(socket)?.machine.nics.length, 0);
});
