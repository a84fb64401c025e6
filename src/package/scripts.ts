/** Scripts that package managers run, with what is known only when the package is made. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ContractLimit } from '../../maps/generated/contract.js';
import { packageRoot } from '../paths.js';

/** @param path below src/package/files, such as DEBIAN/postinst */
export function packageScript(path: string): string {
  return readFileSync(join(packageRoot, 'src/package/files', path), 'utf8').replaceAll('@CONTRACT_VERSION@', String(ContractLimit.CONTRACT_VERSION));
}
