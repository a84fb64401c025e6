/** VLANs, addresses and RSS settings on the kernel's maps: what is written reads back, and outlives a daemon. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { BridgeVlanNote, HostRssWish, VnicRssWish } from '../../src/core/model.js';
import { hostObjectPath } from '../../src/paths.js';
import { createNetns, ip, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const kernelTest = testWith(
  needs.root(), needs.bpffs(), needs.tool('ip'), needs.tool('nsenter'), needs.file(hostObjectPath, 'bpf/unipath.bpf.o (make -C bpf)'),
).serial;
const scenarios = new URL('./rss_scenarios.js', import.meta.url);
const PINS = `/sys/fs/bpf/unipath-test-rss-${process.pid}`;
let runs = 0;

test.after.always(() => rmSync(PINS, { recursive: true, force: true }));

/** In a namespace with an uplink and a tap, both veths. */
async function run<T>(t: ExecutionContext, scenario: string): Promise<T> {
  const pins = join(PINS, String(++runs));
  t.teardown(() => rmSync(pins, { recursive: true, force: true }));
  const netns = createNetns(t);
  for (const device of ['pf0', 'tap0']) {
    ip(netns, `link add ${device} type veth peer name ${device}-far`);
    for (const end of [device, `${device}-far`]) ip(netns, `link set dev ${end} up`);
  }
  return (await runModuleIn(netns, scenarios, scenario, pins)) as T;
}

kernelTest('rows of access and trunk vNICs with addresses read back as written, each VLAN with its index entry', async (t) => {
  const { asWritten, keys, unchecked } = await run<{ asWritten: [unknown, unknown][]; keys: number[]; unchecked: unknown }>(t, 'rows');
  for (const [written, read] of asWritten) t.deepEqual(read, written);
  t.deepEqual(keys, [1, 3, 1]);
  t.is(unchecked, null);
});

kernelTest('what the operator set, and how VLANs were, outlives the daemon; a deleted vNIC takes its own along', async (t) => {
  interface Seen {
    readonly initial: HostRssWish;
    readonly kept: { readonly one: VnicRssWish; readonly two: VnicRssWish; readonly host: HostRssWish; readonly notes: readonly BridgeVlanNote[] };
    readonly wish: HostRssWish;
    readonly after: { readonly one: VnicRssWish; readonly notes: number };
  }
  const { initial, kept, wish, after } = await run<Seen>(t, 'wishes');
  t.deepEqual(initial, { hashTypes: null, weights: null, keyRow: 0, keyByOperator: false, keyIsRandom: true });
  t.deepEqual(kept.one, { hashTypes: 1, weights: [], keyRow: 5 }, 'equal shares are not the same as no wish');
  t.deepEqual(kept.two, { hashTypes: null, weights: [2, 1], keyRow: null });
  t.deepEqual(kept.host, wish);
  t.deepEqual(kept.notes, [{ ifindex: 7, vid: 5, before: null }, { ifindex: 7, vid: 4094, before: { pvid: false, untagged: true } }]);
  t.deepEqual(after, { one: { hashTypes: null, weights: null, keyRow: null }, notes: 1 });
});

kernelTest('while the key changes, every frame is hashed with the one key or the other', async (t) => {
  interface Seen {
    readonly seen: number[];
    readonly hashes: number[];
    /** Counters, as text. */
    readonly frames: { readonly rss: number; readonly drain: number; readonly queues: readonly number[] };
    readonly changes: number;
    readonly inUse: string | null;
  }
  const { seen, hashes, frames, changes, inUse } = await run<Seen>(t, 'keyChange');
  t.true(changes > 20, `${changes} changes`);
  t.true(frames.rss > 10_000, `${frames.rss} frames`);
  t.deepEqual([frames.drain, frames.queues], [0, [frames.rss, 0]]);
  t.deepEqual(seen.sort((a, b) => a - b), hashes.sort((a, b) => a - b));
  t.regex(inUse ?? '', /RSS key 1 is in use by the tap steering of vNIC 1/);
});
