import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { MonitorLostError, QmpError, type QmpEvent } from '../../../../src/hypervisor/qemu/monitor.js';
import { MonitorConnectError, QmpClient } from '../../../../src/hypervisor/qemu/qmp_client.js';
import { temporaryFolder } from '../../../support/control_socket.js';
import { type FakeCommand, FakeQmp, type FakeQmpOptions } from '../../../support/fake_qmp.js';

async function connected(t: ExecutionContext, options: FakeQmpOptions = {}): Promise<{ fake: FakeQmp; client: QmpClient }> {
  const fake = await FakeQmp.start(t, options);
  const client = await QmpClient.connect(fake.path);
  t.teardown(() => client.close());
  return { fake, client };
}

/** Commands that wait until the test answers them. */
async function manual(t: ExecutionContext): Promise<{ fake: FakeQmp; client: QmpClient; asked: FakeCommand[]; ask: () => Promise<FakeCommand> }> {
  const asked: FakeCommand[] = [];
  const both = await connected(t, { onCommand: (command) => void asked.push(command) });
  const ask = async (): Promise<FakeCommand> => {
    for (;;) {
      const next = asked.shift();
      if (next !== undefined) return next;
      await sleep(1);
    }
  };
  return { ...both, asked, ask };
}

test('an answer finds its command by id, in whatever order answers come', async (t) => {
  const { client, ask } = await manual(t);
  const first = client.execute('first', { a: 1 });
  const second = client.execute('second');
  const [one, two] = [await ask(), await ask()];
  t.deepEqual([one.execute, one.arguments, two.execute], ['first', { a: 1 }, 'second']);
  two.answer('two');
  t.is(await second, 'two');
  one.answer({ status: 'running' });
  t.deepEqual(await first, { status: 'running' });
});

test("QEMU's refusal comes with its class and words", async (t) => {
  const { client } = await connected(t, { onCommand: (command) => command.refuse('DeviceNotFound', "Device 'x' not found") });
  const error = await t.throwsAsync(client.execute('device_del', { id: 'x' }), { instanceOf: QmpError });
  t.is(error?.qmpClass, 'DeviceNotFound');
  t.is(error?.message, "device_del: Device 'x' not found");
});

test('what cannot be written as JSON is refused before it is sent', async (t) => {
  const { client } = await connected(t);
  await t.throwsAsync(client.execute('x', { n: 1n }), { instanceOf: TypeError });
});

test('an answer after its deadline is dropped, and the next commands get theirs', async (t) => {
  const { client, ask } = await manual(t);
  await t.throwsAsync(client.execute('slow', {}, { deadlineMs: 30 }), { instanceOf: MonitorLostError, message: /slow: .* within 30 ms/ });
  const slow = await ask();
  const next = client.execute('next');
  const asked = await ask();
  slow.answer('late');
  slow.answer('and twice');
  asked.answer('in time');
  t.is(await next, 'in time');
});

test('events come in order, with data and time, also between commands and answers', async (t) => {
  const { fake, client, ask } = await manual(t);
  const events: QmpEvent[] = [];
  const stop = client.onEvent((event) => events.push(event));
  const answer = client.execute('x');
  fake.event('DEVICE_DELETED', { path: '/machine/peripheral/vf0/virtio-backend' });
  fake.event('DEVICE_DELETED', { device: 'vf0' });
  (await ask()).answer(1);
  await answer;
  t.deepEqual(events, [
    { name: 'DEVICE_DELETED', data: { path: '/machine/peripheral/vf0/virtio-backend' }, timeMs: 1_700_000_000_250 },
    { name: 'DEVICE_DELETED', data: { device: 'vf0' }, timeMs: 1_700_000_000_250 },
  ]);
  stop();
  const after = client.execute('y');
  fake.event('RESET');
  (await ask()).answer(1);
  await after;
  t.is(events.length, 2);
});

test('messages survive being cut anywhere and being sent at once', async (t) => {
  const { fake, client, ask } = await manual(t);
  const events: string[] = [];
  client.onEvent((event) => events.push(event.name));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 12 }), fc.string({ unit: 'grapheme' }), async (places, text) => {
      events.length = 0;
      const answer = client.execute('x');
      const command = await ask();
      const bytes = Buffer.from(
        `{"event": "A"}\r\n{"return": ${JSON.stringify(text)}, "id": ${command.id}}\r\n\r\n{"event": "B", "data": {"x": ${JSON.stringify(text)}}}\r\n`,
      );
      const edges = [0, ...places.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
      for (const [i, edge] of edges.slice(1).entries()) command.send(bytes.subarray(edges[i], edge));
      t.is(await answer, text);
      while (events.length < 2) await sleep(1);
      t.deepEqual(events, ['A', 'B']);
    }),
    { numRuns: 40 },
  );
  fake.stop();
});

