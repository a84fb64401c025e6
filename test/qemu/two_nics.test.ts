/** One guest with two NICs, each with a VF of its own: plugged and taken in either order, both at once, migrated with both. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VnicStatus } from '../../src/control/protocol.js';
import { guest, type Bed, type BedHost, type RunningGuest } from './bed.js';
import { drops, grown, overran } from './drops.js';
import { until } from './guest_bed.js';
import { guestsTest } from './guests_test.js';
import { Migration } from './migration.js';
import { Traffic } from './traffic.js';

const PACKETS_PER_SECOND = 200;
const TCP_BYTES_PER_SECOND = 50_000;
/** While it migrates: an emulated guest that changes much of its memory meanwhile arrives more often in disorder. */
const FEW_PACKETS_PER_SECOND = 50;
const FEW_TCP_BYTES_PER_SECOND = 5_000;
/** What is sent to VFs that QEMU takes to migrate, before its event has been seen and acted on: half a second on a busy machine. */
const IN_FLIGHT = FEW_PACKETS_PER_SECOND / 2;
const SETTLE_MS = 200;
const ONE = guest(1);
const TWO = guest(2, { ip: '10.78.0.12', ip6: 'fd78::12' });
const WIRE_OF_TWO = '10.78.0.1';
const VNICS = ['g1-net0', 'g1-net1'] as const;
type Name = (typeof VNICS)[number];

const VFS = ['tp0', 'tp1'].map((port) => ({ port, model: 'vmxnet3' }));

/** In the guest: under which MAC addresses its masters have a primary of this driver. */
async function primariesInGuest({ qemu }: RunningGuest): Promise<string[]> {
  const output = await qemu.run('ip -j link; ls -l /sys/class/net/*/device/driver');
  const links = JSON.parse(output.slice(0, output.indexOf('\n'))) as { ifname: string; address: string; master?: string }[];
  const primaries = links.filter(({ ifname }) => new RegExp(`/net/${ifname}/device/driver -> .*/vmxnet3$`, 'm').test(output));
  return primaries.map(({ address, master }) => {
    const above = links.find(({ ifname }) => ifname === master)?.address ?? 'nobody';
    return above === address ? address : `${address} below ${above}`;
  }).sort();
}

/** Owners of the VFs, those that have one. */
async function owners(host: BedHost): Promise<string[]> {
  const { adapters } = await host.control.status();
  return (adapters[0]?.vfs ?? []).flatMap(({ owner }) => owner ?? []).sort();
}

async function sentByVf(host: BedHost): Promise<Record<string, number>> {
  return Object.fromEntries((await host.control.counters()).vnics.map(({ name, from_vf }) => [name, from_vf.packets]));
}

const accelerated = ({ path, phase }: VnicStatus): boolean => path === 'accelerated' && phase === 'accelerated';

/** To both NICs of a guest, each in a subnet of its own. */
async function startTraffic(bed: Bed, to: RunningGuest, packetsPerSecond: number, tcp: number): Promise<readonly Traffic[]> {
  execFileSync('ip', ['-n', bed.wire, 'address', 'add', `${WIRE_OF_TWO}/24`, 'dev', 'wbr']);
  const flows = [
    new Traffic(bed.endpoint, to, { id: 1, packetsPerSecond, talks: true, tcp }),
    new Traffic(bed.endpoint, { ...to, spec: TWO }, { id: 2, packetsPerSecond, talks: true, tcp, from: WIRE_OF_TWO }),
  ];
  for (const flow of flows) await flow.start();
  return flows;
}

