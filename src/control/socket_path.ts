/**
 * Listening on a unix socket's path: made for root and a group only, which is the folder's where that hands it on (set-group-ID); a dead
 * daemon's socket is replaced, a live one's never.
 */
import { randomUUID } from 'node:crypto';
import { lstat, link, mkdir, rename, unlink } from 'node:fs/promises';
import { request, type Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';

const FOLDER_MODE = 0o750;
/** Leaves rw-rw---- of a socket's mode. */
const SOCKET_UMASK = 0o117;
const PROBE_DEADLINE_MS = 1_000;

/** The path cannot be listened on; the message says why and what to do. */
export class SocketPathError extends Error {
  override readonly name = 'SocketPathError';
}

/** @throws SocketPathError when a live daemon has it, or something that is no socket; else what listen(2) says. */
export async function listenOnPath(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
  try {
    await bind(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    await removeStale(path);
    await bind(server, path).catch((again: NodeJS.ErrnoException) => refuseLate(again, 'EADDRINUSE', path));
  }
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The file is made inside of listen(), so that it never has another mode than this.
    const umask = process.umask(SOCKET_UMASK);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}

/**
 * Between looking and removing, another daemon may have replaced the dead socket by its own. So it is taken aside first,
 * and looked at there: what is alive is put back.
 */
async function removeStale(path: string): Promise<void> {
  const present = await lstat(path).catch((error: NodeJS.ErrnoException) => refuseLate(error, 'ENOENT', path));
  if (!present.isSocket()) {
    throw new SocketPathError(`${path} is there and is no socket; remove it, or choose another path for the control socket`);
  }
  await refuseLive(path, path);
  const aside = `${path}.${randomUUID()}.stale`;
  await rename(path, aside).catch((error: NodeJS.ErrnoException) => refuseLate(error, 'ENOENT', path));
  try {
    await refuseLive(aside, path);
  } catch (error) {
    await link(aside, path).catch(() => undefined);
    throw error;
  } finally {
    await unlink(aside);
  }
}

/** Who else starts here was quicker: has taken the file aside (ENOENT) or made its own (EADDRINUSE) just now. */
function refuseLate(error: NodeJS.ErrnoException, code: 'ENOENT' | 'EADDRINUSE', path: string): never {
  if (error.code !== code) throw error;
  throw new SocketPathError(`another unipathd is starting on ${path}; stop it first, or choose another path for the control socket`);
}

async function refuseLive(path: string, shown: string): Promise<void> {
  if (await isDead(path)) return;
  const pid = await daemonPid(path);
  const who = pid === null ? 'another process' : `unipathd with pid ${pid}`;
  throw new SocketPathError(`${who} listens on ${shown} already; stop it first, or choose another path for the control socket`);
}

/** True only when nobody listens for certain. */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT'));
  });
}

function daemonPid(socketPath: string): Promise<number | null> {
  return new Promise((resolve) => {
    const ask = request({ socketPath, path: '/v1/status', timeout: PROBE_DEADLINE_MS }, (response) => {
      response.resume();
      const pid = Number(response.headers['unipath-pid']);
      resolve(Number.isInteger(pid) ? pid : null);
    });
    ask.once('timeout', () => ask.destroy());
    ask.once('error', () => resolve(null));
    ask.end();
  });
}
