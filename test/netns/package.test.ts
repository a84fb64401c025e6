/** The package in a root of its own. Under systemd: service.test.ts. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildPackage } from '../../src/package/build.js';
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
cp "$2" "$1/root/package.deb"
exec chroot "$1/root" /bin/sh -ec "$3"`;

const overlay = (): string | null => (execFileSync('cat', ['/proc/filesystems'], { encoding: 'utf8' }).includes('\toverlay') ? null : 'overlayfs');
const dpkgTest = testWith(needs.root(), needs.tool('dpkg-deb'), needs.tool('unshare'), needs.tool('systemd-sysusers'), overlay()).serial;

dpkgTest('dpkg installs, removes and purges it, and nothing is left', async (t) => {
  const folder = temporaryFolder(t);
  const target = await buildPackage({ version: '0.0.3', target: join(folder, 'unipath.deb'), compression: 'none' });
  const memory = join(folder, 'memory');
  mkdirSync(memory);
  const script = `
exec 2>&1
rm -f /var/lib/man-db/auto-update
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
  const said = execFileSync('unshare', ['--mount', '--fork', 'sh', '-c', IN_NEW_ROOT, 'sh', memory, target, script], { encoding: 'utf8', cwd: packageRoot });
  const lines = said.trim().split('\n');
  for (const line of ['0.0.3', 'unipath', 'unipath-read', 'drwxr-sr-x unipath /run/unipath', 'drwxr-sr-x unipath-read /run/unipath/read', '# mine', 'noted', 'end']) {
    t.true(lines.includes(line), `"${line}" is not in:\n${said}`);
  }
  t.true(lines.includes('/etc/unipath/unipath.yaml: ok: 0 adapters, 0 vNICs'), said);
  t.deepEqual(lines.filter((line) => /^left|^\?\?|unipathd\.service:/.test(line)), []);
});
