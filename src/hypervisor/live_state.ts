/**
 * What QEMU's events say of a machine since it was last looked at: a look takes some 60 questions, and of a migration every moment
 * counts. Pure. Sources: QEMU's qapi/run-state.json and qapi/migration.json.
 */
import type { Machine } from './qemu/machine.js';
import type { QmpEvent } from './qemu/monitor.js';

export interface LiveState {
  /** MigrationStatus; null: no event has told. */
  readonly migration: string | null;
  /** Which end of a migration this machine is; null: none was seen to begin. */
  readonly role: 'source' | 'target' | null;
  /** RunState; null: no event has told. */
  readonly runState: string | null;
}

export const NOTHING_HEARD: LiveState = { migration: null, role: null, runState: null };

/** @param machine as it was last looked at */
export function heard(state: LiveState, event: QmpEvent, machine: Machine): LiveState {
  switch (event.name) {
    case 'MIGRATION': {
      const status = String(event.data['status']);
      const now = state.runState ?? machine.runState;
      // A source that is through with it does not run any more.
      const waits = now === 'inmigrate' || (status === 'completed' && now === 'running');
      const role = status === 'setup' || state.role === null ? (waits ? 'target' : 'source') : state.role;
      // The guest is the other machine's from here on.
      const runState = status === 'completed' && role === 'source' ? 'postmigrate' : state.runState;
      return { migration: status, role, runState };
    }
    case 'STOP':
      return { ...state, runState: 'paused' };
    case 'RESUME':
      return { ...state, runState: 'running' };
    case 'SHUTDOWN':
      return { ...state, runState: 'shutdown' };
    case 'RESET':
      return state;
    default:
      return state;
  }
}

/** The machine as events say that it is now. */
export function withLive(machine: Machine, { migration, runState }: LiveState): Machine {
  return { ...machine, migration: migration ?? machine.migration, runState: runState ?? machine.runState };
}
