import test from 'ava';
import { PLUGIN_GUEST, type GuestSpec, type GuestState, type Observed } from '../../../src/core/model.js';
import { mayHavePlugin, pluginQuestionPort, withPlugin } from '../../../src/core/plugin_guest.js';
import type { Tenant } from '../../../src/core/tenant.js';
import { vmOf, vnicSpec } from '../../support/fake_site.js';
import { desired, link, onSoftware, tenantsAt, withLinks } from '../../support/plan_fixture.js';

const vm = vmOf(1) as Extract<GuestSpec, { kind: 'vm' }>;
const UNKNOWN: GuestState = { ...PLUGIN_GUEST, mode: null, refusal: 'guest_without_failover' };

test('asked are machines of which nothing else says how they use a VF', (t) => {
  t.true(mayHavePlugin(vm, UNKNOWN));
  t.true(mayHavePlugin(vm, { ...UNKNOWN, refusal: 'guest_not_ready' }));
  // Again and again: one that stops answering has lost its plug-in.
  t.true(mayHavePlugin(vm, PLUGIN_GUEST));
  t.false(mayHavePlugin(vm, { ...UNKNOWN, mode: 'net_failover', refusal: null }));
  for (const state of [{ running: false }, { incoming: true }, { leaving: true }]) t.false(mayHavePlugin(vm, { ...UNKNOWN, ...state }));
  for (const mode of ['plugin', 'net_failover'] as const) t.false(mayHavePlugin({ ...vm, mode }, UNKNOWN));
  t.false(mayHavePlugin({ kind: 'netns', netns: 'g1' }, UNKNOWN));
  t.deepEqual(withPlugin(vm), { ...vm, mode: 'plugin' });
});

test('asked is on the tap, while the vNIC is on the software path and shall not be', (t) => {
  const guest = { 'vm-g1/52:54:00:00:00:01': UNKNOWN };
  const observed: Observed = { ...onSoftware(), guests: new Map(Object.entries(guest)) };
  const [tenant] = tenantsAt(observed, desired({ guest: vm })) as [Tenant];
  const port = (change: Partial<Tenant>, seen: Observed = observed): number | null => pluginQuestionPort({ ...tenant, ...change }, seen);
  t.is(port({}), 3);
  t.is(port({ removed: true }), null);
  t.is(port({ operatorWant: 'software' }), null);
  t.is(port({ spec: vnicSpec(1) }), null);
  t.is(port({ state: { ...tenant.state, stage: { phase: 'absent', blocked: null } } }), null);
  t.is(port({}, withLinks(observed, link('tap-g1', 3, { up: false }))), null);
  t.is(port({}, { ...observed, guests: new Map() }), null);
});
