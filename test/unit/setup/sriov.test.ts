/** What the set-up says about machines with emulated adapters. Nothing is installed or downloaded here. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { packageRoot } from '../../../src/paths.js';

interface NewerDebian {
  aptOptions(folder: string): readonly string[];
  debianMirror(targets: string): string;
}
interface SriovSetup {
  whyNoAdaptersHere(arch: string): string | null;
}
const setupModule = (name: string): Promise<unknown> => import(pathToFileURL(join(packageRoot, 'src/setup', name)).href);
const newer = (await setupModule('newer_debian.mjs')) as NewerDebian;
const sriov = (await setupModule('sriov.mjs')) as SriovSetup;

test("apt touches nothing of the machine's own", (t) => {
  const options = newer.aptOptions('/project/build/debian.apt');
  const settings = new Map(options.filter((word) => word !== '-o').map((word) => word.split('=', 2) as [string, string]));
  for (const key of ['Dir::State', 'Dir::State::status', 'Dir::Cache', 'Dir::Etc::sourcelist'])
    t.true(settings.get(key)?.startsWith('/project/build/debian.apt'), key);
  t.is(settings.get('Dir::Etc::sourceparts'), '/dev/null');
});

test('they are for x86-64', (t) => {
  t.is(sriov.whyNoAdaptersHere('x64'), null);
  t.regex(sriov.whyNoAdaptersHere('arm64') ?? '', /this one is arm64/);
});

test("packages come from where the machine's own come from", (t) => {
  const targets = ['http://security.example/s/ Debian bookworm-security', 'http://other.example/ Other bookworm', 'http://mirror.example/debian/ Debian bookworm'];
  t.is(newer.debianMirror(targets.join('\n')), 'http://mirror.example/debian/');
  t.throws(() => newer.debianMirror('http://other.example/ Other bookworm\n'), { message: /none of the package sources/ });
});
