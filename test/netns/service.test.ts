/** The package under a real systemd: from its installation to its purge. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { buildDeb } from '../../src/package/deb.js';
import { hostObjectPath } from '../../src/paths.js';
import { temporaryFolder } from '../support/control_socket.js';
import { needs, testWith } from '../support/require.js';
import { SystemdRoot, systemdNeeds } from '../support/systemd_root.js';
import type { Replacement, Run } from './service_scenario.js';

const scenario = fileURLToPath(new URL('./service_scenario.js', import.meta.url));
const serviceTest = testWith(...systemdNeeds(), needs.file(hostObjectPath, 'the BPF objects'), needs.time()).serial;

/** What the scenario has seen. @throws Error with its words */
async function seen<T>(t: ExecutionContext, root: SystemdRoot, what: 'run' | 'replace', version: string): Promise<T> {
  const file = await buildDeb({ version, target: join(temporaryFolder(t), `${version}.deb`), compression: 'none' });
  return JSON.parse(await root.run(process.execPath, scenario, what, file)) as T;
}

serviceTest('installed, started, used, told to read its configuration again, watched, stopped; upgraded under traffic, removed, purged', async (t) => {
  t.timeout(280_000);
  const root = await SystemdRoot.start(t);
  const life = await seen<Run>(t, root, 'run', '0.0.1');
  t.deepEqual(life.installed, { state: 'inactive', enabled: 'disabled' });
  t.deepEqual(life.started, { state: 'active', result: 'success', type: 'notify', attached: true });
  t.deepEqual(life.ready, ['unipathd 6 ready']);
  t.true(life.isPlugged);
  t.true(life.ofVnic > 0);

  t.deepEqual(life.rights.files, ['srw-rw---- root unipath', 'srw-rw---- root unipath-read']);
  t.deepEqual(life.rights.mayOpen, { unipath: [true, false], 'unipath-read': [false, true], nogroup: [false, false] });
  t.is(life.rights.refused.status, 1);
  t.regex(life.rights.refused.output, /nothing can be changed on this socket/);

  t.is(life.reloaded.good.status, 0, life.reloaded.good.output);
  t.not(life.reloaded.bad.status, 0);
  t.is(life.reloaded.state, 'active');
  t.regex(life.reloaded.said, /colour: unknown key/);

  t.not(life.watched.pids[0], life.watched.pids[1]);
  t.true(life.watched.wasAttached);
  t.regex(life.watched.said, /Watchdog timeout/);
  t.deepEqual(life.stopped, { state: 'inactive', attached: true });
  t.is(life.denied, '');

  const { upgraded, removed, purged } = await seen<Replacement>(t, root, 'replace', '0.0.2');
  t.log(JSON.stringify(upgraded));
  t.like(upgraded, { status: 0, replaced: true, version: '0.0.2', adopted: true, lost: 0, duplicated: 0, corrupt: 0 });
  t.true(upgraded.sent > 100, `${upgraded.sent} were sent`);
  t.like(removed, { status: 0, attached: false, pins: false }, removed.output);
  t.is(purged.status, 0, purged.output);
  t.deepEqual(purged.left, []);
});
