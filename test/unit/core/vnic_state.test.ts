import test from 'ava';
import fc from 'fast-check';
import { DEFAULT_TIMING } from '../../../src/core/backoff.js';
import { reasonOf } from '../../../src/core/vnic_reason.js';
import { NOT_ACCELERATED_REASONS } from '../../../src/core/model.js';
import {
  claimedVf,
  INITIAL_STATE,
  next,
  wakeAt,
  type ClaimedVf,
  type Effect,
  type VnicEvent,
  type VnicFacts,
  type VnicState,
} from '../../../src/core/vnic_state.js';

const vf: ClaimedVf = { kind: 'netdev', port: 'vfp0', device: 'vf0', ifindex: 7, before: { mtu: 1500, up: false, bridge: null, flags: null } };

const fine: VnicFacts = {
  blocked: null,
  rowPresent: true,
  footed: true,
  wantVf: true,
  path: 'software',
  vfLost: false,
  released: false,
  canAsk: true,
  stray: null,
  oneEared: false,
  held: false,
  refusal: null,
  inGuest: false,
  running: true,
  leaving: false,
};

const look = (facts: Partial<VnicFacts> = {}): VnicEvent => ({ kind: 'look', facts: { ...fine, ...facts } });
const failed: VnicEvent = { kind: 'step-failed', did: 'other', reason: 'retry_backoff', message: 'no' };
const granted: VnicEvent = { kind: 'granted', vf };
const moved: VnicEvent = { kind: 'path-changed', path: 'accelerated' };
const done: VnicEvent = { kind: 'step-done', did: 'other' };
const tick: VnicEvent = { kind: 'tick' };

function stageOf({ stage }: VnicState): string {
  return 'step' in stage ? `${stage.phase}/${stage.step}` : stage.phase;
}

function effectNames(effects: readonly Effect[]): string {
  return effects.map((effect) => (effect.kind === 'send-drain' ? `send-drain ${effect.sequence}` : effect.kind)).join(', ');
}

/** What each event leads to: "stage: effects". */
function live(events: readonly (readonly [number, VnicEvent])[], start: VnicState = INITIAL_STATE): { trace: string[]; state: VnicState } {
  let state = start;
  const trace = events.map(([nowMs, event]) => {
    const step = next(state, event, nowMs, DEFAULT_TIMING);
    state = step.state;
    return step.effects.length === 0 ? stageOf(state) : `${stageOf(state)}: ${effectNames(step.effects)}`;
  });
  return { trace, state };
}

const toAccelerated: readonly (readonly [number, VnicEvent])[] = [
  [0, look({ rowPresent: false, footed: false })],
  [1, done],
  [2, look()],
  [2, look()],
  [2, granted],
  [50, done],
  [60, moved],
];

