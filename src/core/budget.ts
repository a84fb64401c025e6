/** How many VFs, queues and MSI-X vectors may be handed out; asked before anything is done. */
import type { AdapterSpec, Ceilings, NotAcceleratedReason } from './model.js';

/** No configuration can raise these. */
export const ADAPTER_MAX_VFS = 254;
export const ADAPTER_MAX_QUEUES = 2048;

export const RESOURCES = ['vfs', 'queues', 'vectors'] as const;
export type Resource = (typeof RESOURCES)[number];
export type Amounts = Readonly<Record<Resource, number>>;

export const NOTHING: Amounts = { vfs: 0, queues: 0, vectors: 0 };

export function sumOf(all: readonly Amounts[]): Amounts {
  return all.reduce((sum, { vfs, queues, vectors }) => ({ vfs: sum.vfs + vfs, queues: sum.queues + queues, vectors: sum.vectors + vectors }), NOTHING);
}

export function limitsOf({ limits }: AdapterSpec): AdapterSpec['limits'] {
  return { ...limits, vfs: Math.min(limits.vfs, ADAPTER_MAX_VFS), queues: Math.min(limits.queues, ADAPTER_MAX_QUEUES) };
}

/** What a VF counts against: its adapter, its PF, a quota. */
export interface Account {
  readonly kind: 'adapter' | 'pf' | 'quota';
  readonly name: string;
  readonly ceilings: Ceilings;
  readonly used: Amounts;
}

const EXHAUSTED: Readonly<Record<Resource, NotAcceleratedReason>> = {
  vfs: 'vf_budget_exhausted',
  queues: 'queue_budget_exhausted',
  vectors: 'vector_budget_exhausted',
};

/** May so much more be handed out, as far as all of the accounts are concerned? null: yes. */
export function checkBudget(accounts: readonly Account[], more: Amounts): NotAcceleratedReason | null {
  for (const { kind, ceilings, used } of accounts) {
    for (const resource of RESOURCES) {
      if (used[resource] + more[resource] <= (ceilings[resource] ?? Infinity)) continue;
      return kind === 'quota' ? 'quota_exhausted' : EXHAUSTED[resource];
    }
  }
  return null;
}
