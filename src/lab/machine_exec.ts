/** Commands in guests of QEMU, over their serial lines. */
import { abortOnSignal } from './interrupt.js';
import type { JournalContent } from './journal.js';
import { guestOf, labOf } from './model.js';
import { type LabPlace, machineFolder } from './place.js';
import { QemuGuest } from './qemu/guest.js';
import { shellWords } from './qemu/serial_shell.js';
import { isAlive } from './processes.js';
import { tapHosts } from './topology.js';
import { machineProcess } from './topology_machines.js';

/** A command that somebody types may take its time; Ctrl-C ends it. */
const DEADLINE_MS = 24 * 3_600_000;
/** What is not answered by then is a shell that another process has, or a guest that stands still. */
const ANSWER_MS = 20_000;
const INTERRUPTED = 130;

/** The machine in which the guest is now; null when the lab has no such machine, or none runs. */
export function machineOf(place: LabPlace, journal: JournalContent, name: string): QemuGuest | null {
  const spec = labOf(journal.head?.guests ?? 'netns');
  if (spec.kind !== 'qemu' || !spec.guests.some((guest) => guest.name === name)) return null;
  const host = tapHosts(spec, guestOf(spec, name)).findLast((each) => {
    const identity = journal.processes.get(machineProcess(name, each));
    return identity !== undefined && isAlive(identity);
  });
  return host === undefined ? null : QemuGuest.find(name, machineFolder(place, name, host));
}

/** What the command says is told when it has ended. @returns its exit status. @throws Error when the guest does not answer */
export async function execInMachine(machine: QemuGuest, argv: readonly string[], print: (text: string) => void): Promise<number> {
  const { signal, stop } = abortOnSignal();
  try {
    await machine.waitForShell(ANSWER_MS);
    const { status, output } = await machine.shell(shellWords(argv), { deadlineMs: DEADLINE_MS, signal });
    print(output);
    return status;
  } catch (error) {
    if (!signal.aborted) throw error;
    return INTERRUPTED;
  } finally {
    stop();
    await machine.detachShell().catch(() => {});
  }
}
