import test from 'ava';
import type { Action, Sequence } from '../../../src/core/actions.js';
import { StepError } from '../../../src/reconcile/errors.js';
import { Executor } from '../../../src/reconcile/executor.js';
import { Site, vfSpec, vnicSpec } from '../../support/fake_site.js';

const link = (change: { up?: boolean; mtu?: number }, before: { up?: boolean; mtu?: number }): Action => ({
  kind: 'set-link',
  device: 'vfp0',
  change,
  before,
});
const actions: readonly Action[] = [
  link({ mtu: 1400 }, { mtu: 1500 }),
  link({ up: true }, { up: false }),
  { kind: 'plug-vf', vnic: 1, guest: vnicSpec(1).guest, vf: vfSpec(0), mac: vnicSpec(1).mac },
];

async function failing(onFailure: Sequence['onFailure'], fails: (call: string) => boolean): Promise<{ calls: string[]; error: unknown }> {
  const site = new Site();
  const executor = new Executor(
    site,
    () => undefined,
    () => undefined,
  );
  site.faults.decide = (call) => (fails(call) ? 'before' : null);
  const run = executor.run({ purpose: 'connect', actions, onFailure }, null).catch((error: unknown) => error);
  return { error: await site.clock.run(run), calls: site.faults.calls };
}

const done = ['setLink vfp0 {"mtu":1400}', 'setLink vfp0 {"up":true}', 'plug ns-g1 vf0'];

test('when a step fails, it and those before it are undone, the last one first', async (t) => {
  const { calls, error } = await failing('undo', (call) => call.startsWith('plug'));
  t.deepEqual(calls, [
    ...done,
    'changePath 1 {"path":"software","vfAllowed":false}',
    'unplug ns-g1 vf0',
    'setLink vfp0 {"up":false}',
    'setLink vfp0 {"mtu":1500}',
  ]);
  t.true(error instanceof StepError && error.reason === 'retry_backoff');
  t.regex(String(error), /could not plug vf0 into guest ns-g1: injected failure/);
});

test('undoing ends at what cannot be undone, and the error names all that is left', async (t) => {
  const { calls, error } = await failing('undo', (call) => call.startsWith('plug') || call.includes('"up":false'));
  t.is(calls.at(-1), 'setLink vfp0 {"up":false}');
  t.true(error instanceof StepError && error.reason === 'internal_error');
  t.true(error instanceof StepError && error.notUndone.length === 2);
  t.regex(String(error), /then not undone: could not set vfp0 down: .*; set vfp0 MTU 1500$/);
});

test('a sequence that leads to where it shall go anyhow is left where it stopped', async (t) => {
  const { calls } = await failing('stop', (call) => call.startsWith('plug'));
  t.deepEqual(calls, done);
});

test('a program that cannot be attached is a reason of its own', async (t) => {
  const site = new Site();
  site.dataPlane.foreign.add('pf0');
  const executor = new Executor(
    site,
    () => undefined,
    () => undefined,
  );
  const pf0 = { ifindex: site.host.ifindexOf('pf0'), device: 'pf0' };
  const attach: Action = { kind: 'attach-program', program: 'steer_uplink', ...pf0, mode: 'as-configured' };
  const error = await t.throwsAsync(executor.run({ purpose: 'adapter', actions: [attach], onFailure: 'undo' }, null), {
    instanceOf: StepError,
  });
  t.is(error?.reason, 'attach_refused');
});
