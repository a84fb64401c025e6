import test from 'ava';
import type { MonitorEvent } from '../../../src/control/protocol.js';
import { Site } from '../../support/fake_site.js';

test('each reason is told as it comes, and that there is none in words', async (t) => {
  const site = new Site({ guests: 1, vfs: 1 });
  const reconciler = await site.started();
  const events: MonitorEvent[] = [];
  reconciler.onEvent((event) => events.push(event));
  await site.clock.run(reconciler.want('g1', 'software', 5000));
  await site.clock.run(reconciler.want('g1', 'accelerated', 5000));
  const reasons = events.filter(({ kind }) => kind === 'reason').map(({ message, fields }) => [message, fields['reason']]);
  t.deepEqual(reasons[0], ['g1: draining', 'draining']);
  t.deepEqual(reasons.at(-1), ['g1: nothing keeps it from its VF any more', 'none']);
});
