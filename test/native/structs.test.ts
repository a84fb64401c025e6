/** The offsets of structs.ts against the C compiler and the installed headers. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { layouts } from '../../src/native/structs.js';
import { withFolder } from '../support/compile.js';
import { needs, testWith } from '../support/require.js';

const headersTest = testWith(needs.tool('cc'), needs.file('/usr/include/bpf/libbpf.h', "libbpf's headers"));

/** Prints `struct member offset` lines, and `struct (size) bytes`. */
function program(): string {
  const headers = [...new Set(layouts.map((layout) => layout.header))];
  const prints = layouts.flatMap(({ type, at }) => [
    ...Object.keys(at).map((member) => `printf("${type} ${member} %zu\\n", offsetof(${type}, ${member}));`),
    `printf("${type} (size) %zu\\n", sizeof(${type}));`,
  ]);
  return [
    '#include <stdio.h>',
    '#include <stddef.h>',
    ...headers.map((header) => `#include <${header}>`),
    'int main(void) {',
    ...prints,
    'return 0; }',
  ].join('\n');
}

headersTest('every member is where the headers have it', (t) => {
  const said = withFolder((folder) => {
    const source = join(folder, 'offsets.c');
    const binary = join(folder, 'offsets');
    writeFileSync(source, program());
    execFileSync('cc', ['-o', binary, source]);
    return execFileSync(binary, { encoding: 'utf8' }).trim().split('\n');
  });
  const sizes = new Map(said.filter((line) => line.includes(' (size) ')).map((line) => line.split(' (size) ') as [string, string]));
  const offsets = said.filter((line) => !line.includes(' (size) ')).sort();
  const ours = layouts.flatMap(({ type, at }) => Object.entries(at).map(([member, offset]) => `${type} ${member} ${offset}`));
  t.deepEqual(ours.sort(), offsets);
  for (const { type, size, grows } of layouts) {
    const actual = Number(sizes.get(type));
    if (grows) t.true(size <= actual, `${type} has ${actual} bytes, ${size} are used`);
    else t.is(size, actual, type);
  }
});
