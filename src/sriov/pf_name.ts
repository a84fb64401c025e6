/** What a PF is called in messages and on the command line. Pure. */
import { valueOf } from './fact.js';
import type { PfFacts } from './facts.js';

/** "eth1", or its PCI address while it has no netdev here. */
export const pfName = (pf: PfFacts): string => valueOf(pf.nic)?.name ?? pf.pci;
