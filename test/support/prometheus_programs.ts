/** The programs of Prometheus in tests. */
import { spawnSync } from 'node:child_process';
import { type PrometheusProgram, programPath } from '../../grafana/live/programs.js';
import { needs, type Missing } from './require.js';

export function needsProgram(name: PrometheusProgram): Missing {
  return programPath(name) === name ? needs.tool(name) : null;
}

/** Everything that promtool prints, and whether it was content. */
export function promtool(args: readonly string[], input = ''): { readonly content: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(programPath('promtool'), args, { input, encoding: 'utf8' });
  return { content: status === 0, output: `${stdout}${stderr}` };
}
