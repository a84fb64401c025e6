import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import type { VnicStatus } from '../../src/control/protocol.js';
import { guest, type BedHost } from './bed.js';
import { guestsTest } from './guests_test.js';
import { Traffic } from './traffic.js';

const PACKETS_PER_SECOND = 250;
const accelerated = (vnic: VnicStatus): boolean => vnic.phase === 'accelerated' && vnic.path === 'accelerated';
const software = (vnic: VnicStatus): boolean => vnic.phase === 'software' && vnic.path === 'software';

function ip(host: BedHost, ...words: readonly string[]): void {
  execFileSync('ip', ['-n', host.netns, ...words]);
}

/** States and owners of the VFs, by port. */
async function pool(host: BedHost): Promise<Record<string, string>> {
  const { adapters } = await host.control.status();
  return Object.fromEntries((adapters[0]?.vfs ?? []).map(({ port, state, owner }) => [port, `${state} ${owner ?? '-'}`]));
}

/** Loss of one trouble: numbers that did not arrive since the last call. */
class Losses {
  #before = 0;
  constructor(readonly traffic: Traffic) {}

  async since(): Promise<{ lost: number; pauseMs: number }> {
    const pauseMs = await this.traffic.lap();
    const total = await this.traffic.lostSoFar();
    const lost = total - this.#before;
    this.#before = total;
    return { lost, pauseMs };
  }
}

const TWO = [{ name: 'a', vfs: [{ port: 'tp0', model: 'vmxnet3' }, { port: 'tp1', model: 'vmxnet3' }] }];

guestsTest('a guest that is paused, loses its VF, lets go of it, reboots, ends: reachable, explained, and the next try works', TWO, async (t, bed) => {
  const host = bed.host('a');
  const { control } = host;
  const at = await bed.boot('a', guest(1));
  await host.startDaemon();
  const qmp = await QmpClient.connect(at.qemu.labQmpSocket);
  bed.onClose(() => qmp.close());
  // Guests are started so that a reset ends them.
  await qmp.execute('set-action', { reboot: 'reset' });
  const traffic = new Traffic(bed.endpoint, at, { id: 1, packetsPerSecond: PACKETS_PER_SECOND, talks: true, tcp: true });
  await traffic.start();
  const losses = new Losses(traffic);
  await losses.since();

  // Paused: it is given nothing, and the reason is shown; it goes on when the guest does.
  await qmp.execute('stop');
  const refused = await control.act('g1', 'accelerate', 500);
  t.false(refused.reached);
  t.is(refused.vnic.reason, 'guest_paused');
  await qmp.execute('cont');
  await host.until('g1', accelerated);
  t.log('paused before a plug', await losses.since());

  // Paused while it has one: it keeps it until it runs.
  await qmp.execute('stop');
  const kept = await control.act('g1', 'software', 500);
  t.false(kept.reached);
  t.is(kept.vnic.phase, 'accelerated');
  await qmp.execute('cont');
  await host.until('g1', software);
  t.log('paused before an unplug', await losses.since());

  // The VF's port goes down without notice.
  await control.act('g1', 'accelerate', 10_000);
  await sleep(200);
  t.is((await losses.since()).lost, 0);
  const down = (await host.vnic('g1')).vf ?? '';
  ip(host, 'link', 'set', 'dev', down, 'down');
  const lostLink = await host.until('g1', (vnic) => vnic.path === 'software');
  t.true(['vf_lost', 'draining', 'plugging'].includes(lostLink.reason), lostLink.reason);
  await host.until('g1', (vnic) => accelerated(vnic));
  await sleep(200);
  const link = await losses.since();
  t.log('link of the VF down', link);
  t.true(link.lost <= PACKETS_PER_SECOND / 4, `${link.lost} lost`);

  // Its driver is taken off it inside the guest.
  const unbind = 'basename $(ls -d /sys/bus/pci/drivers/vmxnet3/0*) > /sys/bus/pci/drivers/vmxnet3/unbind';
  t.is((await at.qemu.shell(unbind)).status, 0);
  await host.until('g1', (vnic) => vnic.path === 'software');
  await host.until('g1', accelerated, 20_000);
  await sleep(200);
  const unbound = await losses.since();
  t.log('driver unbound in the guest', unbound);
  t.true(unbound.lost <= PACKETS_PER_SECOND / 2, `${unbound.lost} lost`);

  // The VF's port is deleted.
  const gone = (await host.vnic('g1')).vf ?? '';
  ip(host, 'link', 'delete', 'dev', gone);
  await host.until('g1', (vnic) => vnic.path === 'software');
  await host.until('g1', accelerated, 20_000);
  await sleep(200);
  const deleted = await losses.since();
  t.log('port of the VF deleted', deleted);
  t.true(deleted.lost <= PACKETS_PER_SECOND / 4, `${deleted.lost} lost`);
  t.is((await pool(host))[gone], 'lost -');

  const tcp = await traffic.tcp();
  t.true(tcp?.ok, tcp?.detail);
  const { duplicated, corrupt } = await traffic.finish();
  t.deepEqual([duplicated, corrupt], [0, 0]);

  // It reboots with its VF.
  await qmp.execute('system_reset');
  await at.qemu.waitForShell();
  await host.until('g1', accelerated, 30_000);
  const second = new Traffic(bed.endpoint, at, { id: 2, packetsPerSecond: PACKETS_PER_SECOND, talks: true });
  await second.start();
  await sleep(500);
  t.is((await second.finish()).lost, 0);

  // Its driver is taken off the VF again, and this time it says nothing by itself.
  const silent = new Traffic(bed.endpoint, at, { id: 3, packetsPerSecond: PACKETS_PER_SECOND, talks: false });
  await silent.start();
  await sleep(500);
  t.is((await at.qemu.shell(unbind)).status, 0);
  const since = performance.now();
  await host.until('g1', (vnic) => vnic.path === 'software', 20_000);
  const noticedMs = performance.now() - since;
  await host.until('g1', accelerated, 20_000);
  await sleep(200);
  const { lost } = await silent.finish();
  t.log(`driver unbound in a silent guest: noticed after ${noticedMs.toFixed(0)} ms`, { lost });
  t.true(lost <= 2 * PACKETS_PER_SECOND, `${lost} lost`);

  // It ends.
  process.kill(at.qemu.pid, 'SIGKILL');
  const deadline = Date.now() + 20_000;
  while ((await control.status()).vnics.length > 0 && Date.now() < deadline) await sleep(100);
  t.deepEqual((await control.status()).vnics, []);
  t.deepEqual(Object.values(await pool(host)).sort(), ['free -', 'lost -']);
});

