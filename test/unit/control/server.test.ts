import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { ConfigError } from '../../../src/config/load.js';
import { ControlClient, DaemonUnreachableError, RequestError, RequestTimeoutError } from '../../../src/control/client.js';
import type { MonitorEvent } from '../../../src/control/protocol.js';
import { ControlServer } from '../../../src/control/server.js';
import { fakeDaemon, temporaryFolder } from '../../support/control_socket.js';
import { monitorEvent } from '../../support/fake_controller.js';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly schema?: number;
    readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null };
  };
}

/** A request as no well-behaved client makes it. */
function raw(socketPath: string, method: string, path: string, body: string | Buffer = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ask = request({ socketPath, method, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Answer['body'] }));
    });
    ask.once('error', reject);
    ask.end(body);
  });
}

test('status has everything under a schema number', async (t) => {
  const { socket, controller, folder } = await fakeDaemon(t);
  controller.state = { lastReconcileAgeMs: 1500.4, error: null };
  const status = await new ControlClient(socket).status();
  t.deepEqual(status, {
    schema: 1,
    version: '1.2.3',
    pid: process.pid,
    pins: '/sys/fs/bpf/nowhere',
    config_file: join(folder, 'unipath.yaml'),
    adopted: false,
    last_reconcile_age_ms: 1500,
    reconcile_error: null,
    adapters: controller.adapters,
    quotas: controller.quotas,
    vnics: controller.vnics,
  });
});

test('RSS settings: shown, set for the host and for one vNIC, refused with what was wrong', async (t) => {
  const { socket, controller, failures } = await fakeDaemon(t);
  const client = new ControlClient(socket);
  t.deepEqual(await client.rss(), { schema: 1, ...controller.rss });
  t.like(await client.setRss(null, { key: 'random' }), { schema: 1, dry_run: false });
  t.like(await client.setRss('g1', { weights: [3, 1], dry_run: true }), { dry_run: true });
  t.deepEqual(controller.calls, ['setRss null {"key":"random"}', 'setRss g1 {"weights":[3,1],"dry_run":true}']);
  await t.throwsAsync(client.setRss('g9', { reset: true }), { instanceOf: RequestError, code: 'unknown_vnic' });
  await t.throwsAsync(client.setRss('g1', { hash_types: ['none'] }), { instanceOf: RequestError, code: 'rss_refused' });
  t.is((await raw(socket, 'POST', '/v1/rss', '{"keys":1}')).body.error?.code, 'bad_request');
  t.is((await raw(socket, 'POST', '/v1/rss', '{"weights":["1"]}')).body.error?.code, 'bad_request');
  t.is((await raw(socket, 'GET', '/v1/vnics/g1/rss')).body.error?.code, 'wrong_method');
  t.deepEqual(failures, []);
});

test('the last events', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  controller.recent = [monitorEvent(), monitorEvent({ message: 'later' })];
  t.deepEqual(await new ControlClient(socket).recentEvents(), controller.recent);
  t.is((await raw(socket, 'POST', '/v1/events/recent')).body.error?.code, 'wrong_method');
});

test('why a vNIC is on its path: only read, and only of one that is there', async (t) => {
  const { socket, controller, failures } = await fakeDaemon(t);
  const client = new ControlClient(socket);
  t.deepEqual(await client.why('g2'), { schema: 1, vnic: controller.vnics[1], conditions: controller.conditions });
  await t.throwsAsync(client.why('g9'), { instanceOf: RequestError, code: 'unknown_vnic' });
  t.is((await raw(socket, 'POST', '/v1/vnics/g1/why')).body.error?.code, 'wrong_method');
  t.deepEqual(failures, []);
});

