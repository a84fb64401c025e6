#!/usr/bin/env node
/** unipath: the operator's command. */
import { runCli } from './cli/program.js';
import { openTerminal } from './cli/terminal.js';

/** Each once: a second Ctrl-C ends at once what does not end by itself. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

// `unipath ... | head` is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const code = await runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  colour: process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb',
  interrupted,
  ...(process.stdin.isTTY === true && process.stdout.isTTY === true && process.env['TERM'] !== 'dumb'
    ? { openTerminal: (pressed, changed) => openTerminal(process.stdin, process.stdout, pressed, changed) }
    : {}),
});
// A command may have set one of its own.
if (code !== 0) process.exitCode = code;
