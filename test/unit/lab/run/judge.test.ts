import test from 'ava';
import { judgeStep, lossAllowance, type LossCircumstances, type StepSurroundings } from '../../../../src/lab/run/judge.js';
import type { Expectation } from '../../../../src/lab/scenario.js';
import { madeUpResults } from '../../../support/made_up_results.js';

const [, accelerated] = madeUpResults().steps;
if (accelerated === undefined) throw new Error('the made-up results have changed');
const { failures: _, ...good } = accelerated;

const expect: Expectation = { host: 'a', path: 'accelerated', reason: 'none', others: { g2: 'software' } };
const calm: StepSurroundings = {
  guestPaths: new Map([
    ['g1', 'accelerated'],
    ['g2', 'software'],
  ]),
  otherPaths: new Map([['g2', 'software']]),
  tcpAlive: true,
  problems: [],
  lostWhere: '',
};
const judge = (change: object, around: Partial<StepSurroundings> = {}): string[] =>
  judgeStep('g1', { ...good, ...change }, expect, { ...calm, ...around });
const frames = (change: object) => ({ frames: { ...good.frames, ...change } });

test('a step in which all is as it must be', (t) => {
  t.deepEqual(judge({}), []);
  t.deepEqual(judge(frames({ reordered: 7 })), [], "order between paths is nobody's promise");
});

test('one frame lost, doubled or corrupt is a failure that says so', (t) => {
  t.deepEqual(judge(frames({ lost: 1 }), { lostWhere: 'flow 3: 17' }), ['1 frame lost, none may be (flow 3: 17)']);
  t.deepEqual(judge(frames({ duplicated: 2 })), ['2 frames arrived more than once']);
  t.deepEqual(judge(frames({ corrupt: 1 })), ['1 frame arrived with wrong bytes']);
});

test('a fault may lose what was in flight, and no more', (t) => {
  t.deepEqual(judge({ ...frames({ lost: 20 }), lossAllowed: 20 }), []);
  t.deepEqual(judge({ ...frames({ lost: 21 }), lossAllowed: 20 }), ['21 frames lost, at most 20 may be']);
});

test('what may be lost, and which frames those are', (t) => {
  const calmStep: LossCircumstances = { kind: 'planned', guests: 'netns', framesPerSecond: 4000, stoodStillMs: 0, burstMs: 0 };
  t.deepEqual(lossAllowance(calmStep), { frames: 0, reason: '' });
  t.deepEqual(lossAllowance({ ...calmStep, stoodStillMs: 900 }), { frames: 0, reason: '' }, 'a standstill that was not asked for excuses nothing');
  t.deepEqual(lossAllowance({ ...calmStep, kind: 'fault' }), { frames: 200, reason: 'in flight' });
  t.deepEqual(lossAllowance({ ...calmStep, guests: 'qemu', kind: 'fault', framesPerSecond: 400 }), { frames: 100, reason: 'in flight' });
  const migrated = lossAllowance({ ...calmStep, guests: 'qemu', kind: 'migration', framesPerSecond: 500, stoodStillMs: 150 });
  t.deepEqual(migrated, { frames: 100, reason: 'sent while QEMU stood still (150 ms) and announced the guest' });
  const burst = lossAllowance({ ...calmStep, guests: 'qemu', framesPerSecond: 500, burstMs: 301 });
  t.is(burst.frames, 151);
  t.regex(burst.reason, /rtl8139 has room for 64/);
});

test('a step without traffic proves nothing', (t) => {
  t.deepEqual(judge(frames({ sent: 0, received: 0 })), ['no traffic flowed']);
});

test('the path that was not reached, with the reason', (t) => {
  t.deepEqual(judge({ where: { host: 'a', path: 'software', reason: 'no_free_vf' } }), [
    'unipathd says g1 is software (no_free_vf), not accelerated (none)',
  ]);
  t.deepEqual(judge({ where: { host: 'b', path: 'accelerated', reason: 'none' } }), ['g1 is on host b, not on a']);
});

test('the guest and unipathd must agree', (t) => {
  t.deepEqual(judge({}, { guestPaths: new Map([['g1', 'software']]) }), [
    'guest g1 itself transmits on its software path, not accelerated',
  ]);
  t.deepEqual(judge({}, { otherPaths: new Map([['g2', 'accelerated']]) }), ['unipathd says g2 is accelerated, not software']);
});

test('accelerated without a frame through the VF is not accelerated', (t) => {
  t.deepEqual(
    judge({ steering: [{ guest: 'g1', ports: [{ port: 'vf', frames: [0, 0], unreachable: [] }], rfs: 0, rss: 0, single: 0, bridge: 9 }] }),
    ['no frame was redirected to the VF of g1'],
  );
});

test('a broken connection, and what could not be done', (t) => {
  t.deepEqual(judge({}, { tcpAlive: false, problems: ['g1 is not accelerated after 10 s'] }), [
    'g1 is not accelerated after 10 s',
    'the TCP connection broke',
  ]);
});
