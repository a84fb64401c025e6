/**
 * The root file systems of guests, made of this machine's own programs: `base` has a shell and network tools, `node` also
 * Node.js and this project. Made when first needed, and again when anything that they are made of has changed.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runtimeFiles, runtimePackages } from '../../guest/kit/runtime_files.js';
import { run } from '../../host/exec.js';
import { packageRoot } from '../../paths.js';
import { FileTree } from './cpio.js';
import { guestFiles } from './files.js';
import type { GuestKernel } from './kernel.js';
import { findLibrary, findProgram, librariesOf } from './libraries.js';
import { loadOrder } from './modules.js';
import { compileReflector } from './reflector_build.js';

export type ImageKind = 'base' | 'node';

/** Drivers of the NICs that stand for software path and VFs, and what programs are attached by. */
const MODULES = ['virtio_pci', 'virtio_net', 'vmxnet3', '8139cp', 'e1000e', 'e1000', 'igbvf', 'sch_ingress', 'cls_bpf', 'act_bpf'];
const TOOLS = ['ip', 'tc', 'ethtool', 'bpftool'];
/** What unipath itself calls besides. */
const PROJECT_TOOLS = ['bridge', 'setpriv', 'nsenter'];
/** Guests do without these. */
const OPTIONAL_TOOLS = new Set(['bpftool']);
const FOLDERS = ['/proc', '/sys', '/dev', '/run', '/tmp', '/sbin', '/bin'];
const DECOMPRESSORS: Readonly<Record<string, string>> = { xz: 'xz', zst: 'zstd', gz: 'gzip' };

/** Runs where the project's own files are in a guest. */
const PROJECT = '/opt/unipath';
function program(name: string): string {
  const path = findProgram(name);
  if (path === null) throw new Error(`${name} is missing, which guests need: run \`npm run setup -- --guests\``);
  return realpathSync(path);
}

async function addLibraries(tree: FileTree, programs: readonly string[]): Promise<void> {
  for (const library of await librariesOf(programs)) tree.add(library, { kind: 'file', from: realpathSync(library) });
}

/** insmod takes them as the kernel made them, so those that are compressed are unpacked here once. */
async function plainModule(kernel: GuestKernel, file: string): Promise<string> {
  const path = join(kernel.modules, file);
  const suffix = /\.ko\.(\w+)$/.exec(file)?.[1];
  if (suffix === undefined) return path;
  const plain = path.slice(0, -suffix.length - 1);
  if (!existsSync(plain)) await run(DECOMPRESSORS[suffix] ?? suffix, ['-d', '-k', '-f', '-q', path]);
  return plain;
}

/** What these modules need, too, and the order in which to load them. @throws Error naming a module that the kernel does not have */
export async function addModules(tree: FileTree, kernel: GuestKernel, wanted: readonly string[]): Promise<void> {
  const text = (name: string): string => readFileSync(join(kernel.modules, name), 'utf8');
  const order = loadOrder(text('modules.dep'), text('modules.builtin'), wanted);
  for (const file of order) {
    const from = await plainModule(kernel, file);
    tree.add(`/modules/${basename(from)}`, { kind: 'file', from });
  }
  const names = order.map((file) => basename(file).replace(/\.ko\.\w+$/, '.ko'));
  tree.add('/modules/order', { kind: 'text', text: `${names.join('\n')}\n` });
}

/** @returns the programs */
function addTools(tree: FileTree, names: readonly string[]): string[] {
  return names
    .filter((name) => !OPTIONAL_TOOLS.has(name) || findProgram(name) !== null)
    .map((name) => {
      const from = program(name);
      tree.add(`/sbin/${name}`, { kind: 'file', from });
      return from;
    });
}

async function addBase(tree: FileTree, kernel: GuestKernel): Promise<void> {
  for (const folder of FOLDERS) tree.add(folder, { kind: 'directory' });
  tree.add('/dev/console', { kind: 'character-device', major: 5, minor: 1 });
  tree.add('/init', { kind: 'file', from: guestFiles.init });
  const busybox = program('busybox');
  for (const applet of (await run(busybox, ['--list'])).split('\n')) {
    if (applet !== '') tree.add(`/bin/${applet}`, { kind: 'symlink', target: 'busybox' });
  }
  tree.add('/bin/busybox', { kind: 'file', from: busybox });
  // Not busybox's: in that one, `ip` is its own whatever PATH says.
  const shell = realpathSync('/bin/sh');
  tree.add('/bin/sh', { kind: 'file', from: shell });
  await addLibraries(tree, [shell, busybox, ...addTools(tree, TOOLS)]);
  tree.add('/sbin/reflector', { kind: 'file', from: await compileReflector() });
  await addModules(tree, kernel, MODULES);
}

async function addNode(tree: FileTree): Promise<void> {
  const node = realpathSync(process.execPath);
  tree.add('/bin/node', { kind: 'file', from: node });
  const folders = [...runtimePackages(packageRoot), join(packageRoot, 'build/src'), join(packageRoot, 'build/maps')];
  const files = [join(packageRoot, 'package.json'), ...folders.flatMap((folder) => runtimeFiles(folder))];
  const objects = readdirSync(join(packageRoot, 'bpf')).filter((name) => name.endsWith('.bpf.o'));
  files.push(...objects.map((name) => join(packageRoot, 'bpf', name)));
  for (const from of files) tree.add(join(PROJECT, from.slice(packageRoot.length)), { kind: 'file', from });
  const libbpf = await findLibrary('libbpf.so.1');
  tree.add(libbpf, { kind: 'file', from: realpathSync(libbpf) });
  const addons = files.filter((file) => file.includes('/build/Release/') && file.endsWith('.node'));
  await addLibraries(tree, [node, libbpf, ...addons, ...addTools(tree, PROJECT_TOOLS)]);
}

/** The file to start a guest with. @throws Error that says what is missing and how to get it */
export async function guestImage(kind: ImageKind, kernel: GuestKernel): Promise<string> {
  const tree = new FileTree();
  await addBase(tree, kernel);
  if (kind === 'node') await addNode(tree);
  return tree.writeWhereNew({ file: guestFiles.image(kind), stamp: guestFiles.imageStamp(kind) });
}
