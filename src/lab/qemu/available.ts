/** Whether this machine can run guests, and how fast. Looks only, changes nothing. */
import { accessSync, constants, existsSync } from 'node:fs';
import { findKernel } from './kernel.js';
import { findProgram } from './libraries.js';

const SET_UP = 'run `npm run setup -- --guests`';
const PROGRAMS = ['qemu-system-x86_64', 'busybox', 'depmod', 'xz', 'gcc', 'ldd', 'nsenter', 'setpriv', 'ip', 'tc', 'ethtool'];

/** One sentence with the remedy; null when it can. */
export function whyNoGuests(): string | null {
  if (process.arch !== 'x64') return `an x86-64 machine: guests take over this machine's programs, and this one is ${process.arch}`;
  if (process.getuid?.() !== 0) return 'root';
  const missing = PROGRAMS.find((name) => findProgram(name) === null);
  if (missing !== undefined) return `the program ${missing} for guests: ${SET_UP}`;
  if (!existsSync('/dev/net/tun')) return '/dev/net/tun for guests: load the module "tun"';
  if (findKernel() === null) return `a kernel for guests: ${SET_UP}`;
  return null;
}

/** KVM where it can be used; else QEMU emulates the CPU. */
export function bestAccelerator(): 'kvm' | 'tcg' {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return 'kvm';
  } catch {
    return 'tcg';
  }
}
