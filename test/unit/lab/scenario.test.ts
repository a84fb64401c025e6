import test from 'ava';
import { plannedFlows, plannedRate, plannedTcp, subjectRate } from '../../../src/lab/flows.js';
import { defaultLab, hostOf, machineLab } from '../../../src/lab/model.js';
import { FULL_PACE, homesAfter, machineScenario, mainScenario, NEIGHBOUR, QUICK_PACE, SUBJECT } from '../../../src/lab/scenario.js';

const steps = mainScenario(FULL_PACE);

test('the steps that the main job promises, in order', (t) => {
  t.deepEqual(
    steps.map(({ expect: { host, path } }) => `${host} ${path}`),
    [
      'a software',
      'a accelerated',
      'a accelerated',
      'a software',
      'a accelerated',
      'a accelerated',
      'a accelerated',
      'b software',
      'b accelerated',
      'c software',
      'a accelerated',
    ],
  );
  t.is(new Set(steps.map((step) => step.name)).size, steps.length);
});

test('a step expects the guest where its changes take it', (t) => {
  t.deepEqual(
    steps.map((step) => step.expect.host),
    homesAfter(steps, SUBJECT, 'a'),
  );
});

test('the two guests of host a meet in all four combinations of paths', (t) => {
  const onA = steps.filter((step) => step.expect.host === 'a');
  const combinations = new Set(onA.map(({ expect }) => `${expect.path} ${expect.others[NEIGHBOUR]}`));
  t.deepEqual([...combinations].sort(), ['accelerated accelerated', 'accelerated software', 'software accelerated', 'software software']);
});

test('acceleration is expected only where there are VFs, and its absence is given a reason', (t) => {
  for (const { title, expect } of steps) {
    t.is(expect.path === 'accelerated', expect.reason === 'none', title);
    if (expect.path === 'accelerated') t.true(hostOf(defaultLab, expect.host).make.vfs > 0, title);
  }
});

test('only the unannounced death of a VF may lose frames', (t) => {
  t.deepEqual(
    steps.filter((step) => step.kind === 'fault').map((step) => step.name),
    ['vf-dies'],
  );
  t.deepEqual(
    steps.filter((step) => step.changes.some((change) => change.kind === 'break-vf')).map((step) => step.name),
    ['vf-dies'],
  );
});

test('a daemon that is killed is started again in the same step, and what breaks is made whole', (t) => {
  for (const { title, changes } of steps) {
    const kinds = changes.map((change) => change.kind);
    t.is(kinds.includes('kill-daemon'), kinds.includes('start-daemon'), title);
  }
  const kinds = steps.flatMap((step) => step.changes.map((change) => change.kind));
  t.true(kinds.indexOf('restore-vfs') > kinds.indexOf('break-vf'));
});

test('it takes less than two minutes, the quick one much less', (t) => {
  // What is waited for on purpose; the changes themselves take 1 s each at most, and the lab 15 s.
  const waits = (pace: typeof FULL_PACE): number => mainScenario(pace).length * pace.holdSeconds + pace.deadSeconds;
  const changes = steps.flatMap((step) => step.changes).length;
  t.true(waits(FULL_PACE) + changes + 15 < 110);
  t.true(waits(QUICK_PACE) + changes + 15 < 50);
});

test('every flow has numbers and ports of its own, both families, both directions', (t) => {
  const flows = plannedFlows(defaultLab);
  t.is(new Set(flows.map(({ spec }) => spec.id)).size, flows.length);
  const ports = flows.flatMap(({ spec }) => [spec.from.port, spec.to.port]);
  t.is(new Set(ports).size, ports.length);
  t.false(ports.includes(plannedTcp(defaultLab).to.port));
  for (const kind of ['world to g1', 'g1 to world', 'g1 to g2', 'g2 to g1']) {
    t.deepEqual([...new Set(flows.filter((flow) => flow.kind === kind).map(({ spec }) => spec.family))], [4, 6], kind);
  }
  for (const { spec } of flows) t.true(spec.sizes.every((size) => size + 48 <= defaultLab.mtu));
});

test('the load is one that two CPUs carry', (t) => {
  const rate = plannedRate(plannedFlows(defaultLab));
  t.true(rate >= 3000 && rate <= 8000, String(rate));
});

const machineSteps = machineScenario(FULL_PACE);

test('real guests live through the same on their first host, and travel over every make of VF and none', (t) => {
  const onA = (list: typeof steps): string[] => list.map(({ name }) => name).slice(0, 7);
  t.deepEqual(onA(machineSteps), onA(steps));
  t.deepEqual(
    machineSteps.slice(7).map(({ expect: { host, path } }) => `${host} ${path}`),
    ['b software', 'b accelerated', 'c software', 'd software', 'd accelerated', 'a accelerated'],
  );
  t.deepEqual(
    machineSteps.map((step) => step.expect.host),
    homesAfter(machineSteps, SUBJECT, 'a'),
  );
  t.is(new Set(machineSteps.map((step) => step.name)).size, machineSteps.length);
  for (const { title, expect } of machineSteps) {
    t.is(expect.path === 'accelerated', expect.reason === 'none', title);
    if (expect.path === 'accelerated') t.true(hostOf(machineLab, expect.host).make.vfs > 0, title);
  }
});

test('of real guests, a step in which QEMU stops one is a migration, and no other', (t) => {
  for (const { title, kind, changes } of machineSteps) {
    t.is(kind === 'migration', changes.some((change) => change.kind === 'rehome'), title);
    t.is(kind === 'fault', changes.some((change) => change.kind === 'break-vf'), title);
  }
});

test('flows of real guests are what their programs can do, at a rate that an emulated CPU carries', (t) => {
  const flows = plannedFlows(machineLab);
  t.true(plannedRate(flows) >= 500 && plannedRate(flows) <= 800, String(plannedRate(flows)));
  t.is(subjectRate(flows), 150 * 2 + 100 + 50 + 50 * 2);
  for (const { kind, from, to, spec } of flows) {
    if (to !== 'world') t.is(spec.to.port, spec.echoEvery === 0 ? 7001 : 7000, kind);
    if (from !== 'world') t.is(spec.sizes.length, 1, kind);
    t.true(spec.sizes.every((size) => size + 48 <= machineLab.mtu));
  }
  t.is(new Set(flows.map(({ spec }) => spec.from.port)).size, flows.length);
  t.is(plannedTcp(machineLab).to.port, 7002);
});
