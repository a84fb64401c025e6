/** `unipath bugreport`: what somebody who is asked for help wants to know, in one JSON document. */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { DaemonUnreachableError, RequestError, RequestTimeoutError, type ControlClient } from '../control/client.js';
import { PROTOCOL_SCHEMA, type StatusReply } from '../control/protocol.js';
import type { Context } from './context.js';
import { CliError } from './exit.js';
import { fileProblem } from './file_words.js';

const HELP_TAIL = `
Versions, kernel, findings of doctor, status, conditions of every vNIC, the last events, counters, RSS, virtual machines, configuration,
maps, and the interfaces that unipath has to do with. RSS keys and what logs in anywhere are left out; names, MAC and IP addresses are in it.
A part that cannot be had says why.`;

export function registerBugreport(program: Command, context: (command: Command) => Context): void {
  program
    .command('bugreport')
    .description('everything that helps to find out what is wrong, as one JSON document; without a daemon, what there is')
    .argument('[file]', 'where it goes, readable by its owner only; default: standard output')
    .addHelpText('after', HELP_TAIL)
    .action(async (file: string | undefined, _options: object, command: Command) => report(context(command), file));
}

/** A daemon that does not answer is what may have to be reported. */
async function statusOf(client: ControlClient): Promise<StatusReply | null> {
  try {
    return await client.status();
  } catch (error) {
    if (error instanceof DaemonUnreachableError || error instanceof RequestError || error instanceof RequestTimeoutError) return null;
    throw error;
  }
}

async function report(context: Context, file: string | undefined): Promise<void> {
  const [{ gatherParts }, { redactAll }] = await Promise.all([import('./bugreport_parts.js'), import('./redact.js')]);
  const client = context.client();
  const status = await statusOf(client);
  if (status === null) context.io.err('unipath: unipathd does not answer: the report has what the machine itself shows\n');
  const document = redactAll({ time: new Date().toISOString(), ...(await gatherParts({ client, status })) }) as object;
  if (file === undefined) return context.printJson(document);
  try {
    // Created anew: one that is there may be for others to read.
    writeFileSync(file, `${JSON.stringify({ schema: PROTOCOL_SCHEMA, ...document }, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new CliError(`${file} is there already`, 'file_exists', 'name another file, or remove it');
    throw new CliError(`the report could not be written to ${file}: ${fileProblem(error)}`, 'not_written', 'name another file');
  }
  context.io.err(`${file} is written; read it before you give it away\n`);
}
