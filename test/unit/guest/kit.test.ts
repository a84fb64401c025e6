import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { layOut } from '../../../src/guest/kit/pack.js';
import { packageRoot, pluginObjectPath } from '../../../src/paths.js';
import { needs, testWith } from '../../support/require.js';

const files = join(packageRoot, 'src/guest/kit/files');
const kitTest = testWith(needs.file(pluginObjectPath, 'bpf/plugin.bpf.o (make -C bpf)'));
const unitTest = testWith(needs.tool('systemd-analyze'));

function scratch(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-kit-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Nic {
  readonly mac: string;
  readonly bus?: string;
  readonly port?: string;
}

/** A /sys with these netdevs. */
function sysfs(t: ExecutionContext, nics: Readonly<Record<string, Nic>>): string {
  const root = scratch(t);
  for (const [name, { mac, bus, port }] of Object.entries(nics)) {
    const folder = join(root, 'class/net', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'address'), `${mac}\n`);
    if (port !== undefined) writeFileSync(join(folder, 'phys_port_name'), `${port}\n`);
    if (bus === undefined) continue;
    mkdirSync(join(folder, 'device'));
    symlinkSync(`../../../../bus/${bus}`, join(folder, 'device', 'subsystem'));
  }
  return root;
}

test('left alone are a standby, and what has the MAC address of a virtio NIC', (t) => {
  const root = sysfs(t, {
    lo: { mac: '00:00:00:00:00:00' },
    eth0: { mac: '52:54:00:aa:00:01', bus: 'virtio' },
    ens3nsby: { mac: '52:54:00:aa:00:01', bus: 'virtio', port: 'sby' },
    eth2: { mac: '52:54:00:aa:00:01', bus: 'pci' },
    'eth0.5': { mac: '52:54:00:aa:00:01' },
    eth3: { mac: '52:54:00:aa:00:03', bus: 'pci' },
    eth4: { mac: '52:54:00:aa:00:03', bus: 'pci', port: 'p0' },
  });
  const asked = readdirSync(join(root, 'class/net')).filter(
    (name) => spawnSync('sh', [join(files, 'unipath-leave-alone'), name], { env: { ...process.env, UNIPATH_SYSFS: root } }).status === 0,
  );
  t.deepEqual(asked.sort(), ['ens3nsby', 'eth2']);
  for (const name of ['', 'nosuch', '../..']) t.not(spawnSync('sh', [join(files, 'unipath-leave-alone'), name], { env: { ...process.env, UNIPATH_SYSFS: root } }).status, 0);
});

kitTest('the kit is complete: it runs far from where it was made; it is installed, and taken away again', (t) => {
  const root = scratch(t);
  const kit = join(root, 'unipath-guest');
  layOut(kit);
  const destination = join(root, 'destination');
  const install = (...args: string[]): void => void execFileSync('sh', [join(kit, 'install.sh'), ...args], { env: { ...process.env, DESTDIR: destination } });
  install();
  install();
  const installed = execFileSync('find', ['.', '(', '-type', 'f', '-o', '-type', 'l', ')', '-not', '-path', './opt/*'], { cwd: destination, encoding: 'utf8' });
  t.deepEqual(installed.trim().split('\n').sort(), [
    './etc/NetworkManager/conf.d/90-unipath-guest.conf',
    './etc/systemd/network/10-unipath-guest.network',
    './etc/systemd/system/unipath-guest@.service',
    './etc/udev/rules.d/70-unipath-guest.rules',
    './usr/local/bin/unipath',
  ]);
  const there = join(destination, 'opt/unipath-guest/bin');
  // This machine need not be a fit guest: what counts is that it is looked at.
  const check = spawnSync(join(there, 'unipath'), ['guest', 'check', '-j'], { encoding: 'utf8', cwd: '/' });
  t.true(check.status === 0 || check.status === 4, check.stderr);
  t.true(Array.isArray((JSON.parse(check.stdout) as { findings: unknown }).findings));
  t.regex(spawnSync(join(there, 'unipath-guest-agent'), [], { encoding: 'utf8', cwd: '/' }).stderr, /--pins is missing/);
  t.false(existsSync(join(destination, 'opt/unipath-guest/build/src/lab')));
  install('--uninstall');
  t.deepEqual(execFileSync('find', ['.', '(', '-type', 'f', '-o', '-type', 'l', ')'], { cwd: destination, encoding: 'utf8' }), '');
});

test('the files name each other as they are', (t) => {
  const text = (name: string): string => readFileSync(join(files, name), 'utf8');
  t.regex(text('70-unipath-guest.rules'), /ENV\{UNIPATH_LEAVE_ALONE\}="1"/);
  t.regex(text('10-unipath-guest.network'), /^Property=UNIPATH_LEAVE_ALONE=1$/m);
  t.regex(text('70-unipath-guest.rules'), /"\/opt\/unipath-guest\/bin\/unipath-leave-alone %k"/);
  t.regex(text('unipath-guest@.service'), /^ExecStart=\/opt\/unipath-guest\/bin\/unipath-guest-agent --interface %I /m);
});

unitTest('systemd takes the unit', (t) => {
  const folder = scratch(t);
  // systemd wants the program to be there.
  const unit = readFileSync(join(files, 'unipath-guest@.service'), 'utf8').replace('/opt/unipath-guest/bin/unipath-guest-agent', '/bin/true');
  writeFileSync(join(folder, 'unipath-guest@eth0.service'), unit);
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', join(folder, 'unipath-guest@eth0.service')], { encoding: 'utf8' });
  t.deepEqual(stderr.split('\n').filter((line) => line.includes('unipath-guest')), []);
});
