/** Every packet program is taken by every kernel there is to boot, and passes its tables of frames there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostKernels, whyNoHostMachine } from '../../src/lab/sriov/available.js';
import { HostMachine } from '../../src/lab/sriov/machine.js';
import { needs, testWith } from '../support/require.js';
import { PF_MACS } from './bed.js';

const TIMEOUT_MS = 290_000;
const TABLES_MS = 250_000;
const missing = whyNoHostMachine();
const releases = missing === null ? hostKernels().map(({ release }) => release) : ['any'];

for (const release of releases) {
  testWith(missing, needs.time()).serial(`Linux ${release}: the tables of frames`, async (t) => {
    t.timeout(TIMEOUT_MS);
    const folder = mkdtempSync(join(tmpdir(), 'unipath-sriov-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const before = performance.now();
    const machine = await HostMachine.start({ name: 'kernel', folder: join(folder, 'host'), adapters: [{ mac: PF_MACS[0] }], kernel: release });
    t.teardown(() => machine.stop());
    t.is((await machine.run('uname -r')).trim(), release);
    const booted = performance.now();
    const ava = `${process.execPath} node_modules/ava/entrypoints/cli.mjs build/test/bpf/steer.test.js`;
    const { status, output } = await machine.shell(`cd ${machine.project} && ${ava}`, { deadlineMs: TABLES_MS });
    const passed = Number(/(\d+) tests? passed/.exec(output)?.[1] ?? 0);
    t.is(status, 0, output.slice(-4000));
    t.true(passed > 300, `${passed} passed`);
    for (const [, program, verified] of output.matchAll(/(steer_\w+): (\d+)/g)) t.log(`${program}: ${verified} instructions verified`);
    t.log(`${passed} passed; boot ${((booted - before) / 1000).toFixed(1)} s, tables ${((performance.now() - booted) / 1000).toFixed(1)} s`);
  });
}
