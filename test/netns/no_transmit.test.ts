/** Ports whose drivers take no frames from XDP programs, as representors of some adapters: the bridge and tc carry what would be lost. */
import { bedTest, runOnBed } from './bed/run.js';
import type { NoTransmitSeen } from './no_transmit_scenarios.js';

const scenarios = new URL('./no_transmit_scenarios.js', import.meta.url);

for (const guest of ['plugin', 'failover'] as const) {
  bedTest(`a VF port and an uplink that take no redirected frames: by the bridge and tc (${guest})`, async (t) => {
    const { takes, takesGeneric, steps } = await runOnBed<NoTransmitSeen>(t, scenarios, guest, ['g1', 'g2', 'world']);
    t.deepEqual(takes, [false, true, false], 'the uplink, a tap, a veth');
    t.deepEqual(takesGeneric, [true, true, true]);
    const is = (what: string, arrived: Record<string, number>, risen: Record<string, number>): void => {
      t.deepEqual(steps[what]?.arrived, arrived, what);
      t.like(steps[what]?.risen ?? {}, risen, what);
    };
    const byTc = { 'g1 pass_no_transmit': 10, 'g1 redirect_vf': 10 };
    is('untold, from the wire', {}, { 'g1 redirect_single': 10 });
    is('from the wire', { 'g1 vf': 10 }, byTc);
    is('from a neighbour', { 'g1 vf': 10 }, byTc);
    is('a broadcast', guest === 'plugin' ? { 'g1 tap': 1, 'g2 tap': 1 } : { 'g1 vf': 1, 'g2 tap': 1 }, { 'nobody pass_multicast': 1 });
    is('to the wire', { 'world wire': 10 }, { 'g1 pass_no_transmit': 10 });
    is('software, from the wire', { 'g1 tap': 10 }, { 'g1 pass_software': 10 });
  });
}
