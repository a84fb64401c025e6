/** `unipath lab ...` alone, for tests that need it as a process of its own. */
import { Command } from 'commander';
import { registerLab } from '../../src/lab/cli.js';

const program = new Command('unipath').option('-j, --json').enablePositionalOptions();
registerLab(program);
try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
