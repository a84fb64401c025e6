import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ControlClient } from '../../../src/control/client.js';
import { listenOnPath, SocketPathError } from '../../../src/control/socket_path.js';
import { fakeDaemon, temporaryFolder } from '../../support/control_socket.js';

const LISTEN = "require('node:net').createServer().listen(process.argv[1], () => console.log('up'))";

/** A process that listens on the path and is killed, so that its socket stays behind. */
async function leaveStaleSocket(path: string): Promise<void> {
  const child = spawn(process.execPath, ['-e', LISTEN, path]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
}

async function listen(t: ExecutionContext, path: string): Promise<void> {
  const server = createServer();
  t.teardown(() => void server.close());
  await listenOnPath(server, path);
}

test('the socket is for root and its group, and so is a folder made for it', async (t) => {
  const { socket } = await fakeDaemon(t);
  t.is(statSync(socket).mode & 0o777, 0o660);
  t.is(statSync(dirname(socket)).mode & 0o777, 0o750);
});

test('the umask is as before', async (t) => {
  const before = process.umask();
  await fakeDaemon(t);
  t.is(process.umask(), before);
});

test('a socket that a killed daemon left behind is replaced', async (t) => {
  const path = join(temporaryFolder(t), 'x.sock');
  await leaveStaleSocket(path);
  t.true(existsSync(path));
  await t.notThrowsAsync(listen(t, path));
  t.deepEqual(readdirSync(dirname(path)), ['x.sock']);
});

test('a live daemon is left alone and named by its pid', async (t) => {
  const { socket } = await fakeDaemon(t);
  await t.throwsAsync(listen(t, socket), {
    instanceOf: SocketPathError,
    message: `unipathd with pid ${process.pid} listens on ${socket} already; stop it first, or choose another path for the control socket`,
  });
  t.is((await new ControlClient(socket).status()).pid, process.pid);
  t.deepEqual(readdirSync(dirname(socket)), ['unipath.sock']);
});

test('somebody else who listens there is left alone, even one that says nothing', async (t) => {
  const path = join(temporaryFolder(t), 'x.sock');
  const child = spawn(process.execPath, ['-e', LISTEN, path]);
  t.teardown(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  await t.throwsAsync(listen(t, path), { message: /^another process listens on .* already/ });
  t.is(child.exitCode, null);
});

test('what is no socket is never removed', async (t) => {
  const path = join(temporaryFolder(t), 'precious');
  writeFileSync(path, 'data');
  await t.throwsAsync(listen(t, path), { instanceOf: SocketPathError, message: /is there and is no socket; remove it/ });
  t.true(existsSync(path));
});

test('of several that start over a stale socket at once exactly one gets it', async (t) => {
  const path = join(temporaryFolder(t), 'x.sock');
  await leaveStaleSocket(path);
  const results = await Promise.allSettled(Array.from({ length: 4 }, () => listen(t, path)));
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const result of results) if (result.status === 'rejected') t.true(result.reason instanceof SocketPathError, String(result.reason));
  t.deepEqual(readdirSync(dirname(path)), ['x.sock']);
});

test('a closed server leaves no socket', async (t) => {
  const { socket, server } = await fakeDaemon(t);
  await server.close();
  t.false(existsSync(socket));
});
