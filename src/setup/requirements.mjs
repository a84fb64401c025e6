/**
 * What a machine needs before anything can be built, and which package brings it. Plain JavaScript without dependencies:
 * it runs when nothing is installed yet.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Oldest kernel on which everything works: BPF_PROG_TEST_RUN with live frames came with 5.18. */
export const OLDEST_KERNEL = [5, 18];
export const OLDEST_NODE = 20;

/**
 * @typedef {{what: string, why: string, apt: string, dnf: string, present: () => boolean}} Requirement
 */

/** Is there an executable of this name? The sbin folders count too: root's PATH does not always have them. */
export function hasCommand(name, path = process.env.PATH ?? '') {
  const folders = [...path.split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

const hasLibrary = (name) =>
  ['/lib', '/lib64', '/usr/lib', '/usr/lib64', '/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']
    .some((folder) => existsSync(join(folder, name)));

export const command = (name, why, apt, dnf = apt) => ({ what: name, why, apt, dnf, present: () => hasCommand(name) });
export const library = (name, why, apt, dnf) => ({ what: name, why, apt, dnf, present: () => hasLibrary(name) });
const file = (path, why, apt, dnf) => ({ what: path, why, apt, dnf, present: () => existsSync(path) });

/** @type {readonly Requirement[]} */
export const requirements = [
  command('clang', 'compiles the BPF programs', 'clang'),
  command('llvm-strip', 'works on BPF objects', 'llvm'),
  command('bpftool', 'links the BPF objects', 'bpftool'),
  command('make', 'builds the BPF programs and the native addon', 'make'),
  command('g++', 'builds the native addon', 'g++', 'gcc-c++'),
  command('python3', 'is what node-gyp needs', 'python3'),
  command('ip', 'sets links up', 'iproute2', 'iproute'),
  command('bridge', 'sets bridge ports up', 'iproute2', 'iproute'),
  command('tc', 'shows the guest plug-in', 'iproute2', 'iproute-tc'),
  command('ethtool', 'sets offloads', 'ethtool'),
  command('nsenter', 'starts processes in network namespaces', 'util-linux'),
  command('sysctl', 'sets network namespaces up', 'procps', 'procps-ng'),
  library('libbpf.so.1', 'loads the BPF programs', 'libbpf1', 'libbpf'),
  file('/usr/include/bpf/bpf_helpers.h', 'declares the BPF helpers', 'libbpf-dev', 'libbpf-devel'),
  file('/usr/include/linux/bpf.h', 'declares the kernel interface', 'linux-libc-dev', 'kernel-headers'),
];

/** What only the bench needs, on top. @type {readonly Requirement[]} */
export const benchRequirements = [
  command('iperf3', 'measures bulk TCP', 'iperf3'),
  command('sockperf', 'measures TCP requests and responses', 'sockperf'),
  command('taskset', 'keeps a process on its CPU', 'util-linux'),
  command('setpriv', 'ends a process with its parent', 'util-linux'),
];

/** What only packages need, on top. @type {readonly Requirement[]} */
export const packageRequirements = [command('rpmbuild', 'makes the package for Fedora and RHEL', 'rpm', 'rpm-build')];

/** The requirements that are not met. */
export const missingRequirements = (all = requirements) => all.filter((requirement) => !requirement.present());

/**
 * The commands that install the packages of these requirements.
 * @param {readonly Requirement[]} missing
 * @param {'apt' | 'dnf' | null} manager
 */
export function installCommands(missing, manager) {
  if (missing.length === 0 || manager === null) return [];
  const packages = [...new Set(missing.map((requirement) => requirement[manager]))];
  return manager === 'apt'
    ? [['apt-get', 'update', '-qq'], ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages]]
    : [['dnf', 'install', '-y', '-q', ...packages]];
}

/** @returns {'apt' | 'dnf' | null} */
export const packageManager = () => (hasCommand('apt-get') ? 'apt' : hasCommand('dnf') ? 'dnf' : null);

/** "6.18.44-arch1" is at least [5, 18]? */
export function kernelIsAtLeast(release, [major, minor]) {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

/**
 * Why this machine cannot run unipath, one sentence with the remedy; null when it can. Looks only, changes nothing.
 * @param {{platform: string, uid: number, release: string, node: string, filesystems: string}} machine
 */
export function whyUnfit(machine) {
  if (machine.platform !== 'linux') return `unipath drives the Linux kernel and cannot run on ${machine.platform}: use a Linux host.`;
  if (Number.parseInt(machine.node, 10) < OLDEST_NODE) {
    return `Node.js ${machine.node} is too old: install Node.js ${OLDEST_NODE} or newer and run this again.`;
  }
  if (!kernelIsAtLeast(machine.release, OLDEST_KERNEL)) {
    return `Linux ${machine.release} is too old: boot Linux ${OLDEST_KERNEL.join('.')} or newer (BPF_PROG_TEST_RUN with live frames).`;
  }
  if (machine.uid !== 0) return 'Root is needed to load BPF programs and to make network namespaces: run this again with sudo.';
  if (!/\bbpf$/m.test(machine.filesystems)) {
    return 'This kernel has no bpf file system: boot a kernel built with CONFIG_BPF_SYSCALL=y and run this again.';
  }
  return null;
}
