/** Which programs are these? What is pinned may be taken over as it is only if it is what this daemon would load. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { hostFingerprint } from '../../maps/generated/contract.js';
import { findElfSection } from '../btf/elf.js';
import { verifyContract } from '../btf/verify.js';

/** What becomes constant in the programs when they are loaded, and so is as much part of them as the object file. */
export interface ProgramSettings {
  readonly flowsPerVnic: number;
  readonly maxVnics: number;
  /** Inode of the network namespace that is served. */
  readonly netns: number;
}

/** Inode of the network namespace of this process. */
export function ownNetns(): number {
  return statSync('/proc/self/ns/net').ino;
}

/**
 * SHA-256 over the object files and the settings, 32 bytes.
 * @param boundPath of the programs that are loaded for one device; null: there are none
 * @throws ContractMismatchError when the object is of other headers than maps/generated/contract.ts
 */
export function identify(objectPath: string, boundPath: string | null, settings: ProgramSettings): Buffer {
  const elf = readFileSync(objectPath);
  const btf = findElfSection(elf, '.BTF');
  if (btf === null) throw new Error(`${objectPath} has no BTF; it must be compiled with clang -g`);
  verifyContract(btf, hostFingerprint, objectPath);
  const bound = boundPath === null ? '' : readFileSync(boundPath);
  return createHash('sha256').update(elf).update(bound).update(JSON.stringify([settings.flowsPerVnic, settings.maxVnics, settings.netns])).digest();
}
