import test from 'ava';
import { decideCutThrough, tapAttachMode } from '../../../src/core/cut_through.js';

const tap = (takesAggregates: boolean | null, takesRedirects: boolean | null = true) => ({ name: 'tap-g1', takesAggregates, takesRedirects, xdp: null });

test('auto: only for a tap that takes single frames', (t) => {
  t.deepEqual(decideCutThrough('auto', tap(true)), {
    setting: 'auto',
    inForce: false,
    why: 'tap-g1 takes aggregated TCP frames, which the bridge delivers whole',
  });
  t.like(decideCutThrough('auto', tap(false)), { inForce: true });
});

test('auto: what cannot be told is no reason to leave the bridge', (t) => {
  t.like(decideCutThrough('auto', tap(null)), { inForce: false, why: 'it could not be read whether tap-g1 takes aggregated TCP frames' });
  t.like(decideCutThrough('auto', null), { inForce: false, why: 'the tap is not there' });
});

test('on and off are as configured, whatever the tap takes', (t) => {
  for (const takes of [true, false, null]) {
    t.like(decideCutThrough('on', tap(takes)), { setting: 'on', inForce: true });
    t.like(decideCutThrough('off', tap(takes)), { setting: 'off', inForce: false });
  }
  t.false(decideCutThrough('on', null).inForce);
  const why = 'tap-g1 takes no frames from programs on other devices';
  for (const setting of ['on', 'auto'] as const) t.like(decideCutThrough(setting, tap(false, false)), { inForce: false, why });
});

test('auto: a veth that takes aggregated frames keeps them, so the program is attached in generic mode', (t) => {
  t.is(tapAttachMode('auto', { kind: 'veth', takesAggregates: true }), 'generic');
  t.is(tapAttachMode('auto', { kind: 'veth', takesAggregates: false }), 'as-configured');
  t.is(tapAttachMode('auto', { kind: 'veth', takesAggregates: null }), 'as-configured');
  t.is(tapAttachMode('auto', { kind: 'tun', takesAggregates: true }), 'as-configured');
  for (const setting of ['on', 'off'] as const) t.is(tapAttachMode(setting, { kind: 'veth', takesAggregates: true }), 'as-configured');
});