test('when the connection ends everything that waits fails, later commands too, and onEnd is told once', async (t) => {
  const { client, ask } = await manual(t);
  const ends: string[] = [];
  client.onEnd((why) => ends.push(why));
  const waiting = [client.execute('a'), client.execute('b')];
  await ask();
  (await ask()).hangUp();
  for (const promise of waiting) await t.throwsAsync(promise, { instanceOf: MonitorLostError, message: /the connection ended/ });
  await t.throwsAsync(client.execute('c'), { instanceOf: MonitorLostError, message: /^c: / });
  client.close();
  const late = await new Promise<string>((resolve) => void client.onEnd(resolve));
  t.deepEqual(ends, [late]);
});

test('close() ends it at once', async (t) => {
  const { client } = await manual(t);
  const waiting = client.execute('a');
  client.close();
  await t.throwsAsync(waiting, { instanceOf: MonitorLostError, message: /closed by us/ });
});

test('a line beyond the bound, and one that is no JSON, end the connection', async (t) => {
  for (const [text, expected] of [
    ['x'.repeat(5000), /more than 4096 bytes/],
    ['not JSON\r\n', /no JSON object: "not JSON/],
    ['[1]\r\n', /no JSON object/],
  ] as const) {
    const fake = await FakeQmp.start(t, { onCommand: (command) => command.send(text) });
    const client = await QmpClient.connect(fake.path, { maxLineBytes: 4096 });
    await t.throwsAsync(client.execute('x'), { instanceOf: MonitorLostError, message: expected });
  }
});

test('answers to nobody, with strange ids or without one, change nothing', async (t) => {
  const { client } = await connected(t, {
    onCommand: (command) => {
      for (const id of ['7', 'null', '{}', `"${command.id}"`, '-1', '1e999']) command.send(`{"return": "no", "id": ${id}}\r\n`);
      command.send('{"return": "no"}\r\n{"error": {"class": "GenericError", "desc": "no"}}\r\n{}\r\n{"event": 5}\r\n');
      command.answer('yes');
    },
  });
  t.is(await client.execute('x'), 'yes');
});

test('an answer that says nothing is an error, not a value', async (t) => {
  const { client } = await connected(t, { onCommand: (command) => command.send(`{"id": ${command.id}}\r\n`) });
  await t.throwsAsync(client.execute('x'), { instanceOf: QmpError });
});

/** The deadline only where it is waited for: a busy machine is late. */
const problemOf = async (t: ExecutionContext, path: string, deadlineMs = 10_000): Promise<MonitorConnectError> =>
  (await t.throwsAsync(QmpClient.connect(path, { deadlineMs }), { instanceOf: MonitorConnectError })) as MonitorConnectError;

test('connecting says what is wrong and what to do', async (t) => {
  const folder = temporaryFolder(t);
  t.like(await problemOf(t, join(folder, 'none')), { problem: 'absent' });
  writeFileSync(join(folder, 'file'), '');
  t.like(await problemOf(t, join(folder, 'file')), { problem: 'refused' });

  const silent = await FakeQmp.start(t, { greeting: null });
  const busy = await problemOf(t, silent.path, 60);
  t.is(busy.problem, 'busy');
  t.regex(busy.message, /somebody else probably holds .* second one .* -qmp unix:/);

  const human = await FakeQmp.start(t, { greeting: "QEMU 7.2 monitor - type 'help' for more information\r\n(qemu) " });
  t.like(await problemOf(t, human.path), { problem: 'not_qmp' });
  const pretty = await FakeQmp.start(t, { greeting: '{\r\n    "QMP": {\r\n' });
  t.like(await problemOf(t, pretty.path), { problem: 'not_qmp' });
});

test('a QEMU that greets and then says nothing is given up at the same deadline', async (t) => {
  const fake = await FakeQmp.start(t, { answersCapabilities: false });
  const started = performance.now();
  const deadlineMs = 2000;
  const error = await problemOf(t, fake.path, deadlineMs);
  t.is(error.problem, 'other');
  t.regex(error.message, /gave a greeting but no more: qmp_capabilities/);
  t.true(performance.now() - started < 2 * deadlineMs);
});
