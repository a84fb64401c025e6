import test from 'ava';
import { linkEvents } from '../../../src/reconcile/link_events.js';
import { desired, link } from '../../support/plan_fixture.js';

test('what happened to the links that are depended on, in words; others are nobody’s business', (t) => {
  const before = [link('pf0', 1), link('br0', 2), link('vfp0', 3), link('vfp1', 4), link('tap-g1', 5), link('eth9', 6)];
  const after = [
    link('pf0', 1, { up: false, carrier: false }),
    link('br0', 2),
    link('vfp0', 30),
    link('vfp1', 4, { carrier: false }),
    link('eth9', 6, { up: false }),
  ];
  const byName = (links: typeof before): Map<string, (typeof before)[number]> => new Map(links.map((one) => [one.name, one]));
  t.deepEqual(
    linkEvents(desired({}), byName(before), byName(after)).map(({ message }) => message),
    ['pf0 was set down', 'vfp0 was made anew', 'vfp1 lost carrier', 'tap-g1 vanished'],
  );
  t.deepEqual(linkEvents(desired({}), byName(after), byName(after)), []);
});
