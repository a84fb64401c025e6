/** `lab status`: what is there, what runs, who is where. */
import { existsSync } from 'node:fs';
import { ControlClient } from '../control/client.js';
import { readJournal } from './journal.js';
import { type GuestKind, labOf } from './model.js';
import { hostSocketPath, namespacePath, type LabPlace } from './place.js';
import { isAlive } from './processes.js';
import { namespaces } from './topology.js';

export interface LabStatus {
  readonly schema: number;
  readonly up: boolean;
  /** Every step was done. */
  readonly complete: boolean;
  /** ISO 8601; null when no lab is there. */
  readonly since: string | null;
  /** null when no lab is there. */
  readonly guests: GuestKind | null;
  readonly namespaces: readonly { readonly name: string; readonly present: boolean }[];
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly alive: boolean }[];
  readonly vnics: readonly LabVnic[];
}

export interface LabVnic {
  readonly host: string;
  readonly name: string;
  readonly path: string;
  readonly phase: string;
  readonly reason: string;
}

async function vnicsOf(place: LabPlace, host: string): Promise<LabVnic[]> {
  try {
    const { vnics } = await new ControlClient(hostSocketPath(place, host)).status();
    return vnics.map(({ name, path, phase, reason }) => ({ host, name, path, phase, reason }));
  } catch {
    return [];
  }
}

/** Looks only; changes nothing. */
export async function labStatus(place: LabPlace): Promise<LabStatus> {
  const journal = readJournal(place);
  const spec = labOf(journal?.head?.guests ?? 'netns');
  const vnics = journal === null ? [] : (await Promise.all(spec.hosts.map((host) => vnicsOf(place, host.name)))).flat();
  return {
    schema: 1,
    up: journal !== null,
    complete: journal?.complete ?? false,
    since: journal?.head?.time ?? null,
    guests: journal?.head?.guests ?? null,
    namespaces: journal === null ? [] : namespaces(place, spec).map((name) => ({ name, present: existsSync(namespacePath(name)) })),
    processes: [...(journal?.processes ?? [])].map(([name, identity]) => ({ name, pid: identity.pid, alive: isAlive(identity) })),
    vnics,
  };
}

/** For reading. */
export function printStatus(status: LabStatus): string {
  if (!status.up) return 'no lab is up; make one with `unipath lab up`\n';
  const guests = status.guests === 'qemu' ? ', with guests of QEMU' : '';
  const lines = [`lab ${status.complete ? 'up' : 'half-built'} since ${status.since ?? 'an unknown time'}${guests}`, ''];
  lines.push('namespaces');
  for (const { name, present } of status.namespaces) lines.push(`  ${name.padEnd(14)} ${present ? 'there' : 'MISSING'}`);
  if (status.processes.length > 0) lines.push('processes');
  const width = Math.max(14, ...status.processes.map(({ name }) => name.length));
  for (const { name, pid, alive } of status.processes) lines.push(`  ${name.padEnd(width)} ${alive ? `pid ${pid}` : 'NOT RUNNING'}`);
  if (status.vnics.length > 0) lines.push('vnics');
  for (const { host, name, path, phase, reason } of status.vnics) {
    const why = `${phase === path ? '' : `${phase} `}${reason === 'none' ? '' : `(${reason})`}`;
    lines.push(`  ${name.padEnd(6)} host ${host}  ${path.padEnd(12)} ${why}`.trimEnd());
  }
  return `${lines.join('\n')}\n`;
}
