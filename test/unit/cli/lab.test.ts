import { Command } from 'commander';
import test from 'ava';
import { CliError } from '../../../src/cli/exit.js';
import { registerLab } from '../../../src/cli/lab.js';

const ABSENT = { isHere: () => false, load: async () => Promise.reject(new Error('nobody loads what is not here')) };

test('where there is no lab, none is offered, and whoever names it is told where it is', async (t) => {
  for (const args of [['lab', 'up', '--quiet'], ['lab'], ['status']]) {
    const program = new Command('unipath').exitOverride().configureOutput({ writeErr: () => {} });
    await registerLab(program, args, ABSENT);
    t.deepEqual(program.createHelp().visibleCommands(program).map((each) => each.name()).filter((name) => name !== 'help'), []);
    if (args[0] !== 'lab') continue;
    const error = await t.throwsAsync(program.parseAsync(args, { from: 'user' }), { instanceOf: CliError, message: 'this installation has no lab' });
    t.regex(error?.hint ?? '', /npm start/);
  }
});

test('in a source tree it is loaded by who names it only', async (t) => {
  let loaded = 0;
  const part = { isHere: () => true, load: async () => (program: Command) => void (loaded++, program.command('lab')) };
  for (const args of [['status'], ['lab', 'up']]) {
    const program = new Command('unipath');
    await registerLab(program, args, part);
    t.true(program.commands.some((each) => each.name() === 'lab'));
  }
  t.is(loaded, 1);
});
