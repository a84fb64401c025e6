/** What a guest's root file system is written from: the archive, the order of its modules, the libraries of its programs. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FileTree, type CpioNode } from '../../../../src/lab/qemu/cpio.js';
import { runtimePackages } from '../../../../src/guest/kit/runtime_files.js';
import { findKernel, findPayload } from '../../../../src/lab/qemu/kernel.js';
import { parseLdd } from '../../../../src/lab/qemu/libraries.js';
import { loadOrder } from '../../../../src/lab/qemu/modules.js';
import { needs, testWith } from '../../../support/require.js';

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'unipath-image-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const text = (words: string): CpioNode => ({ kind: 'text', text: words });

/** Names and contents of a newc archive, read back by the format's own rules. */
function readCpio(archive: Buffer): { name: string; mode: number; data: string }[] {
  const entries = [];
  for (let offset = 0; ; ) {
    const field = (index: number): number => Number.parseInt(archive.toString('latin1', offset + 6 + index * 8, offset + 14 + index * 8), 16);
    const [mode, size, nameBytes] = [field(1), field(6), field(11)];
    const name = archive.toString('utf8', offset + 110, offset + 110 + nameBytes - 1);
    const start = offset + Math.ceil((110 + nameBytes) / 4) * 4;
    if (name === 'TRAILER!!!') return entries;
    entries.push({ name, mode, data: archive.toString('utf8', start, start + size) });
    offset = start + Math.ceil(size / 4) * 4;
  }
}

test('an archive has folders before what is in them, contents and permissions', (t) => {
  const here = folder(t);
  const script = join(here, 'script');
  writeFileSync(script, 'hello');
  chmodSync(script, 0o751);
  const tree = new FileTree();
  tree.add('/a/b/script', { kind: 'file', from: script });
  tree.add('/a/link', { kind: 'symlink', target: 'b/script' });
  tree.add('/a/odd', text('seven b'));
  tree.add('/dev/console', { kind: 'character-device', major: 5, minor: 1 });
  tree.write(join(here, 'out', 'x.cpio'));
  const archive = readFileSync(join(here, 'out', 'x.cpio'));
  t.is(archive.length % 512, 0);
  t.deepEqual(readCpio(archive), [
    { name: 'a', mode: 0o040755, data: '' },
    { name: 'a/b', mode: 0o040755, data: '' },
    { name: 'a/b/script', mode: 0o100751, data: 'hello' },
    { name: 'a/link', mode: 0o120777, data: 'b/script' },
    { name: 'a/odd', mode: 0o100755, data: 'seven b' },
    { name: 'dev', mode: 0o040755, data: '' },
    { name: 'dev/console', mode: 0o020600, data: '' },
  ]);
});

testWith(needs.tool('cpio'))('cpio reads the archive', (t) => {
  const here = folder(t);
  const tree = new FileTree();
  tree.add('/etc/name', text('guest'));
  tree.add('/etc/other', { kind: 'symlink', target: 'name' });
  tree.write(join(here, 'x.cpio'));
  const listing = spawnSync('cpio', ['-t', '--quiet'], { input: readFileSync(join(here, 'x.cpio')), encoding: 'utf8' });
  t.is(listing.stderr, '');
  t.is(listing.stdout, 'etc\netc/name\netc/other\n');
});

test('the key of a tree changes with names, targets, and files that were touched', (t) => {
  const here = folder(t);
  const file = join(here, 'file');
  writeFileSync(file, 'x');
  const key = (...nodes: readonly (readonly [string, CpioNode])[]): string => {
    const tree = new FileTree();
    for (const [path, node] of nodes) tree.add(path, node);
    return tree.key();
  };
  const before = key(['/f', { kind: 'file', from: file }]);
  t.is(key(['/f', { kind: 'file', from: file }]), before);
  t.not(key(['/g', { kind: 'file', from: file }]), before);
  utimesSync(file, 1, 1);
  const touched = key(['/f', { kind: 'file', from: file }]);
  t.not(touched, before);
  chmodSync(file, 0o700);
  t.not(key(['/f', { kind: 'file', from: file }]), touched);
  t.not(key(['/l', { kind: 'symlink', target: 'a' }]), key(['/l', { kind: 'symlink', target: 'b' }]));
});