test('learnt flows: read, brought, and refused where they make no sense', async (t) => {
  const { socket, failures } = await fakeDaemon(t);
  const client = new ControlClient(socket);
  t.deepEqual(await client.flows('g1'), { schema: 1, vnic: 'g1', seed: '00000000000000ff', slots: 16, flows: [[3, 7, 1, 20]] });
  const brought = { seed: '00000000000000ff', slots: 4096, flows: Array.from({ length: 4096 }, (_, slot) => [slot, 0xffff_ffff, 63, 39_999] as const) };
  t.like(await client.putFlows('g1', brought), { taken: 4096, waits: false });
  await t.throwsAsync(client.flows('g9'), { instanceOf: RequestError, code: 'unknown_vnic' });
  for (const wrong of ['{}', '{"seed":"ff","slots":16,"flows":[]}', '{"seed":"00000000000000ff","slots":12,"flows":[]}',
    '{"seed":"00000000000000ff","slots":16,"flows":[[1,2,3]]}', '{"seed":"00000000000000ff","slots":16,"flows":[[1,2,256,4]]}']) {
    t.is((await raw(socket, 'POST', '/v1/vnics/g1/flows', wrong)).body.error?.code, 'bad_request', wrong);
  }
  t.is((await raw(socket, 'DELETE', '/v1/vnics/g1/flows')).body.error?.code, 'wrong_method');
  t.deepEqual(failures, []);
});

test('counters and metrics', async (t) => {
  const { socket } = await fakeDaemon(t);
  const client = new ControlClient(socket);
  t.deepEqual(await client.counters(), { schema: 1, vnics: [], unknown: {}, redirect_errors: [] });
  t.is(await client.metrics(), 'unipath_up 1\n');
});

test('each verb asks the controller for what it means', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const client = new ControlClient(socket);
  t.true((await client.act('g1', 'accelerate', 250)).reached);
  controller.reached = false;
  t.false((await client.act('g2', 'software')).reached);
  t.is((await client.act('g1', 'auto')).vnic.name, 'g1');
  t.deepEqual(controller.calls, ['want g1 accelerated 250', 'want g2 software 0', 'want g1 null 0']);
});

test('a daemon that is starting says so, and who it is', async (t) => {
  const socket = join(temporaryFolder(t), 'x.sock');
  const server = await ControlServer.listen(socket, null);
  t.teardown(() => server.close());
  t.like(await t.throwsAsync(new ControlClient(socket).status(), { instanceOf: RequestError }), { status: 503, code: 'starting' });
  await t.throwsAsync(ControlServer.listen(socket, null), { message: new RegExp(`^unipathd with pid ${process.pid} listens on`) });
});

test('reload and down', async (t) => {
  const daemon = await fakeDaemon(t);
  const client = new ControlClient(daemon.socket);
  t.deepEqual(await client.reload(), { schema: 1, added: ['g3'], removed: [], changed: ['g1'] });
  t.is((await client.down()).undone.length, 2);
  for (let i = 0; i < 100 && daemon.ended === 0; i++) await sleep(5);
  t.is(daemon.ended, 1);
});

test('down ends the daemon also when whoever asked has gone', async (t) => {
  const daemon = await fakeDaemon(t);
  let finish = (): void => undefined;
  let asked = false;
  daemon.controller.down = () => {
    asked = true;
    return new Promise((resolve) => (finish = () => resolve({ undone: [] })));
  };
  const ask = request({ socketPath: daemon.socket, method: 'POST', path: '/v1/down' });
  ask.once('error', () => undefined);
  ask.end();
  for (let i = 0; i < 2000 && !asked; i++) await sleep(5);
  ask.destroy();
  await sleep(50);
  finish();
  for (let i = 0; i < 2000 && daemon.ended === 0; i++) await sleep(5);
  t.is(daemon.ended, 1);
});

test('an unknown vNIC names the near one', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const client = new ControlClient(socket);
  const near = await t.throwsAsync(client.act('g11', 'software'), { instanceOf: RequestError });
  t.like(near, { status: 404, code: 'unknown_vnic', message: 'there is no vNIC "g11"', hint: 'did you mean "g1"?' });
  const far = await t.throwsAsync(client.act('../../x y', 'software'), { instanceOf: RequestError });
  t.like(far, { code: 'unknown_vnic', message: 'there is no vNIC "../../x y"' });
  t.deepEqual(controller.calls, []);
});

