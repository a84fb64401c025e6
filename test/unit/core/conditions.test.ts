import test from 'ava';
import fc from 'fast-check';
import { CONDITION_NAMES, conditionsOf, type Condition, type ConditionName } from '../../../src/core/conditions.js';
import type { Desired, GuestState, Observed, PathState, VnicSpec } from '../../../src/core/model.js';
import { PLUGIN_GUEST } from '../../../src/core/model.js';
import type { Tenant } from '../../../src/core/tenant.js';
import { reasonOfTenant } from '../../../src/reconcile/status.js';
import { adapter, desired, link, onSoftware, onVf, tenantsAt, untouched, withLinks, withoutLinks } from '../../support/plan_fixture.js';

const SOFTWARE: PathState = { path: 'software', vfAllowed: false, generation: 0, hold: 'none' };
const ACCELERATED: PathState = { path: 'accelerated', vfAllowed: true, generation: 1, hold: 'none' };

function tenantOf(observed: Observed, wanted: Desired): Tenant {
  const [tenant] = tenantsAt(observed, wanted);
  if (tenant === undefined) throw new Error('no tenant');
  return tenant;
}

function conditions(observed: Observed, wanted: Desired, tenant = tenantOf(observed, wanted), path = SOFTWARE): readonly Condition[] {
  return conditionsOf(tenant, { desired: wanted, observed, tenants: [tenant], adapterTroubles: new Map(), quarantines: new Map(), path, nowMs: 0 });
}

function one(name: ConditionName, all: readonly Condition[]): Condition {
  const found = all.find((condition) => condition.name === name);
  if (found === undefined) throw new Error(`no condition ${name}`);
  return found;
}

const BASES: Readonly<Record<string, () => Observed>> = { untouched, onSoftware, onVf };

const withGuest = (observed: Observed, change: Partial<GuestState>): Observed => ({
  ...observed,
  guests: new Map([['ns-g1', { ...PLUGIN_GUEST, ...change }]]),
});

test('accelerated: all conditions hold, in their order', (t) => {
  const all = conditions(onVf(), desired({}), undefined, ACCELERATED);
  t.deepEqual(all.map(({ name }) => name), [...CONDITION_NAMES]);
  for (const condition of all) t.like(condition, { holds: true, reason: null, remedy: null }, condition.name);
  t.is(one('vf_pool', all).fact, 'vfp0 is its own');
  t.is(one('mode', all).fact, 'the guest is a network namespace, which takes a VF by the plug-in');
  t.is(one('address', all).fact, '52:54:00:00:00:01 is its own, untagged');
});

test('each thing that is missing is said by the condition that is about it', (t) => {
  const rows: readonly (readonly [ConditionName, string, Observed, Partial<VnicSpec>])[] = [
    ['wanted', 'policy_software', onSoftware(), { policy: 'software' }],
    ['uplink', 'uplink_missing', withoutLinks(untouched(), 'pf0'), {}],
    ['tap', 'tap_missing', withoutLinks(untouched(), 'tap-g1'), {}],
    ['bridge', 'bridge_missing', withoutLinks(onSoftware(), 'br0'), {}],
    ['bridge', 'bridge_without_vlan_filtering', untouched(), { access: true, vlans: [7] }],
    ['guest', 'guest_missing', { ...untouched(), guests: new Map() }, {}],
    ['guest', 'guest_incoming', withGuest(untouched(), { incoming: true }), {}],
    ['mode', 'guest_without_failover', withGuest(onSoftware(), { mode: null, refusal: 'guest_without_failover' }), {}],
    ['mode', 'guest_not_ready', withGuest(onSoftware(), { mode: null, refusal: 'guest_not_ready' }), {}],
    ['ready', 'no_hotplug_port', withGuest(onSoftware(), { refusal: 'no_hotplug_port' }), {}],
    ['ready', 'guest_leaving', withGuest(onSoftware(), { parked: true }), {}],
    ['vf_pool', 'no_free_vf', withoutLinks(onSoftware(), 'vf0', 'vf1'), {}],
    ['vf_pool', 'vf_too_few_queues', withLinks(onSoftware(), link('vfp0', 4, { txQueues: 0 }), link('vfp1', 5, { txQueues: 0 })), {}],
  ];
  for (const [name, reason, observed, spec] of rows) {
    const condition = one(name, conditions(observed, desired(spec)));
    t.like(condition, { holds: false, reason }, `${name} ${reason}`);
    t.regex(condition.remedy ?? '', /^[a-zA-Z].{10,}/, `${name} ${reason}`);
  }
});

