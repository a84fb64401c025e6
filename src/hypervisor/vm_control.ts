/**
 * Virtual machines on demand: shown, and migrated. A guest that unipath itself moves gives its VFs back first, while frames are kept back,
 * and not in the midst of the migration; when that comes to nothing it gets them again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VnicStatus } from '../control/protocol.js';
import type { MigrateReply, MigrateRequest, VmsReply, VmStatus } from '../control/vm_protocol.js';
import { nameHint } from '../core/near_name.js';
import type { LiveMachine } from './machine_source.js';
import type { MachineHypervisor } from './machines.js';
import { freePorts, migrating } from './qemu/machine.js';

/** A machine that is not there, or cannot do what it is asked; message and hint say what to do. */
export class VmError extends Error {
  override readonly name = 'VmError';

  constructor(
    message: string,
    readonly code: 'unknown_vm' | 'vm_busy' | 'vm_refused',
    readonly hint: string | null = null,
  ) {
    super(message);
  }
}

export interface VmControlParts {
  readonly machines: MachineHypervisor;
  readonly vnics: () => readonly VnicStatus[];
  /** Something changed: look again. */
  readonly changed: () => void;
  /** How long a guest may take to give its VFs back. */
  readonly partingMs: number;
}

const POLL_MS = 20;
/** Attempts to read how long a completed migration took. */
const TIMES_READ = 25;
const AT_REST: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

interface MigrationInfo {
  readonly status?: string;
  readonly 'total-time'?: number;
  readonly downtime?: number;
  readonly 'error-desc'?: string;
}

export class VmControl {
  readonly #machines: MachineHypervisor;
  readonly #vnics: () => readonly VnicStatus[];
  readonly #changed: () => void;
  readonly #partingMs: number;

  constructor(parts: VmControlParts) {
    this.#machines = parts.machines;
    this.#vnics = parts.vnics;
    this.#changed = parts.changed;
    this.#partingMs = parts.partingMs;
  }

  status(): Omit<VmsReply, 'schema'> {
    return { vms: this.#machines.machines().map((live) => this.#statusOf(live)), problems: Object.fromEntries(this.#machines.problems()) };
  }

  /** Lets QEMU wait for the guest at this address. @throws VmError, QmpError */
  async receive(name: string, uri: string): Promise<void> {
    const live = this.#named(name);
    if (live.machine.runState !== 'inmigrate') throw new VmError(`${name} does not wait for a guest; start its QEMU with -incoming defer`, 'vm_refused');
    await live.monitor.execute('migrate-incoming', { uri });
  }

  /** Resolves when it is over, either way. @throws VmError, QmpError */
  async migrate(name: string, request: MigrateRequest): Promise<Omit<MigrateReply, 'schema'>> {
    const live = this.#named(name);
    if (migrating(live.machine)) throw new VmError(`${name} is being migrated already; see unipath vm show`, 'vm_busy');
    if (live.machine.runState !== 'running') throw new VmError(`${name} is ${live.machine.runState}; only a running guest can give its VF back`, 'vm_refused');
    const started = performance.now();
    this.#park(name, true);
    try {
      await this.#drained(live);
      const drainMs = performance.now() - started;
      const parameters = {
        ...(request.bandwidth === undefined ? {} : { 'max-bandwidth': request.bandwidth }),
        ...(request.downtime_ms === undefined ? {} : { 'downtime-limit': request.downtime_ms }),
      };
      if (Object.keys(parameters).length > 0) await live.monitor.execute('migrate-set-parameters', parameters);
      await live.monitor.execute('migrate', { uri: request.uri });
      const info = await this.#ended(live);
      return {
        outcome: (info.status ?? 'failed') as MigrateReply['outcome'],
        error: info['error-desc'] ?? null,
        total_ms: info['total-time'] ?? 0,
        downtime_ms: info.downtime ?? 0,
        drain_ms: Math.round(drainMs),
      };
    } finally {
      this.#park(name, false);
    }
  }

  /** Stops a migration of either kind. @throws VmError */
  async cancel(name: string): Promise<void> {
    const live = this.#named(name);
    if (!migrating(live.machine)) throw new VmError(`${name} is not being migrated`, 'vm_refused');
    await live.monitor.execute('migrate_cancel');
  }

  #statusOf({ name, machine }: LiveMachine): VmStatus {
    const macs = new Set(machine.nics.map(({ mac }) => mac));
    return {
      name,
      run_state: machine.runState,
      migration: machine.migration === 'none' ? null : machine.migration,
      version: machine.version,
      nics: machine.nics
        .filter((nic) => nic.model.startsWith('virtio-net'))
        .map((nic) => ({
          id: nic.id ?? nic.path,
          mac: nic.mac ?? '',
          tap: nic.tap,
          failover: nic.failover,
          failover_negotiated: nic.failoverNegotiated,
          queues: nic.queues,
        })),
      free_ports: freePorts(machine).map(({ bus }) => bus),
      vnics: this.#vnics().filter(({ mac }) => macs.has(mac)).map((vnic) => vnic.name),
    };
  }

  #named(name: string): LiveMachine {
    const all = this.#machines.machines();
    const live = all.find((candidate) => candidate.name === name);
    if (live !== undefined) return live;
    throw new VmError(`there is no virtual machine "${name}"`, 'unknown_vm', nameHint(name, all.map((one) => one.name)));
  }

  #park(name: string, parked: boolean): void {
    this.#machines.park(name, parked);
    this.#changed();
  }

  /** None of its vNICs has a VF any more. */
  async #drained(live: LiveMachine): Promise<void> {
    const macs = new Set(live.machine.nics.map(({ mac }) => mac));
    const holders = (): VnicStatus[] => this.#vnics().filter(({ mac, vf }) => macs.has(mac) && vf !== null);
    const deadline = performance.now() + this.#partingMs;
    while (holders().length > 0) {
      if (performance.now() > deadline) {
        const left = holders().map(({ name, reason_text }) => `${name}: ${reason_text}`);
        throw new VmError(`${live.name} did not give its VFs back within ${this.#partingMs / 1000} s (${left.join('; ')}); it was not migrated`, 'vm_refused');
      }
      await sleep(POLL_MS);
    }
  }

  /** QEMU says that a migration is completed a moment before it knows how long it took. */
  async #ended(live: LiveMachine): Promise<MigrationInfo> {
    for (let atRest = 0; ; ) {
      const info = (await live.monitor.execute('query-migrate')) as MigrationInfo;
      if (AT_REST.has(info.status ?? '')) atRest++;
      if (atRest > 0 && (info.status !== 'completed' || (info['total-time'] ?? 0) > 0 || atRest === TIMES_READ)) return info;
      await sleep(POLL_MS);
    }
  }
}
