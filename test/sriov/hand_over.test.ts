/** Legacy adapter: an address goes from the host's path to a VF and back, and nothing that is sent to it is lost. */
import { fileURLToPath } from 'node:url';
import { sriovTest } from './bed.js';
import type { HandedOver } from './hand_over_scenario.js';

const scenario = fileURLToPath(new URL('./hand_over_scenario.js', import.meta.url));

sriovTest('hand-over to a VF and back: every question of the wire, of another VF and of a tap is answered', async (t, machine) => {
  const said = await machine.run(`${process.execPath} ${scenario} handOver 2>/run/scenario.log || cat /run/scenario.log`, { deadlineMs: 200_000 });
  t.true(said.startsWith('{'), said);
  const { asked, heard, takeOverMs, giveBackMs, before, after } = JSON.parse(said) as HandedOver;
  t.log(`take-over in ${takeOverMs} ms, give-back in ${giveBackMs} ms; ${Object.entries(asked).map(([who, { sent, answered, doubled }]) => `${who}: ${answered} of ${sent}, ${doubled} twice`).join('; ')}`);
  for (const [who, { sent, answered }] of Object.entries(asked)) {
    t.is(sent, 400, who);
    t.is(answered, sent, `${who}: unanswered`);
  }
  // Parked, the VF hears nothing; in between the host hears nothing; then it is as before.
  const [parked, onVf, back] = heard;
  t.true((parked?.vf ?? 1) === 0 && (parked?.tap ?? 0) > 100, JSON.stringify(parked));
  t.true((onVf?.vf ?? 0) > 100 && (onVf?.tap ?? 1000) < 10, JSON.stringify(onVf));
  t.true((back?.vf ?? 1) === 0 && (back?.tap ?? 0) > 50, JSON.stringify(back));
  t.deepEqual(after, before);
}, { long: true });
