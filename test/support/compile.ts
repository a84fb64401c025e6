/** Throw-away BPF objects made of a few lines of C and the headers of maps/. Needs clang. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/paths.js';
import { findElfSection } from '../../src/btf/elf.js';

export const mapsFolder = join(packageRoot, 'maps');

/** Calls `use` with a new folder, which is gone afterwards. */
export function withFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'unipath-test-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The C library's headers are below a folder named after the machine; clang -target bpf does not look there. */
function machineHeaders(): string {
  return join('/usr/include', execFileSync('clang', ['-print-target-triple'], { encoding: 'utf8' }).trim().replace('-pc-', '-'));
}

/** Compiles `source` to the object file `output`. @throws Error with clang's output. */
export function compileBpf(source: string, output: string, includes: readonly string[] = [mapsFolder]): void {
  const sourcePath = `${output}.c`;
  writeFileSync(sourcePath, source);
  const folders = includes.map((folder) => `-I${folder}`);
  execFileSync('clang', ['-O2', '-g', '-target', 'bpf', ...folders, '-idirafter', machineHeaders(), '-c', sourcePath, '-o', output], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Raw BTF of `source`, as the compiler writes it. */
export function compileBtf(source: string, includes?: readonly string[]): Buffer {
  return withFolder((folder) => {
    const output = join(folder, 'object.o');
    compileBpf(source, output, includes);
    const btf = findElfSection(readFileSync(output), '.BTF');
    if (btf === null) throw new Error('clang wrote no BTF');
    return Buffer.from(btf);
  });
}
