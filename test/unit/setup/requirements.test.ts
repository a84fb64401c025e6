/** What the set-up says of a machine, and what it would run. Nothing is installed here. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { packageRoot } from '../../../src/paths.js';

interface Requirement {
  what: string;
  apt: string;
  dnf: string;
  present: () => boolean;
}
interface Requirements {
  whyUnfit(machine: Record<string, string | number>): string | null;
  kernelIsAtLeast(release: string, oldest: readonly [number, number]): boolean;
  missingRequirements(all: readonly Requirement[]): readonly Requirement[];
  installCommands(missing: readonly Requirement[], manager: 'apt' | 'dnf' | null): readonly (readonly string[])[];
  hasCommand(name: string, path?: string): boolean;
}

const setup = (await import(pathToFileURL(join(packageRoot, 'src/setup/requirements.mjs')).href)) as Requirements;
const fit = { platform: 'linux', uid: 0, release: '6.1.0-13-amd64', node: '20.20.2', filesystems: 'nodev\tsysfs\nnodev\tbpf\n' };

test('a fit machine has nothing against it', (t) => {
  t.is(setup.whyUnfit(fit), null);
});

for (const [what, change, sentence] of [
  ['not Linux', { platform: 'darwin' }, /cannot run on darwin: use a Linux host/],
  ['an old Node.js', { node: '18.19.0' }, /Node\.js 18\.19\.0 is too old: install Node\.js 20/],
  ['an old kernel', { release: '5.10.0-28-amd64' }, /Linux 5\.10\.0-28-amd64 is too old: boot Linux 5\.18/],
  ['not root', { uid: 1000 }, /with sudo/],
  ['no bpf file system', { filesystems: 'nodev\tsysfs\nnodev\tbpffoo\n' }, /no bpf file system/],
] as const) {
  test(`${what}: one sentence with the remedy`, (t) => {
    const reason = setup.whyUnfit({ ...fit, ...change }) ?? '';
    t.regex(reason, sentence);
    t.notRegex(reason, /\n/);
  });
}

test('kernel releases are compared by number', (t) => {
  t.true(setup.kernelIsAtLeast('5.18.0', [5, 18]));
  t.true(setup.kernelIsAtLeast('6.2-rc1', [5, 18]));
  t.false(setup.kernelIsAtLeast('5.9.16', [5, 18]));
  t.false(setup.kernelIsAtLeast('4.19.0', [5, 18]));
});

const need = (what: string, apt: string, dnf: string, there: boolean): Requirement => ({ what, apt, dnf, present: () => there });

test('only what is missing is installed, each package once, by the manager that is there', (t) => {
  const missing = setup.missingRequirements([
    need('ip', 'iproute2', 'iproute', false), need('bridge', 'iproute2', 'iproute', false), need('g++', 'g++', 'gcc-c++', false),
    need('make', 'make', 'make', true),
  ]);
  t.deepEqual(missing.map(({ what }) => what), ['ip', 'bridge', 'g++']);
  t.deepEqual(setup.installCommands(missing, 'apt').at(-1), ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'iproute2', 'g++']);
  t.deepEqual(setup.installCommands(missing, 'dnf'), [['dnf', 'install', '-y', '-q', 'iproute', 'gcc-c++']]);
  t.deepEqual(setup.installCommands(missing, null), []);
  t.deepEqual(setup.installCommands([], 'apt'), []);
});

test('a command is looked for on the PATH and where root\'s PATH may not look', (t) => {
  t.true(setup.hasCommand('sh', '/bin'));
  t.false(setup.hasCommand('no-such-command-here', '/bin'));
});
