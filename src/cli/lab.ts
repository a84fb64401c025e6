/** `unipath lab`, where there is a lab: it brings half of the project with it, is loaded only by who names it, and is in no package. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { CliError } from './exit.js';

export const LAB_DESCRIPTION = 'network namespaces that play an outside world, KVM hosts and guests, or guests of QEMU; in a source tree only';

export interface LabPart {
  isHere(): boolean;
  load(): Promise<(program: Command) => void>;
}

const LAB: LabPart = {
  isHere: () => existsSync(fileURLToPath(new URL('../lab/cli.js', import.meta.url))),
  load: async () => (await import('../lab/cli.js')).registerLab,
};

export async function registerLab(program: Command, args: readonly string[], lab: LabPart = LAB): Promise<void> {
  if (!lab.isHere()) {
    // Neither help nor completion offers what there is not.
    program
      .command('lab', { hidden: true })
      .argument('[words...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw new CliError('this installation has no lab', 'no_lab', 'it is no part of the packages: clone the project, and run `npm start` there');
      });
  } else if (args.includes('lab')) (await lab.load())(program);
  else program.command('lab').description(LAB_DESCRIPTION).helpOption(false);
}
