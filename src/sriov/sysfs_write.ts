/**
 * The one gate for writing to sysfs. What may wait in the kernel for ever (taking VFs or a driver away, while somebody has the device open) is
 * written by a process of its own: that one can be given up, a thread of ours could not.
 */
import { writeFile } from 'node:fs/promises';
import { CommandError, run } from '../host/exec.js';

/** The kernel refused a value, or does not come to an end with it. */
export class SysfsWriteError extends Error {
  override readonly name = 'SysfsWriteError';

  constructor(
    readonly path: string,
    readonly value: string,
    readonly reason: 'refused' | 'timeout',
    what: string,
  ) {
    super(`writing ${JSON.stringify(value)} to ${path} ${what}`);
  }
}

/** @throws SysfsWriteError */
export async function writeSysfs(path: string, value: string): Promise<void> {
  try {
    await writeFile(path, value, { flag: 'w' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SysfsWriteError(path, value, 'refused', `failed: ${code ?? message}`);
  }
}

/** The same, by a process of its own, which is given up after the deadline. @throws SysfsWriteError */
export async function writeSysfsApart(path: string, value: string, deadlineMs: number): Promise<void> {
  try {
    await run('tee', ['--', path], { timeoutMs: deadlineMs, input: value });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.reason === 'timeout') {
      throw new SysfsWriteError(path, value, 'timeout', `did not end within ${deadlineMs / 1000} s; the kernel is still at it, and waits for whoever uses the device`);
    }
    // tee: /sys/...: Numerical result out of range
    throw new SysfsWriteError(path, value, 'refused', `failed: ${error.stderr.split(': ').at(-1) ?? error.message}`);
  }
}
