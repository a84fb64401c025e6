/**
 * Runs in the machine: command lines of `unipath` from one FIFO, what they print and how they end into another. A process for each would cost
 * an emulated CPU five seconds, and there are dozens.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { runCli } from '../../src/cli/program.js';

const [input = '', output = ''] = process.argv.slice(2);

for (;;) {
  const words = (await readFile(input, 'utf8')).trim().split(/\s+/).filter(Boolean);
  let said = '';
  const say = (text: string): void => {
    said += text;
  };
  const status = await runCli(words, { out: say, err: say, colour: false, interrupted: () => new AbortController().signal });
  await writeFile(output, `${said}\n${status}\n`);
}