guestsTest('a guest that takes no notice of its VF, and never lets go of it: on software, with the reason, and the VF accounted for', [{ name: 'a', vfs: [{ port: 'tp0', model: 'vmxnet3' }] }], async (t, bed) => {
  const host = bed.host('a');
  const at = await bed.boot('a', guest(1), { kernelWords: 'acpiphp.disable=1' });
  await host.startDaemon();
  const qmp = await QmpClient.connect(at.qemu.labQmpSocket);
  bed.onClose(() => qmp.close());
  // Guests are started so that a reset ends them.
  await qmp.execute('set-action', { reboot: 'reset' });
  const traffic = new Traffic(bed.endpoint, at, { id: 1, packetsPerSecond: PACKETS_PER_SECOND, talks: true });
  await traffic.start();
  const tried = await host.control.act('g1', 'accelerate', 6_000);
  t.false(tried.reached);
  const stuck = await host.until('g1', (vnic) => vnic.phase === 'draining' && vnic.path === 'software' && vnic.reason !== 'draining', 15_000);
  t.log(stuck.reason, stuck.reason_text);
  t.deepEqual(await pool(host), { tp0: 'used g1' });
  await sleep(500);
  const { lost, duplicated, reordered, corrupt, echoLost } = await traffic.finish();
  t.deepEqual({ lost, duplicated, reordered, corrupt, echoLost }, { lost: 0, duplicated: 0, reordered: 0, corrupt: 0, echoLost: 0 });
  // A reset lets QEMU take the device away, guest or not.
  await host.control.act('g1', 'software', 0);
  await qmp.execute('system_reset');
  await host.until('g1', software, 40_000);
  t.deepEqual(await pool(host), { tp0: 'free -' });
});
