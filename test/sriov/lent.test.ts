/** unipathd lends a VF of an adapter that switches by itself: set, heard, let hear, taken back, and as it was before. */
import { fileURLToPath } from 'node:url';
import { sriovTest } from './bed.js';
import type { LentAndBack } from './lent_scenario.js';

const scenario = fileURLToPath(new URL('./lent_scenario.js', import.meta.url));

sriovTest('a VF is lent to a guest that hears on one path, and given back: the wire and a tap reach it on both', async (t, machine) => {
  const said = await machine.run(`${process.execPath} ${scenario} lentAndBack 2>/run/scenario.log || cat /run/scenario.log`, { deadlineMs: 260_000 });
  t.true(said.startsWith('{'), said);
  const result = JSON.parse(said) as LentAndBack;
  t.log(Object.entries(result.asked).map(([who, { sent, answered, doubled }]) => `${who}: ${answered} of ${sent}, ${doubled} twice`).join('; '));
  t.deepEqual(result.reached, [true, true], result.said.join('\n'));
  t.like(result.onVf, { value: { mac: '52:54:00:00:00:a0', vlan: 0, maxRate: 500 } });
  t.true(result.toVf > 20 && result.toTap < 5, `${result.toVf} to the VF, ${result.toTap} to the tap`);
  // What was kept back for longer than ten seconds is of no use to anyone: an emulated machine that has other work to do may take that long.
  for (const [who, { sent, answered }] of Object.entries(result.asked)) t.true(answered > 0.9 * sent, `${who}: ${answered} of ${sent}`);
  // Whatever it sends on its VF, and the bridge hears at the PF; around a switch it may take one more to tell.
  const bridged = result.said.flatMap((line) => /^add static FDB entry 52:54:00:00:00:a0 -> (.*)$/.exec(line)?.[1] ?? []);
  t.deepEqual(bridged.filter((port, i) => port !== bridged[i - 1]), ['tap-g0', 'eth0', 'tap-g0']);
  t.true(bridged.filter((port) => port === 'eth0').length === 1 && bridged.length <= 6, bridged.join());
  t.deepEqual(result.after, result.before);
  t.deepEqual(result.leftOwn, []);
}, { long: true });
