/** Anti-spoofing with real frames: each lie is counted under its reason, and neither the neighbour nor anyone's path notices. */
import { isIntact } from './bed/expect.js';
import { bedTest, runOnBed } from './bed/run.js';
import type { SpoofSeen } from './spoofing_scenarios.js';

const scenarios = new URL('./spoofing_scenarios.js', import.meta.url);
const VICTIM_MAC = '52:54:00:06:00:02';

bedTest('a guest that floods lies by its tap and by its VF moves nobody and disturbs nobody', async (t) => {
  const { seen, incomplete } = await runOnBed<{ seen: SpoofSeen[]; incomplete: string[] }>(t, scenarios, 'flood', ['g1', 'g2', 'world']);
  t.is(seen.length, 4);
  for (const { by, victimOn, sent, outcome, risen, path, ownPath, victim } of seen) {
    const where = `lies by ${by}, the victim ${victimOn}`;
    isIntact(t, outcome, risen, where);
    t.is(Object.keys(sent).length, 5);
    for (const [reason, count] of Object.entries(sent)) t.is(risen[`g1 ${reason}`], count, `${where}: ${reason}`);
    t.deepEqual(path[1], path[0], `${where}: path of the victim`);
    t.deepEqual(ownPath[1], ownPath[0], `${where}: path of the liar`);
    t.is(risen['g1 flows learnt'] ?? 0, 0, `${where}: flows of the liar`);
    t.is(risen['g2 flows learnt'] ?? 0, 0, `${where}: flows of the victim`);
    t.deepEqual(victim, { bridgePort: 'tap-g2', neighbour: VICTIM_MAC }, where);
    // Whatever is counted for the victim was sent by the victim or for it.
    t.deepEqual(Object.keys(risen).filter((name) => name.startsWith('g2 drop_')), [], where);
  }
  t.deepEqual(incomplete, []);
});
