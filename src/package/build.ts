/**
 * Makes build/unipath_VERSION_ARCHITECTURE.deb: npm run package. The addons and the Node.js in it are this machine's: a host needs the same
 * architecture and a C library that is not older.
 */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { run } from '../host/exec.js';
import { packageRoot } from '../paths.js';
import { version as ownVersion } from '../version.js';
import { controlFile, debianArchitecture } from './texts.js';
import { CONFFILES, contentOf, packageTree, type PackageFile } from './tree.js';

const SCRIPTS = ['postinst', 'prerm', 'postrm'];
const BUILD_MS = 300_000;

export interface PackageOptions {
  /** Default: that of this project. */
  readonly version?: string;
  /** The file to make; default below build/. */
  readonly target?: string;
  /** xz (default) is small; none is quick. */
  readonly compression?: 'xz' | 'none';
  /** That goes along; default: the one that runs this. */
  readonly node?: string;
}

/** Lays the files of the package out in a folder. @returns md5sum(1) of each. @throws Error when something has not been built */
function layOutFiles(folder: string, files: readonly PackageFile[]): string {
  return files.map((file) => {
    if ('file' in file.source && !existsSync(file.source.file)) throw new Error(`${file.source.file} is not there: run \`npm run build\``);
    const content = file.isCompressed === true ? gzipSync(contentOf(file), { level: 9 }) : contentOf(file);
    const to = join(folder, file.to);
    mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
    writeFileSync(to, content);
    chmodSync(to, file.isExecutable === true ? 0o755 : 0o644);
    return `${createHash('md5').update(content).digest('hex')}  ${file.to.slice(1)}\n`;
  }).join('');
}

/** Of the C library that the addons were linked with. */
const glibcVersion = (): string => (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime ?? '2.36';

/** What dpkg-deb makes the package of: the files as on a host, and DEBIAN. @throws Error when something has not been built */
export function layOut(folder: string, { version = ownVersion, node = process.execPath }: PackageOptions = {}): void {
  const date = new Date(Number(process.env['SOURCE_DATE_EPOCH'] ?? Date.now() / 1000) * 1000);
  const sums = layOutFiles(folder, packageTree({ version, date, arch: process.arch, node }));
  const bytes = statSizes(folder);
  const control = join(folder, 'DEBIAN');
  mkdirSync(control, { mode: 0o755 });
  writeFileSync(join(control, 'control'), controlFile(version, process.arch, glibcVersion(), Math.ceil(bytes / 1024)));
  writeFileSync(join(control, 'conffiles'), CONFFILES.map((path) => `${path}\n`).join(''));
  writeFileSync(join(control, 'md5sums'), sums);
  for (const script of SCRIPTS) {
    cpSync(join(packageRoot, 'src/package/files/DEBIAN', script), join(control, script));
    chmodSync(join(control, script), 0o755);
  }
}

function statSizes(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.reduce((bytes, entry) => bytes + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0), 0);
}

/** @returns the package's path */
export async function buildPackage(options: PackageOptions = {}): Promise<string> {
  const { version = ownVersion, compression = 'xz' } = options;
  const target = options.target ?? join(packageRoot, 'build', `unipath_${version}_${debianArchitecture(process.arch)}.deb`);
  const scratch = mkdtempSync(join(tmpdir(), 'unipath-package-'));
  try {
    const folder = join(scratch, 'unipath');
    mkdirSync(folder, { mode: 0o755 });
    layOut(folder, options);
    await run('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', folder, target], { timeoutMs: BUILD_MS });
    return target;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  buildPackage().then(
    (path) => process.stdout.write(`${path}\n`),
    (error: unknown) => {
      process.stderr.write(`package: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
