import test from 'ava';
import { vnicStatus } from '../../../src/reconcile/status.js';
import { desired, link, onVf, tenantsAt, VF_IN_USE, withLinks } from '../../support/plan_fixture.js';

test('queues that no CPU reaches are named in the status of a vNIC, for each of its ports', (t) => {
  const seen = withLinks(onVf(), link('tap-g1', 3, { master: 1, txQueues: 3 }), link('vfp0', 4, { ...VF_IN_USE, txQueues: 8 }));
  const observed = { ...seen, cpus: [0, 1, 5] };
  const [tenant] = tenantsAt(observed, desired({ policy: 'accelerated' }));
  if (tenant === undefined) throw new Error('no tenant');
  const status = vnicStatus(tenant, observed, { path: 'accelerated', vfAllowed: true, generation: 1, hold: 'none' }, 0);
  t.like(status.tap_queues, { queues: 3, unreachable: [] });
  t.like(status.vf_queues, { queues: 8, unreachable: [2, 3, 4, 6, 7] });
});
