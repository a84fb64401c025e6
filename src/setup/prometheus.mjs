/**
 * Prometheus, which the metrics, the rules and the dashboards are tested with. Its package is only unpacked, so that no service is
 * started. Plain JavaScript without dependencies, like the set-up it belongs to.
 */
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { hasCommand } from './requirements.mjs';
import { unpackPackage } from './unpack.mjs';

const PACKAGE = 'prometheus';
const PROGRAMS = ['prometheus', 'promtool'];

const haveAll = (folder) => PROGRAMS.every((name) => existsSync(join(folder, 'usr/bin', name)));

/**
 * Downloads and unpacks it into build/prometheus, unless it is there or installed.
 * @param {string} root of the project
 * @param {{say: (text: string) => void, run: (command: string, args: string[], options?: object) => void, output: (command: string, args: string[]) => string}} tools
 * @throws Error when it cannot be had
 */
export function fetchPrometheus(root, { say, run, output }) {
  const folder = join(root, 'build/prometheus');
  if (haveAll(folder) || PROGRAMS.every((name) => hasCommand(name))) return;
  if (!hasCommand('apt-get')) throw new Error(`neither ${PROGRAMS.join(' nor ')} nor apt-get is here; install Prometheus.`);
  const isKnown = () => /^\s*Candidate: \d/m.test(output('apt-cache', ['policy', PACKAGE]));
  if (!isKnown()) run('apt-get', ['update', '-qq']);
  if (!isKnown()) throw new Error(`apt knows no package ${PACKAGE}.`);
  say(`downloading ${PACKAGE} for tests (it is not installed)`);
  const finish = (unpacked) => {
    if (!haveAll(unpacked)) throw new Error(`there is no ${PROGRAMS.join(' or no ')} in the package ${PACKAGE}.`);
  };
  unpackPackage(PACKAGE, folder, finish, { run });
}