const lives: readonly {
  readonly title: string;
  readonly events: readonly (readonly [number, VnicEvent])[];
  readonly trace: readonly string[];
}[] = [
  {
    title: 'from nothing to its VF',
    events: toAccelerated,
    trace: ['absent', 'absent', 'software', 'software: want-vf', 'plugging/connecting', 'plugging/waiting', 'accelerated'],
  },
  {
    title: 'the guest may have moved before the last step was reported',
    events: [...toAccelerated.slice(0, 5), [40, moved], [50, done], [51, look({ path: 'accelerated' })]],
    trace: [
      'absent',
      'absent',
      'software',
      'software: want-vf',
      'plugging/connecting',
      'plugging/connecting',
      'plugging/waiting',
      'accelerated',
    ],
  },
  {
    title: 'back to software as planned, the guest answering the second question',
    events: [
      ...toAccelerated,
      [1000, look({ wantVf: false, path: 'accelerated' })],
      [1050, tick],
      [1055, { kind: 'drained', sequence: 999 }],
      [1060, { kind: 'drained', sequence: 1000 }],
      [1300, tick],
      [1310, tick],
      [1311, look({ wantVf: false })],
      [1340, done],
      [1341, look({ wantVf: false, released: true })],
    ],
    trace: [
      ...['absent', 'absent', 'software', 'software: want-vf', 'plugging/connecting', 'plugging/waiting', 'accelerated'],
      'draining/asking: send-drain 1000',
      'draining/asking: send-drain 1000',
      'draining/asking',
      'draining/settling: go-software',
      'draining/settling',
      'draining/releasing: look-again',
      'draining/releasing',
      'draining/releasing',
      'software',
    ],
  },
  {
    title: 'a guest that does not answer loses its VF all the same, with a warning',
    events: [...toAccelerated, [1000, look({ wantVf: false })], [1950, tick], [2000, tick], [2250, tick]],
    trace: [
      ...['absent', 'absent', 'software', 'software: want-vf', 'plugging/connecting', 'plugging/waiting', 'accelerated'],
      'draining/asking: send-drain 1000',
      'draining/asking: send-drain 1000',
      'draining/settling: warn, go-software',
      'draining/releasing: look-again',
    ],
  },
  {
    title: 'a guest that cannot be asked is not asked',
    events: [
      ...toAccelerated,
      [1000, look({ blocked: 'tap_missing', canAsk: false })],
      [1001, look({ blocked: 'tap_missing', released: true })],
      [1002, look({ blocked: 'tap_missing' })],
    ],
    trace: [
      ...['absent', 'absent', 'software', 'software: want-vf', 'plugging/connecting', 'plugging/waiting', 'accelerated'],
      'draining/releasing',
      'software',
      'absent',
    ],
  },
  {
    title: 'a VF that dies is released at once, and another asked for after a while',
    events: [
      ...toAccelerated,
      [1000, look({ vfLost: true, path: 'accelerated' })],
      [1001, look({ vfLost: true, released: true })],
      [1250, look()],
      [1251, look()],
    ],
    trace: [
      ...['absent', 'absent', 'software', 'software: want-vf', 'plugging/connecting', 'plugging/waiting', 'accelerated'],
      'draining/releasing',
      'software',
      'software',
      'software: want-vf',
    ],
  },
  {
    title: 'a VF that dies while its guest is being asked',
    events: [...toAccelerated, [1000, look({ wantVf: false })], [1010, look({ wantVf: false, vfLost: true })]],
    trace: [
      ...['absent', 'absent', 'software', 'software: want-vf', 'plugging/connecting', 'plugging/waiting', 'accelerated'],
      'draining/asking: send-drain 1000',
      'draining/releasing',
    ],
  },
  {
    title: 'a silent guest is given fifteen seconds',
    events: [...toAccelerated.slice(0, 6), [15_049, look()], [15_050, look()]],
    trace: [
      'absent',
      'absent',
      'software',
      'software: want-vf',
      'plugging/connecting',
      'plugging/waiting',
      'plugging/waiting',
      'draining/asking: send-drain 15050',
    ],
  },
  {
    title: 'a VF that could not be connected is released before anything else',
    events: [...toAccelerated.slice(0, 5), [50, failed], [51, look()], [52, look({ released: true })], [301, look()], [302, look()]],
    trace: [
      'absent',
      'absent',
      'software',
      'software: want-vf',
      'plugging/connecting',
      'draining/releasing',
      'draining/releasing',
      'software',
      'software',
      'software: want-vf',
    ],
  },
  {
    title: 'a VF that the guest holds though none is claimed is taken back first',
    events: [
      [0, look({ stray: vf })],
      [1, look({ released: true })],
      [2, look()],
    ],
    trace: ['draining/releasing', 'software', 'software: want-vf'],
  },
  {
    title: 'a guest that is not here yet is asked for nothing, also when it brings a VF along',
    events: [
      [0, look({ stray: vf, blocked: 'guest_incoming', rowPresent: false })],
      [1, look({ stray: vf })],
    ],
    trace: ['absent', 'draining/releasing'],
  },
  {
    title: 'no VF for a vNIC whose footing is not complete',
    events: [
      [0, look()],
      [1, look({ footed: false })],
      [2, look()],
    ],
    trace: ['software', 'software', 'software: want-vf'],
  },
  {
    title: 'a connection that nobody is working on is given up',
    events: [...toAccelerated.slice(0, 5), [50, look()]],
    trace: ['absent', 'absent', 'software', 'software: want-vf', 'plugging/connecting', 'draining/releasing'],
  },
];

for (const { title, events, trace } of lives) {
  test(title, (t) => {
    t.deepEqual(live(events).trace, trace);
  });
}

