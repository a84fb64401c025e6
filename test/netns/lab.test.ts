/** The lab leaves nothing behind, wherever it was cut off; and its scenario passes. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { labDown } from '../../src/lab/down.js';
import { readJournal } from '../../src/lab/journal.js';
import { defaultLab } from '../../src/lab/model.js';
import { labPlace, namespaceOf } from '../../src/lab/place.js';
import { markedProcesses } from '../../src/lab/processes.js';
import type { RunResults } from '../../src/lab/results.js';
import { mainScenario, QUICK_PACE } from '../../src/lab/scenario.js';
import { labSteps } from '../../src/lab/topology.js';
import { labPrograms, labUp } from '../../src/lab/up.js';
import { Endpoint } from '../../src/lab/traffic/client.js';
import { cli, lab, traces, withLab } from '../support/lab.js';
import { needs, testWith } from '../support/require.js';

// One after the other: labs of one name cannot be beside each other, and two would be too much for two CPUs.
const missing = [needs.root(), ...['ip', 'bridge', 'tc', 'ethtool', 'nsenter', 'sysctl'].map(needs.tool)];
const labTest = testWith(...missing).serial;
const fullLabTest = testWith(...missing, needs.bpffs()).serial;

const NAME = `t${process.pid}`;

labTest('up and down leave the host as it was', async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  const up = await labUp(place, { daemons: false });
  up.journal.close();
  t.is(traces(place)['namespaces']?.length, 7);
  t.is(markedProcesses(up.mark).length, 1, 'the VMM of g1');
  const { undone, failures } = await labDown(place);
  t.deepEqual(failures, []);
  t.true(undone.length > 7);
  t.deepEqual(traces(place), before);
  t.deepEqual(await labDown(place), { undone: [], failures: [] }, 'nothing left to undo');
});

labTest('guests reach the world and each other on their software paths', async (t) => {
  const place = withLab(t, NAME);
  const up = await labUp(place, { daemons: false });
  up.journal.close();
  const endpoints = new Map<string, Endpoint>();
  t.teardown(() => Promise.all([...endpoints.values()].map((endpoint) => endpoint.close())));
  const { world, guests } = defaultLab;
  const addresses = new Map([['world', world], ...guests.map((guest) => [guest.name, guest] as const)]);
  for (const name of addresses.keys()) endpoints.set(name, await Endpoint.start(namespaceOf(place, name)));
  let id = 0;
  for (const [from, source] of addresses) {
    for (const [to, sink] of addresses) {
      for (const family of [4, 6] as const) {
        if (from === to) continue;
        id += 1;
        const key = family === 4 ? 'ipv4' : 'ipv6';
        const flow = {
          id,
          family,
          from: { address: source[key], port: 30_000 + id },
          to: { address: sink[key], port: 40_000 + id },
          packetsPerSecond: 1,
          sizes: [1400],
          echoEvery: 1,
        };
        await endpoints.get(to)?.addSink(flow);
        await endpoints.get(from)?.addSource(flow);
        await t.notThrowsAsync(async () => endpoints.get(from)?.probe(id), `${from} to ${to}, IPv${family}`);
      }
    }
  }
});

labTest('a second up is refused, with what to do, and changes nothing', async (t) => {
  const place = withLab(t, NAME);
  t.is((await lab(NAME, 'up', '--no-daemons', '-q')).code, 0);
  const during = traces(place);
  const second = await lab(NAME, 'up', '--no-daemons', '-q');
  t.is(second.code, 1);
  t.regex(second.stderr, /a lab is up .*unipath lab down/);
  t.deepEqual(traces(place), during);
  const status = await lab(NAME, 'status');
  t.regex(status.stdout, /vmm g1 +pid \d+/);
  const inside = await lab(NAME, 'exec', 'g2', '--', 'ip', '-br', 'address', 'show', 'dev', 'eth0');
  t.regex(inside.stdout, /10\.77\.0\.12\/24 fd77::12\/64/);
  t.is((await lab(NAME, 'exec', 'nowhere', 'true')).code, 1);
  t.is((await lab(NAME, 'exec', 'g2', '--', 'sh', '-c', 'exit 7')).code, 7);
});

labTest("somebody else's namespace of our name is refused and left alone", async (t) => {
  const place = withLab(t, NAME);
  const netns = namespaceOf(place, 'b');
  execFileSync('ip', ['netns', 'add', netns]);
  t.teardown(() => execFileSync('ip', ['netns', 'del', netns]));
  await t.throwsAsync(labUp(place, { daemons: false }), { message: new RegExp(`${netns} exists and is not of this lab`) });
  t.deepEqual(traces(place)['namespaces'], [netns]);
  await labDown(place);
  t.deepEqual(traces(place)['namespaces'], [netns]);
});

labTest('a step that fails takes down what was built before it', async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  // 40 characters are no interface name: the tap of this guest cannot be made.
  const [first, ...rest] = defaultLab.guests;
  if (first === undefined) return t.fail();
  const spec = { ...defaultLab, guests: [{ ...first, name: 'g'.repeat(40) }, ...rest] };
  await t.throwsAsync(labUp(place, { spec, daemons: false }), { message: /tuntap/ });
  t.deepEqual(traces(place), before);
});

labTest('what the lab had to mount, it unmounts', async (t) => {
  const place = withLab(t, NAME);
  // A private view of the mounts, as on a host where bpffs is not mounted and `ip netns` was never used.
  const script = `
    set -e
    umount -l /sys/fs/bpf /run/netns 2>/dev/null || true
    mount -n -t tmpfs none /run
    before=$(mount); "$@" up --no-daemons -q --name ${NAME}
    mount | grep -q 'on /sys/fs/bpf type bpf'; test -e /run/netns/${place.prefix}-world
    "$@" down -q --name ${NAME}
    test "$before" = "$(mount)"; test -z "$(ls -A /run)"; echo same`;
  const argv = ['-m', 'sh', '-c', script, 'sh', process.execPath, cli, 'lab'];
  t.is(execFileSync('unshare', argv, { encoding: 'utf8' }), 'same\n');
});

const stepCount = (daemons: boolean): number =>
  labSteps(labPlace(NAME), defaultLab, { daemons, mountBpffs: false, netnsDirectory: 'mounted', programs: labPrograms, machines: null }).length;

const everyStep = stepCount(false);

/** Each run tries a third of the steps, which third by chance. */
const STRIDE = 3;