const dependencies = [
  'kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko',
  'kernel/drivers/virtio/virtio_ring.ko:',
  'kernel/net/core/failover.ko.xz:',
  'kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz',
  'kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko',
  'kernel/drivers/some-thing.ko:',
].join('\n');

test('modules come after what they need, each once', (t) => {
  t.deepEqual(loadOrder(dependencies, 'kernel/drivers/pci/built_in.ko\n', ['virtio', 'built-in', 'virtio_net', 'some_thing']), [
    'kernel/drivers/virtio/virtio_ring.ko',
    'kernel/drivers/virtio/virtio.ko',
    'kernel/net/core/failover.ko.xz',
    'kernel/drivers/net/net_failover.ko.xz',
    'kernel/drivers/net/virtio_net.ko',
    'kernel/drivers/some-thing.ko',
  ]);
});

test('a module that the kernel does not have is named', (t) => {
  t.throws(() => loadOrder(dependencies, '', ['vmxnet3']), { message: "the guests' kernel has no module vmxnet3" });
});

test('the libraries of a program are what ldd says, and a missing one is named', (t) => {
  const output = '\tlinux-vdso.so.1 (0x00007f)\n\tlibelf.so.1 => /lib/x86_64-linux-gnu/libelf.so.1 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n';
  t.deepEqual(parseLdd(output), ['/lib/x86_64-linux-gnu/libelf.so.1', '/lib64/ld-linux-x86-64.so.2']);
  t.deepEqual(parseLdd('\tstatically linked\n'), []);
  t.throws(() => parseLdd('\tlibx.so.1 => not found\n'), { message: /libx\.so\.1 is missing/ });
});

test('the newest kernel is taken, one without modules is none', (t) => {
  const here = folder(t);
  t.is(findKernel(here), null);
  mkdirSync(join(here, 'boot'));
  for (const release of ['6.1.0-9-amd64', '6.1.0-56-amd64']) {
    writeFileSync(join(here, 'boot', `vmlinuz-${release}`), '');
    t.is(findKernel(here), null);
    mkdirSync(join(here, 'lib/modules', release), { recursive: true });
    t.is(findKernel(here)?.release, release);
  }
});

test('the compressed part of a bzImage is where its header says', (t) => {
  const image = Buffer.alloc(4096);
  image[0x1f1] = 3;
  image.write('HdrS', 0x202);
  image.writeUInt32LE(100, 0x248);
  image.writeUInt32LE(50, 0x24c);
  t.deepEqual(findPayload(image), { start: 2148, end: 2198 });
  t.throws(() => findPayload(Buffer.alloc(4096)), { message: 'not a Linux kernel for x86' });
});

test('packages that run are found where they are, nested ones before those further out', (t) => {
  const here = folder(t);
  const add = (path: string, ...needed: readonly string[]): void => {
    mkdirSync(join(here, path), { recursive: true });
    const body = { dependencies: Object.fromEntries(needed.map((name) => [name, '1'])), devDependencies: { tool: '1' } };
    writeFileSync(join(here, path, 'package.json'), JSON.stringify(body));
  };
  add('', 'a', '@s/b');
  add('node_modules/a', 'c', 'd', 'not-installed');
  add('node_modules/@s/b', 'a');
  add('node_modules/c');
  add('node_modules/a/node_modules/c');
  add('node_modules/d', 'c');
  add('node_modules/tool');
  const names = ['a', 'a/node_modules/c', 'd', 'c', '@s/b'];
  t.deepEqual(runtimePackages(here), names.map((name) => join(here, 'node_modules', name)));
});