test('waits grow with every failure, up to the cap, and end when the operator wants it now', (t) => {
  let { state } = live(toAccelerated.slice(0, 4));
  const waits: number[] = [];
  let nowMs = 1000;
  for (let failure = 0; failure < 10; failure++) {
    state = live(
      [
        [nowMs, granted],
        [nowMs, failed],
        [nowMs, look({ released: true })],
      ],
      state,
    ).state;
    const at = wakeAt(state, nowMs);
    t.is(live([[nowMs, look()]], state).trace[0], 'software');
    waits.push((at ?? 0) - nowMs);
    nowMs = at ?? 0;
  }
  t.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  state = live(
    [
      [nowMs, granted],
      [nowMs, failed],
      [nowMs, look({ released: true })],
      [nowMs, { kind: 'retry-now' }],
    ],
    state,
  ).state;
  t.deepEqual(live([[nowMs, look()]], state).trace, ['software: want-vf']);
});

test('failures are forgotten once the VF has done well for a while, and not before', (t) => {
  const loseAt = (lostMs: number): number => {
    const { state } = live([
      [0, look()],
      [0, granted],
      [0, failed],
      [1, look({ released: true })],
      [1000, granted],
      [1000, done],
      [1000, moved],
      [lostMs, look({ vfLost: true })],
    ]);
    return state.vfTrouble?.failures ?? 0;
  };
  t.is(loseAt(1000 + DEFAULT_TIMING.stableMs - 1), 2);
  t.is(loseAt(1000 + DEFAULT_TIMING.stableMs), 1);
});

test('release that fails is tried again later, with the VF still claimed', (t) => {
  const { state } = live([...toAccelerated, [1000, look({ vfLost: true })], [1010, failed]]);
  t.is(stageOf(state), 'draining/releasing');
  t.is(claimedVf(state)?.port, 'vfp0');
  t.is(wakeAt(state, 1010), 1010 + DEFAULT_TIMING.backoffBaseMs);
});

const events: fc.Arbitrary<VnicEvent> = fc.oneof(
  fc.record({
    kind: fc.constant('look' as const),
    facts: fc.record({
      blocked: fc.constantFrom(null, 'tap_missing' as const, 'guest_missing' as const),
      rowPresent: fc.boolean(),
      footed: fc.boolean(),
      wantVf: fc.boolean(),
      path: fc.constantFrom('software' as const, 'accelerated' as const),
      vfLost: fc.boolean(),
      released: fc.boolean(),
      canAsk: fc.boolean(),
      stray: fc.constantFrom(null, vf),
      oneEared: fc.boolean(),
      held: fc.boolean(),
      refusal: fc.constantFrom(null, 'guest_paused' as const),
      inGuest: fc.boolean(),
      running: fc.boolean(),
      leaving: fc.boolean(),
    }),
  }),
  fc.constant(granted),
  fc.record({ kind: fc.constant('refused' as const), reason: fc.constant('no_free_vf' as const) }),
  fc.constant(done),
  fc.constant(failed),
  fc.constant(moved),
  fc.record({ kind: fc.constant('drained' as const), sequence: fc.integer({ min: 0, max: 50 }) }),
  fc.constant(tick),
  fc.constant({ kind: 'retry-now' as const }),
);

test('whatever happens: one reason, a VF only between grant and release, never accelerated without the guest', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 2000 }), events), { maxLength: 60 }), (steps) => {
      let state = INITIAL_STATE;
      let nowMs = 0;
      for (const [afterMs, event] of steps) {
        nowMs += afterMs;
        const before = state;
        const { state: after, effects } = next(before, event, nowMs, DEFAULT_TIMING);
        state = after;
        if (claimedVf(before) !== null && claimedVf(after) === null)
          t.true(event.kind === 'look' && event.facts.released, 'a VF was let go unreleased');
        if (claimedVf(before) === null && claimedVf(after) !== null)
          t.true(event.kind === 'granted' || (event.kind === 'look' && event.facts.stray !== null));
        if (before.stage.phase !== 'accelerated' && after.stage.phase === 'accelerated') {
          t.true(event.kind === 'path-changed' || (event.kind === 'look' && event.facts.path === 'accelerated'));
        }
        if (effects.some((effect) => effect.kind === 'want-vf')) t.is(claimedVf(after), null);
        for (const want of ['software', 'accelerated'] as const) {
          for (const path of ['software', 'accelerated'] as const) {
            const reason = reasonOf(after, want, 'policy', path);
            t.true(NOT_ACCELERATED_REASONS.includes(reason));
            t.is(reason === 'none', after.stage.phase === 'accelerated' && path === 'accelerated');
          }
        }
      }
    }),
  );
});
