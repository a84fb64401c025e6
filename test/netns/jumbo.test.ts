/** Jumbo frames arrive intact on every path: redirected in several buffers where the port takes that, else by the bridge. */
import { CHANCE, datagrams, isIntact } from './bed/expect.js';
import { bedTest, runOnBed } from './bed/run.js';
import type { JumboSeen } from './jumbo_scenarios.js';

const scenarios = new URL('./jumbo_scenarios.js', import.meta.url);

bedTest('an MTU of 9000, offloads off and on: intact on a tap, a veth and VF ports, by the bridge and past it', async (t) => {
  const { seen, incomplete } = await runOnBed<{ seen: JumboSeen[]; incomplete: string[] }>(t, scenarios, 'flows', ['g1', 'g2', 'world']);
  t.is(seen.length, 6);
  for (const { path, cutThrough, offloads, outcome, risen } of seen) {
    const where = `${path}, cut-through ${cutThrough ? 'on' : 'off'}, offloads ${offloads ? 'on' : 'off'}`;
    isIntact(t, outcome, risen, where, 20_000);
    const count = (name: string): number => risen[name] ?? 0;
    const sent = (to: string, ...from: string[]): number => from.reduce((sum, each) => sum + datagrams(outcome, each, to), 0);
    const redirects = path === 'accelerated' || cutThrough;
    // A third of the datagrams fits into one buffer. What is left unfinished is not looked at further.
    const several = (datagramsSent: number): number => Math.floor(datagramsSent / 2);
    if (!offloads && redirects) {
      const large = count('g1 pass_multi_buffer');
      if (path === 'software') t.true(large >= several(sent('g1', 'world', 'g2')), `${where}: ${large} frames too many buffers for a tap`);
      else t.is(large, 0, `${where}: a VF port takes several buffers`);
      t.is(count('g2 pass_multi_buffer'), 0, `${where}: a veth takes several buffers`);
      t.true(count('g2 redirect_single') >= sent('g2', 'world', 'g1'), `${where}: ${count('g2 redirect_single')} redirected to g2`);
      t.true(count('g2 redirect_uplink') >= sent('world', 'g2'), `${where}: ${count('g2 redirect_uplink')} redirected to the uplink`);
    }
    for (const guest of ['g1', 'g2']) {
      const partial = count(`${guest} pass_partial_checksum`);
      if (offloads) t.true(partial >= several(sent(guest, 'world')), `${where}: ${partial} unfinished frames for ${guest}`);
      else t.true(partial <= CHANCE, `${where}: ${partial} unfinished frames for ${guest}`);
      t.is(count(`${guest} pass_oversize`) > 0, false, `${where}: too large for ${guest}`);
    }
  }
  t.deepEqual(incomplete, []);
});
