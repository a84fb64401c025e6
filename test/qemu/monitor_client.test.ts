import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MonitorLostError, QmpError } from '../../src/hypervisor/qemu/monitor.js';
import { MonitorConnectError, QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import { qemuTest, startQemu } from '../support/real_qemu.js';

qemuTest('a running QEMU answers, refuses, and sends events', async (t) => {
  const { monitor } = await startQemu(t);
  const client = await QmpClient.connect(monitor);
  t.teardown(() => client.close());
  t.like(await client.execute('query-status'), { status: 'prelaunch', running: false });
  const refused = await t.throwsAsync(client.execute('device_del', { id: 'nobody' }), { instanceOf: QmpError });
  t.is(refused?.qmpClass, 'DeviceNotFound');
  const unknown = await t.throwsAsync(client.execute('no-such-command'), { instanceOf: QmpError });
  t.is(unknown?.qmpClass, 'CommandNotFound');

  const resumed = new Promise<number>((resolve) => void client.onEvent((event) => event.name === 'RESUME' && resolve(event.timeMs)));
  await client.execute('cont');
  t.true(Math.abs((await resumed) - Date.now()) < 5_000);
});

qemuTest("an answer of hundreds of kilobytes arrives whole, and many commands at once get each its own", async (t) => {
  const { monitor } = await startQemu(t);
  const client = await QmpClient.connect(monitor);
  t.teardown(() => client.close());
  const [schema, ...others] = await Promise.all([
    client.execute('query-qmp-schema'),
    ...Array.from({ length: 100 }, (_, i) => client.execute('qom-get', { path: '/machine', property: i % 2 === 0 ? 'type' : 'graphics' })),
  ]);
  t.true((schema as unknown[]).length > 500);
  t.true(others.every((answer, i) => (i % 2 === 0 ? /q35/.test(String(answer)) : typeof answer === 'boolean')));
});

qemuTest('who holds the monitor keeps others out, and they are told so, also when the backlog is full', async (t) => {
  const { monitor } = await startQemu(t);
  const holder = await QmpClient.connect(monitor);
  const others = await Promise.all(
    Array.from({ length: 4 }, () =>
      QmpClient.connect(monitor, { deadlineMs: 300 }).then(
        () => null,
        (error: unknown) => error as MonitorConnectError,
      ),
    ),
  );
  for (const error of others) {
    t.true(error instanceof MonitorConnectError);
    t.is(error?.problem, 'busy');
    t.regex(error?.message ?? '', /second one for unipath: -qmp unix:/);
  }
  t.like(await holder.execute('query-status'), { running: false });
  holder.close();
  const next = await QmpClient.connect(monitor);
  t.like(await next.execute('query-status'), { running: false });
  next.close();
});

qemuTest('a backlog that is full now is tried until the deadline', async (t) => {
  const { monitor, pid } = await startQemu(t);
  process.kill(pid, 'SIGSTOP');
  const waiting = Array.from({ length: 4 }, () => connect(monitor).on('error', () => {}));
  const connected = QmpClient.connect(monitor);
  await sleep(200);
  for (const socket of waiting) socket.destroy();
  process.kill(pid, 'SIGCONT');
  const client = await connected;
  t.deepEqual(await client.execute('query-name'), {});
  client.close();
});

qemuTest('a QEMU that is killed ends the connection; one that is stopped makes commands late, and no more', async (t) => {
  const { monitor, pid, kill } = await startQemu(t);
  const client = await QmpClient.connect(monitor);
  const ends: string[] = [];
  client.onEnd((why) => ends.push(why));
  process.kill(pid, 'SIGSTOP');
  await t.throwsAsync(client.execute('query-status', {}, { deadlineMs: 200 }), { instanceOf: MonitorLostError, message: /did not answer within 200 ms/ });
  process.kill(pid, 'SIGCONT');
  t.deepEqual(await client.execute('query-name'), {});
  const waiting = client.execute('stop').then(() => client.execute('human-monitor-command', { 'command-line': 'quit' }));
  await kill();
  await t.throwsAsync(waiting, { instanceOf: MonitorLostError });
  await sleep(10);
  t.is(ends.length, 1);
  const gone = await t.throwsAsync(QmpClient.connect(monitor), { instanceOf: MonitorConnectError });
  t.true(gone?.problem === 'refused' || gone?.problem === 'absent');
});
