import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { ContractLimit } from '../../../maps/generated/contract.js';
import { parseConfig } from '../../../src/config/load.js';
import { DEFAULT_READ_SOCKET, DEFAULT_SOCKET } from '../../../src/control/usual_socket.js';
import { packageScript } from '../../../src/package/scripts.js';
import { contentOf, type PackageKind, packageTree } from '../../../src/package/tree.js';
import { packageRoot } from '../../../src/paths.js';
import { temporaryFolder } from '../../support/control_socket.js';
import { needs, testWith } from '../../support/require.js';

const files = join(packageRoot, 'src/package/files');
const text = (name: string): string => readFileSync(join(files, name), 'utf8');
const tree = (arch = 'x64', kind: PackageKind = 'deb') => packageTree({ version: '1.2.3', date: new Date(0), arch, node: '/usr/bin/node', kind });

test('nothing is put in the same place twice, and nothing of the lab or of another machine is there', (t) => {
  const paths = tree().map(({ to }) => to);
  t.is(new Set(paths).size, paths.length);
  for (const path of paths) t.notRegex(path, /\/build\/src\/(lab|bench|fuzz|package)\/|linux-arm|\.ts$|\/test\//);
  t.true(paths.some((path) => path.endsWith('/ffi_bindings.node')));
  t.true(paths.includes('/usr/share/man/man8/unipathd.8.gz') && paths.includes('/usr/share/man/man1/unipath-vnic.1.gz'));
  t.true(tree('arm64').some(({ to }) => to.includes('linux-arm64')));
});

test('whatever a page of the package links to is in the package, and so is what the guides name below /usr/share', (t) => {
  const all = tree();
  const there = new Set(all.map(({ to }) => to));
  const pages = all.filter(({ to }) => to.endsWith('.md'));
  t.true(pages.length > 15);
  const missing = pages.flatMap((page) => {
    const words = contentOf(page).toString();
    const links = [...words.replace(/^```[^\n]*\n[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '').matchAll(/(?:\]\(|<img src=")([^)"\s#]+)/g)].map(([, target = '']) => target);
    const linked = links.filter((target) => !/^[a-z]+:/.test(target)).map((target) => join(dirname(page.to), target).replace(/\/$/, '/README.md'));
    const named = [...words.matchAll(/\/usr\/share\/(?:doc\/)?unipath\/[\w./-]*\.\w+/g)].map(([path]) => path);
    return [...linked, ...named].filter((path) => !there.has(path)).map((path) => `${page.to}: ${path}`);
  });
  t.deepEqual(missing, []);
});

test('the package of rpm has the same, but for what is Debian\'s own', (t) => {
  const [deb, rpm] = (['deb', 'rpm'] as const).map((kind) => tree('x64', kind).map(({ to }) => to)) as [string[], string[]];
  t.deepEqual(deb.filter((path) => !rpm.includes(path)), ['/usr/share/lintian/overrides/unipath', '/usr/share/zsh/vendor-completions/_unipath']);
  t.deepEqual(rpm.filter((path) => !deb.includes(path)), ['/usr/share/zsh/site-functions/_unipath']);
});

test('the default configuration is one, its sockets are the usual ones, and their folders are made', (t) => {
  const { settings } = parseConfig(text('unipath.yaml'), 'unipath.yaml');
  t.like(settings, { socket: DEFAULT_SOCKET, readSocket: DEFAULT_READ_SOCKET });
  t.regex(text('unipath.tmpfiles'), /^d \/run\/unipath +2755 root unipath /m);
  t.regex(text('unipath.tmpfiles'), /^d \/run\/unipath\/read +2755 root unipath-read /m);
  for (const group of ['unipath', 'unipath-read']) t.regex(text('unipath.sysusers'), new RegExp(`^g ${group} `, 'm'));
});

test('what the default configuration has as examples is right, too', (t) => {
  const shown = text('unipath.yaml').replace('adapters: []', '').replaceAll(/^# ((?: *- |  )?\S*[a-z]+: ?.*|  +.*)$/gm, '$1');
  const { desired, settings } = parseConfig(shown.split('\n').filter((line) => !/^[A-Z]/.test(line)).join('\n'), 'unipath.yaml');
  t.is(desired.adapters.length, 1);
  t.is(settings.hypervisors.length, 1);
});

test('every capability of the unit has its reason in the operating guide and in the README', (t) => {
  const names = /^CapabilityBoundingSet=(.+)$/m.exec(text('unipathd.service'))?.[1]?.split(' ') ?? [];
  t.true(names.length > 0);
  for (const page of ['docs/operating.md', 'README.md']) {
    const shown = [...readFileSync(join(packageRoot, page), 'utf8').matchAll(/^\| `?(CAP_[A-Z_]+)`? \| \S/gm)].map(([, name]) => name);
    t.deepEqual(shown.sort(), [...names].sort(), page);
  }
});

testWith(needs.tool('systemd-analyze'))('systemd takes the unit', (t) => {
  const folder = temporaryFolder(t);
  const unit = join(folder, 'unipathd.service');
  // systemd wants the programs to be there.
  writeFileSync(unit, text('unipathd.service').replaceAll(/\/usr\/s?bin\/unipathd?/g, '/bin/true'));
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
  t.deepEqual(stderr.split('\n').filter((line) => line.includes('unipathd')), []);
});

testWith(needs.tool('sh'))('the scripts of the package are shell', (t) => {
  for (const script of ['DEBIAN/preinst', 'RPM/pre', 'DEBIAN/postinst', 'DEBIAN/prerm', 'DEBIAN/postrm', 'RPM/post', 'RPM/preun', 'RPM/postun', 'RPM/posttrans', 'unipath.sh', 'unipathd.sh']) {
    t.is(spawnSync('sh', ['-n', join(files, script)], { encoding: 'utf8' }).stderr, '', script);
  }
});

test('over programs of another version nothing is installed, over those of its own it is', (t) => {
  const pins = join(temporaryFolder(t), 'unipath');
  const install = (script: string, folder: string | null): number | null => {
    rmSync(pins, { recursive: true, force: true });
    if (folder !== null) mkdirSync(join(pins, folder), { recursive: true });
    return spawnSync('sh', ['-c', packageScript(script).replaceAll('/sys/fs/bpf/unipath', pins), 'sh', 'upgrade'], { stdio: 'ignore' }).status;
  };
  for (const script of ['DEBIAN/preinst', 'RPM/pre']) {
    t.deepEqual([null, `v${ContractLimit.CONTRACT_VERSION}`, `v${ContractLimit.CONTRACT_VERSION - 1}`].map((folder) => install(script, folder)), [0, 0, 1], script);
  }
});
