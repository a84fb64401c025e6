import test from 'ava';
import { Site, summary } from '../../support/fake_site.js';

test('vNICs are given their rows and VFs, and their guests move', async (t) => {
  const site = new Site();
  const reconciler = await site.started();
  t.deepEqual(summary(reconciler), ['g1 accelerated accelerated none vfp0', 'g2 accelerated accelerated none vfp1']);
  t.deepEqual(site.faults.violations, []);
});
