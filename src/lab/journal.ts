/**
 * The lab's memory, written before each step and forced to disk order by fsync: whatever was begun can be undone, whoever
 * crashed where. One JSON object per line; a last line cut short belongs to a step that had not begun.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import type { GuestKind } from './model.js';
import { journalPath, type LabPlace } from './place.js';
import type { ProcessIdentity } from './processes.js';
import type { Undo } from './steps.js';

export const JOURNAL_SCHEMA = 1;

export interface JournalHead {
  readonly kind: 'lab';
  readonly schema: number;
  /** Mark of the lab's processes. */
  readonly mark: string;
  /** `run`: whoever made it also takes it down; if it is gone, nobody does. */
  readonly owner: 'up' | 'run';
  readonly made_by: ProcessIdentity;
  /** ISO 8601, for reading. */
  readonly time: string;
  readonly daemons: boolean;
  readonly guests: GuestKind;
}

export type JournalEntry =
  | JournalHead
  | { readonly kind: 'step'; readonly title: string; readonly undo: readonly Undo[] }
  | { readonly kind: 'process'; readonly name: string; readonly pid: number; readonly start: number }
  /** Everything was built. */
  | { readonly kind: 'complete' }
  /** The run is over and was asked to leave the lab up. */
  | { readonly kind: 'kept' };

/** Appends; every entry is on its way to the disk before the call returns. */
export class Journal {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Makes the lab's folder and a journal in it.
   * @throws Error with code EEXIST when the folder is there: a lab is up, or was left
   */
  static create(place: LabPlace, head: JournalHead): Journal {
    mkdirSync(place.directory, { mode: 0o755 });
    const journal = new Journal(openSync(journalPath(place), 'ax', 0o644));
    journal.add(head);
    return journal;
  }

  /** To go on with the journal of a lab that is up. */
  static open(place: LabPlace): Journal {
    return new Journal(openSync(journalPath(place), 'a'));
  }

  add(entry: JournalEntry): void {
    writeSync(this.#fd, `${JSON.stringify(entry)}\n`);
    fsyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** What a journal tells. */
export interface JournalContent {
  /** null when the writer died before its first line. */
  readonly head: JournalHead | null;
  readonly steps: readonly Extract<JournalEntry, { kind: 'step' }>[];
  /** The last process started under each name. */
  readonly processes: ReadonlyMap<string, ProcessIdentity>;
  readonly complete: boolean;
}

export function parseJournal(text: string): JournalContent {
  let head: JournalHead | null = null as JournalHead | null;
  let complete = false;
  const steps: Extract<JournalEntry, { kind: 'step' }>[] = [];
  const processes = new Map<string, ProcessIdentity>();
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    let entry: JournalEntry;
    try {
      entry = JSON.parse(line) as JournalEntry;
    } catch (error) {
      if (index === lines.length - 1) continue;
      throw new Error(`line ${index + 1} of the lab's journal is not readable: ${(error as Error).message}`);
    }
    switch (entry.kind) {
      case 'lab':
        head = entry;
        break;
      case 'step':
        steps.push(entry);
        break;
      case 'process':
        processes.set(entry.name, { pid: entry.pid, start: entry.start });
        break;
      case 'complete':
        complete = true;
        break;
      case 'kept':
        if (head !== null) head = { ...head, owner: 'up' };
        break;
      default:
        entry satisfies never;
    }
  }
  return { head, steps, processes, complete };
}

/** null when there is no lab and nothing left of one. */
export function readJournal(place: LabPlace): JournalContent | null {
  try {
    return parseJournal(readFileSync(journalPath(place), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The last thing that `lab down` does. */
export function removeLabDirectory(place: LabPlace): void {
  rmSync(place.directory, { recursive: true, force: true });
}
