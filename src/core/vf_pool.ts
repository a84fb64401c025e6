/** The VFs of one adapter: which are free, used or lost, and which one a vNIC may have. */
import { checkBudget, type Usage } from './budget.js';
import { isPassedThrough, mayPassThrough } from './adapter_vf.js';
import { fitsGuest, type AdapterSpec, type NotAcceleratedReason, type Observed, type ObservedVf } from './model.js';
import type { Tenant } from './tenant.js';

export interface PooledVf {
  readonly seen: ObservedVf;
  /**
   * `free`: on the host, its port too, and nobody's. `used`: somebody's, or in a guest, or not known to be out of one, or
   * its port is still given to a vNIC in the maps, whatever became of that, or it is not yet set as it was.
   * `lost`: nobody's, but not here.
   */
  readonly state: 'free' | 'used' | 'lost';
  readonly queues: number;
}

/** Names of the ports that vNICs have claimed. A VF has at most one owner: a claimed one is never free. */
export type Claims = ReadonlySet<string>;

function stateOf(vf: ObservedVf, observed: Observed, claims: Claims): PooledVf['state'] {
  if (claims.has(vf.spec.port) || vf.place.kind === 'guest' || vf.place.kind === 'unknown') return 'used';
  if (vf.port !== null && observed.ports.has(vf.port.ifindex)) return 'used';
  if (vf.filter?.lent === true) return 'used';
  return vf.port !== null && vf.place.kind === 'host' ? 'free' : 'lost';
}

export function poolOf(adapter: AdapterSpec, observed: Observed, claims: Claims): PooledVf[] {
  return adapter.vfs.flatMap((spec) => {
    const seen = observed.vfs.find((vf) => vf.spec.port === spec.port && vf.spec.device === spec.device);
    if (seen === undefined) return [];
    // Its queues are the guest's business: at least one.
    const queues = isPassedThrough(spec) ? 1 : (seen.port?.txQueues ?? 0);
    return [{ seen, state: stateOf(seen, observed, claims), queues }];
  });
}

export function usageOf(pool: readonly PooledVf[]): Usage {
  const used = pool.filter((vf) => vf.state === 'used');
  return { vfs: used.length, queues: used.reduce((sum, vf) => sum + vf.queues, 0) };
}

/**
 * The first VF in the configuration's order that the guest can take, that is free and within the budget, or the reason why there is none.
 * `avoid` (a port that just failed) is taken only when there is no other.
 */
export function chooseVf(
  { adapter, spec: vnic, mode }: Pick<Tenant, 'adapter' | 'spec' | 'mode'>,
  pool: readonly PooledVf[],
  avoid: string | null,
): { readonly vf: PooledVf } | { readonly refusal: NotAcceleratedReason } {
  if (adapter.vfs.length === 0) return { refusal: 'adapter_without_vfs' };
  const used = usageOf(pool);
  const fits = ({ seen: { spec } }: PooledVf): boolean => fitsGuest(spec, vnic.guest) && (!isPassedThrough(spec) || mayPassThrough(vnic, mode));
  if (pool.some(({ seen }) => isPassedThrough(seen.spec)) && !pool.some(fits)) return { refusal: 'vf_unfit' };
  const free = pool
    .filter((vf) => vf.state === 'free' && fits(vf))
    .sort((a, b) => Number(a.seen.spec.port === avoid) - Number(b.seen.spec.port === avoid));
  let refusal: NotAcceleratedReason = 'no_free_vf';
  for (const [index, vf] of free.entries()) {
    const problem = vf.queues < 1 ? 'vf_too_few_queues' : checkBudget(adapter, used, vf.queues);
    if (problem === null) return { vf };
    if (index === 0) refusal = problem;
  }
  return { refusal };
}
