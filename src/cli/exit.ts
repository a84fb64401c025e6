/** How `unipath` ends. Documented in its help: scripts rely on the numbers. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  degraded: 4,
  timedOut: 5,
} as const;

/** Ends the command with this code after its output has been printed. */
export class ExitWith extends Error {
  override readonly name = 'ExitWith';

  constructor(readonly exitCode: number) {
    super(`exit code ${exitCode}`);
  }
}

/** Something the user named does not exist, or was given wrongly. The hint says what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    message: string,
    readonly code: string,
    readonly hint: string | null = null,
    readonly exitCode: number = ExitCode.failed,
  ) {
    super(message);
  }
}
