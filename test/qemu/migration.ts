/** Live migration of a bed's guest, as an orchestrator does it: by QMP, with unipathd only following. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { QmpEvent } from '../../src/hypervisor/qemu/monitor.js';
import { QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import type { Bed, BedGuest, RunningGuest } from './bed.js';

export interface Migrated {
  readonly outcome: string;
  /** What QEMU itself was stopped for. */
  readonly stoppedMs: number;
  readonly totalMs: number;
  readonly events: readonly string[];
}

const EVENTS = { capabilities: [{ capability: 'events', state: true }] };
const DEADLINE_MS = 60_000;
const POLL_MS = 20;

export class Migration {
  readonly source: QmpClient;
  readonly target: QmpClient | null;
  readonly events: { readonly side: 'source' | 'target'; readonly event: QmpEvent }[] = [];

  private constructor(source: QmpClient, target: QmpClient | null) {
    this.source = source;
    this.target = target;
    source.onEvent((event) => this.events.push({ side: 'source', event }));
    target?.onEvent((event) => this.events.push({ side: 'target', event }));
  }

  /** @param to waits for it (`incoming: 'defer'`) */
  static prepare(from: RunningGuest, to: RunningGuest, folder: string): Promise<Migration> {
    return Migration.between(from.qemu.labQmpSocket, to.qemu.labQmpSocket, folder);
  }

  /** The same by the QMP sockets of the two. */
  static async between(from: string, to: string, folder: string): Promise<Migration> {
    const migration = new Migration(await QmpClient.connect(from), await QmpClient.connect(to));
    for (const client of [migration.source, migration.target]) await client?.execute('migrate-set-capabilities', EVENTS);
    await migration.target?.execute('migrate-incoming', { uri: `unix:${join(folder, 'migration')}` });
    await migration.source.execute('migrate-set-parameters', { 'max-bandwidth': 10_000_000_000, 'downtime-limit': 100 });
    return migration;
  }

  async start(folder: string): Promise<void> {
    await this.source.execute('migrate', { uri: `unix:${join(folder, 'migration')}` });
  }

  async status(): Promise<{ readonly status: string; readonly 'total-time'?: number }> {
    return (await this.source.execute('query-migrate')) as { status: string };
  }

  /** Resolves when it is over, either way. */
  async end({ deadlineMs = DEADLINE_MS, pollMs = POLL_MS } = {}): Promise<Migrated> {
    const deadline = Date.now() + deadlineMs;
    for (;;) {
      const { status, 'total-time': totalMs = 0 } = await this.status();
      if (['completed', 'failed', 'cancelled'].includes(status)) {
        const at = (side: string, name: string): number => this.events.findLast((heard) => heard.side === side && heard.event.name === name)?.event.timeMs ?? 0;
        // RESUME comes a moment after the source has said that it is done.
        for (let tries = 0; status === 'completed' && at('target', 'RESUME') === 0 && tries < 100; tries++) await sleep(20);
        const stoppedMs = Math.max(0, at('target', 'RESUME') - at('source', 'STOP'));
        const events = this.events.map(({ side, event }) => `${event.timeMs} ${side} ${event.name} ${JSON.stringify(event.data)}`);
        return { outcome: status, stoppedMs, totalMs, events };
      }
      if (Date.now() > deadline) throw new Error(`the migration is ${status} after ${deadlineMs} ms`);
      await sleep(pollMs);
    }
  }

  close(): void {
    this.source.close();
    this.target?.close();
  }
}

/** Starts the machine that waits for the guest on another host. */
export function bootTarget(bed: Bed, host: string, spec: BedGuest): Promise<RunningGuest> {
  return bed.boot(host, spec, { incoming: 'defer' });
}
