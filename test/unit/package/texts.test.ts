import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { changelog, controlFile, copyright, debianArchitecture } from '../../../src/package/texts.js';
import { temporaryFolder } from '../../support/control_socket.js';

test('the control file names what a host needs, and no line of it is another field', (t) => {
  const lines = controlFile('1.2.3', 'x64', '2.36', 1000).split('\n');
  for (const line of ['Package: unipath', 'Version: 1.2.3', 'Architecture: amd64', 'Installed-Size: 1000']) t.true(lines.includes(line), line);
  t.regex(lines.find((line) => line.startsWith('Depends: ')) ?? '', /^Depends: libc6 \(>= 2\.36\), .*libbpf1 \(>= 1:1\.1\)/);
  t.is(lines.at(-1), '');
  for (const line of lines.slice(0, -1)) t.regex(line, /^([A-Z][A-Za-z-]+: | \S)/);
});

test('there are packages for machines that were tried only', (t) => {
  t.is(debianArchitecture('arm64'), 'arm64');
  t.throws(() => debianArchitecture('s390x'), { message: 'there are packages for amd64 and arm64 only, and this machine is s390x' });
});

test('the changelog has the date as Debian writes it', (t) => {
  t.true(changelog('1.2.3', new Date(Date.UTC(2026, 10, 5, 7, 8, 9))).endsWith('>  Thu, 05 Nov 2026 07:08:09 +0000\n'));
});

test('whatever goes along has its licence in the copyright file', (t) => {
  const folder = temporaryFolder(t);
  const make = (name: string, files: Readonly<Record<string, string>>): string => {
    mkdirSync(join(folder, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), text);
    return join(folder, name);
  };
  const packages = [
    make('a', { 'package.json': '{"name":"a","version":"1.0.0","license":"MIT"}', 'license.md': 'Copyright A' }),
    make('b', { 'package.json': '{"name":"b","version":"2.0.0","license":"BSD-2-Clause"}', LICENCE: 'Copyright B' }),
    make('c', { 'package.json': '{"name":"c","version":"3.0.0","license":"ISC"}' }),
    make('node/bin', {}),
  ];
  make('node', { LICENSE: 'Copyright Node.js' });
  const text = copyright(packages.slice(0, 3), join(folder, 'node/bin/node'));
  for (const part of ['a 1.0.0 (MIT)\n', 'Copyright A', 'b 2.0.0 (BSD-2-Clause)\n', 'Copyright B', 'c 3.0.0 (ISC)\n', 'Copyright Node.js']) t.true(text.includes(part), part);
});
