/** What the control socket says and takes about virtual machines; see protocol.ts for the routes. */

export interface VmNicStatus {
  /** In its machine. */
  readonly id: string;
  readonly mac: string;
  readonly tap: string | null;
  readonly failover: boolean;
  /** Did the guest's driver accept it? null: cannot be told. */
  readonly failover_negotiated: boolean | null;
  readonly queues: number | null;
}

export interface VmStatus {
  readonly name: string;
  /** RunState of QEMU: running, paused, inmigrate, postmigrate, ... */
  readonly run_state: string;
  /** MigrationStatus of QEMU; null: none. */
  readonly migration: string | null;
  readonly version: string;
  readonly nics: readonly VmNicStatus[];
  /** PCIe ports that a VF can be plugged into now. */
  readonly free_ports: readonly string[];
  /** Names of its vNICs here. */
  readonly vnics: readonly string[];
}

export interface VmsReply {
  readonly schema: number;
  readonly vms: readonly VmStatus[];
  /** Machines that are there and cannot be asked, and why. */
  readonly problems: Readonly<Record<string, string>>;
}

/** On the destination: wait for the guest there. */
export interface ReceiveRequest {
  /** As QEMU takes it: unix:/path, tcp:address:port. */
  readonly uri: string;
}

export interface MigrateRequest {
  readonly uri: string;
  /** Bytes per second; absent: QEMU's. */
  readonly bandwidth?: number | undefined;
  /** Longest standstill that QEMU aims at, milliseconds; absent: QEMU's. */
  readonly downtime_ms?: number | undefined;
}

export interface MigrateReply {
  readonly schema: number;
  readonly outcome: 'completed' | 'failed' | 'cancelled';
  /** QEMU's words, when it failed. */
  readonly error: string | null;
  readonly total_ms: number;
  readonly downtime_ms: number;
  /** From the request until the guest's VFs were back here. */
  readonly drain_ms: number;
}
