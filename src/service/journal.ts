/** The daemon's log as entries of systemd's journal: what a line has besides its message becomes fields that `journalctl` finds it by. */
import { fstatSync } from 'node:fs';
import { sendToJournal } from '../native/service_manager.js';

const STDOUT = 1;
/** Levels of pino to those of syslog(3), highest first. */
const PRIORITIES: readonly (readonly [level: number, priority: number])[] = [[60, 2], [50, 3], [40, 4], [30, 6], [0, 7]];
/** The journal has these of its own. */
const OWN = new Set(['level', 'time', 'pid', 'msg']);

/** Whether standard output is the socket that systemd says it has put there ($JOURNAL_STREAM, "device:inode"). */
export function isJournal(journalStream: string | undefined, { dev, ino }: { readonly dev: number; readonly ino: number }): boolean {
  return journalStream === `${dev}:${ino}`;
}

/** "vnic" -> "UNIPATH_VNIC", "waitedMs" -> "UNIPATH_WAITED_MS". */
const fieldName = (key: string): string => `UNIPATH_${key.replace(/([a-z])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9_]/g, '_').toUpperCase()}`;

/** @param line a line of pino's */
export function journalFields(line: string): Map<string, string> {
  const { level = 30, msg = '', err, ...rest } = JSON.parse(line) as {
    readonly level?: number;
    readonly msg?: string;
    readonly err?: { readonly message?: string; readonly stack?: string };
  };
  const why = err?.message ?? '';
  const fields = new Map([
    ['MESSAGE', why === '' || msg.includes(why) ? msg : `${msg}: ${why}`],
    ['PRIORITY', String(PRIORITIES.find(([least]) => level >= least)?.[1] ?? 6)],
    ['SYSLOG_IDENTIFIER', 'unipathd'],
  ]);
  if (err?.stack !== undefined) fields.set('UNIPATH_STACK', err.stack);
  for (const [key, value] of Object.entries(rest)) {
    if (!OWN.has(key)) fields.set(fieldName(key), typeof value === 'string' ? value : JSON.stringify(value));
  }
  return fields;
}

/** Where pino writes to when systemd takes the output; null: to standard output, as JSON. */
export function journalOfService(environment: NodeJS.ProcessEnv = process.env): { write(line: string): void } | null {
  if (!isJournal(environment['JOURNAL_STREAM'], fstatSync(STDOUT))) return null;
  return {
    write(line) {
      try {
        sendToJournal(journalFields(line));
      } catch {
        process.stdout.write(line);
      }
    },
  };
}
