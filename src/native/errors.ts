/** The errors of native calls, and the one gate that turns a negative return value into one of them. */
import { errnoName } from './errno.js';
import { explain } from './explain.js';
import { summarizeVerifierLog } from './verifier_log.js';

/** A call into libbpf or libc failed. `errno` is positive, `code` its name. */
export class NativeError extends Error {
  readonly operation: string;
  readonly errno: number;
  readonly code: string;
  /** What it was done to: a path, a map's name, an interface; null when there is nothing to name. */
  readonly object: string | null;

  constructor(operation: string, errno: number, object: string | null = null, detail: string | null = null) {
    const code = errnoName(errno);
    const target = object === null ? '' : ` (${object})`;
    super(`${operation}${target} failed: ${code}${detail === null ? '' : `: ${detail}`}`);
    this.name = 'NativeError';
    this.operation = operation;
    this.errno = errno;
    this.code = code;
    this.object = object;
  }
}

/** The kernel's verifier refused a program. The message begins with the lines that say why; `log` has all of them. */
export class VerifierError extends NativeError {
  readonly log: string;
  readonly program: string;

  constructor(operation: string, errno: number, object: string | null, log: string, program: string) {
    super(operation, errno, object, summarizeVerifierLog(log));
    this.name = 'VerifierError';
    this.log = log;
    this.program = program;
  }
}

/** A program that unipath did not attach sits where ours should go. It is never displaced. */
export class ForeignProgramError extends NativeError {
  /** 0 when the kernel did not say which. */
  readonly programId: number;

  constructor(operation: string, errno: number, object: string, programId: number) {
    const which = programId === 0 ? 'another program' : `another program (id ${programId})`;
    super(operation, errno, object, `${which} is attached there and is never displaced; detach it first if it is not wanted`);
    this.name = 'ForeignProgramError';
    this.programId = programId;
  }
}

/**
 * Passes a native return value through when it is not negative.
 * @throws NativeError with errno = -rc otherwise
 */
export function check(operation: string, rc: number, object: string | null = null): number {
  if (rc >= 0) return rc;
  throw new NativeError(operation, -rc, object, explain(operation, -rc));
}

/** True for an error of a native call with that code, e.g. `isNativeError(error, 'ENOENT')`. */
export function isNativeError(error: unknown, code?: string): error is NativeError {
  return error instanceof NativeError && (code === undefined || error.code === code);
}
