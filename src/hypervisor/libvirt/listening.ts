/**
 * Has a virsh begun to listen? It does not say. But once all its callbacks are registered, its main thread waits at a pipe for the
 * first event to be printed, and nowhere before: the kernel tells where a thread waits.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 10;

async function waitsAtPipe(pid: number): Promise<boolean> {
  // "pipe_read" or "anon_pipe_read"; "0" while it runs, and always where the kernel does not tell.
  const where = await readFile(`/proc/${pid}/wchan`, 'utf8').catch(() => '');
  return where.includes('pipe_read');
}

/** Resolves when all of them listen, or else after the deadline. @param going false ends the waiting */
export async function untilListening(pids: readonly number[], deadlineMs: number, going: () => boolean): Promise<void> {
  for (const deadline = Date.now() + deadlineMs; Date.now() < deadline && going(); await sleep(POLL_MS, undefined, { ref: false })) {
    const listening = await Promise.all(pids.map(waitsAtPipe));
    if (listening.every((yes) => yes)) return;
  }
}
