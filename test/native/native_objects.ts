/** The small BPF objects of these tests: compiled on first use, into a folder that goes with the process. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { BpfObject, type OpenOptions } from '../../src/native/object.js';
import { packageRoot } from '../../src/paths.js';
import { compileBpf } from '../support/compile.js';
import { needs, testWith } from '../support/require.js';

/** A test that loads programs into the kernel. */
export const kernelTest = testWith(needs.root(), needs.tool('clang'));
/** One that also attaches them, in namespaces of its own. */
export const attachTest = testWith(needs.root(), needs.tool('clang'), needs.tool('ip'), needs.tool('nsenter'));

const sources = join(packageRoot, 'test', 'native', 'objects');
let folder: string | null = null;
const compiled = new Map<string, string>();

/** Path of the compiled objects/NAME.bpf.c. */
export function objectPath(name: string): string {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  if (folder === null) {
    const made = mkdtempSync(join(tmpdir(), 'unipath-native-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  const path = join(folder, `${name}.bpf.o`);
  compileBpf(readFileSync(join(sources, `${name}.bpf.c`), 'utf8'), path);
  compiled.set(name, path);
  return path;
}

/** Opened, loaded, and closed with the test. */
export async function loadSample(t: ExecutionContext, options: OpenOptions = {}): Promise<BpfObject> {
  const object = BpfObject.open(objectPath('sample'), options);
  t.teardown(() => object.close());
  await object.load();
  return object;
}

const pinRoot = '/sys/fs/bpf';
let swept = false;

/** Pins of test processes that were killed before they could clean up. */
function sweepPins(): void {
  if (swept) return;
  swept = true;
  for (const name of readdirSync(pinRoot)) {
    const owner = /^unipath-test-(\d+)$/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) rmSync(join(pinRoot, name), { recursive: true, force: true });
  }
}

/** A folder for pins below /sys/fs/bpf/unipath-test-PID/, removed with the test. */
export function pinFolder(t: ExecutionContext, label: string): string {
  sweepPins();
  const parent = join(pinRoot, `unipath-test-${process.pid}`);
  const path = join(parent, label);
  mkdirSync(path, { recursive: true });
  t.teardown(() => {
    rmSync(path, { recursive: true, force: true });
    // The last test to finish finds it empty.
    try {
      rmdirSync(parent);
    } catch {
      // another test still uses it
    }
  });
  return path;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** struct row of sample.bpf.c. */
export function row(a: number, b = 0, c = 0): Buffer {
  return Buffer.concat([u32(a), u32(b), u32(c)]);
}