test('what cannot be understood is refused with a code', async (t) => {
  const { socket, failures } = await fakeDaemon(t);
  const refused: readonly (readonly [method: string, path: string, body: string, status: number, code: string])[] = [
    ['GET', '/v1/nothing', '', 404, 'unknown_route'],
    ['GET', '/', '', 404, 'unknown_route'],
    ['POST', '/v1/status', '', 405, 'wrong_method'],
    ['GET', '/v1/down', '', 405, 'wrong_method'],
    ['GET', '/v1/vnics/g1/software', '', 405, 'wrong_method'],
    ['POST', '/v1/vnics/g1/fly', '', 404, 'unknown_verb'],
    ['POST', '/v1/vnics/g1/constructor', '', 404, 'unknown_verb'],
    ['POST', '/v1/vnics/%zz/software', '', 400, 'bad_name'],
    ['POST', '/v1/vnics/g1/software', '{', 400, 'bad_json'],
    ['POST', '/v1/vnics/g1/software', '[]', 400, 'bad_request'],
    ['POST', '/v1/vnics/g1/software', '{"wait_ms":-1}', 400, 'bad_request'],
    ['POST', '/v1/vnics/g1/software', '{"wait":1}', 400, 'bad_request'],
    ['POST', '/v1/config/reload', '{"force":true}', 400, 'bad_request'],
  ];
  for (const [method, path, body, status, code] of refused) {
    const answer = await raw(socket, method, path, body);
    t.is(answer.status, status, `${method} ${path} ${body}`);
    t.is(answer.body.error?.code, code, `${method} ${path} ${body}`);
    t.is(answer.body.schema, 1);
  }
  t.deepEqual(failures, []);
});

test('a request of more than 64 KiB is refused', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const answer = await raw(socket, 'POST', '/v1/vnics/g1/software', Buffer.alloc(70 * 1024, ' '));
  t.is(answer.status, 413);
  t.deepEqual(controller.calls, []);
  t.is((await raw(socket, 'POST', '/v1/vnics/g1/software', `${' '.repeat(60 * 1024)}{}`)).status, 200);
});

test('an error inside is answered as such and reported', async (t) => {
  const { socket, controller, failures } = await fakeDaemon(t);
  controller.want = async () => {
    throw new Error('the map is full');
  };
  const error = await t.throwsAsync(new ControlClient(socket).act('g1', 'software'), { instanceOf: RequestError });
  t.like(error, { status: 500, code: 'internal_error', message: 'the map is full' });
  t.deepEqual(failures, ['/v1/vnics/g1/software: the map is full']);
});

test('a configuration that is refused says why and is no failure of the daemon', async (t) => {
  const { socket, failures } = await fakeDaemon(t, {
    reload: async () => {
      throw new ConfigError('F', [{ line: 2, column: 3, field: 'vnics[0].mac', message: 'no' }]);
    },
  });
  const error = await t.throwsAsync(new ControlClient(socket).reload(), { instanceOf: RequestError });
  t.like(error, { code: 'config_invalid', message: 'F:2:3: vnics[0].mac: no', hint: 'the configuration in force was kept' });
  t.deepEqual(failures, []);
});

test('events come one per line, to every client, until it goes away', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const stop = new AbortController();
  const collect = async (): Promise<MonitorEvent[]> => {
    const events: MonitorEvent[] = [];
    for await (const event of new ControlClient(socket).events(stop.signal)) {
      events.push(event);
      if (events.length === 2) break;
    }
    return events;
  };
  const both = Promise.all([collect(), collect()]);
  while (controller.listeners < 2) await sleep(5);
  controller.emit(monitorEvent({ message: 'one\ntwo' }));
  controller.emit(monitorEvent({ message: 'three' }));
  for (const events of await both)
    t.deepEqual(
      events.map(({ message }) => message),
      ['one\ntwo', 'three'],
    );
  for (let i = 0; i < 100 && controller.listeners > 0; i++) await sleep(5);
  t.is(controller.listeners, 0);
});

