import test from 'ava';
import { rpmArchitecture, specFile } from '../../../src/package/spec.js';
import type { PackageFile } from '../../../src/package/tree.js';

const text = (to: string, change: Partial<PackageFile> = {}): PackageFile => ({ to, source: { text: '' }, ...change });
const scripts = { pre: '', post: 'echo 100%\n', preun: 'exit 0\n', postun: '', posttrans: '' };
const spec = (files: readonly PackageFile[], version = '1.2.3'): string[] =>
  specFile({ version, files, glibc: '2.36', folder: '/tmp/unipath-package-x/unipath', scripts }).split('\n');

test('what a host needs, and the files with their modes, their folders, and what is kept', (t) => {
  const lines = spec([
    text('/usr/lib/unipath/bin/node', { isExecutable: true }), text('/usr/bin/unipath', { isExecutable: true }), text('/etc/unipath/unipath.yaml'),
    text('/usr/share/doc/unipath/README.md'),
  ]);
  for (const line of ['Name: unipath', 'Version: 1.2.3', 'Requires: glibc >= 2.36', 'Requires: libbpf >= 1.1']) t.true(lines.includes(line), line);
  t.deepEqual(lines.slice(lines.indexOf('%files') + 1), [
    '%dir %attr(0755, root, root) /etc/unipath',
    '%dir %attr(0755, root, root) /usr/lib/unipath',
    '%dir %attr(0755, root, root) /usr/lib/unipath/bin',
    '%dir %attr(0755, root, root) /usr/share/doc/unipath',
    '%attr(0755, root, root) /usr/lib/unipath/bin/node',
    '%attr(0755, root, root) /usr/bin/unipath',
    '%config(noreplace) %attr(0644, root, root) /etc/unipath/unipath.yaml',
    '%doc %attr(0644, root, root) /usr/share/doc/unipath/README.md',
    '',
  ]);
});

test('nothing of a script or a path is taken for a macro, and a version is one for rpm', (t) => {
  const lines = spec([], '1.2.3-rc1');
  t.is(lines[lines.indexOf('%post') + 1], 'echo 100%%');
  t.true(lines.includes('Version: 1.2.3~rc1'));
  t.throws(() => spec([text('/usr/lib/unipath/a[1].js')]), { message: '/usr/lib/unipath/a[1].js cannot be in a package of rpm: it has a character that has a meaning there' });
});

test('there are packages for machines that were tried only', (t) => {
  t.is(rpmArchitecture('arm64'), 'aarch64');
  t.throws(() => rpmArchitecture('s390x'), { message: 'there are packages for x86_64 and aarch64 only, and this machine is s390x' });
});
