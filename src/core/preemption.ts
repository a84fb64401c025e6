/** Which vNICs give their VF up because others of higher priority wait for one. Pure. */
import type { Client, Pool } from './vf_pool.js';

export interface PreemptionInput {
  readonly pool: Pool;
  /** Those that asked for a VF and were refused for want of one, in the order in which they are served. */
  readonly waiting: readonly Client[];
  /** Ports that are on their way back to the pool already. */
  readonly returning: ReadonlySet<string>;
  /** Those that have a VF and are idle for long enough, and for how many milliseconds. */
  readonly idle: readonly { readonly client: Client; readonly port: string; readonly idleMs: number }[];
}

/**
 * Who gives up for whom: key of the one, the other. Of lowest priority first, then idle for longest; never more than wait, never one whose VF
 * would be of no use to who waits, and nobody for who is of the same priority.
 */
export function preemptions({ pool, waiting, returning, idle }: PreemptionInput): ReadonlyMap<string, Client> {
  let ahead = pool;
  for (const port of returning) ahead = ahead.with(port, null);
  const victims = [...idle].sort((a, b) => a.client.terms.priority - b.client.terms.priority || b.idleMs - a.idleMs);
  const given = new Map<string, Client>();
  for (const client of waiting) {
    const choice = ahead.choose(client, null);
    if ('vf' in choice) {
      ahead = ahead.with(choice.vf.seen.spec.port, client);
      continue;
    }
    for (const [index, victim] of victims.entries()) {
      if (victim.client.terms.priority >= client.terms.priority) break;
      const freed = ahead.with(victim.port, null).choose(client, null);
      if (!('vf' in freed)) continue;
      victims.splice(index, 1);
      given.set(victim.client.key, client);
      ahead = ahead.with(victim.port, null).with(freed.vf.seen.spec.port, client);
      break;
    }
  }
  return given;
}
