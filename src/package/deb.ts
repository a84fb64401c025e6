/** The package as Debian has it, made by dpkg-deb(1). */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../host/exec.js';
import { packageRoot } from '../paths.js';
import { version as ownVersion } from '../version.js';
import { buildDate, glibcVersion, layOutFiles, type PackageOptions } from './lay_out.js';
import { packageScript } from './scripts.js';
import { controlFile, debianArchitecture } from './texts.js';
import { CONFFILES, packageTree } from './tree.js';

const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm'];
const BUILD_MS = 900_000;

/** What dpkg-deb makes the package of: the files as on a host, and DEBIAN. @throws Error when something has not been built */
function layOut(folder: string, { version = ownVersion, node = process.execPath }: PackageOptions = {}): void {
  const sums = layOutFiles(folder, packageTree({ version, date: buildDate(), arch: process.arch, node, kind: 'deb' }));
  const bytes = statSizes(folder);
  const control = join(folder, 'DEBIAN');
  mkdirSync(control, { mode: 0o755 });
  writeFileSync(join(control, 'control'), controlFile(version, process.arch, glibcVersion(), Math.ceil(bytes / 1024)));
  writeFileSync(join(control, 'conffiles'), CONFFILES.map((path) => `${path}\n`).join(''));
  writeFileSync(join(control, 'md5sums'), sums);
  for (const script of SCRIPTS) {
    writeFileSync(join(control, script), packageScript(`DEBIAN/${script}`));
    chmodSync(join(control, script), 0o755);
  }
}

function statSizes(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.reduce((bytes, entry) => bytes + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0), 0);
}

/** @returns the package's path */
export async function buildDeb(options: PackageOptions = {}): Promise<string> {
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
