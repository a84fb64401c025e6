import { renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { Machine } from '../../../../src/hypervisor/qemu/machine.js';
import { MonitorPool, type PoolChange, type PoolOptions } from '../../../../src/hypervisor/qemu/monitor_pool.js';
import { temporaryFolder } from '../../../support/control_socket.js';
import { SimulatedQemu } from '../../../support/simulated_qemu.js';

const machineOf = (name: string): Machine => ({ name, uuid: null, version: '', runState: 'running', cpus: [], numaNode: null, nics: [], ports: [], migration: null });

interface Bed {
  readonly pool: MonitorPool;
  readonly changes: PoolChange[];
  readonly folder: string;
  readonly socket: string;
  /** Monitors handed out, in order. */
  readonly monitors: SimulatedQemu[];
  readonly kinds: () => string[];
  readonly until: (condition: () => boolean) => Promise<void>;
}

/** One socket, behind which `connect` and `discover` are the test's. */
async function bed(t: ExecutionContext, options: Partial<PoolOptions> = {}): Promise<Bed> {
  const folder = temporaryFolder(t);
  const socket = join(folder, 'a.qmp');
  await makeSocket(t, socket);
  const changes: PoolChange[] = [];
  const monitors: SimulatedQemu[] = [];
  const pool = new MonitorPool([join(folder, '*.qmp')], {
    onChange: (change) => void changes.push(change),
    firstRetryMs: 5,
    slowestRetryMs: 20,
    connect: async () => {
      const monitor = new SimulatedQemu();
      monitors.push(monitor);
      return monitor;
    },
    discover: async () => machineOf(`look ${changes.length}`),
    ...options,
  });
  t.teardown(() => pool.close());
  await pool.start();
  const until = async (condition: () => boolean): Promise<void> => {
    const deadline = Date.now() + 3_000;
    while (!condition() && Date.now() < deadline) await sleep(2);
    t.true(condition(), JSON.stringify(changes.map((change) => change.kind)));
  };
  return { pool, changes, folder, socket, monitors, kinds: () => changes.map((change) => change.kind), until };
}

async function makeSocket(t: ExecutionContext, path: string): Promise<void> {
  const server = createServer((client) => client.destroy());
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  t.teardown(() => server.close());
}

test('start() returns with the guests that run', async (t) => {
  const { pool, socket, kinds, monitors } = await bed(t);
  t.deepEqual([...pool.guests.keys()], [socket]);
  t.is(pool.guests.get(socket)?.monitor, monitors[0]);
  t.deepEqual(kinds(), ['came']);
});

test('a monitor that ends is a guest that went; it is tried again, and the guest comes again', async (t) => {
  const { monitors, changes, kinds, until, pool, socket } = await bed(t);
  monitors[0]?.end('QEMU quit');
  await until(() => kinds().length === 3);
  t.deepEqual(kinds(), ['came', 'went', 'came']);
  t.like(changes[1], { socket, why: 'QEMU quit' });
  t.is(pool.guests.get(socket)?.monitor, monitors[1]);
});

test('what QEMU tells of is looked at, in bundles; what a guest can cause at will is not', async (t) => {
  let looks = 0;
  const { monitors, changes, kinds, until, pool, socket } = await bed(t, {
    discover: async () => {
      await sleep(10);
      return machineOf(`look ${++looks}`);
    },
  });
  for (let i = 0; i < 100; i++) monitors[0]?.event('NIC_RX_FILTER_CHANGED', { name: 'net0' });
  monitors[0]?.event('DEVICE_DELETED', { device: 'vf0' });
  await sleep(3);
  for (let i = 0; i < 50; i++) monitors[0]?.event('RESET');
  await until(() => kinds().length === 3);
  await sleep(30);
  t.deepEqual(kinds(), ['came', 'changed', 'changed']);
  t.is(looks, 3);
  const [, first, second] = changes;
  t.deepEqual(first?.kind === 'changed' && first.events.map((event) => event.name), ['DEVICE_DELETED']);
  t.is(second?.kind === 'changed' && second.events.length, 50);
  t.is(pool.guests.get(socket)?.machine.name, 'look 3');
});

test('an event during the first look leads to another', async (t) => {
  let first = true;
  const { kinds, until } = await bed(t, {
    discover: async (monitor) => {
      if (first) (monitor as SimulatedQemu).event('STOP');
      first = false;
      return machineOf('x');
    },
  });
  await until(() => kinds().length === 2);
  t.deepEqual(kinds(), ['came', 'changed']);
});

test('look() renews the picture without being told of', async (t) => {
  let looks = 0;
  const { pool, socket, kinds } = await bed(t, { discover: async () => machineOf(String(++looks)) });
  t.is((await pool.look(socket))?.name, '2');
  t.is(pool.guests.get(socket)?.machine.name, '2');
  t.is(await pool.look('/elsewhere'), null);
  t.deepEqual(kinds(), ['came']);
});

test('what cannot be used is tried again ever more slowly, and told of once', async (t) => {
  const tries: number[] = [];
  const { pool, socket, kinds, until } = await bed(t, {
    firstRetryMs: 20,
    slowestRetryMs: 80,
    connect: async () => {
      tries.push(performance.now());
      if (tries.length < 6) throw new Error(tries.length < 5 ? 'busy' : 'gone');
      return new SimulatedQemu();
    },
  });
  t.is(pool.problems.get(socket), 'busy');
  await until(() => kinds().includes('came'));
  t.deepEqual(kinds(), ['unreachable', 'unreachable', 'came']);
  const pauses = tries.slice(1).map((time, i) => time - (tries[i] ?? 0));
  for (const [i, least] of [20, 40, 80, 80, 80].entries()) t.true((pauses[i] ?? 0) > least - 3, `${pauses}`);
  t.is(pool.problems.size, 0);
});

test('a machine that cannot be looked at is no guest, and its monitor is let go', async (t) => {
  let looks = 0;
  const { kinds, until, monitors } = await bed(t, {
    discover: async () => {
      if (++looks === 2 || looks === 1) throw new Error('late');
      return machineOf('x');
    },
  });
  await until(() => kinds().includes('came'));
  t.deepEqual(kinds(), ['unreachable', 'came']);
  t.is(monitors.length, 3);
  await t.throwsAsync(async () => monitors[0]?.execute('x'), { message: /closed/ });
});

test('a guest whose socket was deleted stays until it ends, and is then forgotten', async (t) => {
  const { pool, socket, kinds, until, monitors } = await bed(t);
  rmSync(socket);
  await sleep(100);
  t.is(pool.guests.size, 1);
  monitors[0]?.event('STOP');
  await until(() => kinds().includes('changed'));
  monitors[0]?.end('QEMU quit');
  await until(() => kinds().includes('went'));
  await sleep(30);
  t.is(monitors.length, 1);
});

test('another QEMU at the same path is another guest', async (t) => {
  const { folder, socket, kinds, until, monitors, changes } = await bed(t);
  await makeSocket(t, join(folder, 'new'));
  renameSync(join(folder, 'new'), socket);
  await until(() => kinds().length === 3);
  t.deepEqual(kinds(), ['came', 'went', 'came']);
  t.like(changes[1], { why: 'another QEMU has made a socket at its path' });
  await t.throwsAsync(async () => monitors[0]?.execute('x'), { message: /closed/ });
  t.is(monitors.length, 2);
});

test('close() lets every monitor go, and tells of nothing', async (t) => {
  const { pool, kinds, monitors } = await bed(t);
  pool.close();
  await sleep(30);
  t.deepEqual(kinds(), ['came']);
  t.is(pool.guests.size, 0);
  t.is(monitors.length, 1);
  await t.throwsAsync(async () => monitors[0]?.execute('x'), { message: /closed/ });
});
