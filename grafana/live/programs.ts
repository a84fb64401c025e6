/** Where the programs of Prometheus are: what the set-up unpacked, or what is installed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/paths.js';

export type PrometheusProgram = 'prometheus' | 'promtool';

/** Its path, or its name where it is found by that. */
export function programPath(name: PrometheusProgram): string {
  const unpacked = join(packageRoot, 'build/prometheus/usr/bin', name);
  return existsSync(unpacked) ? unpacked : name;
}
