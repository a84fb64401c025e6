/**
 * Frames that must not be redirected go to the bridge and arrive intact: those whose checksum is left to a device, and those
 * larger than their target. All flows are numbered and checked byte by byte; every datagram counts.
 */
import type { ExecutionContext } from 'ava';
import type { VnicPath } from '../../src/core/model.js';
import { hostObjectPath } from '../../src/paths.js';
import { needs, testWith } from '../support/require.js';
import { GUESTS, OffloadSite, type OffloadState, type Outcome } from './offload_site.js';

const tools = ['ip', 'bridge', 'tc', 'ethtool', 'nsenter', 'sysctl'].map(needs.tool);
// One after the other: two labs at once would be too much for two CPUs.
const offloadTest = testWith(needs.root(), ...tools, needs.bpffs(), needs.file(hostObjectPath, 'the BPF objects')).serial;

const OBSERVED_MS = 1000;
/** Of 65535 finished checksums one looks unfinished. */
const LOOKS_PARTIAL = 3;

interface State {
  readonly title: string;
  readonly path: VnicPath;
  readonly cutThrough: boolean;
}

const STATES: readonly State[] = [
  { title: 'software path', path: 'software', cutThrough: false },
  { title: 'software path, cut-through', path: 'software', cutThrough: true },
  { title: 'accelerated path', path: 'accelerated', cutThrough: false },
  { title: 'accelerated path, cut-through', path: 'accelerated', cutThrough: true },
];

function arrivedIntact(t: ExecutionContext, outcome: Outcome, where: string): void {
  const { sent, lost, duplicated, corrupt } = outcome.account.total;
  t.true(sent > 0, where);
  t.deepEqual({ lost, duplicated, corrupt }, { lost: 0, duplicated: 0, corrupt: 0 }, where);
  t.is(outcome.checksumErrors, 0, `${where}: wrong checksums`);
  t.is(outcome.redirectErrors, 0, `${where}: redirect errors`);
  for (const { alive, client, server } of outcome.tcp) t.true(alive, `${where}: ${client.errors.join()} ${server.errors.join()}`);
  t.true(outcome.tcpBytes > 100_000, `${where}: ${outcome.tcpBytes} bytes of TCP`);
}

for (const state of STATES) {
  offloadTest(`unfinished checksums and segmentation offload: ${state.title}`, async (t) => {
    const site = await OffloadSite.up(t, `o${process.pid}`);
    await site.start();
    await site.bring(state.path, state.cutThrough);
    for (const [guests, world] of [['off', 'off'], ['on', 'off'], ['off', 'on'], ['on', 'on']] as const) {
      await site.guestOffloads(guests);
      await site.worldOffloads(world);
      const where = `guests ${guests}, world ${world}`;
      const outcome = await site.observe(OBSERVED_MS);
      arrivedIntact(t, outcome, where);
      t.log(where, outcome.account.total.sent, ...GUESTS.map(g=>['pass_partial_checksum','pass_software','redirect_rss','redirect_rfs','redirect_uplink','pass_oversize','pass_unknown_mac','pass_no_target'].map(r=>`${g} ${r} ${outcome.reason(g,r)}`).join(' ')), outcome.tcpBytes, JSON.stringify(outcome.account.total));
    }
  });
}
