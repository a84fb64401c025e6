/** What there is to know of a host before it is judged whether it is ready for unipath and for VFs. */
import type { PfFacts } from './facts.js';
import type { PoolNote } from './pool_plan.js';

export interface HostFacts {
  /** "6.12.0" */
  readonly kernel: string;
  /** Why unipath cannot run here at all, one sentence; null: it can. */
  readonly unfit: string | null;
  readonly btf: boolean;
  readonly bpffs: boolean;
  /** Effective capabilities, as /proc/self/status has them. */
  readonly capabilities: bigint;
  /** Programs that unipath calls and that are not there. */
  readonly missingPrograms: readonly string[];
  /** Does the loader find libbpf.so.1? */
  readonly libbpf: boolean;
  readonly iommuGroups: number;
  /** `loaded`; `available`: the kernel has the module. */
  readonly vfioPci: 'loaded' | 'available' | 'missing';
  readonly kvm: boolean;
  readonly tun: boolean;
  readonly pfs: readonly PfFacts[];
  /** What unipath made of PFs. */
  readonly notes: readonly PoolNote[];
  /** What could not be found out, and why. */
  readonly unknown: readonly string[];
}