guestsTest('two NICs in one guest: each on its path and its VF, whatever the other does', [{ name: 'a', vfs: VFS }], async (t, bed) => {
  const a = bed.host('a');
  const here = await bed.boot('a', ONE, { others: [TWO] });
  await a.startDaemon();
  for (const name of VNICS) await a.until(name, ({ phase }) => phase === 'software');
  const macs: Record<Name, string> = { 'g1-net0': ONE.mac, 'g1-net1': TWO.mac };
  const dropsBefore = await drops(bed, here);
  const flows = await startTraffic(bed, here, PACKETS_PER_SECOND, TCP_BYTES_PER_SECOND);

  const on = new Set<Name>();
  const change = async (...names: readonly Name[]): Promise<void> => {
    await Promise.all(names.map((name) => a.control.act(name, on.has(name) ? 'software' : 'accelerate', 30_000)));
    for (const name of names) if (!on.delete(name)) on.add(name);
    const what = [...on].join(' and ') || 'neither';
    const before = await sentByVf(a);
    const sends = async (name: Name): Promise<boolean> => ((await sentByVf(a))[name] ?? 0) > (before[name] ?? 0);
    await sleep(SETTLE_MS);
    for (const name of VNICS) {
      const wanted = on.has(name) ? 'accelerated' : 'software';
      t.like(await a.vnic(name), { path: wanted, phase: wanted }, `${name}, when ${what} is to be accelerated`);
      if (on.has(name)) await until(`${name} sends by its VF`, async () => ((await sends(name)) ? true : null));
      else t.false(await sends(name), `${name} sends by a VF when ${what} is to be accelerated`);
    }
    t.deepEqual(await owners(a), [...on].sort(), what);
    t.deepEqual(await primariesInGuest(here), [...on].map((name) => macs[name]).sort(), what);
    t.deepEqual(await Promise.all(flows.map((flow) => flow.lostSoFar())), [0, 0], what);
  };
  const [net0, net1] = VNICS;
  await change(net0);
  await change(net1);
  await change(net0);
  await change(net1);
  // The other one first: each NIC gets the VF that the other had.
  await change(net1);
  await change(net0);
  await change(net0, net1);
  await change(net0, net1);

  for (const [i, flow] of flows.entries()) {
    const tcp = await flow.tcp();
    t.true(tcp?.ok, tcp?.detail);
    const { sent, lost, echoLost, echoReordered, ...became } = await flow.finish();
    const growth = grown(dropsBefore, await drops(bed, here));
    t.log(`NIC ${i}: ${sent} sent, ${lost} and ${echoLost} lost, TCP stood still ${tcp?.longestStallMs.toFixed(0)} ms; ${growth.map(([name, by]) => `${name} ${by}`).join(', ')}`);
    // The wire has two queues: what comes by the tap and what comes by a VF may overtake each other there.
    t.log(`${echoReordered} answers out of order`);
    t.deepEqual(became, { duplicated: 0, reordered: 0, corrupt: 0, echoDuplicated: 0, echoCorrupt: 0 });
    t.true(lost + echoLost <= overran(bed, growth), `${lost} and ${echoLost} lost`);
  }
});

const PAIR = ['a', 'b'].map((name) => ({ name, vfs: VFS, config: { discover: { policy: 'accelerated' } } }));

guestsTest('two NICs in one guest, both with a VF: it migrates, and both have one there', PAIR, async (t, bed) => {
  const [a, b] = [bed.host('a'), bed.host('b')];
  const here = await bed.boot('a', ONE, { others: [TWO], tcpBytesPerSecond: FEW_TCP_BYTES_PER_SECOND });
  await a.startDaemon();
  await b.startDaemon();
  for (const name of VNICS) await a.until(name, accelerated, 30_000);
  const flows = await startTraffic(bed, here, FEW_PACKETS_PER_SECOND, FEW_TCP_BYTES_PER_SECOND);
  const there = await bed.boot('b', ONE, { others: [TWO], incoming: 'defer' });
  for (const name of VNICS) await b.until(name, ({ reason }) => reason === 'guest_incoming');
  const migration = await Migration.prepare(here, there, b.folder);
  await migration.start(b.folder);
  const { outcome, stoppedMs } = await migration.end();
  migration.close();
  t.is(outcome, 'completed');
  for (const name of VNICS) await b.until(name, accelerated, 30_000);
  await sleep(SETTLE_MS);
  t.deepEqual(await primariesInGuest(there), [ONE.mac, TWO.mac]);
  t.deepEqual(await owners(b), [...VNICS]);
  t.deepEqual(await owners(a), []);
  await until('the source is done with the guest', async () => ((await a.control.status()).vnics.length === 0 ? true : null));
  for (const [i, flow] of flows.entries()) {
    const missing = (await flow.missing(there)).map(([first, last]) => last - first + 1).sort((x, y) => y - x);
    t.log(`NIC ${i}: QEMU stood still for ${stoppedMs.toFixed(0)} ms; lost ${missing.join(', ') || 'nothing'}`);
    const tcp = await flow.tcp(there);
    t.true(tcp?.ok, tcp?.detail);
    const { duplicated, corrupt, echoDuplicated, echoCorrupt } = await flow.finish(there);
    t.deepEqual([duplicated, corrupt, echoDuplicated, echoCorrupt], [0, 0, 0, 0]);
    // One run was sent while QEMU stood still.
    t.true(missing.slice(1).reduce((sum, run) => sum + run, 0) <= IN_FLIGHT, missing.join(', '));
  }
}, { long: true });
