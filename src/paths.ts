/** Where the package's own files are, from source and from the build folder alike. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('package.json not found above ' + fileURLToPath(import.meta.url));
    folder = parent;
  }
  return folder;
}

export const packageRoot = findPackageRoot();
/** The host's programs: uplink, guest, queue, observe, linked into one object. */
export const hostObjectPath = join(packageRoot, 'bpf', 'unipath.bpf.o');
/** The uplink's program for one device. */
export const boundObjectPath = join(packageRoot, 'bpf', 'uplink_hw.bpf.o');
/** The guest plug-in's programs. */
export const pluginObjectPath = join(packageRoot, 'bpf', 'plugin.bpf.o');
/** What the bench compares with. */
export const benchObjectPath = join(packageRoot, 'bpf', 'bench.bpf.o');
/** What must outlive a reboot: how adapters were before unipath changed them. */
export const STATE_FOLDER = '/var/lib/unipath';
