/** Which QEMU runs guests: the newer one that the set-up has unpacked, else the distribution's. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { guestFiles } from './files.js';

const PROGRAM = 'qemu-system-x86_64';
/** Where QEMU looks for modules whatever it is told: one that finds a module of another build there ends. */
const MODULES_OF_DISTRIBUTION = '/usr/lib/x86_64-linux-gnu/qemu';

export const hasNewerEmulator = (): boolean => existsSync(join(guestFiles.emulator, 'usr/bin', PROGRAM));

/**
 * The words that QEMU's own arguments follow. The process that they start becomes QEMU. The unpacked one is started by its own loader with its own
 * libraries, firmware and modules: it is newer than what this machine has.
 */
export function emulator(): readonly string[] {
  if (!hasNewerEmulator()) return [PROGRAM];
  const root = guestFiles.emulator;
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const modules = join(libraries, 'qemu');
  const qemu = [
    ...[join(root, 'usr/lib64/ld-linux-x86-64.so.2'), '--library-path', `${libraries}:${join(libraries, 'pmdk')}`],
    ...[join(root, 'usr/bin', PROGRAM), '-L', join(root, 'usr/share/qemu'), '-L', join(root, 'usr/share/seabios')],
  ];
  if (!existsSync(MODULES_OF_DISTRIBUTION)) return ['env', `QEMU_MODULE_DIR=${modules}`, ...qemu];
  const inItsPlace = `mount --bind "$0" ${MODULES_OF_DISTRIBUTION} && exec "$@"`;
  return ['unshare', '--mount', '--propagation', 'slave', '--', 'sh', '-c', inItsPlace, modules, ...qemu];
}
