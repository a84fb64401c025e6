import { pino } from 'pino';
import test from 'ava';
import { isJournal, journalFields } from '../../../src/service/journal.js';

function line(write: (log: ReturnType<typeof pino>) => void): Record<string, string> {
  let written = '';
  write(pino({ base: { pid: 1 } }, { write: (text: string) => void (written = text) }));
  return Object.fromEntries(journalFields(written));
}

test('a line becomes an entry that can be searched', (t) => {
  t.deepEqual(line((log) => log.info({ kind: 'path', vnic: 'g1', waitedMs: 3, removed: ['a', 'b'] }, 'g1 was put on the software path')), {
    MESSAGE: 'g1 was put on the software path',
    PRIORITY: '6',
    SYSLOG_IDENTIFIER: 'unipathd',
    UNIPATH_KIND: 'path',
    UNIPATH_VNIC: 'g1',
    UNIPATH_WAITED_MS: '3',
    UNIPATH_REMOVED: '["a","b"]',
  });
});

test('severity is that of syslog, and an error says why', (t) => {
  const priorities = (['fatal', 'error', 'warn', 'info', 'debug'] as const).map((level) => {
    let written = '';
    pino({ level: 'debug' }, { write: (text: string) => void (written = text) })[level]('x');
    return journalFields(written).get('PRIORITY');
  });
  t.deepEqual(priorities, ['2', '3', '4', '6', '7']);
  const error = new Error('line 3: unknown key');
  t.is(line((log) => log.error({ err: error }, 'the old one stays'))['MESSAGE'], 'the old one stays: line 3: unknown key');
  const said = line((log) => log.fatal({ err: error }, error.message));
  t.is(said['MESSAGE'], 'line 3: unknown key');
  t.regex(said['UNIPATH_STACK'] ?? '', /journal\.test/);
});

test('standard output is the journal when systemd says so', (t) => {
  t.true(isJournal('8:1234', { dev: 8, ino: 1234 }));
  t.false(isJournal('8:1234', { dev: 8, ino: 1235 }));
  t.false(isJournal(undefined, { dev: 8, ino: 1234 }));
});
