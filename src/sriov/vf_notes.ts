/** How VFs were set before unipath set them: a file for each in the state folder, until it is put back. */
import { z } from 'zod';
import type { PciAddress } from './pci.js';
import { readStateFile, removeStateFile, stateFiles, writeStateFile } from './state_file.js';
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

const nameOf = (pf: PciAddress, index: number): string => `${pf}.vf${index}`;

/** null: unipath has set nothing there. @throws Error naming a file that is none of ours */
export function readVfNote(state: string, pf: PciAddress, index: number): VfWish | null {
  return readStateFile(state, nameOf(pf, index), vfFile)?.before ?? null;
}

export function writeVfNote(state: string, pf: PciAddress, index: number, before: VfWish): void {
  writeStateFile(state, nameOf(pf, index), { version: VERSION, before });
}

export function removeVfNote(state: string, pf: PciAddress, index: number): void {
  removeStateFile(state, nameOf(pf, index));
}

/** Those of all VFs of a PF. */
export function removeVfNotes(state: string, pf: PciAddress): void {
  for (const name of stateFiles(state).filter((each) => each.startsWith(`${pf}.vf`))) removeStateFile(state, name);
}
