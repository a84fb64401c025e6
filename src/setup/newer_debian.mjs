/**
 * Packages of a newer Debian than this machine's, only unpacked: apt keeps a list of its own for them in the folder, and what is installed, and
 * the machine's own package sources, stay as they are. Plain JavaScript without dependencies, like the set-up it belongs to.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hasCommand } from './requirements.mjs';

export const SUITE = 'trixie';
export const BACKPORTS = 'trixie-backports';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const sources = (mirror) => `Types: deb
URIs: ${mirror}
Suites: ${SUITE} ${BACKPORTS}
Components: main
Signed-By: ${KEYRING}
`;

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
 * Where this machine has its own packages of Debian from.
 * @param {string} targets lines "ADDRESS ORIGIN CODENAME" of `apt-get indextargets`
 */
export function debianMirror(targets) {
  const found = targets.split('\n').map((line) => line.split(' ')).find(([, origin, codename]) => origin === 'Debian' && !codename?.endsWith('-security'));
  if (found === undefined) throw new Error('none of the package sources of this machine is Debian.');
  return found[0];
}

/**
 * Downloads and unpacks a package.
 * @param {{name: string, suite: string, withDependencies: boolean, why: string, finish: (unpacked: string) => void}} wanted `why`: what for;
 *   `finish` moves what was unpacked to where it belongs
 * @param {string} root of the project
 * @param {{say: (text: string) => void, run: (command: string, args: string[], options?: object) => void, output: (command: string, args: string[]) => string}} tools
 * @throws Error when it cannot be had
 */
export function unpackNewer(wanted, root, tools) {
  if (!hasCommand('apt-get')) throw new Error(`${wanted.name} is a package of Debian, and this machine has no apt-get.`);
  if (!existsSync(KEYRING)) throw new Error(`${KEYRING}, which vouches for Debian's packages, is missing: install debian-archive-keyring.`);
  const state = join(root, 'build/debian.apt');
  prepareState(state, tools);
  try {
    unpack(wanted, state, tools);
  } finally {
    for (const folder of ['cache', 'unpacked']) rmSync(join(state, folder), { recursive: true, force: true });
  }
}

/** Whether apt's own files are there: once is enough for one set-up, whose end they do not outlive. */
let isPrepared = false;

function prepareState(state, { run, output }) {
  if (isPrepared) return;
  const mirror = debianMirror(output('apt-get', ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(CODENAME)', 'Created-By: Packages']));
  rmSync(state, { recursive: true, force: true });
  process.once('exit', () => rmSync(state, { recursive: true, force: true }));
  mkdirSync(join(state, 'lists/partial'), { recursive: true });
  writeFileSync(join(state, 'status'), '');
  writeFileSync(join(state, 'debian.sources'), sources(mirror));
  run('apt-get', [...aptOptions(state), 'update', '-qq']);
  isPrepared = true;
}

/** The one package that a package without content of its own depends on. */
function realName(name, suite, state, { output }) {
  const said = output('apt-cache', [...aptOptions(state), '-o', `APT::Default-Release=${suite}`, 'depends', name]);
  return /^\s*Depends: (linux-image-\S+)/m.exec(said)?.[1] ?? name;
}

function unpack({ name, suite, withDependencies, why, finish }, state, tools) {
  const { say, run } = tools;
  const real = withDependencies ? name : realName(name, suite, state, tools);
  say(`downloading ${real} of Debian's ${suite} ${why} (it is not installed)`);
  const archives = join(state, 'cache/archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  if (withDependencies) {
    run('apt-get', [...aptOptions(state), '-qq', '-y', '--no-install-recommends', '--download-only', '-t', suite, 'install', real]);
  } else {
    run('apt-get', [...aptOptions(state), '-qq', '-t', suite, 'download', real], { cwd: archives });
  }
  const unpacked = join(state, 'unpacked');
  const packages = readdirSync(archives).filter((file) => file.endsWith('.deb'));
  if (packages.length === 0) throw new Error(`apt-get downloaded no ${real}.`);
  for (const file of packages) run('dpkg-deb', ['-x', join(archives, basename(file)), unpacked]);
  finish(unpacked);
}
