/** The lines of `virsh event --all --loop --timestamp` and `virsh qemu-monitor-event --loop`, read. Pure. */
import type { QmpEvent } from '../qemu/monitor.js';

interface DomainEventBase {
  /** When virsh heard of it, in milliseconds since the epoch. */
  readonly timeMs: number;
  /** The domain's name. */
  readonly domain: string;
}

export type DomainEvent = DomainEventBase &
  (
    | {
        readonly kind: 'lifecycle';
        /** "Defined", "Undefined", "Started", "Suspended", "Resumed", "Stopped", "Shutdown", "PMSuspended", "Crashed". */
        readonly event: string;
        /** "Booted", "Migrated", "Paused", "Failed", ...: see virsh-domain-event.c of libvirt. */
        readonly detail: string;
      }
    | { readonly kind: 'device-added' | 'device-removed' | 'device-removal-failed'; readonly alias: string }
    | { readonly kind: 'agent-lifecycle'; readonly state: string; readonly reason: string }
    | { readonly kind: 'migration-iteration'; readonly iteration: number }
    /** Any other, with libvirt's name for it and its words. */
    | { readonly kind: 'other'; readonly name: string; readonly details: string }
  );

const HEAD = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d+)([+-]\d{4}): event '([a-z0-9-]+)' for domain '(.*)$/;

/** The rest of a line after the opening quote of the domain's name. What we read has no "': " in its details, a name may have. */
function splitName(rest: string): readonly [domain: string, details: string] | null {
  const end = rest.lastIndexOf("': ");
  if (end >= 0) return [rest.slice(0, end), rest.slice(end + 3)];
  return rest.endsWith("'") ? [rest.slice(0, -1), ''] : null;
}

/** null for a line that is none: the further lines of events with tables ("job-completed"), the count at the end. */
export function parseDomainEvent(line: string): DomainEvent | null {
  const [, day, time, zone, name, rest] = HEAD.exec(line) ?? [];
  if (day === undefined || zone === undefined || name === undefined || rest === undefined) return null;
  const split = splitName(rest);
  if (split === null) return null;
  const [domain, details] = split;
  const base = { timeMs: Date.parse(`${day}T${time}${zone.slice(0, 3)}:${zone.slice(3)}`), domain };
  switch (name) {
    case 'lifecycle': {
      const [, event, detail] = /^(\S+) (.+)$/.exec(details) ?? [];
      if (event !== undefined && detail !== undefined) return { ...base, kind: 'lifecycle', event, detail };
      break;
    }
    case 'device-added':
    case 'device-removed':
    case 'device-removal-failed':
      if (details !== '') return { ...base, kind: name, alias: details };
      break;
    case 'agent-lifecycle': {
      const [, state, reason] = /^state: '([^']*)' reason: '([^']*)'$/.exec(details) ?? [];
      if (state !== undefined && reason !== undefined) return { ...base, kind: 'agent-lifecycle', state, reason };
      break;
    }
    case 'migration-iteration': {
      const [, iteration] = /^iteration: '(\d+)'$/.exec(details) ?? [];
      if (iteration !== undefined) return { ...base, kind: 'migration-iteration', iteration: Number(iteration) };
      break;
    }
  }
  return { ...base, kind: 'other', name, details };
}

/** Without --timestamp: then the line has QEMU's own time, and not that of virsh. */
const MONITOR_HEAD = /^event (\S+) at (\d+)\.(\d{6}) for domain '(.*)$/;

function parseData(text: string): Readonly<Record<string, unknown>> | null {
  if (text === '<null>') return {};
  try {
    const data: unknown = JSON.parse(text);
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** null for a line that is no event. `domain` is the domain's name. */
export function parseMonitorEvent(line: string): { readonly domain: string; readonly event: QmpEvent } | null {
  const [, name, seconds, micros, rest] = MONITOR_HEAD.exec(line) ?? [];
  if (name === undefined || rest === undefined) return null;
  // Both the name and the JSON may have "': " in them: the name ends at the first one behind which there is JSON.
  for (let end = rest.indexOf("': "); end >= 0; end = rest.indexOf("': ", end + 1)) {
    const data = parseData(rest.slice(end + 3));
    if (data !== null) {
      return { domain: rest.slice(0, end), event: { name, data, timeMs: Number(seconds) * 1000 + Number(micros) / 1000 } };
    }
  }
  return null;
}
