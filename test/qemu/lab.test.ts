/** The lab with real guests: as a user meets it, and a run of it, each with nothing left behind. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineLab } from '../../src/lab/model.js';
import { whyNoGuests } from '../../src/lab/qemu/available.js';
import { totalFrames } from '../../src/lab/results.js';
import { labRun } from '../../src/lab/run/lab_run.js';
import { machineScenario, QUICK_PACE } from '../../src/lab/scenario.js';
import type { LabStatus } from '../../src/lab/status.js';
import { cli, lab, traces, withLab } from '../support/lab.js';
import { needs, testWith } from '../support/require.js';

const labTest = testWith(whyNoGuests(), needs.bpffs()).serial;
const longTest = testWith(whyNoGuests(), needs.bpffs(), needs.time()).serial;
const NAME = `q${process.pid}`;

labTest('up with guests of QEMU, commands in them, and down: the host is as it was', async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  const up = await lab(NAME, 'up', '--guests', 'qemu', '-q');
  t.is(up.code, 0, up.stderr);
  const status = JSON.parse((await lab(NAME, 'status', '-j')).stdout) as LabStatus;
  t.true(status.complete);
  t.is(status.guests, 'qemu');
  t.deepEqual(status.processes.map(({ name, alive }) => `${name} ${alive}`).toSorted(), [
    'qemu g1 on a true', 'qemu g2 on a true', 'unipathd a true', 'unipathd b true', 'unipathd c true', 'unipathd d true',
  ]);
  t.deepEqual(status.vnics.map(({ host, name, path }) => `${host} ${name} ${path}`), ['a g1 software', 'a g2 software']);
  const inside = await lab(NAME, 'exec', 'g1', '--', 'ip', '-o', 'address', 'show', 'dev', 'eth0');
  t.regex(inside.stdout, /10\.77\.0\.11\/24/);
  t.is((await lab(NAME, 'exec', 'g2', '--', 'sh', '-c', 'exit 7')).code, 7);
  const down = await lab(NAME, 'down', '-q');
  t.is(down.code, 0, down.stderr);
  t.deepEqual(traces(place), before);
});

labTest('up that is interrupted while its guests boot takes down what it has built', async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  const child = spawn(process.execPath, [cli, 'lab', 'up', '--guests', 'qemu', '--no-daemons', '--name', NAME], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let printed = '';
  for await (const text of child.stderr.setEncoding('utf8') as AsyncIterable<string>) {
    printed += text;
    if (!child.killed && printed.includes('guest g1 boots')) child.kill('SIGINT');
  }
  t.is(await ended, 1, printed);
  t.regex(printed, /interrupted/);
  t.deepEqual(traces(place), before);
});

/** Plug, sudden death of a VF, and migrations away from a VF, to a host without any, and to a VF. */
const STEPS = ['software', 'plug', 'plug-neighbour', 'vf-dies', 'migrate-c', 'migrate-a'];

longTest('a run with real guests passes, tells of every step, and leaves nothing', async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  const folder = mkdtempSync(join(tmpdir(), 'unipath-lab-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const htmlFile = join(folder, 'run.html');
  let printed = '';
  const { passed, results } = await labRun({
    place,
    spec: machineLab,
    steps: machineScenario(QUICK_PACE).filter(({ name }) => STEPS.includes(name)),
    quick: true,
    keep: false,
    htmlFile,
    jsonFile: null,
    out: { write: (text) => (printed += text) },
  });
  t.true(passed, printed);
  t.log(printed);
  if (results === null) return t.fail('interrupted');
  t.deepEqual(results.steps.map(({ name }) => name), STEPS);
  t.deepEqual(results.steps.map(({ where }) => `${where.host} ${where.path}`), [
    'a software', 'a accelerated', 'a accelerated', 'a accelerated', 'c software', 'a accelerated',
  ]);
  for (const { title, kind, frames, switchTimes, lossAllowed } of results.steps) {
    t.true(frames.sent > 500, `${title}: ${frames.sent} sent`);
    t.true(frames.lost <= lossAllowed && frames.duplicated === 0 && frames.corrupt === 0, title);
    if (kind === 'planned') t.is(lossAllowed, 0, title);
    if (kind === 'fault') t.not(switchTimes.transmitMs, null, title);
  }
  t.true(totalFrames(results).received > 5000);
  t.true(results.tcp.alive && results.tcp.wrongWords === 0 && results.tcp.bytes > 500_000, `${results.tcp.bytes} bytes over TCP`);
  t.deepEqual([...new Set(results.bands.filter(({ lane }) => lane === 'host').map(({ label }) => label))], ['host a', 'host c']);
  t.regex(results.events.map(({ detail }) => detail).join('\n'), /migrated live from host a in [1-9]\d* ms, .* stood still for \d+ ms/);
  const page = readFileSync(htmlFile, 'utf8');
  t.regex(page, /<span class="verdict">passed</);
  t.regex(page, /a virtual machine of QEMU/);
  t.deepEqual(traces(place), before);
});
