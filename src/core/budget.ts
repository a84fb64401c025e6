/** How many VFs and queues of an adapter may be handed out; asked before anything is done. */
import type { AdapterSpec, NotAcceleratedReason } from './model.js';

/** No configuration can raise these. */
export const ADAPTER_MAX_VFS = 254;
export const ADAPTER_MAX_QUEUES = 2048;

export interface Usage {
  readonly vfs: number;
  readonly queues: number;
}

export function limitsOf(adapter: AdapterSpec): Usage {
  return { vfs: Math.min(adapter.limits.vfs, ADAPTER_MAX_VFS), queues: Math.min(adapter.limits.queues, ADAPTER_MAX_QUEUES) };
}

/** May one more VF with so many queues be handed out? null: yes. */
export function checkBudget(adapter: AdapterSpec, used: Usage, queues: number): NotAcceleratedReason | null {
  const limits = limitsOf(adapter);
  if (used.vfs + 1 > limits.vfs) return 'vf_budget_exhausted';
  if (used.queues + queues > limits.queues) return 'queue_budget_exhausted';
  return null;
}
