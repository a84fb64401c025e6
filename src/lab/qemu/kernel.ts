/** The guests' kernel: finds the unpacked package, and takes the kernel proper out of its compressed file. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { guestFiles } from './files.js';

export interface GuestKernel {
  /** "6.1.0-56-amd64" */
  readonly release: string;
  /** The compressed kernel of the package. */
  readonly image: string;
  /** Folder of its modules. */
  readonly modules: string;
}

/** "6.1.0-9" before "6.1.0-56". */
const byRelease = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

/** The newest kernel that the set-up has unpacked; null when there is none. */
export function findKernel(folder: string = guestFiles.kernel): GuestKernel | null {
  const boot = join(folder, 'boot');
  if (!existsSync(boot)) return null;
  const releases = readdirSync(boot).flatMap((name) => /^vmlinuz-(.+)$/.exec(name)?.[1] ?? []);
  const release = releases.sort(byRelease).at(-1);
  if (release === undefined) return null;
  const modules = [join(folder, 'lib/modules', release), join(folder, 'usr/lib/modules', release)].find((path) => existsSync(path));
  return modules === undefined ? null : { release, image: join(boot, `vmlinuz-${release}`), modules };
}

/** What the compressed part of a bzImage begins with, and what unpacks it. */
const UNPACKERS: readonly (readonly [magic: string, command: string, args: readonly string[]])[] = [
  ['fd377a585a00', 'xz', ['-dc', '--single-stream']],
  ['1f8b08', 'gzip', ['-dc']],
  ['28b52ffd', 'zstd', ['-dc']],
  ['02214c18', 'lz4', ['-dc']],
];

/** Where the compressed kernel is within a bzImage; see the kernel's Documentation/arch/x86/boot.rst. @throws Error when it is none */
export function findPayload(image: Buffer): { readonly start: number; readonly end: number } {
  if (image.toString('latin1', 0x202, 0x206) !== 'HdrS') throw new Error('not a Linux kernel for x86');
  const setupSectors = image[0x1f1] || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  return { start, end: start + image.readUInt32LE(0x24c) };
}

/** Unpackers find what follows the stream (its length) strange and say so; whether all came out is seen from the result. */
function unpack(payload: Buffer, file: string): Promise<void> {
  const found = UNPACKERS.find(([magic]) => payload.toString('hex', 0, magic.length / 2) === magic);
  if (found === undefined) throw new Error('the guests\' kernel is compressed in a way that is not known here');
  const [, command, args] = found;
  const out = openSync(file, 'w');
  return new Promise<void>((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ['pipe', out, 'ignore'] });
    child.stdin?.on('error', () => {});
    child.stdin?.end(payload);
    child.once('error', (error) => reject(new Error(`cannot run ${command} to unpack the guests' kernel: ${error.message}`)));
    child.once('close', () => resolve());
  }).finally(() => closeSync(out));
}

/**
 * The kernel as an ELF file: QEMU starts that at once, while a compressed one unpacks itself first, which takes an emulated
 * CPU four to five seconds.
 */
export async function unpackedKernel(kernel: GuestKernel): Promise<string> {
  const file = guestFiles.unpackedKernel(kernel.release);
  if (existsSync(file)) return file;
  mkdirSync(dirname(file), { recursive: true });
  const image = readFileSync(kernel.image);
  const { start, end } = findPayload(image);
  const unfinished = `${file}.${process.pid}`;
  await unpack(image.subarray(start, end), unfinished);
  if (readFileSync(unfinished).toString('latin1', 1, 4) !== 'ELF') {
    rmSync(unfinished);
    throw new Error(`${kernel.image} could not be unpacked: remove ${guestFiles.kernel} and run the set-up again`);
  }
  renameSync(unfinished, file);
  return file;
}
