import { execFileSync } from 'node:child_process';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { usualSocket } from '../../../src/control/usual_socket.js';
import { temporaryFolder } from '../../support/control_socket.js';
import { needs, testWith } from '../../support/require.js';

const NOBODY = 65_534;

test('the socket for everything, unless only the other is there', (t) => {
  const folder = temporaryFolder(t);
  const [all, read] = [join(folder, 'all'), join(folder, 'read')];
  t.is(usualSocket(all, read), all);
  writeFileSync(read, '');
  t.is(usualSocket(all, read), read);
  writeFileSync(all, '');
  t.is(usualSocket(all, read), all);
});

testWith(needs.root(), needs.tool('setpriv'))('who may not open the one for everything gets the one for reading', (t) => {
  const folder = temporaryFolder(t);
  const [all, read] = [join(folder, 'all'), join(folder, 'read')];
  for (const path of [all, read]) writeFileSync(path, '', { mode: 0o600 });
  chownSync(all, NOBODY, NOBODY);
  const module = new URL('../../../src/control/usual_socket.js', import.meta.url);
  const program = `import('${module}').then(({ usualSocket }) => process.stdout.write(usualSocket('${all}', '${read}')))`;
  const asked = (...setpriv: readonly string[]): string => execFileSync('setpriv', [...setpriv, process.execPath, '-e', program], { encoding: 'utf8' });
  t.is(asked(), all);
  // Root without capabilities may open what is root's.
  t.is(asked('--bounding-set=-all', '--inh-caps=-all'), read);
});
