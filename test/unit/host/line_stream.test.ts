import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { LineStream } from '../../../src/host/line_stream.js';

/** Runs a shell script to its end: its lines, and the words at the end. */
function linesOf(script: string, command = 'sh'): Promise<{ readonly lines: string[]; readonly why: string }> {
  return new Promise((resolve) => {
    const lines: string[] = [];
    new LineStream(command, ['-c', script], { line: (text) => lines.push(text), ended: (why) => resolve({ lines, why }) });
    // The stream alone keeps no process alive.
    const alive = setInterval(() => {}, 1000);
    setTimeout(() => clearInterval(alive), 5000);
  });
}

test('lines come whole and in order, the end after the last, with what was said on stderr', async (t) => {
  const { lines, why } = await linesOf('printf "a b"; sleep 0.1; echo c; echo; echo no >&2; echo last; exit 3');
  t.deepEqual(lines, ['a bc', '', 'last']);
  t.regex(why, /ended \(3\): no$/);
});

test('a command that is not there', async (t) => {
  const { lines, why } = await linesOf('', 'no-such-command-here');
  t.deepEqual(lines, []);
  t.regex(why, /no-such-command-here/);
});

test('once closed, it says nothing more, and the command is gone', async (t) => {
  const heard: string[] = [];
  const first = new Promise<number>((resolve) => {
    const stream = new LineStream('sh', ['-c', 'echo $$; exec sleep 60'], {
      line: (text) => {
        heard.push(text);
        stream.close();
        resolve(Number(text));
      },
      ended: (why) => heard.push(why),
    });
  });
  const alive = setInterval(() => {}, 1000);
  const pid = await first;
  const gone = (): boolean => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  };
  for (let i = 0; i < 200 && !gone(); i++) await sleep(10);
  clearInterval(alive);
  t.true(gone());
  t.deepEqual(heard, [String(pid)]);
});
