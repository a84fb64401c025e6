/** Where one lab lives: names of its namespaces, its folder, its pins. Pure. */
import { join } from 'node:path';

export interface LabPlace {
  /** Every namespace of the lab is called PREFIX-NAME. */
  readonly prefix: string;
  /** State, sockets and logs; made by `lab up`, gone after `lab down`. */
  readonly directory: string;
  /** Root of the pins in the BPF file system. */
  readonly pins: string;
}

/** @param name null is the lab that everyone means; a name makes a second one beside it (tests use this). */
export function labPlace(name: string | null = null): LabPlace {
  if (name === null) return { prefix: 'up', directory: '/run/unipath-lab', pins: '/sys/fs/bpf/unipath-lab' };
  if (!/^[a-z0-9]{1,20}$/.test(name)) throw new RangeError(`"${name}" is not a lab name: up to 20 of a-z and 0-9`);
  return { prefix: `up-${name}`, directory: `/run/unipath-lab-${name}`, pins: `/sys/fs/bpf/unipath-lab-${name}` };
}

export const namespaceOf = (place: LabPlace, name: string): string => `${place.prefix}-${name}`;
export const namespacePath = (namespace: string): string => join('/run/netns', namespace);
export const journalPath = (place: LabPlace): string => join(place.directory, 'journal.jsonl');
export const hostDirectory = (place: LabPlace, host: string): string => join(place.directory, host);
export const hostConfigPath = (place: LabPlace, host: string): string => join(place.directory, host, 'unipathd.yaml');
export const hostSocketPath = (place: LabPlace, host: string): string => join(place.directory, host, 'unipath.sock');
export const hostPins = (place: LabPlace, host: string): string => join(place.pins, host);
export const guestDirectory = (place: LabPlace, guest: string): string => join(place.directory, 'guests', guest);
export const guestPins = (place: LabPlace, guest: string): string => join(place.pins, 'guests', guest);
export const vmmSocketPath = (place: LabPlace, guest: string): string => join(guestDirectory(place, guest), 'vmm.sock');
/** A guest has one machine on each host that it can be on; `qmp`, `serial` and the others of src/lab/qemu/arguments.ts are in its folder. */
export const machineFolder = (place: LabPlace, guest: string, host: string): string => join(guestDirectory(place, guest), host);
export const migrationSocketPath = (place: LabPlace, guest: string): string => join(guestDirectory(place, guest), 'migration');
