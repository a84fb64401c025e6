/** A guest that hears on one path only: its frames are kept back while it changes it. */
import test from 'ava';
import fc from 'fast-check';
import { DEFAULT_TIMING, patientTiming } from '../../../src/core/backoff.js';
import {
  asked, claimedVf, INITIAL_STATE, next, wakeAt, type ClaimedVf, type Effect, type VnicEvent, type VnicFacts, type VnicState,
} from '../../../src/core/vnic_state.js';

const vf: ClaimedVf = { kind: 'emulated', port: 'tapvf0', device: 'vmxnet3', ifindex: 7, before: { mtu: 1500, up: false, bridge: null, flags: null } };
const { plugHoldMs, driverMs, ejectMs, holdSettleMs, holdReserveMs, livenessMs, askMs } = DEFAULT_TIMING;

const fine: VnicFacts = {
  blocked: null, rowPresent: true, footed: true, wantVf: true, path: 'software', vfLost: false, released: false, canAsk: false, stray: null,
  oneEared: true, held: false, refusal: null, inGuest: false, running: true, leaving: false,
};
const look = (facts: Partial<VnicFacts> = {}): VnicEvent => ({ kind: 'look', facts: { ...fine, ...facts } });
const did = (what: 'hold' | 'eject' | 'release' | 'other'): VnicEvent => ({ kind: 'step-done', did: what });
const failed = (what: 'hold' | 'eject' | 'release' | 'other'): VnicEvent => ({ kind: 'step-failed', did: what, reason: 'internal_error', message: 'no' });
const heard = (path: 'software' | 'accelerated'): VnicEvent => ({ kind: 'heard', path });
const tick: VnicEvent = { kind: 'tick' };
const granted: VnicEvent = { kind: 'granted', vf };

function stageOf({ stage }: VnicState): string {
  return 'step' in stage ? `${stage.phase}/${stage.step}` : stage.phase;
}

function effectText(effect: Effect): string {
  if (effect.kind === 'hold') return `hold ${effect.durationMs}`;
  return effect.kind === 'release' ? `release ${effect.path}` : effect.kind;
}

type Life = readonly (readonly [atMs: number, event: VnicEvent])[];

function live(events: Life, start: VnicState = INITIAL_STATE): { readonly trace: string[]; readonly state: VnicState } {
  let state = start;
  const trace = events.map(([nowMs, event]) => {
    const step = next(state, event, nowMs, DEFAULT_TIMING);
    state = step.state;
    return [stageOf(state), ...step.effects.map(effectText)].join(' ');
  });
  return { trace, state };
}

/** The hold of a plug is one of the actions that connect the VF. */
const toWaiting: Life = [[0, look()], [0, look()], [0, granted], [100, did('other')]];
const toAccelerated: Life = [...toWaiting, [200, heard('accelerated')], [201, did('release')]];
const onVf = { path: 'accelerated', inGuest: true } as const;
const unplugged: Life = [...toAccelerated, [5000, look({ ...onVf, wantVf: false })]];

