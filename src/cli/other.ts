/** `unipath metrics` and `unipath version`. */
import type { Command } from 'commander';
import { version } from '../version.js';
import type { Context } from './context.js';

export function registerOther(program: Command, context: (command: Command) => Context): void {
  program
    .command('metrics')
    .description("what a scrape gets, in Prometheus' text format, also with -j")
    .action(async (_options: object, command: Command) => {
      const here = context(command);
      here.io.out(await here.client().metrics());
    });
  program
    .command('version')
    .description('show the version of this command')
    .action((_options: object, command: Command) => {
      const here = context(command);
      if (here.json) here.printJson({ version, node_version: process.version });
      else here.printLine(`unipath ${version}`);
    });
}
