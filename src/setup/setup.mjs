#!/usr/bin/env node
/**
 * Makes a fresh machine ready: distribution packages, npm packages, a BPF file system, BPF objects, TypeScript build. Does only what is not
 * done yet and says what it does; with everything in place it says nothing and takes well under a second. `--bench`: also what only
 * the bench needs. `--guests`: also what real guests need; `--sriov`: also what a machine with emulated adapters needs; `--prometheus`: also
 * a Prometheus to test with; `--package`: also what makes packages; where they cannot be had, it says why and goes on.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchEmulator } from './emulator.mjs';
import { fetchKernel, guestRequirements, unpackedKernelRelease, whyNoGuestsHere } from './guests.mjs';
import { fetchHostKernel, sriovRequirements, whyNoAdaptersHere } from './sriov.mjs';
import { fetchPrometheus } from './prometheus.mjs';
import { benchRequirements, installCommands, missingRequirements, packageManager, packageRequirements, requirements, whyUnfit } from './requirements.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const say = (text) => process.stderr.write(`setup: ${text}\n`);

/** Whoever runs something decides whether its failure is the end. */
function fail(sentence) {
  throw new Error(sentence);
}

/** @param {{env?: object, cwd?: string}} [options] */
function run(command, args, { env = {}, cwd = root } = {}) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  if (error || status !== 0) fail(`\`${[command, ...args].join(' ')}\` failed${error ? `: ${error.message}` : ` with exit code ${status}`}; its words are above.`);
}

/** What a command says; nothing when it fails. */
const output = (command, args) => spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).stdout ?? '';

/** Newest modification time below some paths, in milliseconds. */
function newest(paths) {
  return Math.max(
    0,
    ...paths.map((path) => {
      const full = join(root, path);
      if (!existsSync(full)) return 0;
      const stat = statSync(full);
      return stat.isDirectory() ? newest(readdirSync(full).map((name) => join(path, name))) : stat.mtimeMs;
    }),
  );
}

/** Runs `work` unless a stamp file says that it was done for these inputs. */
function unlessDone(stampFile, key, work) {
  const stamp = join(root, stampFile);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, key);
}

function checkMachine() {
  const reason = whyUnfit({
    platform: process.platform,
    uid: process.getuid?.() ?? -1,
    release: release(),
    node: process.versions.node,
    filesystems: existsSync('/proc/filesystems') ? readFileSync('/proc/filesystems', 'utf8') : '',
  });
  if (reason) fail(reason);
}

function installPackages(wanted) {
  const missing = missingRequirements(wanted);
  if (missing.length === 0) return;
  const manager = packageManager();
  const list = missing.map(({ what, why }) => `${what} (${why})`).join(', ');
  if (manager === null) fail(`missing: ${list}; this machine has neither apt-get nor dnf, so install them by hand and run this again.`);
  for (const [command, ...args] of installCommands(missing, manager)) {
    say(`missing: ${list}; running ${command} ${args.join(' ')}`);
    run(command, args, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
  }
  const still = missingRequirements(wanted);
  if (still.length > 0) fail(`still missing after the installation: ${still.map(({ what }) => what).join(', ')}.`);
}

/** node-gyp fetches the headers of Node.js unless it is told where they are; many installations bring them along. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node.h')) ? { npm_config_nodedir: prefix } : {};
}

function installModules() {
  const lock = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).update(process.version).digest('hex');
  unlessDone('node_modules/.unipath-stamp', lock, () => {
    say('installing npm packages (npm ci)');
    run('npm', ['ci', '--no-audit', '--no-fund'], { env: nodeHeaders() });
  });
}

/** Where pins live. systemd mounts it on most machines; a container or a bare image may come without. */
function mountBpffs() {
  if (/^\S+ \/sys\/fs\/bpf bpf /m.test(readFileSync('/proc/mounts', 'utf8'))) return;
  say('mounting a BPF file system on /sys/fs/bpf');
  run('mount', ['-t', 'bpf', 'bpf', '/sys/fs/bpf']);
}

function buildAll() {
  run('make', ['-s', '-C', 'bpf']);
  unlessDone('build/.stamp', `${newest(['src', 'test', 'maps', 'grafana', 'tsconfig.json', 'package-lock.json'])}`, () => {
    say('building TypeScript (tsc)');
    run(process.execPath, ['node_modules/typescript/bin/tsc']);
  });
}

/** Best effort: everything but real guests works without. */
function prepareGuests() {
  try {
    const reason = whyNoGuestsHere(process.arch);
    if (reason) fail(reason);
    installPackages(guestRequirements);
    fetchKernel(root, { say, run, output });
    fetchNewerEmulator();
    const made = `${unpackedKernelRelease(join(root, 'build/guest/kernel'))} ${newest(['src/lab/qemu'])}`;
    unlessDone('build/guest/.stamp', made, () => {
      say('building the root file system of guests');
      run(process.execPath, ['build/src/lab/qemu/prepare.js']);
    });
  } catch (error) {
    say(`no real guests: ${error.message} Tests that need them are skipped.`);
  }
}

/** Guests do without. */
function fetchNewerEmulator() {
  try {
    fetchEmulator(root, { say, run, output });
  } catch (error) {
    say(`guests run under this distribution's QEMU: ${error.message}`);
  }
}

/** Best effort, too. */
function prepareAdapters() {
  try {
    const reason = whyNoAdaptersHere(process.arch);
    if (reason) fail(reason);
    installPackages(sriovRequirements);
    fetchEmulator(root, { say, run, output });
    fetchHostKernel(root, { say, run, output });
    // The other kernel that such a machine boots: an older one, where this distribution's is.
    fetchKernel(root, { say, run, output });
  } catch (error) {
    say(`no emulated adapters: ${error.message} Tests that need them are skipped.`);
  }
}

/** Best effort, too. */
function preparePackages() {
  try {
    installPackages(packageRequirements);
  } catch (error) {
    say(`no package for Fedora and RHEL: ${error.message} Tests that need it are skipped.`);
  }
}

/** Best effort, too. */
function preparePrometheus() {
  try {
    fetchPrometheus(root, { say, run, output });
  } catch (error) {
    say(`no Prometheus: ${error.message} Tests that need it are skipped.`);
  }
}

try {
  checkMachine();
  installPackages(process.argv.includes('--bench') ? [...requirements, ...benchRequirements] : requirements);
  installModules();
  mountBpffs();
  buildAll();
} catch (error) {
  say(error.message);
  process.exit(1);
}
if (process.argv.includes('--guests')) prepareGuests();
if (process.argv.includes('--sriov')) prepareAdapters();
if (process.argv.includes('--prometheus')) preparePrometheus();
if (process.argv.includes('--package')) preparePackages();
