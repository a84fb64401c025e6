/** A command line of `unipath` in this process. */
import { runCli } from '../../src/cli/program.js';

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly colour?: boolean;
  readonly signal?: AbortSignal;
  readonly onOut?: (text: string) => void;
}

/** @param line words between spaces, or a list of them */
export async function run(line: string | readonly string[], more: RunOptions = {}): Promise<Run> {
  let [out, err] = ['', ''];
  const code = await runCli(typeof line === 'string' ? line.split(' ').filter(Boolean) : line, {
    out: (text) => {
      out += text;
      more.onOut?.(text);
    },
    err: (text) => {
      err += text;
    },
    colour: more.colour ?? false,
    interrupted: () => more.signal ?? new AbortController().signal,
  });
  return { code, out, err };
}
