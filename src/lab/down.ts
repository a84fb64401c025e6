/** `lab down`: walks the journal backwards. Whatever state the lab was left in, the host is afterwards as it was before. */
import { existsSync } from 'node:fs';
import { readJournal, removeLabDirectory } from './journal.js';
import type { LabPlace } from './place.js';
import { isAlive, markedProcesses, stopProcesses } from './processes.js';
import { performUndo } from './undo.js';

export interface DownResult {
  /** Titles of the steps taken back, last first. */
  readonly undone: readonly string[];
  /** What could not be taken back, and why; the journal is kept so that `lab down` can be tried again. */
  readonly failures: readonly string[];
}

/** Titles of the steps that `labDown` would take back, last first. */
export function foreseenDown(place: LabPlace): readonly string[] {
  return [...(readJournal(place)?.steps ?? [])].reverse().flatMap(({ title, undo }) => (undo.length === 0 ? [] : [title]));
}

/** Idempotent: without a lab it does nothing. */
export async function labDown(place: LabPlace, onStep: (title: string) => void = () => {}): Promise<DownResult> {
  const content = readJournal(place);
  const undone: string[] = [];
  const failures: string[] = [];
  if (content !== null) {
    // All at once, and whoever they started: one after the other, each with its grace period, would take long.
    const processes = [...content.processes.values()].filter(isAlive);
    if (content.head !== null) processes.push(...markedProcesses(content.head.mark));
    if (processes.length > 0) onStep('processes');
    try {
      await stopProcesses(processes);
    } catch (error) {
      failures.push((error as Error).message);
    }
    for (const step of [...content.steps].reverse()) {
      if (step.undo.length === 0) continue;
      onStep(step.title);
      for (const undo of step.undo) {
        try {
          await performUndo(undo, (name) => content.processes.get(name));
        } catch (error) {
          failures.push(`${step.title}: ${(error as Error).message}`);
        }
      }
      undone.push(step.title);
    }
  }
  if (failures.length === 0 && existsSync(place.directory)) removeLabDirectory(place);
  return { undone, failures };
}
