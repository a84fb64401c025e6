/** Can unipath run on this machine at all? The same check, in the same words, as the set-up script's. */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../paths.js';

interface Requirements {
  whyUnfit(machine: { platform: string; uid: number; release: string; node: string; filesystems: string }): string | null;
}

function fileSystems(): string {
  try {
    return readFileSync('/proc/filesystems', 'utf8');
  } catch {
    return '';
  }
}

/** One sentence with the remedy, or null. Changes nothing. */
export async function whyUnfit(): Promise<string | null> {
  const requirements = (await import(pathToFileURL(join(packageRoot, 'src/setup/requirements.mjs')).href)) as Requirements;
  return requirements.whyUnfit({
    platform: process.platform,
    uid: process.getuid?.() ?? -1,
    release: release(),
    node: process.versions.node,
    filesystems: fileSystems(),
  });
}