labTest(`up killed in the middle of any of its ${everyStep} steps without daemons, then down: nothing is left`, async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  const first = Math.floor(Math.random() * STRIDE);
  t.log(`every ${STRIDE}rd step from step ${first} on`);
  for (let step = first; step < everyStep; step += STRIDE) {
    const { signal } = await lab(NAME, 'up', '--no-daemons', '-q', '--fail-after', String(step));
    const journal = readJournal(place);
    // A step without actions has no middle: the process then lives on into the next.
    if (signal !== 'SIGKILL') t.true(journal?.complete, `step ${step} was to be its last`);
    t.true((journal?.steps.length ?? 0) > step, `step ${step}`);
    const { failures } = await labDown(place);
    t.deepEqual(failures, [], `step ${step}`);
    t.deepEqual(traces(place), before, `after step ${step}: ${journal?.steps.at(-1)?.title}`);
  }
});

const allSteps = stepCount(true);

fullLabTest(`up killed while it starts daemons (its last ${allSteps - everyStep} steps), then down: nothing is left`, async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  for (let step = everyStep; step < allSteps; step += 1) {
    t.is((await lab(NAME, 'up', '-q', '--fail-after', String(step))).signal, 'SIGKILL', `step ${step}`);
    const title = readJournal(place)?.steps.at(-1)?.title;
    // What was just started has a moment to pin and attach before it is ended.
    await sleep(step % 2 === 0 ? 0 : 700);
    const { failures } = await labDown(place);
    t.deepEqual(failures, [], `step ${step}`);
    t.deepEqual(traces(place), before, `after step ${step}: ${title}`);
  }
});

fullLabTest('the scenario passes, and its report is written', async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  const folder = mkdtempSync(join(tmpdir(), 'unipath-lab-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [htmlFile, jsonFile] = [join(folder, 'run.html'), join(folder, 'run.json')];
  const { code, stdout, stderr } = await lab(NAME, 'run', '--quick', '--html', htmlFile, '--results', jsonFile);
  t.is(code, 0, `${stdout}${stderr}`);
  t.regex(stdout, /\npassed\n/);
  const results = JSON.parse(readFileSync(jsonFile, 'utf8')) as RunResults;
  t.is(results.steps.length, mainScenario(QUICK_PACE).length);
  t.true(results.durationMs < 60_000);
  t.regex(readFileSync(htmlFile, 'utf8'), /<span class="verdict">passed</);
  t.deepEqual(traces(place), before);
});

fullLabTest('a run that is interrupted takes its lab down', async (t) => {
  const place = withLab(t, NAME);
  const before = traces(place);
  const folder = mkdtempSync(join(tmpdir(), 'unipath-lab-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const argv = [cli, 'lab', 'run', '--quick', '--name', NAME, '--html', join(folder, 'run.html')];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let printed = '';
  for await (const text of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
    printed += text;
    // The first step is over: traffic flows.
    if (printed.includes('1/')) child.kill('SIGINT');
  }
  t.is(await ended, 1);
  t.regex(printed, /interrupted/);
  t.deepEqual(traces(place), before);
});
