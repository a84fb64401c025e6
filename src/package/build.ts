/**
 * npm run package: makes build/unipath_VERSION_ARCHITECTURE.deb and build/unipath-VERSION-1.ARCHITECTURE.rpm, as far as the tools for them are
 * here. The addons and the Node.js in them are this machine's: a host needs the same architecture and a C library that is not older.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../paths.js';
import { buildDeb } from './deb.js';
import { buildRpm } from './rpm.js';

const KINDS = [
  { tool: 'dpkg-deb', whose: 'Debian', build: buildDeb },
  { tool: 'rpmbuild', whose: 'Fedora and RHEL', build: buildRpm },
] as const;

const { hasCommand } = (await import(pathToFileURL(join(packageRoot, 'src/setup/requirements.mjs')).href)) as { hasCommand(name: string): boolean };

try {
  const possible = KINDS.filter(({ tool }) => hasCommand(tool));
  for (const kind of KINDS) if (!possible.includes(kind)) process.stderr.write(`package: none for ${kind.whose}: ${kind.tool} is missing\n`);
  if (possible.length === 0) throw new Error('install dpkg or rpm-build');
  for (const { build } of possible) process.stdout.write(`${await build()}\n`);
} catch (error) {
  process.stderr.write(`package: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
