/** What the set-up says about real guests. Nothing is installed or downloaded here. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { packageRoot } from '../../../src/paths.js';

interface GuestSetup {
  dependencyIn(output: string): string | null;
  whyNoGuestsHere(arch: string): string | null;
  guestRequirements: readonly { what: string; apt: string; dnf: string }[];
}
const guests = (await import(pathToFileURL(join(packageRoot, 'src/setup/guests.mjs')).href)) as GuestSetup;

test("the guests' kernel is the package that the distribution's newest is", (t) => {
  t.is(guests.dependencyIn('linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n'), 'linux-image-6.1.0-56-amd64');
  t.is(guests.dependencyIn('linux-image-amd64\n  Suggests: linux-doc\n'), null);
  t.is(guests.dependencyIn(''), null);
});

test('guests are for x86-64, and every package has a name for both managers', (t) => {
  t.is(guests.whyNoGuestsHere('x64'), null);
  t.regex(guests.whyNoGuestsHere('arm64') ?? '', /this one is arm64/);
  for (const { apt, dnf, what } of guests.guestRequirements) t.true(apt !== '' && dnf !== '', what);
});