const lives: readonly { readonly title: string; readonly from: Life; readonly events: Life; readonly trace: readonly string[] }[] = [
  {
    title: 'heard on its VF, what waited goes there, and then it is accelerated',
    from: toWaiting, events: [[200, heard('accelerated')], [201, did('release')]],
    trace: ['plugging/delivering release accelerated', 'accelerated look-again'],
  },
  {
    title: 'heard before the VF was connected in full: it does not wait for a second word',
    from: toWaiting.slice(0, 3), events: [[50, heard('accelerated')], [100, did('other')]],
    trace: ['plugging/connecting', 'plugging/delivering release accelerated'],
  },
  {
    title: 'an answer by its tap while the driver is looked for says nothing; after that it has no driver',
    from: toWaiting, events: [[100 + driverMs - 1, heard('software')], [100 + driverMs, heard('software')]],
    trace: ['plugging/waiting', `draining/holding hold ${ejectMs + holdReserveMs}`],
  },
  {
    title: 'one that says nothing at all is given up after the hold',
    from: toWaiting, events: [[100 + plugHoldMs - 1, look({ inGuest: true })], [100 + plugHoldMs, look({ inGuest: true })]],
    trace: ['plugging/waiting', `draining/holding hold ${holdSettleMs + ejectMs + holdReserveMs}`],
  },
  {
    title: 'an unplug: hold, let what is on its way arrive, eject, heard by the tap, deliver there, and only then the VF is free',
    from: toAccelerated,
    events: [
      [5000, look({ ...onVf, wantVf: false })], [5001, did('hold')], [5000 + holdSettleMs, tick], [5010, did('eject')], [5050, heard('software')],
      [5051, did('release')], [5052, look({ wantVf: false })], [5060, look({ wantVf: false, released: true })],
    ],
    trace: [
      `draining/holding hold ${holdSettleMs + ejectMs + holdReserveMs}`, 'draining/holding', 'draining/ejecting eject', 'draining/ejecting',
      'draining/returning release software', 'draining/releasing look-again', 'draining/releasing', 'software',
    ],
  },
  {
    title: 'the device is gone before the guest was heard: it can hear nowhere else any more',
    from: unplugged, events: [[5003, tick], [5040, { kind: 'ejected' }]],
    trace: ['draining/ejecting eject', 'draining/returning release software'],
  },
  {
    title: 'a guest that does not let go keeps its VF, with a warning, and is asked again later',
    from: unplugged,
    events: [[5003, tick], [5003 + ejectMs, tick], [8010, did('release')], [8020, look({ ...onVf, wantVf: false })], [60_000, look({ ...onVf, wantVf: false })]],
    trace: [
      'draining/ejecting eject', 'draining/staying release accelerated warn', 'accelerated look-again', 'accelerated',
      `draining/holding hold ${holdSettleMs + ejectMs + holdReserveMs}`,
    ],
  },
  {
    title: 'one that stands still is asked for nothing',
    from: toAccelerated, events: [[5000, look({ ...onVf, wantVf: false, running: false })]], trace: ['accelerated'],
  },
  {
    title: 'the link of its VF is gone: it hears by the tap only when it has let go of the device',
    from: toAccelerated, events: [[5000, look({ ...onVf, vfLost: true })], [5000, tick], [5040, heard('software')]],
    trace: [`draining/holding hold ${ejectMs + holdReserveMs}`, 'draining/ejecting eject', 'draining/returning release software'],
  },
  {
    title: 'a dead VF that the guest does not let go of: back to software all the same',
    from: toAccelerated, events: [[5000, look({ ...onVf, vfLost: true })], [5000, tick], [5000 + ejectMs, tick]],
    trace: [`draining/holding hold ${ejectMs + holdReserveMs}`, 'draining/ejecting eject', 'draining/returning release software warn'],
  },
  {
    title: 'it transmits by its tap: its driver has lost the VF',
    from: toAccelerated, events: [[5000, { kind: 'path-changed', path: 'software' }]], trace: [`draining/holding hold ${ejectMs + holdReserveMs}`],
  },
  {
    title: 'it answers by its tap, where it would be deaf with a VF; but not because an answer comes late',
    from: toAccelerated, events: [[201 + livenessMs - 1, heard('software')], [201 + livenessMs, heard('software')]],
    trace: ['accelerated', `draining/holding hold ${ejectMs + holdReserveMs}`],
  },
  {
    title: 'an answer on its VF is as it should be',
    from: toAccelerated, events: [[9000, heard('accelerated')]], trace: ['accelerated'],
  },
  {
    title: 'the hypervisor takes the VF to migrate: held, not asked for; when it stays, it is waited for again',
    from: toAccelerated,
    events: [[5000, { kind: 'leaving' }], [5000, tick], [5030, { kind: 'ejected' }], [5031, did('release')], [5100, { kind: 'staying' }], [5200, heard('accelerated')]],
    trace: [
      `draining/holding hold ${ejectMs + holdReserveMs}`, 'draining/ejecting', 'draining/returning release software', 'draining/releasing look-again',
      `plugging/waiting hold ${plugHoldMs + holdReserveMs}`, 'plugging/delivering release accelerated',
    ],
  },
  {
    title: 'a hold that fails, or a delivery, is no reason to stop half-way',
    from: unplugged, events: [[5001, failed('hold')], [5003, tick], [5040, heard('software')], [5041, failed('release')]],
    trace: ['draining/holding', 'draining/ejecting eject', 'draining/returning release software', 'draining/releasing look-again'],
  },
  {
    title: 'what an earlier daemon kept back is delivered where the guest is',
    from: [[0, look()]], events: [[1, look({ held: true })]], trace: ['software release software'],
  },
];

for (const { title, from, events, trace } of lives) {
  test(title, (t) => t.deepEqual(live(events, live(from).state).trace, trace));
}

