/** What unipathd is called with. */
import { Command } from 'commander';
import { version } from '../version.js';

/** Throws CommanderError rather than ending the process. */
export function daemonCommand(): Command {
  return new Command('unipathd')
    .description('accelerated-path controller daemon')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .version(version, '-V, --version', 'print the version')
    .exitOverride();
}
