/** Which of several free VFs is handed out. */
import type { Placement } from './model.js';

export interface Candidate {
  /** PCI address of its PF; null: not known. */
  readonly pf: string | null;
  readonly numaNode: number | null;
}

/** VFs of each PF that are handed out. */
export function handedOut(used: readonly Candidate[]): ReadonlyMap<string | null, number> {
  const counts = new Map<string | null, number>();
  for (const { pf } of used) counts.set(pf, (counts.get(pf) ?? 0) + 1);
  return counts;
}

/** 0: the vNIC's own node, or it has none; 1: not known; 2: another. */
function distance(node: number | null, wanted: number | null): number {
  if (wanted === null || node === wanted) return 0;
  return node === null ? 1 : 2;
}

/** The candidates, best first; equal ones stay in their order. @param node of the vNIC's guest */
export function placed<T extends Candidate>(candidates: readonly T[], used: readonly Candidate[], placement: Placement, node: number | null): T[] {
  const counts = handedOut(used);
  const load = ({ pf }: T): number => counts.get(pf) ?? 0;
  return [...candidates].sort((a, b) => {
    if (placement === 'spread') return load(a) - load(b);
    const nearer = placement === 'near' ? distance(a.numaNode, node) - distance(b.numaNode, node) : 0;
    return nearer === 0 ? load(b) - load(a) : nearer;
  });
}