test('a listener is stopped by its signal, and ends with the daemon', async (t) => {
  const { socket, controller, server } = await fakeDaemon(t);
  const stop = new AbortController();
  const client = new ControlClient(socket);
  let received = 0;
  const drain = async (signal?: AbortSignal): Promise<string> => {
    for await (const event of client.events(signal)) received += event.schema;
    return 'ended';
  };
  const stopped = drain(stop.signal);
  while (controller.listeners < 1) await sleep(5);
  controller.emit(monitorEvent());
  while (received < 1) await sleep(5);
  stop.abort();
  t.is(await stopped, 'ended');
  while (controller.listeners > 0) await sleep(5);
  const ended = drain();
  while (controller.listeners < 1) await sleep(5);
  await server.close();
  t.is(await ended, 'ended');
});

test('a client that does not read its events is let go', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  const ask = request({ socketPath: socket, path: '/v1/events', agent: false }, (response) => {
    response.pause();
    response.on('error', () => undefined);
  });
  ask.on('error', () => undefined);
  ask.end();
  while (controller.listeners < 1) await sleep(5);
  const event = monitorEvent({ message: 'x'.repeat(10_000) });
  for (let i = 0; i < 1_000 && controller.listeners > 0; i++) {
    controller.emit(event);
    await sleep(0);
  }
  t.is(controller.listeners, 0);
});

test('an answer that does not come in time', async (t) => {
  const { socket, controller } = await fakeDaemon(t);
  controller.want = () => new Promise(() => undefined);
  await t.throwsAsync(new ControlClient(socket, 100).act('g1', 'software'), { instanceOf: RequestTimeoutError, message: /within 100 ms/ });
});

test('nobody there', async (t) => {
  const { folder, socket, server } = await fakeDaemon(t);
  await t.throwsAsync(new ControlClient(`${folder}/none.sock`).status(), {
    instanceOf: DaemonUnreachableError,
    message: `unipathd is not reachable: there is no socket ${folder}/none.sock; start unipathd, or name its socket with -S`,
  });
  await server.close();
  await t.throwsAsync(new ControlClient(socket).status(), { instanceOf: DaemonUnreachableError });
});

test('on a socket for reading everything is seen, and nothing is changed', async (t) => {
  const { folder, controller, target } = await fakeDaemon(t);
  const socket = join(folder, 'read', 'unipath.sock');
  const server = await ControlServer.listen(socket, target, undefined, 'read');
  t.teardown(() => server.close());
  const client = new ControlClient(socket);
  t.is((await client.status()).vnics.length, 2);
  t.is(await client.metrics(), 'unipath_up 1\n');
  t.deepEqual((await client.explain({})).explanations, []);
  for (const seen of ['counters', 'events/recent', 'rss', 'vms', 'vnics/g1/why', 'vnics/g1/flows']) t.is((await raw(socket, 'GET', `/v1/${seen}`)).status, 200, seen);
  const changes = ['down', 'config/reload', 'rss', 'vnics/g1/rss', 'vnics/g1/flows', ...['accelerate', 'software', 'auto'].map((verb) => `vnics/g1/${verb}`),
    ...['receive', 'migrate', 'cancel'].map((verb) => `vms/web/${verb}`)];
  for (const change of changes) {
    for (const method of ['POST', 'PUT', 'DELETE']) t.is((await raw(socket, method, `/v1/${change}`)).body.error?.code, 'read_only', `${method} ${change}`);
  }
  t.deepEqual(controller.calls, []);
  await t.throwsAsync(client.act('g1', 'software'), { instanceOf: RequestError, code: 'read_only', message: 'nothing can be changed on this socket' });
});
