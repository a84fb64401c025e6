/** What the machine with emulated adapters starts from: just enough to reach the root of the machine outside. */
import { realpathSync } from 'node:fs';
import { FileTree } from '../qemu/cpio.js';
import { addModules } from '../qemu/image.js';
import type { GuestKernel } from '../qemu/kernel.js';
import { findProgram, librariesOf } from '../qemu/libraries.js';
import { hostFiles } from './files.js';

const MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay'];
const APPLETS = ['sh', 'mount', 'umount', 'mkdir', 'cat', 'insmod', 'switch_root'];
const FOLDERS = ['/proc', '/dev', '/outside', '/memory', '/host'];

/** The file to start it with; made again when anything that it is made of has changed. @throws Error that says what is missing */
export async function hostImage(kernel: GuestKernel): Promise<string> {
  const tree = new FileTree();
  for (const folder of FOLDERS) tree.add(folder, { kind: 'directory' });
  tree.add('/dev/console', { kind: 'character-device', major: 5, minor: 1 });
  tree.add('/init', { kind: 'file', from: hostFiles.init });
  const found = findProgram('busybox');
  if (found === null) throw new Error('busybox is missing: run `npm run setup -- --sriov`');
  const busybox = realpathSync(found);
  tree.add('/bin/busybox', { kind: 'file', from: busybox });
  for (const applet of APPLETS) tree.add(`/bin/${applet}`, { kind: 'symlink', target: 'busybox' });
  for (const library of await librariesOf([busybox])) tree.add(library, { kind: 'file', from: realpathSync(library) });
  await addModules(tree, kernel, MODULES);
  return tree.writeWhereNew({ file: hostFiles.image(kernel.release), stamp: hostFiles.imageStamp(kernel.release) });
}
