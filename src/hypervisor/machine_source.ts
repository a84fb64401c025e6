/** Where virtual machines come from, as the hypervisor of machines.ts needs it: a list of those that run, and who to ask. */
import type { DeviceSpec } from './qemu/plug.js';
import type { Machine } from './qemu/machine.js';
import type { QemuMonitor, QmpEvent } from './qemu/monitor.js';

export interface LiveMachine {
  readonly name: string;
  readonly monitor: QemuMonitor;
  /** As it was at the last look. */
  readonly machine: Machine;
  readonly devices: DeviceHands;
  /** Looks again, for what nobody tells of. */
  refresh(): Promise<Machine>;
}

/** Gives devices to one machine, by whoever owns it. @throws DevicePlugError, MonitorLostError */
export interface DeviceHands {
  /** All of a plug that the guest does not notice. */
  prepare(spec: DeviceSpec): Promise<'ready' | 'already'>;
  /** Gives the guest what was prepared. */
  plug(spec: DeviceSpec): Promise<void>;
  /** Undoes `prepare`. */
  unprepare(spec: DeviceSpec): Promise<void>;
  /** Asks the guest to let go; does not wait. @throws Error when QEMU or the guest refuses at once */
  eject(id: string): Promise<void>;
  /** Returns when it is out, and its netdev gone. @throws Error with what to do, when it is not */
  remove(id: string, netdevId: string, deadlineMs: number): Promise<void>;
}

export interface MachineSource {
  start(): Promise<void>;
  /** @throws Error while nothing can be said of any: nothing may be concluded then */
  machines(): readonly LiveMachine[];
  /** Machines that are there and cannot be asked: why, by name. */
  problems(): ReadonlyMap<string, string>;
  /** Of any machine, as soon as it comes; null: a machine came, went, or looks otherwise. Returns the function that stops it. */
  onEvent(listener: (machine: LiveMachine | null, event: QmpEvent | null) => void): () => void;
  close(): void;
}
