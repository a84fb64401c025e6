import { setTimeout as sleep } from 'node:timers/promises';
import { guest, type BedVf } from './bed.js';
import { guestsTest } from './guests_test.js';
import { bootTarget, Migration } from './migration.js';
import { Traffic } from './traffic.js';

const PACKETS_PER_SECOND = 250;
const vfs = (model: string | null): BedVf[] => (model === null ? [] : [{ port: 'tp0', model }]);
const host = (name: string, model: string | null) => ({ name, vfs: vfs(model), config: { discover: { policy: 'accelerated' } } });
const expected = (model: string | null): 'accelerated' | 'software' => (model === null ? 'software' : 'accelerated');

/** Longest run of numbers that did not arrive, and how many were lost outside of it. */
function losses(missing: readonly (readonly [number, number])[]): { longest: number; others: number } {
  const runs = missing.map(([first, last]) => last - first + 1).sort((a, b) => b - a);
  return { longest: runs[0] ?? 0, others: runs.slice(1).reduce((sum, run) => sum + run, 0) };
}

for (const [from, to] of [['e1000e', 'vmxnet3'], ['vmxnet3', 'rtl8139'], ['vmxnet3', null], [null, 'vmxnet3']] as const) {
  guestsTest(`followed: live migration ${from ?? 'none'} -> ${to ?? 'none'}`, [host('a', from), host('b', to)], async (t, bed) => {
    const [a, b] = [bed.host('a'), bed.host('b')];
    const source = await bed.boot('a', guest(1));
    await a.startDaemon();
    await b.startDaemon();
    await a.until('g1', (vnic) => vnic.phase === expected(from), 30_000);
    const traffic = new Traffic(bed.endpoint, source, { id: 1, packetsPerSecond: PACKETS_PER_SECOND, talks: true, tcp: true });
    await traffic.start();
    const target = await bootTarget(bed, 'b', guest(1));
    await b.until('g1', (vnic) => vnic.reason === 'guest_incoming');
    await sleep(300);

    const migration = await Migration.prepare(source, target, b.folder);
    t.teardown(() => migration.close());
    await migration.start(b.folder);
    const { outcome, stoppedMs, totalMs } = await migration.end();
    t.is(outcome, 'completed');
    await b.until('g1', (vnic) => vnic.phase === expected(to), 30_000);
    // The source is done with it, and its VF is nobody's vNIC's.
    await t.throwsAsync(a.until('g1', () => true, 0), { message: /knows no vNIC|is null/ });
    t.deepEqual((await a.control.status()).adapters[0]?.vfs.map(({ owner }) => owner), vfs(from).map(() => null));

    await sleep(500);
    const tcp = await traffic.tcp();
    const result = await traffic.finish(target);
    const missing = await traffic.missing(target);
    const { longest, others } = losses(missing);
    const gapMs = (longest * 1000) / PACKETS_PER_SECOND;
    t.log(`${from ?? 'none'} -> ${to ?? 'none'}: ${totalMs} ms, QEMU stood still ${stoppedMs.toFixed(0)} ms; ${result.sent} sent, ${longest} lost in one run (${gapMs} ms), ${others} elsewhere; TCP stood still ${tcp?.longestStallMs.toFixed(0)} ms`);
    t.true(tcp?.ok, tcp?.detail);
    t.is(result.corrupt + result.duplicated, 0);
  });
}
