/**
 * What a machine with emulated SR-IOV adapters needs besides: a QEMU that has such adapters, newer than that of most distributions, and a
 * kernel with their drivers. Both are packages of Debian that are only unpacked below build/sriov/; apt keeps a list of its own for
 * them there, and what is installed, and the machine's own package sources, stay as they are. Plain JavaScript without dependencies.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { unpackedKernelRelease } from './guests.mjs';
import { command, hasCommand } from './requirements.mjs';

/** igb is in QEMU since 8.0, `sriov-pf` of virtio-net-pci since 10.1. */
const EMULATOR = { package: 'qemu-system-x86', suite: 'trixie-backports' };
const KERNEL = { package: 'linux-image-amd64', suite: 'trixie' };
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const sources = (mirror) => `Types: deb
URIs: ${mirror}
Suites: trixie trixie-backports
Components: main
Signed-By: ${KEYRING}
`;

/** @type {readonly import('./requirements.mjs').Requirement[]} */
export const sriovRequirements = [
  command('busybox', 'starts a machine with emulated adapters', 'busybox-static', 'busybox'),
  command('xz', 'unpacks its kernel', 'xz-utils', 'xz'),
  command('depmod', 'orders its drivers', 'kmod'),
  command('setpriv', 'ends it with the process that started it', 'util-linux'),
];

/** apt with a state of its own in this folder: it knows of nothing that is installed, so what it lists for a package is complete. */
export function aptOptions(folder) {
  const settings = {
    'Dir::Etc::sourcelist': join(folder, 'debian.sources'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::State': folder,
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    // As root: apt's own user cannot write here.
    'APT::Sandbox::User': 'root',
  };
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
}

/**
 * Why there can be no machine with emulated adapters here; null when there can.
 * @param {string} arch as process.arch
 */
export function whyNoAdaptersHere(arch) {
  if (arch !== 'x64') return `such a machine is an x86-64 one made of this machine's own programs, and this one is ${arch}.`;
  return null;
}

/** Downloads what is not there yet. @param {string} root of the project, and @param tools as fetchKernel(). @throws Error when it cannot be had */
export function fetchAdapters(root, tools) {
  const made = join(root, 'build/sriov');
  const emulator = join(made, 'qemu');
  const kernels = join(made, 'kernels');
  const wanted = [
    ...(existsSync(emulator) ? [] : [{ ...EMULATOR, finish: (unpacked) => renameSync(unpacked, emulator), withDependencies: true }]),
    ...(existsSync(kernels) ? [] : [{ ...KERNEL, finish: (unpacked) => keepKernel(unpacked, kernels, tools), withDependencies: false }]),
  ];
  if (wanted.length === 0) return;
  if (!hasCommand('apt-get')) throw new Error('they are emulated by a QEMU that is a package of Debian, and this machine has no apt-get.');
  if (!existsSync(KEYRING)) throw new Error(`${KEYRING}, which vouches for Debian's packages, is missing: install debian-archive-keyring.`);
  const state = join(made, 'apt');
  prepareState(state, tools);
  try {
    for (const each of wanted) unpack(each, state, tools);
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

/**
 * Where this machine has its own packages of Debian from.
 * @param {string} targets lines "ADDRESS ORIGIN CODENAME" of `apt-get indextargets`
 */
export function debianMirror(targets) {
  const found = targets.split('\n').map((line) => line.split(' ')).find(([, origin, codename]) => origin === 'Debian' && !codename?.endsWith('-security'));
  if (found === undefined) throw new Error('none of the package sources of this machine is Debian.');
  return found[0];
}

function prepareState(state, { run, output }) {
  const mirror = debianMirror(output('apt-get', ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(CODENAME)', 'Created-By: Packages']));
  rmSync(state, { recursive: true, force: true });
  mkdirSync(join(state, 'lists/partial'), { recursive: true });
  writeFileSync(join(state, 'status'), '');
  writeFileSync(join(state, 'debian.sources'), sources(mirror));
  run('apt-get', [...aptOptions(state), 'update', '-qq']);
}

/** The one package that a package without content of its own depends on. */
function realName(name, suite, state, { output }) {
  const said = output('apt-cache', [...aptOptions(state), '-o', `APT::Default-Release=${suite}`, 'depends', name]);
  return /^\s*Depends: (linux-image-\S+)/m.exec(said)?.[1] ?? name;
}

function unpack({ package: name, suite, withDependencies, finish }, state, tools) {
  const { say, run } = tools;
  const real = withDependencies ? name : realName(name, suite, state, tools);
  say(`downloading ${real} of Debian's ${suite} for a machine with emulated adapters (it is not installed)`);
  const archives = join(state, 'cache/archives');
  rmSync(archives, { recursive: true, force: true });
  mkdirSync(join(archives, 'partial'), { recursive: true });
  if (withDependencies) {
    run('apt-get', [...aptOptions(state), '-qq', '-y', '--no-install-recommends', '--download-only', '-t', suite, 'install', real]);
  } else {
    run('apt-get', [...aptOptions(state), '-qq', '-t', suite, 'download', real], { cwd: archives });
  }
  const unpacked = join(state, 'unpacked');
  rmSync(unpacked, { recursive: true, force: true });
  const packages = readdirSync(archives).filter((file) => file.endsWith('.deb'));
  if (packages.length === 0) throw new Error(`apt-get downloaded no ${real}.`);
  for (const file of packages) run('dpkg-deb', ['-x', join(archives, basename(file)), unpacked]);
  finish(unpacked);
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
