/**
 * Guests and a wire that leave checksums and segmentation to their devices, with frames of 1500 and 9000 bytes, in every state: what
 * arrives is what was sent, byte for byte, in both directions.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { guest } from './bed.js';
import { drops, grown, overran } from './drops.js';
import { until } from './guest_bed.js';
import { guestsTest } from './guests_test.js';
import { LATE_LINK_MS, Traffic } from './traffic.js';

const PACKETS_PER_SECOND = 100;
const BYTES_PER_SECOND = 1_000_000;
/** How long it is in each state. */
const STAY_MS = 500;
/** IPv4 and UDP. */
const HEADERS_BYTES = 28;
const MODELS = [['tp0', 'vmxnet3'], ['tp1', 'e1000e']] as const;

for (const mtu of [1500, 9000]) {
  const hosts = [{ name: 'a', mtu, vfs: MODELS.map(([port, model]) => ({ port, model })) }];
  guestsTest(`offloads on, MTU ${mtu}: UDP and TCP arrive byte for byte, on software, kept back, accelerated and back`, hosts, async (t, bed) => {
    const host = bed.host('a');
    const at = await bed.boot('a', guest(1), { settings: { mtu }, tcpBytesPerSecond: BYTES_PER_SECOND });
    await host.startDaemon();
    const features = await at.qemu.run('ethtool -k eth1');
    for (const feature of ['tx-checksumming', 'tcp-segmentation-offload', 'generic-segmentation-offload', 'rx-checksumming']) {
      t.regex(features, new RegExp(`^${feature}: on`, 'm'));
    }
    t.regex(execFileSync('ip', ['-n', host.netns, 'link', 'show', 'dev', at.tap], { encoding: 'utf8' }), new RegExp(`mtu ${mtu} `));
    // A small one, one that just fits, and one in fragments.
    const sizes = [64, mtu - HEADERS_BYTES, 2 * mtu];
    const traffic = new Traffic(bed.endpoint, at, { id: 1, packetsPerSecond: PACKETS_PER_SECOND, talks: true, sizes, tcp: BYTES_PER_SECOND });
    /** Frames that queues of the bed had no room for. */
    let told = 0;
    await traffic.start();
    await sleep(STAY_MS);

    const counted = async (): Promise<Record<string, number>> => {
      const [vnic] = (await host.control.counters()).vnics;
      return Object.fromEntries(Object.entries(vnic?.reasons ?? {}).map(([reason, { packets }]) => [reason, packets]));
    };
    for (const [port, model] of MODELS) {
      for (const offloads of [true, false]) {
        const what = `${model}, the wire's offloads ${offloads ? 'on' : 'off'}`;
        bed.setWireOffloads(offloads);
        await sleep(STAY_MS);
        const before = await counted();
        const dropsBefore = await drops(bed, at);
        const up = await host.control.act('g1', 'accelerate', 20_000);
        t.like(up.vnic, { path: 'accelerated', vf: port }, what);
        const plugged = await counted();
        await sleep(STAY_MS);
        // Unfinished frames go by the bridge, which knows how to finish them; whole ones straight to the VF.
        const ways = offloads ? ['redirect_vf', 'pass_partial_checksum'] : ['redirect_single'];
        const after = await until(`${what}: frames go by ${ways.join(', ')}`, async () => {
          const now = await counted();
          return ways.every((reason) => (now[reason] ?? 0) > (plugged[reason] ?? 0)) ? now : null;
        });
        // What a VF counts goes with it.
        const dropped = grown(dropsBefore, await drops(bed, at));
        told += overran(bed, dropped);
        await host.control.act('g1', 'software', 20_000);
        await sleep(STAY_MS);
        const lost = await traffic.lostSoFar();
        const during = (reason: string): number => (after[reason] ?? 0) - (plugged[reason] ?? 0);
        t.log(`${what}: ${(plugged['held'] ?? 0) - (before['held'] ?? 0)} frames kept back, ${lost} lost; while accelerated: ${during('redirect_vf')} by the bridge, ${during('redirect_single')} redirected, ${during('pass_partial_checksum')} unfinished`);
        t.true(lost <= told, `${what}: missing ${JSON.stringify(await traffic.missing())}; ${dropped.map(([name, by]) => `${name} ${by}`).join(', ')}`);
        t.true((plugged['held'] ?? 0) > (before['held'] ?? 0), what);
      }
      // The next one is taken when this one is not there.
      execFileSync('ip', ['-n', host.netns, 'link', 'delete', 'dev', port]);
    }
    const tcp = await traffic.tcp();
    const outcome = await traffic.finish();
    const bytes = /"bytesSent":(\d+),"bytesReceived":(\d+)/.exec(tcp?.detail ?? '');
    t.log(`${outcome.sent} datagrams of ${sizes.join(', ')} bytes there and back, lost ${outcome.lost} and ${outcome.echoLost}; TCP ${bytes?.[1]} bytes there, ${bytes?.[2]} back, stood still ${tcp?.longestStallMs.toFixed(0)} ms`);
    t.true(outcome.lost <= told, `${outcome.lost} lost`);
    t.like(outcome, { duplicated: 0, corrupt: 0, echoDuplicated: 0, echoCorrupt: 0 });
    // At the two plugs of e1000e.
    t.true(outcome.echoLost <= told + (2 * PACKETS_PER_SECOND * LATE_LINK_MS) / 1000, `${outcome.echoLost} echoes lost`);
    t.true(tcp?.ok, tcp?.detail);
  }, { mtu, long: mtu > 1500 });
}
