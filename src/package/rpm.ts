/** The package as Fedora, RHEL and SUSE have it, made by rpmbuild(8). */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../host/exec.js';
import { packageRoot } from '../paths.js';
import { version as ownVersion } from '../version.js';
import { buildDate, glibcVersion, layOutFiles, type PackageOptions } from './lay_out.js';
import { packageScript } from './scripts.js';
import { rpmArchitecture, type RpmScripts, specFile } from './spec.js';
import { packageTree } from './tree.js';

const BUILD_MS = 900_000;
/** rpm's words for how the files are packed. */
const PAYLOADS = { xz: 'w6.xzdio', none: 'w.ufdio' } as const;

const script = (name: string): string => packageScript(`RPM/${name}`);
const scripts = (): RpmScripts => ({ pre: script('pre'), post: script('post'), preun: script('preun'), postun: script('postun'), posttrans: script('posttrans') });

/** @returns the package's path. @throws Error when something has not been built */
export async function buildRpm(options: PackageOptions = {}): Promise<string> {
  const { version = ownVersion, compression = 'xz', node = process.execPath } = options;
  const arch = rpmArchitecture(process.arch);
  const target = options.target ?? join(packageRoot, 'build', `unipath-${version}-1.${arch}.rpm`);
  const scratch = mkdtempSync(join(tmpdir(), 'unipath-package-'));
  try {
    const files = packageTree({ version, date: buildDate(), arch: process.arch, node, kind: 'rpm' });
    const folder = join(scratch, 'unipath');
    mkdirSync(folder, { mode: 0o755 });
    layOutFiles(folder, files);
    const spec = join(scratch, 'unipath.spec');
    writeFileSync(spec, specFile({ version, files, glibc: glibcVersion(), folder, scripts: scripts() }));
    const macros = {
      _topdir: join(scratch, 'rpmbuild'), _tmppath: join(scratch, 'tmp'), _rpmdir: scratch, _build_name_fmt: 'unipath.rpm', _binary_payload: PAYLOADS[compression],
      _buildhost: 'unipath', use_source_date_epoch_as_buildtime: '1', clamp_mtime_to_source_date_epoch: '1',
    };
    const defines = Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
    await run('rpmbuild', ['-bb', '--quiet', '--target', arch, ...defines, spec], { timeoutMs: BUILD_MS });
    copyFileSync(join(scratch, 'unipath.rpm'), target);
    return target;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
