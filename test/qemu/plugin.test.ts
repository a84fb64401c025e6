/** A real guest with unipath's plug-in: recognised by its answer, never kept waiting, and whole through whatever becomes of its VF. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { deviceIdOf } from '../../src/hypervisor/qemu/device_ids.js';
import { QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import type { VnicStatus } from '../../src/control/protocol.js';
import { type Bed, type BedHost, guest, type RunningGuest } from './bed.js';
import { until } from './guest_bed.js';
import { guestsTest } from './guests_test.js';
import { median, Traffic } from './traffic.js';

const CYCLES = 5;
/** How long is looked at each change. */
const WINDOW_MS = 750;
/** And at a time without one. */
const REST_MS = 2000;
/** For Node.js to start in a guest with an emulated CPU. */
const AGENT_MS = 120_000;
/** What was sent within this time before a VF is pulled out may still wait for QEMU to be let run. */
const QUEUED_MS = 250;

const onVf = ({ path, phase }: VnicStatus): boolean => path === 'accelerated' && phase === 'accelerated';
const inWords = (gaps: readonly number[]): string => [...new Set([median(gaps), Math.max(...gaps)])].map((gap) => gap.toFixed(1)).join('/');

async function counted(host: BedHost, reason: string): Promise<number> {
  return (await host.control.counters()).vnics[0]?.reasons[reason]?.packets ?? 0;
}

const VFS = [{ name: 'a', vfs: [{ port: 'tp0', model: 'vmxnet3' }, { port: 'tp1', model: 'e1000e' }] }];

/** A plug-in hears on both paths: nothing was ever kept back. */
async function heldNothing(t: ExecutionContext, host: BedHost): Promise<void> {
  t.deepEqual([await counted(host, 'held'), host.events.filter(({ kind }) => kind === 'hold').length], [0, 0]);
}

async function bootPluginGuest(bed: Bed): Promise<{ readonly host: BedHost; readonly at: RunningGuest }> {
  // Frames with unfinished checksums are the bridge's, and would never see the VF.
  bed.setWireOffloads(false);
  const host = bed.host('a');
  const at = await bed.boot('a', guest(1, { failover: false }), { image: 'node', settings: { agent: 'eth0' } });
  // What is measured is when frames arrive, not whose turn on the guest's CPU it is.
  await at.qemu.run('for pid in $(pidof reflector); do renice -n -5 -p $pid; done');
  await host.startDaemon();
  // Without a word of the configuration: its mode is auto, and its NIC has no failover.
  await host.control.act('g1', 'accelerate');
  await host.until('g1', onVf, AGENT_MS);
  await host.control.act('g1', 'software', 30_000);
  return { host, at };
}

guestsTest('a guest with the plug-in: nothing lost, doubled or kept back when it is plugged and unplugged', VFS, async (t, bed) => {
  const { host, at } = await bootPluginGuest(bed);
  for (const [index, [talks, packetsPerSecond]] of ([[true, 250], [false, 1000]] as const).entries()) {
    const traffic = new Traffic(bed.endpoint, at, { id: index + 1, packetsPerSecond, talks, tcp: true });
    await traffic.start();
    const gaps: Record<'plug' | 'unplug' | 'rest', number[]> = { plug: [], unplug: [], rest: [] };
    const window = async (kind: keyof typeof gaps, change: Promise<unknown>): Promise<void> => {
      await Promise.all([change, sleep(WINDOW_MS)]);
      gaps[kind].push(await traffic.lap());
    };
    await traffic.lap();
    await sleep(REST_MS);
    gaps.rest.push(await traffic.lap());
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      await window('plug', host.control.act('g1', 'accelerate', 30_000));
      t.true(onVf(await host.vnic('g1')), `cycle ${cycle}`);
      await window('unplug', host.control.act('g1', 'software', 30_000));
      t.is((await host.vnic('g1')).phase, 'software', `cycle ${cycle}`);
    }
    const tcp = await traffic.tcp();
    const { sent, reordered, echoReordered, ...outcome } = await traffic.finish();
    t.log(
      `${talks ? 'talking' : 'silent'}, ${packetsPerSecond}/s: ${sent} sent, ${outcome.lost} lost, ${outcome.echoLost} answers lost, ${reordered} and ${echoReordered} overtaken; ` +
        `longest pauses in ms: without a change ${inWords(gaps.rest)}, median/longest at a plug ${inWords(gaps.plug)}, at an unplug ${inWords(gaps.unplug)}; TCP stood still ${tcp?.longestStallMs.toFixed(0)} ms`,
    );
    t.deepEqual(outcome, { lost: 0, duplicated: 0, corrupt: 0, echoLost: 0, echoDuplicated: 0, echoCorrupt: 0 });
    t.true(tcp?.ok, tcp?.detail);
  }
  t.true((await counted(host, 'redirect_single')) > 1000, 'frames went by the VF');
  await heldNothing(t, host);
});

