/**
 * The one gate to external commands: no shell, C locale, an absolute deadline, and errors that say which command failed,
 * what it said and what to do about it.
 */
import { execFile } from 'node:child_process';

/** Debian package that brings a command; where RHEL-like systems name it differently they find it by `dnf provides`. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  bridge: 'iproute2',
  tc: 'iproute2',
  devlink: 'iproute2',
  ethtool: 'ethtool',
  setpriv: 'util-linux',
  nsenter: 'util-linux',
  bpftool: 'bpftool',
  virsh: 'libvirt-clients',
  'dpkg-deb': 'dpkg',
};

/** What a kernel's or a tool's words mean for the operator. First match wins. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/Operation not permitted|Permission denied/i, 'run as root (CAP_NET_ADMIN and CAP_SYS_ADMIN are needed)'],
  [/Cannot find device|does not exist|No such device/i, 'look with `ip link show` whether the device is there under this name'],
  [/Cannot open network namespace/i, 'look with `ip netns list` whether the network namespace is there under this name'],
  [/File exists/i, 'something of this name is there already'],
];

/** Ends the wait, not necessarily the process: one that sleeps uninterruptibly in the kernel outlives even SIGKILL. */
const DEFAULT_TIMEOUT_MS = 10_000;
const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;

/** An external command that could not be run, failed, or was too slow. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  constructor(
    readonly command: string,
    /** null when it did not exit by itself: not found, killed, or still running. */
    readonly exitCode: number | null,
    readonly stderr: string,
    readonly hint: string | null,
    readonly reason: 'not-found' | 'failed' | 'timeout',
    what: string,
  ) {
    super(`\`${command}\` ${what}${stderr === '' ? '' : `: ${stderr}`}${hint === null ? '' : ` (${hint})`}`);
  }
}

export interface RunOptions {
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** What it reads; default: nothing. */
  readonly input?: string;
}

/** A command line as one would type it; for messages only, never for a shell. */
export function commandLine(command: string, args: readonly string[]): string {
  return [command, ...args].map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}

export function missingCommandHint(command: string): string {
  return `install package ${PACKAGE_OF[command] ?? command}`;
}

function hintFor(stderr: string): string | null {
  return HINTS.find(([pattern]) => pattern.test(stderr))?.[1] ?? null;
}

/** The environment of every command: its messages must be the ones that HINTS knows. */
export function commandEnvironment(): NodeJS.ProcessEnv {
  return { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`, LC_ALL: 'C' };
}

/** Runs a command to its end and returns its stdout. @throws CommandError */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const line = commandLine(command, args);
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      [...args],
      { encoding: 'utf8', maxBuffer: OUTPUT_LIMIT_BYTES, env: commandEnvironment() },
      (error, stdout, stderr) => {
        clearTimeout(deadline);
        if (error === null) return resolve(stdout);
        const words = stderr.trim();
        if (error.code === 'ENOENT') {
          return reject(new CommandError(line, null, '', missingCommandHint(command), 'not-found', 'could not be run: command not found'));
        }
        const exitCode = typeof error.code === 'number' ? error.code : null;
        const how = exitCode === null ? `ended by ${error.signal ?? error.code ?? error.message}` : `failed with exit code ${exitCode}`;
        return reject(new CommandError(line, exitCode, words, hintFor(words), 'failed', how));
      },
    );
    // Not execFile's own timeout: that one waits for the process to be gone, which may be never.
    const deadline = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new CommandError(line, null, '', null, 'timeout', `did not end within ${timeoutMs} ms`));
    }, timeoutMs);
    // It may end before it has read.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
  });
}

/** Runs a command that prints JSON. Some of these tools print nothing at all for an empty list. @throws CommandError, SyntaxError */
export async function runJson(command: string, args: readonly string[], options: RunOptions = {}): Promise<unknown> {
  const stdout = (await run(command, args, options)).trim();
  return stdout === '' ? [] : JSON.parse(stdout);
}
