/** How VFs were set before unipath set them: a file for each in the state folder, until it is put back. */
import { z } from 'zod';
import type { PciAddress } from './pci.js';
import { hasStateFile, readStateFile, removeStateFile, stateFiles, writeStateFile } from './state_file.js';
import type { VfWish } from './vf_plan.js';

const VERSION = 1;

/** All of a VF's settings that its driver has. */
export const vfWishFile = z
  .strictObject({
    mac: z.string().nullable(),
    vlan: z.strictObject({ id: z.int(), qos: z.int(), protocol: z.enum(['802.1Q', '802.1ad']) }),
    spoofCheck: z.boolean().optional(),
    trust: z.boolean().optional(),
    linkState: z.enum(['auto', 'enable', 'disable']),
    minRate: z.int(),
    maxRate: z.int(),
  })
  .transform(({ spoofCheck, trust, ...rest }): VfWish => ({
    ...rest,
    ...(spoofCheck === undefined ? {} : { spoofCheck }),
    ...(trust === undefined ? {} : { trust }),
  }));

const vfFile = z.strictObject({ version: z.literal(VERSION), before: vfWishFile });

/** `set`: by command, until it is put back by command; `lent`: to a vNIC, until it is given back. */
export type VfNotePurpose = 'set' | 'lent';

const nameOf = (pf: PciAddress, index: number, purpose: VfNotePurpose): string => `${pf}.vf${index}${purpose === 'set' ? '' : `.${purpose}`}`;

/** null: unipath has set nothing there. @throws Error naming a file that is none of ours */
export function readVfNote(state: string, pf: PciAddress, index: number, purpose: VfNotePurpose = 'set'): VfWish | null {
  return readStateFile(state, nameOf(pf, index, purpose), vfFile)?.before ?? null;
}

export function hasVfNote(state: string, pf: PciAddress, index: number, purpose: VfNotePurpose): boolean {
  return hasStateFile(state, nameOf(pf, index, purpose));
}

export function writeVfNote(state: string, pf: PciAddress, index: number, before: VfWish, purpose: VfNotePurpose = 'set'): void {
  writeStateFile(state, nameOf(pf, index, purpose), { version: VERSION, before });
}

export function removeVfNote(state: string, pf: PciAddress, index: number, purpose: VfNotePurpose = 'set'): void {
  removeStateFile(state, nameOf(pf, index, purpose));
}

/** Those of all VFs of a PF. */
export function removeVfNotes(state: string, pf: PciAddress): void {
  for (const name of stateFiles(state).filter((each) => each.startsWith(`${pf}.vf`))) removeStateFile(state, name);
}
