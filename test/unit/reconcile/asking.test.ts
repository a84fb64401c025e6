import test from 'ava';
import { Asking } from '../../../src/reconcile/asking.js';
import { FakeClock } from '../../support/fake_clock.js';

const to = (...ports: readonly number[]) => ports.map((ifindex) => ({ ifindex, frames: [Buffer.from('is anybody there?')] }));
const set = (): { readonly clock: FakeClock; readonly asking: Asking; readonly sent: [atMs: number, ifindex: number][] } => {
  const clock = new FakeClock();
  const start = clock.nowMs();
  const sent: [number, number][] = [];
  return { clock, sent, asking: new Asking(clock, (ifindex) => void sent.push([clock.nowMs() - start, ifindex])) };
};

test('each is asked at its own interval, from the moment on that it is set', async (t) => {
  const { clock, asking, sent } = set();
  asking.set('slow', { to: to(7), intervalMs: 1000 });
  await clock.advance(500);
  asking.set('quick', { to: to(8, 9), intervalMs: 400 });
  await clock.advance(1000);
  t.deepEqual(sent, [[0, 7], [500, 8], [500, 9], [900, 8], [900, 9], [1000, 7], [1300, 8], [1300, 9]]);
});

test('who becomes urgent is asked sooner than was planned, and setting the same again asks nothing', async (t) => {
  const { clock, asking, sent } = set();
  asking.set('g1', { to: to(7), intervalMs: 1000 });
  for (let i = 0; i < 3; i++) {
    await clock.advance(100);
    asking.set('g1', { to: to(7), intervalMs: 1000 });
  }
  t.deepEqual(sent, [[0, 7]]);
  asking.set('g1', { to: to(8), intervalMs: 5 });
  await clock.advance(12);
  t.deepEqual(sent, [[0, 7], [305, 8], [310, 8]]);
});

test('nobody is asked after null or stop(), and a port that takes nothing keeps none from the others', async (t) => {
  const { clock, asking, sent } = set();
  const deaf = new Asking(clock, (ifindex) => {
    if (ifindex === 7) throw new Error('ENXIO');
    sent.push([0, ifindex]);
  });
  deaf.set('g1', { to: to(7, 8), intervalMs: 10 });
  deaf.set('g2', { to: to(9), intervalMs: 10 });
  t.deepEqual(sent.map(([, ifindex]) => ifindex), [8, 9]);
  deaf.set('g2', null);
  await clock.advance(10);
  t.deepEqual(sent.map(([, ifindex]) => ifindex), [8, 9, 8]);
  deaf.stop();
  asking.set('g3', { to: to(1), intervalMs: 10 });
  asking.stop();
  await clock.advance(100);
  t.is(sent.length, 4);
});
