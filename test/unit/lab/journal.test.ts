import test from 'ava';
import { type JournalEntry, parseJournal } from '../../../src/lab/journal.js';
import { mountedType } from '../../../src/lab/mounts.js';

const head: JournalEntry = {
  kind: 'lab',
  schema: 1,
  mark: 'm',
  owner: 'run',
  made_by: { pid: 7, start: 70 },
  time: '2025-01-01T00:00:00.000Z',
  daemons: true,
  guests: 'netns',
};
const step: JournalEntry = { kind: 'step', title: 'one', undo: [{ kind: 'delete-netns', name: 'up-a' }] };
const lines = (...entries: JournalEntry[]): string => entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');

test('a journal gives back what was written', (t) => {
  const process: JournalEntry = { kind: 'process', name: 'vmm g1', pid: 8, start: 80 };
  t.deepEqual(parseJournal(lines(head, step, process, { kind: 'complete' })), {
    head,
    steps: [step],
    processes: new Map([['vmm g1', { pid: 8, start: 80 }]]),
    complete: true,
  });
});

test('the last process of a name is the one that may run', (t) => {
  const start = (pid: number): JournalEntry => ({ kind: 'process', name: 'unipathd a', pid, start: pid });
  t.deepEqual(parseJournal(lines(head, start(1), start(2))).processes.get('unipathd a'), { pid: 2, start: 2 });
});

test('wherever the writer was cut off, what was whole is kept', (t) => {
  const text = lines(head, step);
  for (let length = 0; length < text.length; length += 1) {
    const { steps, complete } = parseJournal(text.slice(0, length));
    t.false(complete);
    // The line is whole once its last brace is there; the line break may be missing.
    t.is(steps.length, length >= text.length - 1 ? 1 : 0, String(length));
  }
});

test('a line that is broken in the middle is not passed over in silence', (t) => {
  t.throws(() => parseJournal(`${lines(head)}{"kind":"ste\n${lines(step)}`), { message: /line 2/ });
});

test("a lab that a run was told to keep belongs to nobody's run any more", (t) => {
  t.is(parseJournal(lines(head)).head?.owner, 'run');
  t.is(parseJournal(lines(head, { kind: 'kept' })).head?.owner, 'up');
});

test('mount points are told from mountinfo, the topmost of several', (t) => {
  const mountinfo = [
    '36 25 0:32 / /sys/fs/bpf rw - bpf bpf rw',
    '40 25 8:1 / /mnt/with\\040space rw - ext4 /dev/vda rw',
    '41 25 0:50 / /x rw - tmpfs a rw',
    '42 41 0:51 / /x rw - bpf b rw',
  ].join('\n');
  t.is(mountedType('/sys/fs/bpf', mountinfo), 'bpf');
  t.is(mountedType('/mnt/with space', mountinfo), 'ext4');
  t.is(mountedType('/x', mountinfo), 'bpf');
  t.is(mountedType('/sys/fs', mountinfo), null);
});
