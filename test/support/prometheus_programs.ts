/** Where the programs of Prometheus are: what the set-up unpacked, or what is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/paths.js';
import { needs, type Missing } from './require.js';

type Program = 'prometheus' | 'promtool';

/** Its path, or its name where it is found by that. */
export function programPath(name: Program): string {
  const unpacked = join(packageRoot, 'build/prometheus/usr/bin', name);
  return existsSync(unpacked) ? unpacked : name;
}

export function needsProgram(name: Program): Missing {
  return existsSync(programPath(name)) ? null : needs.tool(name);
}

/** Everything that promtool prints, and whether it was content. */
export function promtool(args: readonly string[], input = ''): { readonly content: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(programPath('promtool'), args, { input, encoding: 'utf8' });
  return { content: status === 0, output: `${stdout}${stderr}` };
}