test('whom to ask, where, and how often', (t) => {
  const at = (events: Life) => asked(live(events).state, DEFAULT_TIMING);
  t.is(at(toWaiting.slice(0, 3)), null);
  t.deepEqual(at(toWaiting), { ports: ['vf', 'tap'], intervalMs: askMs });
  t.deepEqual(at(toAccelerated), { ports: ['tap'], intervalMs: livenessMs });
  t.is(at(unplugged), null);
  t.deepEqual(at([...unplugged, [5003, tick]]), { ports: ['tap'], intervalMs: askMs });
});

test('with patience an answer by the tap may come so many times later, and a slow guest is asked less often', (t) => {
  const times = 20;
  const timing = patientTiming(times);
  const { state } = live(toAccelerated);
  const after = (ms: number): string => stageOf(next(state, heard('software'), 201 + ms, timing).state);
  t.is(after(times * livenessMs - 1), 'accelerated');
  t.is(after(times * livenessMs), 'draining/holding');
  t.is(asked(state, timing)?.intervalMs, times * livenessMs);
  t.is(asked(live(toWaiting).state, timing)?.intervalMs, times * askMs);
});

const anyEvent: fc.Arbitrary<VnicEvent> = fc.oneof(
  fc.record({
    kind: fc.constant('look' as const),
    facts: fc.record({
      blocked: fc.constantFrom(null, null, 'tap_missing' as const, 'guest_incoming' as const),
      rowPresent: fc.boolean(), footed: fc.boolean(), wantVf: fc.boolean(), path: fc.constantFrom('software' as const, 'accelerated' as const),
      vfLost: fc.boolean(), released: fc.boolean(), canAsk: fc.constant(false), stray: fc.constantFrom(null, null, vf), oneEared: fc.constant(true),
      held: fc.boolean(), refusal: fc.constantFrom(null, 'guest_paused' as const), inGuest: fc.boolean(), running: fc.boolean(), leaving: fc.boolean(),
    }),
  }),
  fc.constant(granted),
  fc.constantFrom('hold' as const, 'eject' as const, 'release' as const, 'other' as const).map(did),
  fc.constantFrom('hold' as const, 'eject' as const, 'release' as const, 'other' as const).map(failed),
  fc.constantFrom('software' as const, 'accelerated' as const).map(heard),
  fc.constantFrom('software' as const, 'accelerated' as const).map((path): VnicEvent => ({ kind: 'path-changed', path })),
  fc.constantFrom<VnicEvent>({ kind: 'ejected' }, { kind: 'leaving' }, { kind: 'staying' }, tick, { kind: 'retry-now' }),
);

/** A guest that does as it is told, and a host where everything works: what the effects ask for is done. */
function settle(start: VnicState, startMs: number): VnicState {
  let [state, nowMs, inGuest] = [start, startMs, claimedVf(start) !== null];
  for (let round = 0; round < 40 && state.stage.phase !== 'software'; round++) {
    const todo: VnicEvent[] = [tick, look({ wantVf: false, inGuest, released: !inGuest })];
    for (let event = todo.shift(); event !== undefined; event = todo.shift()) {
      const step = next(state, event, nowMs, DEFAULT_TIMING);
      state = step.state;
      for (const effect of step.effects) {
        if (effect.kind === 'hold' || effect.kind === 'release') todo.push(did(effect.kind));
        if (effect.kind === 'eject') {
          inGuest = false;
          todo.push(did('eject'), { kind: 'ejected' });
        }
      }
      // Whatever its guest does, the reconciler takes it out of there in this step.
      if (state.stage.phase === 'draining' && state.stage.step === 'releasing') inGuest = false;
    }
    nowMs = wakeAt(state, nowMs) ?? nowMs + 1000;
  }
  return state;
}

test('whatever happened: a VF is let go only when a look found nothing of it, and a guest that does as it is told is back on software', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), anyEvent), { maxLength: 40 }), (steps) => {
      let [state, nowMs] = [INITIAL_STATE, 0];
      for (const [afterMs, event] of steps) {
        nowMs += afterMs;
        const after = next(state, event, nowMs, DEFAULT_TIMING).state;
        if (claimedVf(state) !== null && claimedVf(after) === null) t.true(event.kind === 'look' && event.facts.released);
        state = after;
      }
      t.is(stageOf(settle(state, nowMs)), 'software');
    }),
  );
});
