/** Software-path cut-through: on, frames go past the bridge in both directions; off, they take it; nothing is lost in either case. */
import type { ExecutionContext } from 'ava';
import { datagrams, isIntact, onlyReason } from './bed/expect.js';
import { bedTest, runOnBed } from './bed/run.js';
import type { CutThroughState } from './cut_through_scenarios.js';

const scenarios = new URL('./cut_through_scenarios.js', import.meta.url);
const TOWARD_GUEST = ['redirect_single', 'pass_software', 'pass_unknown_mac', 'pass_no_target', 'pass_same_port'];

function isRight(t: ExecutionContext, { cutThrough, outcome, risen, learnt, withoutBridge }: CutThroughState): void {
  const where = `cut-through ${cutThrough ? 'on' : 'off'}`;
  isIntact(t, outcome, risen, where);
  for (const [guest, neighbour] of [['g1', 'g2'], ['g2', 'g1']] as const) {
    const toward = datagrams(outcome, 'world', guest) + datagrams(outcome, neighbour, guest);
    const away = datagrams(outcome, guest, 'world');
    if (cutThrough) {
      onlyReason(t, risen, guest, 'redirect_single', TOWARD_GUEST, toward, where);
      t.true((risen[`${guest} redirect_uplink`] ?? 0) >= away, `${where}: ${guest} to the uplink`);
      t.true((risen[`${guest} tap queue 0`] ?? 0) >= toward, `${where}: to the tap of ${guest}`);
    } else {
      // Both directions are counted for the guest.
      onlyReason(t, risen, guest, 'pass_software', TOWARD_GUEST, toward + away, where);
      t.is(risen[`${guest} redirect_uplink`] ?? 0, 0, `${where}: ${guest} to the uplink`);
    }
  }
  const nowhere = { world: null, g1: null, g2: null };
  t.deepEqual(learnt, cutThrough ? nowhere : { world: 'pf0', g1: 'tap-g1', g2: 'tap-g2' }, `${where}: what the bridge learns`);
  for (const [direction, { sent, lost }] of Object.entries(withoutBridge.udp)) {
    t.true(sent > 20, `${where}, without a bridge: ${direction}: only ${sent} datagrams`);
    t.is(lost, cutThrough ? 0 : sent, `${where}, without a bridge: ${direction}`);
  }
  for (const [pair, { bytes }] of Object.entries(withoutBridge.tcp)) {
    t.is(bytes > 0, cutThrough, `${where}, without a bridge: TCP ${pair}: ${bytes} bytes`);
  }
}

bedTest('software path, tap and veth: past the bridge with cut-through, by the bridge without', async (t) => {
  const seen = await runOnBed<{ states: CutThroughState[]; incomplete: string[] }>(t, scenarios, 'offAndOn', ['g1', 'g2', 'world']);
  t.is(seen.states.length, 2);
  for (const state of seen.states) isRight(t, state);
  t.deepEqual(seen.incomplete, []);
});
