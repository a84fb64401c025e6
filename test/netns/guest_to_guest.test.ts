/** Guests of one host reach each other on every combination of paths, past the bridge where that is allowed, and nothing is lost. */
import type { ExecutionContext } from 'ava';
import { datagrams, isIntact, onlyReason } from './bed/expect.js';
import { bedTest, runOnBed } from './bed/run.js';
import type { GuestToGuestSeen, PairSeen } from './guest_to_guest_scenarios.js';

const scenarios = new URL('./guest_to_guest_scenarios.js', import.meta.url);
const REASONS = ['redirect_single', 'redirect_rss', 'redirect_rfs', 'pass_software', 'pass_unknown_mac', 'pass_oversize', 'pass_no_target'];

function wentAsDecided(t: ExecutionContext, { paths, cutThrough, outcome, risen }: PairSeen): void {
  const where = `g1 ${paths.g1}, g2 ${paths.g2}, cut-through ${cutThrough ? 'on' : 'off'}`;
  isIntact(t, outcome, risen, where);
  for (const [from, to] of [['g1', 'g2'], ['g2', 'g1']] as const) {
    const sent = datagrams(outcome, from, to);
    const redirected = paths[to] === 'accelerated' || cutThrough;
    onlyReason(t, risen, to, redirected ? 'redirect_single' : 'pass_software', REASONS, sent, where);
    // Which port it left by, and which one it came in by.
    const least = { tap: 0, vf: 0, [paths[to] === 'accelerated' ? 'vf' : 'tap']: redirected ? sent : 0 };
    for (const side of ['tap', 'vf'] as const) {
      const count = risen[`${to} ${side} queue 0`] ?? 0;
      t.true(least[side] > 0 ? count >= least[side] : count === 0, `${where}: ${count} frames to the ${side} of ${to}`);
    }
    const [own, other] = paths[from] === 'accelerated' ? ['vf', 'tap'] : ['tap', 'vf'];
    t.true((risen[`${from} from ${own}`] ?? 0) >= sent, `${where}: ${from} sends by its ${own}`);
    // What is for everyone always takes the tap.
    const forEveryone = other === 'tap' ? (risen[`${from} pass_multicast`] ?? 0) : 0;
    t.true((risen[`${from} from ${other}`] ?? 0) <= forEveryone, `${where}: ${from} sends by its ${other}`);
    t.is(risen[`${from} path changes`] ?? 0, 0, `${where}: ${from} moved itself`);
  }
}

for (const [scenario, ports] of [['taps', 'two taps'], ['veths', 'two veths']] as const) {
  bedTest(`guest to guest, software ports ${ports}: all four combinations of paths, cut-through off and on`, async (t) => {
    const { states, incomplete } = await runOnBed<GuestToGuestSeen>(t, scenarios, scenario, ['g1', 'g2', 'world']);
    t.is(states.length, 8);
    for (const state of states) wentAsDecided(t, state);
    t.deepEqual(incomplete, []);
  });
}
