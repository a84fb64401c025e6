import test from 'ava';
import { plannedFlows, plannedRate, plannedTcp } from '../../../src/lab/flows.js';
import { defaultLab, hostOf } from '../../../src/lab/model.js';
import { FULL_PACE, homesAfter, mainScenario, NEIGHBOUR, QUICK_PACE, SUBJECT } from '../../../src/lab/scenario.js';

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