guestsTest('a guest with the plug-in whose VF loses its link, is pulled out, or comes late, and whose agent dies: on the other path at once', VFS, async (t, bed) => {
  const { host, at } = await bootPluginGuest(bed);
  // The link of its VF goes and comes again: the guest itself goes to its tap and back. The VF is pulled out, and given again.
  const packetsPerSecond = 250;
  const traffic = new Traffic(bed.endpoint, at, { id: 1, packetsPerSecond, talks: true, tcp: true });
  await traffic.start();
  await host.control.act('g1', 'accelerate', 30_000);
  const qmp = await QmpClient.connect(at.qemu.labQmpSocket);
  bed.onClose(() => qmp.close());
  const id = deviceIdOf('tp0');
  let [inFlightMs, since] = [2 * QUEUED_MS, performance.now()];
  const steps: string[] = [];
  const back = async (what: string): Promise<VnicStatus> => {
    const began = performance.now();
    const vnic = await host.until('g1', onVf, AGENT_MS);
    steps.push(`${what} ${(performance.now() - began).toFixed(0)} ms`);
    return vnic;
  };
  const left = async (): Promise<void> => {
    await host.until('g1', ({ path }) => path === 'software', AGENT_MS);
    inFlightMs += performance.now() - since;
  };
  await qmp.execute('set_link', { name: id, up: false });
  await left();
  await qmp.execute('set_link', { name: id, up: true });
  await back('link');
  since = performance.now();
  await qmp.execute('device_del', { id });
  await left();
  await back('pulled out');
  // Its agent dies: the programs go on, and the next agent keeps the VF.
  await at.qemu.run('kill -9 $(pidof node)');
  await sleep(WINDOW_MS);
  t.true(onVf(await host.vnic('g1')));
  await at.qemu.run('node /opt/unipath/build/src/guest/agent.js --interface eth0 --pins /sys/fs/bpf/unipath-guest </dev/null >/run/agent.log 2>&1 &');
  await until('the next agent has found its VF', async () => ((await at.qemu.shell('grep vf-registered /run/agent.log')).status === 0 ? true : null), AGENT_MS);
  // Another make of VF, whose link comes late: the guest hears by its tap meanwhile.
  await host.control.act('g1', 'software', 30_000);
  execFileSync('ip', ['-n', host.netns, 'link', 'delete', 'dev', 'tp0']);
  await host.control.act('g1', 'accelerate');
  t.is((await back('e1000e')).vf, 'tp1');
  await sleep(WINDOW_MS);
  const tcp = await traffic.tcp();
  const { sent, lost, duplicated, corrupt } = await traffic.finish();
  const inFlight = Math.ceil((packetsPerSecond * inFlightMs) / 1000);
  t.log(`on its VF again after ${steps.join(', ')}; agent killed and started again: ${sent} sent, ${lost} lost of at most ${inFlight} in flight`);
  t.deepEqual([duplicated, corrupt], [0, 0]);
  t.true(lost <= inFlight, `${lost} lost of at most ${inFlight} in flight`);
  t.true(tcp?.ok, tcp?.detail);
  await heldNothing(t, host);
}, { long: true });
