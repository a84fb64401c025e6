/**
 * Packs what a guest needs into build/unipath-guest-VERSION.tar.gz: npm run guest-kit.
 * The addons in it are this machine's: a guest needs the same architecture, and a C library that is not older.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { run } from '../../host/exec.js';
import { packageRoot, pluginObjectPath } from '../../paths.js';
import { version } from '../../version.js';
import { runtimeFiles, runtimePackages } from './runtime_files.js';

const SOURCES = join(packageRoot, 'src', 'guest', 'kit', 'files');
const CONFIGURATION = ['unipath-guest@.service', '70-unipath-guest.rules', '10-unipath-guest.network', '90-unipath-guest.conf'];
const COMMANDS = ['unipath', 'unipath-guest-agent', 'unipath-leave-alone'];
/** Parts of the project that no guest runs. */
const HOST_ONLY = new Set(['lab', 'bench', 'fuzz', 'setup']);

/** From where, to where in the kit. */
export function kitFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const asIs = [
    join(packageRoot, 'package.json'),
    pluginObjectPath,
    ...runtimeFiles(join(packageRoot, 'build', 'src'), HOST_ONLY),
    ...runtimeFiles(join(packageRoot, 'build', 'maps')),
    ...runtimePackages(packageRoot).flatMap((folder) => runtimeFiles(folder)),
  ];
  for (const from of asIs) files.set(from, from.slice(packageRoot.length + 1));
  for (const name of CONFIGURATION) files.set(join(SOURCES, name), join('etc', name));
  for (const name of COMMANDS) files.set(join(SOURCES, name), join('bin', name));
  for (const name of ['install.sh', 'README.md']) files.set(join(SOURCES, name), name);
  return files;
}

/** Lays the kit out as a folder. @throws Error when something has not been built */
export function layOut(folder: string): void {
  for (const [from, to] of kitFiles()) {
    if (!existsSync(from)) throw new Error(`${from} is not there: run \`npm run build\``);
    mkdirSync(join(folder, dirname(to)), { recursive: true });
    cpSync(from, join(folder, to));
  }
  for (const name of [...COMMANDS.map((command) => join('bin', command)), 'install.sh']) chmodSync(join(folder, name), 0o755);
  writeFileSync(join(folder, 'VERSION'), `${version}\n`);
}

/** @returns the archive's path */
export async function packKit(target = join(packageRoot, 'build', `unipath-guest-${version}.tar.gz`)): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'unipath-kit-'));
  try {
    layOut(join(scratch, 'unipath-guest'));
    const owner = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name'];
    await run('tar', ['-czf', target, ...owner, '-C', scratch, 'unipath-guest'], { timeoutMs: 120_000 });
    return target;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  packKit().then(
    (path) => process.stdout.write(`${path}\n`),
    (error: unknown) => {
      process.stderr.write(`guest kit: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
