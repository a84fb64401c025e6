/**
 * What a machine with emulated SR-IOV adapters needs besides a QEMU that has such adapters (emulator.mjs): a kernel with their drivers, only unpacked
 * below build/sriov/. Plain JavaScript without dependencies, like the set-up it belongs to.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedKernelRelease } from './guests.mjs';
import { SUITE, unpackNewer } from './newer_debian.mjs';
import { command } from './requirements.mjs';

/** @type {readonly import('./requirements.mjs').Requirement[]} */
export const sriovRequirements = [
  command('busybox', 'starts a machine with emulated adapters', 'busybox-static', 'busybox'),
  command('xz', 'unpacks its kernel', 'xz-utils', 'xz'),
  command('depmod', 'orders its drivers', 'kmod'),
  command('setpriv', 'ends it with the process that started it', 'util-linux'),
];

/**
 * Why there can be no machine with emulated adapters here; null when there can.
 * @param {string} arch as process.arch
 */
export function whyNoAdaptersHere(arch) {
  if (arch !== 'x64') return `such a machine is an x86-64 one made of this machine's own programs, and this one is ${arch}.`;
  return null;
}

/** Downloads it unless it is there. @param {string} root of the project, and @param tools as unpackNewer(). @throws Error when it cannot be had */
export function fetchHostKernel(root, tools) {
  const kernels = join(root, 'build/sriov/kernels');
  if (existsSync(kernels)) return;
  const finish = (unpacked) => keepKernel(unpacked, kernels, tools);
  const why = 'for a machine with emulated adapters';
  unpackNewer({ name: 'linux-image-amd64', suite: SUITE, withDependencies: false, why, finish }, root, tools);
}

function keepKernel(unpacked, kernels, { run }) {
  // Newer packages have their modules in /usr/lib; depmod looks in /lib.
  if (!existsSync(join(unpacked, 'lib'))) renameSync(join(unpacked, 'usr/lib'), join(unpacked, 'lib'));
  const release = unpackedKernelRelease(unpacked);
  if (release === null) throw new Error('there is no kernel in the package.');
  run('depmod', ['-b', unpacked, release]);
  mkdirSync(kernels, { recursive: true });
  renameSync(unpacked, join(kernels, release));
}
