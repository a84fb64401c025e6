/** Sizes, offsets, types and enum values as a C compiler of this machine sees the same headers, against those taken from BTF. */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { hostFingerprint, pluginFingerprint } from '../../maps/generated/contract.js';
import type { Fingerprint } from '../../src/btf/verify.js';
import { packageRoot } from '../../src/paths.js';
import { mapsFolder, withFolder } from '../support/compile.js';
import { needs, testWith } from '../support/require.js';

const compiler = needs.tool('gcc') === null ? 'gcc' : 'clang';
const compilerTest = testWith(compiler === 'gcc' ? null : needs.tool('clang'));

/** One printf per fact; `typesMatch` is the compiler's own word for it. */
function factLines(fingerprint: Fingerprint): string[] {
  const lines: string[] = [];
  for (const [name, fact] of Object.entries(fingerprint.structs)) {
    const [struct, field] = name.split('.');
    if (field === undefined) {
      lines.push(`printf("${name} size=%zu\\n", sizeof(struct ${struct}));`);
    } else {
      const member = `((struct ${struct} *)0)->${field}`;
      // The kernel's union has no name in C.
      const match = fact.type === 'union bpf_prog' ? '1' : `__builtin_types_compatible_p(__typeof__(${member}), ${fact.type})`;
      lines.push(`printf("${name} offset=%zu typesMatch=%d\\n", offsetof(struct ${struct}, ${field}), ${match});`);
    }
  }
  for (const [name, fact] of Object.entries(fingerprint.enums)) {
    lines.push(`printf("${name} size=%zu\\n", sizeof(${name}));`);
    for (const value of Object.keys(fact).filter((key) => key !== 'size')) lines.push(`printf("${value}=%lld\\n", (long long)${value});`);
  }
  return lines;
}

function expectedLines(fingerprint: Fingerprint): string[] {
  const lines: string[] = [];
  for (const [name, fact] of Object.entries(fingerprint.structs)) {
    lines.push(name.includes('.') ? `${name} offset=${fact.offset} typesMatch=1` : `${name} size=${fact.size}`);
  }
  for (const [name, { size, ...values }] of Object.entries(fingerprint.enums)) {
    lines.push(`${name} size=${size}`, ...Object.entries(values).map(([value, number]) => `${value}=${number}`));
  }
  return lines;
}

function checkAgainstC(t: ExecutionContext, fingerprint: Fingerprint): void {
  const headers = readdirSync(mapsFolder).filter((file) => file.endsWith('.h')).map((file) => `#include "${file}"`);
  const main = ['int main(void)', '{', ...factLines(fingerprint), 'return 0;', '}'];
  const program = ['#include <stddef.h>', '#include <stdio.h>', ...headers, ...main];
  const printed = withFolder((folder) => {
    const [source, binary] = [join(folder, 'layout.c'), join(folder, 'layout')];
    writeFileSync(source, program.join('\n'));
    execFileSync(compiler, [`-I${join(packageRoot, 'test', 'contract', 'include')}`, `-I${mapsFolder}`, source, '-o', binary]);
    return execFileSync(binary, { encoding: 'utf8' });
  });
  t.deepEqual(printed.trimEnd().split('\n'), expectedLines(fingerprint));
}

compilerTest('the host contract is what a C compiler sees', (t) => checkAgainstC(t, hostFingerprint));
compilerTest('the plug-in contract is what a C compiler sees', (t) => checkAgainstC(t, pluginFingerprint));
