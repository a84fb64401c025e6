/** Whether this machine can run one with emulated adapters. Looks only, changes nothing. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasNewerEmulator } from '../qemu/emulator.js';
import { guestFiles } from '../qemu/files.js';
import { findKernel, type GuestKernel } from '../qemu/kernel.js';
import { findProgram } from '../qemu/libraries.js';
import { hostFiles } from './files.js';

const SET_UP = 'run `npm run setup -- --sriov`';
const PROGRAMS = ['busybox', 'xz', 'ldd', 'setpriv', 'ip', 'ethtool'];

/** Kernels that the set-up has unpacked, newest first; that of guests is one, too. */
export function hostKernels(): GuestKernel[] {
  const folders = existsSync(hostFiles.kernels) ? readdirSync(hostFiles.kernels).map((release) => join(hostFiles.kernels, release)) : [];
  return [...folders, guestFiles.kernel]
    .flatMap((folder) => findKernel(folder) ?? [])
    .sort((a, b) => b.release.localeCompare(a.release, 'en', { numeric: true }));
}

/** @param wanted release or its beginning. @throws Error when there is none */
export function hostKernel(wanted = ''): GuestKernel {
  const kernels = hostKernels();
  const found = kernels.find(({ release }) => release.startsWith(wanted));
  if (found !== undefined) return found;
  throw new Error(`there is no kernel ${wanted} for a machine with emulated adapters (there are: ${kernels.map(({ release }) => release).join(', ') || 'none'}): ${SET_UP}`);
}

/** One sentence with the remedy; null when it can. */
export function whyNoHostMachine(): string | null {
  if (process.arch !== 'x64') return `an x86-64 machine: the emulated one takes over its programs, and this one is ${process.arch}`;
  if (process.getuid?.() !== 0) return 'root';
  const missing = PROGRAMS.find((name) => findProgram(name) === null);
  if (missing !== undefined) return `the program ${missing} for a machine with emulated adapters: ${SET_UP}`;
  if (!hasNewerEmulator()) return `a QEMU that emulates SR-IOV: ${SET_UP}`;
  if (hostKernels().length === 0) return `a kernel for a machine with emulated adapters: ${SET_UP}`;
  return null;
}
