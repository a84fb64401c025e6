/** The packages in a root of their own. Debian's under systemd: service.test.ts. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { buildDeb } from '../../src/package/deb.js';
import { buildRpm } from '../../src/package/rpm.js';
import { packageRoot } from '../../src/paths.js';
import { temporaryFolder } from '../support/control_socket.js';
import { needs, testWith } from '../support/require.js';

/** In a root that is this machine's with memory over it: what is written there goes with the process. */
const IN_NEW_ROOT = `
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/changes" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" overlay "$1/root"
for folder in proc dev; do mount --rbind /$folder "$1/root/$folder"; done
cp "$2" "$1/root/package"
exec chroot "$1/root" /bin/sh -ec "$3"`;

/** @returns what the script prints. The package is `package` there. */
function inNewRoot(t: ExecutionContext, target: string, script: string): string {
  const memory = join(temporaryFolder(t), 'memory');
  mkdirSync(memory);
  return execFileSync('unshare', ['--mount', '--fork', 'sh', '-c', IN_NEW_ROOT, 'sh', memory, target, script], { encoding: 'utf8', cwd: packageRoot });
}

const overlay = (): string | null => (execFileSync('cat', ['/proc/filesystems'], { encoding: 'utf8' }).includes('\toverlay') ? null : 'overlayfs');
const common = [needs.root(), needs.tool('unshare'), needs.tool('systemd-sysusers'), overlay()];
const dpkgTest = testWith(...common, needs.tool('dpkg-deb')).serial;
const rpmTest = testWith(...common, needs.tool('rpmbuild'), needs.tool('rpm')).serial;

dpkgTest('dpkg installs, removes and purges it, and nothing is left', async (t) => {
  const target = await buildDeb({ version: '0.0.3', target: join(temporaryFolder(t), 'unipath.deb'), compression: 'none' });
  const script = `
exec 2>&1
rm -f /var/lib/man-db/auto-update
cp package package.deb
dpkg --install --force-unsafe-io package.deb
test "$(unipath version | head -n 1)" != ""
unipath config check /etc/unipath/unipath.yaml
unipathd --version
dpkg --verify unipath
getent group unipath unipath-read | cut -d: -f1
stat -c '%A %G %n' /run/unipath /run/unipath/read
systemd-analyze verify unipathd.service 2>&1 | grep unipath || true
zcat /usr/share/man/man8/unipathd.8.gz | head -n 1
dpkg --listfiles unipath | sort > files
mkdir -p /var/lib/unipath && echo noted > /var/lib/unipath/eth0
echo '# mine' >> /etc/unipath/unipath.yaml
dpkg --remove unipath
tail -n 1 /etc/unipath/unipath.yaml
cat /var/lib/unipath/eth0
dpkg --purge unipath
while read -r path; do if [ -f "$path" ]; then echo "left: $path"; fi; done < files
for path in /etc/unipath /usr/lib/unipath /var/lib/unipath /run/unipath /usr/share/unipath /usr/share/doc/unipath; do
  if [ -e "$path" ]; then echo "left: $path"; fi
done
if getent group unipath unipath-read; then echo 'left: groups'; fi
echo end`;
  const said = inNewRoot(t, target, script);
  const lines = said.trim().split('\n');
  for (const line of ['0.0.3', 'unipath', 'unipath-read', 'drwxr-sr-x unipath /run/unipath', 'drwxr-sr-x unipath-read /run/unipath/read', '# mine', 'noted', 'end']) {
    t.true(lines.includes(line), `"${line}" is not in:\n${said}`);
  }
  t.true(lines.includes('/etc/unipath/unipath.yaml: ok: 0 adapters, 0 vNICs'), said);
  t.deepEqual(lines.filter((line) => /^left|^\?\?|unipathd\.service:/.test(line)), []);
});

rpmTest('rpm installs, upgrades and erases it, and what is left is what was configured and noted', async (t) => {
  const target = await buildRpm({ version: '0.0.3', target: join(temporaryFolder(t), 'unipath.rpm'), compression: 'none' });
  // What it requires has other names here, and no package of this machine is rpm's.
  const script = `
exec 2>&1
rpm --initdb
rpm --checksig package
rpm --query --package --requires package
rpm --query --package --list package | sort > listed
rpm --install --nodeps package
rpm --verify --nodeps unipath && echo verified
rpm --query --list unipath | sort | cmp - listed && echo 'as listed'
test "$(unipath version | head -n 1)" != ""
unipath config check /etc/unipath/unipath.yaml
unipathd --version
getent group unipath unipath-read | cut -d: -f1
stat -c '%A %G %n' /run/unipath /run/unipath/read
mkdir -p /var/lib/unipath && echo noted > /var/lib/unipath/eth0
echo '# mine' >> /etc/unipath/unipath.yaml
rpm --upgrade --nodeps --force package
tail -n 1 /etc/unipath/unipath.yaml
rpm --erase unipath
tail -n 1 /etc/unipath/unipath.yaml.rpmsave | sed 's/mine/saved/'
cat /var/lib/unipath/eth0
while read -r path; do if [ -f "$path" ]; then echo "left: $path"; fi; done < listed
for path in /usr/lib/unipath /run/unipath /usr/share/unipath /usr/share/doc/unipath; do
  if [ -e "$path" ]; then echo "left: $path"; fi
done
echo end`;
  const said = inNewRoot(t, target, script);
  const lines = said.trim().split('\n');
  const expected = [
    'package: digests OK', 'glibc >= 2.36', 'libbpf >= 1.1', 'verified', 'as listed', '0.0.3', 'unipath', 'unipath-read', 'drwxr-sr-x unipath /run/unipath',
    'drwxr-sr-x unipath-read /run/unipath/read', '# mine', '# saved', 'noted', '/etc/unipath/unipath.yaml: ok: 0 adapters, 0 vNICs', 'end',
  ];
  for (const line of expected) t.true(lines.includes(line), `"${line}" is not in:\n${said}`);
  t.deepEqual(lines.filter((line) => /^left|warning|error/.test(line) && !line.includes('.rpmsave')), []);
});
