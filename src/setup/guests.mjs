/**
 * What real guests need besides: QEMU and what their root file system is made of, libvirt, and a kernel. The kernel's package is only
 * unpacked, not installed: the machine's own boot stays as it is. Plain JavaScript without dependencies, like the set-up it belongs to.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { command, hasCommand, library } from './requirements.mjs';
import { unpackPackage } from './unpack.mjs';

/** Always depends on the newest kernel of the distribution. */
const KERNEL_PACKAGE = 'linux-image-amd64';

/** @type {readonly import('./requirements.mjs').Requirement[]} */
export const guestRequirements = [
  command('qemu-system-x86_64', 'runs guests', 'qemu-system-x86', 'qemu-system-x86-core'),
  command('busybox', 'is most of a guest', 'busybox-static', 'busybox'),
  command('xz', 'unpacks the guests\' kernel', 'xz-utils', 'xz'),
  command('depmod', 'orders the guests\' drivers', 'kmod'),
  command('gcc', 'compiles the guests\' traffic program', 'gcc'),
  library('libc.a', 'lets it run in a guest', 'libc6-dev', 'glibc-static'),
  command('libvirtd', 'runs guests of libvirt', 'libvirt-daemon-system', 'libvirt-daemon-driver-qemu'),
  command('virsh', 'drives libvirt', 'libvirt-clients', 'libvirt-client'),
];

/** The package that a package depends on, from what `apt-cache depends` says; null when it is not known. */
export const dependencyIn = (output) => /^\s*Depends: (linux-image-\S+)$/m.exec(output)?.[1] ?? null;

/** Release of the unpacked kernel that is the newest; null when there is none. */
export function unpackedKernelRelease(folder) {
  if (!existsSync(join(folder, 'boot'))) return null;
  const releases = readdirSync(join(folder, 'boot')).flatMap((name) => /^vmlinuz-(.+)$/.exec(name)?.[1] ?? []);
  return releases.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1) ?? null;
}

/**
 * Why there can be no guests on this machine at all; null when there can.
 * @param {string} arch as process.arch
 */
export function whyNoGuestsHere(arch) {
  if (arch !== 'x64') return `guests are x86-64 machines made of this machine's own programs, and this one is ${arch}`;
  return null;
}

/**
 * Downloads and unpacks the kernel, unless there is one.
 * @param {string} root of the project
 * @param {{say: (text: string) => void, run: (command: string, args: string[], options?: object) => void, output: (command: string, args: string[]) => string}} tools
 * @throws Error when it cannot be had
 */
export function fetchKernel(root, { say, run, output }) {
  const folder = join(root, 'build/guest/kernel');
  if (unpackedKernelRelease(folder) !== null) return;
  if (!hasCommand('apt-get')) throw new Error('their kernel is a package of Debian, and this machine has no apt-get');
  let name = dependencyIn(output('apt-cache', ['depends', KERNEL_PACKAGE]));
  if (name === null) {
    run('apt-get', ['update', '-qq']);
    name = dependencyIn(output('apt-cache', ['depends', KERNEL_PACKAGE]));
  }
  if (name === null) throw new Error(`apt knows no package ${KERNEL_PACKAGE}: their kernel is Debian's`);
  say(`downloading ${name} for guests and emulated hosts (it is not installed)`);
  const finish = (unpacked) => {
    const release = unpackedKernelRelease(unpacked);
    if (release === null) throw new Error(`there is no kernel in ${name}`);
    run('depmod', ['-b', unpacked, release]);
  };
  unpackPackage(name, folder, finish, { run });
}