test('limits, an adapter without VFs, and another vNIC with the same address', (t) => {
  const limited = (limits: { vfs: number; queues: number }): Desired => ({ ...desired({}), adapters: [{ ...adapter, limits }] });
  const software = onSoftware();
  t.like(one('budget', conditions(software, limited({ vfs: 0, queues: 9 }))), {
    reason: 'vf_budget_exhausted',
    fact: '0 of at most 0 VFs and 0 of at most 9 queues of nic0 are handed out',
  });
  t.is(one('budget', conditions(software, limited({ vfs: 9, queues: 1 }))).reason, 'queue_budget_exhausted');
  t.true(one('vf_pool', conditions(software, limited({ vfs: 0, queues: 9 }))).holds);
  t.is(one('vf_pool', conditions(software, { ...desired({}), adapters: [{ ...adapter, vfs: [] }] })).reason, 'adapter_without_vfs');
  t.is(one('address', conditions(software, desired({}, { mac: tenantOf(software, desired({})).spec.mac }))).reason, 'duplicate_mac');
});

test('what failed is told with its cause and when it is tried again', (t) => {
  const tenant = tenantOf(onSoftware(), desired({}));
  const vfTrouble = { reason: 'guest_refuses' as const, message: 'QEMU said no', failures: 2, notBeforeMs: 1500, port: 'vfp0' };
  const failed: Tenant = { ...tenant, state: { ...tenant.state, stage: { phase: 'software', refusal: null }, vfTrouble } };
  const attempt = one('attempt', conditions(onSoftware(), desired({}), failed));
  t.like(attempt, { holds: false, reason: 'guest_refuses', fact: 'failed 2 times in a row, next in 1.5 s' });
  t.regex(attempt.remedy ?? '', /\(QEMU said no\)$/);
  const program = conditionsOf(tenant, {
    ...{ desired: desired({}), observed: onSoftware(), tenants: [tenant], quarantines: new Map(), path: SOFTWARE, nowMs: 0 },
    adapterTroubles: new Map([['nic0', { reason: 'attach_refused', message: 'another is there', failures: 1, notBeforeMs: 0 }]]),
  });
  t.regex(one('program', program).remedy ?? '', /another is there/);
});

test('the one reason of a vNIC is that of a condition that does not hold', (t) => {
  const guests: readonly (Partial<GuestState> | null)[] = [
    null, {}, { incoming: true }, { refusal: 'guest_paused', running: false }, { mode: null, refusal: 'guest_not_ready' }, { parked: true },
  ];
  const world = fc.record({
    missing: fc.subarray(['pf0', 'tap-g1', 'br0', 'vf0', 'vf1']),
    guest: fc.constantFrom(...guests),
    policy: fc.constantFrom('software' as const, 'accelerated' as const),
    base: fc.constantFrom(...Object.keys(BASES)),
    vfs: fc.nat(2),
  });
  fc.assert(
    fc.property(world, ({ missing, guest, policy, base, vfs }) => {
      const links = withoutLinks(BASES[base]?.() ?? untouched(), ...missing);
      const observed = guest === null ? { ...links, guests: new Map() } : withGuest(links, guest);
      const wanted: Desired = { ...desired({ policy }), adapters: [{ ...adapter, limits: { vfs, queues: 64 } }] };
      const tenant = tenantOf(observed, wanted);
      const path = observed.stored[0]?.path === 'accelerated' ? ACCELERATED : SOFTWARE;
      const all = conditions(observed, wanted, tenant, path);
      const reason = reasonOfTenant(tenant, path.path);
if (reason === 'none') return one('plugged', all).holds === true && one('path', all).holds === true;
      // On its way: what stands in the way shows when it gets there.
      return reason === 'plugging' || all.some((condition) => condition.reason === reason);
    }),
    { numRuns: 500 },
  );
  t.pass();
});
