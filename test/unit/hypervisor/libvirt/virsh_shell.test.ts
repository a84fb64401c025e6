import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { LibvirtError } from '../../../../src/hypervisor/libvirt/refusals.js';
import { Virsh } from '../../../../src/hypervisor/libvirt/virsh.js';
import { shellLine } from '../../../../src/hypervisor/libvirt/virsh_shell.js';

/**
 * Stands for virsh with readline: it echoes what it is told, prompts, and notes its starts. Told commands on its command line, it does
 * them and ends.
 */
const FAKE = `#!/bin/bash
echo "$$ $#" >> "$(dirname "$0")/starts"
perform() {
  set -- "\${1//\\'/}"
  case $1 in
    echo\\ *) printf %s "\${1#echo }" ;;
    fail*) echo "error: Failed to do it"; echo "error: because" ;;
    die*) exit 1 ;;
    hang*) exec sleep 60 ;;
    later*) (sleep 0.2; echo "error: Disconnected from $uri due to end of file") & ;;
    who*) echo "I am $$" ;;
    *) echo "did <$1>" ;;
  esac
}
shift; shift; uri=$1; shift
[ -e "$(dirname "$0")/away" ] && { echo "error: failed to connect to the hypervisor" >&2; echo "error: Failed to connect socket to 'x': Connection refused" >&2; exit 1; }
if [ $# -gt 0 ]; then perform "$*"; exit; fi
printf 'virsh # '
while read -r line; do
  echo "$line"
  IFS=';' read -ra parts <<< "$line"
  for part in "\${parts[@]}"; do perform "\${part# }"; done
  printf 'virsh # '
done
`;

function fake(t: ExecutionContext): { readonly virsh: Virsh; readonly folder: string; readonly starts: () => number } {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-virsh-'));
  const file = join(folder, 'virsh');
  writeFileSync(file, FAKE);
  chmodSync(file, 0o755);
  const before = process.env['PATH'];
  process.env['PATH'] = `${folder}:${before}`;
  const virsh = new Virsh('test:///x');
  t.teardown(() => {
    virsh.close();
    process.env['PATH'] = before;
    rmSync(folder, { recursive: true, force: true });
  });
  return { virsh, folder, starts: () => readFileSync(join(folder, 'starts'), 'utf8').trim().split('\n').length };
}

const reasonOf = async (t: ExecutionContext, doing: Promise<unknown>): Promise<string> => {
  const error = await t.throwsAsync(doing, { instanceOf: LibvirtError });
  return (error as LibvirtError).reason;
};

test('words become a line; what a line cannot have is told otherwise', (t) => {
  t.is(shellLine(['domstate', "it's", '{"a":1}']), `'domstate' 'it'\\''s' '{"a":1}'`);
  t.is(shellLine(['a b; echo c']), 'a b; echo c');
  t.is(shellLine(['echo', 'a\nb']), null);
  t.is(shellLine(['echo', 'a\tb']), null);
  t.is(shellLine(['echo', 'ä']), null);
  t.is(shellLine(['x'.repeat(2000)]), null);
});

test.serial('one virsh answers one question after another, and no answer has the echo or the prompt in it', async (t) => {
  const { virsh, starts } = fake(t);
  const first = await virsh.run('ask', ['who; nothing']);
  t.regex(first, /^I am \d+\ndid <nothing>\n$/);
  t.is(await virsh.run('ask', ['who; nothing']), first);
  t.is(starts(), 1);
  t.is(await reasonOf(t, virsh.run('ask', ['fail', 'now'])), 'refused');
  t.regex(await virsh.run('ask', ['fail; who']), /error: because\nI am/, 'a script goes on');
});

test.serial('questions at the same time have a virsh each, up to four; two stay', async (t) => {
  const { virsh, starts } = fake(t);
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => virsh.run('ask', [`nothing ${i}; who`])));
  answers.forEach((answer, i) => t.true(answer.startsWith(`did <nothing ${i}>`)));
  t.is(starts(), 4);
  await Promise.all(Array.from({ length: 2 }, () => virsh.run('ask', ['who; who'])));
  t.is(starts(), 4);
});

test.serial('one that is late, or ends in the middle, may have done it; the next question has another one', async (t) => {
  const { virsh, starts } = fake(t);
  t.is(await reasonOf(t, virsh.run('ask', ['hang', 'on'], { deadlineMs: 300 })), 'late');
  t.is(await reasonOf(t, virsh.run('ask', ['die', 'now'])), 'late');
  t.regex(await virsh.run('ask', ['who; who']), /^I am/);
  t.is(starts(), 3);
});

test.serial('where nobody listens, the words are those of a virsh of its own', async (t) => {
  const { virsh, folder } = fake(t);
  writeFileSync(join(folder, 'away'), '');
  t.is(await reasonOf(t, virsh.run('ask', ['who', 'are'])), 'unreachable');
  rmSync(join(folder, 'away'));
  t.regex(await virsh.run('ask', ['who; who']), /^I am/);
});

test.serial('one that lost its connection while nobody asked is not asked any more', async (t) => {
  const { virsh, starts } = fake(t);
  await virsh.run('ask', ['later; who']);
  await sleep(600);
  t.regex(await virsh.run('ask', ['who; who']), /^I am/);
  t.is(starts(), 2);
});

test.serial('after close a question is asked by a virsh of its own', async (t) => {
  const { virsh, starts } = fake(t);
  const under = virsh.run('ask', ['hang', 'on']);
  await sleep(300);
  virsh.close();
  t.is(await reasonOf(t, under), 'late');
  t.is(await virsh.run('ask', ['nothing', 'more']), 'did <nothing more>\n');
  t.is(starts(), 2);
});
