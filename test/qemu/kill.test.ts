import { setTimeout as sleep } from 'node:timers/promises';
import { guest } from './bed.js';
import { guestsTest } from './guests_test.js';
import { Traffic } from './traffic.js';

/** After the command, in milliseconds: from before anything is done to after the guest has been heard. */
const MOMENTS_MS = [20, 100, 180, 260, 400];
/** What a hold lasts longer in the data plane than in the daemon: one that comes back later has lost frames (src/core/backoff.ts). */
const RESERVE_MS = 5000;

guestsTest('unipathd killed at every step of a plug and of an unplug: the next one brings it to its end, and no frame is lost', [{ name: 'a', vfs: [{ port: 'tp0', model: 'vmxnet3' }] }], async (t, bed) => {
  const host = bed.host('a');
  const at = await bed.boot('a', guest(1));
  await host.startDaemon();
  const traffic = new Traffic(bed.endpoint, at, { id: 1, packetsPerSecond: 250, talks: true, tcp: true });
  await traffic.start();
  await sleep(300);
  const phases: string[] = [];
  let slow = 0;
  let before = 0;
  for (const verb of ['accelerate', 'software'] as const) {
    const wanted = verb === 'accelerate' ? 'accelerated' : 'software';
    for (const moment of MOMENTS_MS) {
      await host.control.act('g1', verb === 'accelerate' ? 'software' : 'accelerate', 20_000);
      await sleep(100);
      host.control.act('g1', verb, 0).catch(() => undefined);
      await sleep(moment);
      phases.push(`${verb} +${moment}: ${(await host.vnic('g1')).phase}`);
      const killed = Date.now();
      await host.stopDaemon('SIGKILL');
      await host.startDaemon();
      const awayMs = Date.now() - killed;
      await host.until('g1', (vnic) => vnic.phase === wanted && vnic.path === wanted, 30_000);
      await sleep(200);
      const lost = await traffic.lostSoFar();
      if (awayMs < RESERVE_MS) t.is(lost - before, 0, `${phases.at(-1)}, away for ${awayMs} ms; missing ${JSON.stringify(await traffic.missing())}`);
      else slow++;
      before = lost;
    }
  }
  t.log(phases.join('; '));
  if (slow > 0) t.log(`${slow} of ${2 * MOMENTS_MS.length} times this machine was so busy that the daemon was away for more than ${RESERVE_MS} ms: not counted`);
  const tcp = await traffic.tcp();
  t.true(tcp?.ok, tcp?.detail);
  const { duplicated, corrupt } = await traffic.finish();
  t.deepEqual([duplicated, corrupt], [0, 0]);
  // Nothing is left of what the killed ones had begun.
  await host.control.act('g1', 'software', 20_000);
  const { adapters } = await host.control.status();
  t.deepEqual(adapters[0]?.vfs.map(({ state }) => state), ['free']);
  await host.control.down();
});
