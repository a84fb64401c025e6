/**
 * Adapters that switch by themselves: a neighbour's frame for a VF leaves by the uplink and comes back by nothing else, replies come
 * in by the uplink, and nothing goes round: no frame is anywhere twice.
 */
import { datagrams, isIntact } from './bed/expect.js';
import { bedTest, runOnBed } from './bed/run.js';
import type { LegacyState, Step } from './legacy_scenarios.js';

const scenarios = new URL('./legacy_scenarios.js', import.meta.url);
const STATIONS = ['g1', 'g2', 'g3', 'nic', 'world'];
const FRAMES = 6;

/** Where the frames of each step arrive, once each; and the reason, with the vNIC it is counted for. */
const STEPS: readonly (readonly [what: string, arrives: string, counted: readonly string[]])[] = [
  ['tap to VF', 'g1 vf', ['g1 redirect_single']],
  ['VF to tap', 'g2 tap', ['g2 pass_software']],
  ['veth to VF', 'g1 vf', ['g1 redirect_single']],
  ['VF to veth', 'g3 tap', ['g3 pass_software']],
  ['world to VF', 'g1 vf', []],
  ['VF to world', 'world wire', []],
  ['world to tap', 'g2 tap', ['g2 pass_software']],
  ['tap to world', 'world wire', ['g2 pass_software']],
  ['world to VF, unknown to the adapter', 'g1 tap', ['g1 pass_same_port']],
  ['tap to VF, cut-through', 'g1 vf', ['g1 redirect_single']],
  ['VF to tap, cut-through', 'g2 tap', ['g2 redirect_single']],
  ['veth to VF, cut-through', 'g1 vf', ['g1 redirect_single']],
  ['VF to veth, cut-through', 'g3 tap', ['g3 redirect_single']],
  ['world to VF, cut-through', 'g1 vf', []],
  ['VF to world, cut-through', 'world wire', []],
  ['world to tap, cut-through', 'g2 tap', ['g2 redirect_single']],
  ['tap to world, cut-through', 'world wire', ['g2 redirect_uplink']],
  ['world to VF, unknown to the adapter, cut-through', 'g1 tap', ['g1 pass_same_port']],
];

bedTest('legacy adapter: every frame once where it belongs, and nowhere else', async (t) => {
  const steps = await runOnBed<Step[]>(t, scenarios, 'frames', STATIONS);
  t.deepEqual(steps.map(({ what }) => what), STEPS.map(([what]) => what));
  for (const [i, [what, arrives, counted]] of STEPS.entries()) {
    const { arrived, strange, risen = {} } = steps[i] ?? {};
    t.deepEqual(arrived, { [arrives]: FRAMES }, what);
    t.is(strange, 0, `${what}: frames that nobody sent`);
    const reasons = Object.entries(risen).filter(([name]) => / (pass|redirect|drop)_|^error/.test(name));
    t.deepEqual(Object.fromEntries(reasons), Object.fromEntries(counted.map((name) => [name, FRAMES])), what);
  }
});

bedTest('legacy adapter: datagrams and TCP between the world, a guest on its VF and one on its tap', async (t) => {
  const { states, incomplete } = await runOnBed<{ states: LegacyState[]; incomplete: string[] }>(t, scenarios, 'flows', STATIONS);
  for (const { cutThrough, g1, outcome, risen } of states) {
    const where = `g1 ${g1}, cut-through ${cutThrough ? 'on' : 'off'}`;
    isIntact(t, outcome, risen, where);
    const neighbours = datagrams(outcome, 'g2', 'g1');
    const [own, other] = g1 === 'accelerated' ? ['vf', 'tap'] : ['tap', 'vf'];
    const count = risen[`g1 ${own} queue 0`] ?? 0;
    t.true(count >= neighbours, `${where}: ${count} frames to the ${own} of g1, at least ${neighbours} were sent`);
    t.is(risen[`g1 ${other} queue 0`] ?? 0, 0, `${where}: frames to the ${other} of g1`);
    t.is(risen['g1 pass_same_port'] ?? 0, 0, where);
  }
  t.deepEqual(incomplete, []);
});
