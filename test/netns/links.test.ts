import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ObservedLink } from '../../src/core/model.js';
import { createNetns, ip, netnsTest, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const scenarios = new URL('./links_scenarios.js', import.meta.url);

/** Is the process there and not merely waiting for its exit code to be fetched? */
function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

netnsTest('every kind of link is seen with its numbers', async (t) => {
  const netns = createNetns(t);
  ip(netns, 'link add br0 type bridge');
  ip(netns, 'link add v0 mtu 1400 address 52:54:00:12:34:56 numrxqueues 4 numtxqueues 3 type veth peer name v1');
  ip(netns, 'link add d0 type veth peer name d1');
  ip(netns, 'link set dev v0 master br0 up');
  ip(netns, 'link set dev v1 up');
  ip(netns, 'tuntap add t0 mode tap multi_queue');
  ip(netns, 'tuntap add s0 mode tap');
  const links = new Map(((await runModuleIn(netns, scenarios, 'dump')) as ObservedLink[]).map((link) => [link.name, link]));

  const bridge = links.get('br0');
  const v0 = links.get('v0');
  t.like(links.get('lo'), { kind: null, up: true, carrier: true, master: null, xdp: null });
  t.like(bridge, { kind: 'bridge', up: false });
  t.like(v0, { kind: 'veth', mtu: 1400, mac: '52:54:00:12:34:56', up: true, carrier: true, rxQueues: 4, txQueues: 3, xdp: null });
  t.is(v0?.master, bridge?.ifindex ?? -1);
  // A veth made without numbers allocates one queue per CPU and uses one.
  t.like(links.get('d0'), { rxQueues: 1, txQueues: 1, up: false, carrier: false });
  // Allocated are 256; usable is what someone has opened.
  t.like(links.get('t0'), { kind: 'tun', rxQueues: 0, txQueues: 0 });
  t.like(links.get('s0'), { kind: 'tun', rxQueues: 1, txQueues: 1 });
  t.is(links.size, 8);
});

netnsTest('changes are heard until the listener is taken away', async (t) => {
  const seen = await runModuleIn(createNetns(t), scenarios, 'events');
  t.deepEqual(seen, {
    listening: true,
    heard: { created: true, up: true, mac: true, mtu: true, deleted: true },
    callsAfterStop: 0,
    children: 0,
    warnings: [],
  });
});

netnsTest('a monitor that was killed comes back and nothing is missed', async (t) => {
  const seen = (await runModuleIn(createNetns(t), scenarios, 'monitorKilled')) as { noticed: boolean; warnings: string[] };
  t.true(seen.noticed);
  t.regex(seen.warnings[0] ?? '', /`ip monitor link` ended \(SIGKILL\)/);
});

netnsTest('the monitor dies with its process', async (t) => {
  const child = spawn('nsenter', [`--net=/run/netns/${createNetns(t)}`, process.execPath, fileURLToPath(scenarios), 'hold']);
  t.teardown(() => void child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const monitor = Number(line.toString());
  t.true(runs(monitor));
  child.kill('SIGKILL');
  await once(child, 'close');
  for (let i = 0; i < 200 && runs(monitor); i++) await sleep(10);
  t.false(runs(monitor));
});

netnsTest('an overrun ends in the right picture', async (t) => {
  t.deepEqual(await runModuleIn(createNetns(t), scenarios, 'flood'), { noticed: true, mtu: 1234, hearsAgain: true });
});

netnsTest('ten thousand looks leak neither memory nor descriptors', async (t) => {
  const netns = createNetns(t);
  for (let i = 0; i < 8; i++) ip(netns, `link add v${i} type veth peer name w${i}`);
  const seen = (await runModuleIn(netns, scenarios, 'manyDumps')) as { grownBytes: number; fds: number };
  t.is(seen.fds, 0);
  // A leak of one 4 KiB datagram per look would be 40 MB.
  t.true(seen.grownBytes < 16 * 1024 * 1024, `grew by ${seen.grownBytes} bytes`);
});

netnsTest('looks at the same time all answer, and none after close', async (t) => {
  const seen = (await runModuleIn(createNetns(t), scenarios, 'concurrentDumps')) as { sizes: number[]; closed: string };
  t.deepEqual(new Set(seen.sizes), new Set([1]));
  t.regex(seen.closed, /socket closed/);
});

netnsTest('listening does not keep the process alive', async (t) => {
  t.deepEqual(await runModuleIn(createNetns(t), scenarios, 'forgotten'), {});
});

netnsTest('bridge ports, forwarding entries and links are changed as asked', async (t) => {
  const netns = createNetns(t);
  ip(netns, 'link add br0 type bridge');
  for (const port of ['p', 'q']) {
    ip(netns, `link add ${port}0 type veth peer name ${port}1`);
    ip(netns, `link set dev ${port}0 master br0 up`);
  }
  const seen = (await runModuleIn(netns, scenarios, 'bridge')) as Record<string, unknown>;
  const all = (on: boolean): object => ({ learning: on, flood: on, multicastFlood: on, broadcastFlood: on });
  t.deepEqual(seen['before'], all(true));
  t.deepEqual(seen['after'], all(false));
  t.is(seen['noPort'], null);
  t.is(seen['noDevice'], null);
  t.false(seen['fdbBefore']);
  t.true(seen['fdb']);
  t.false(seen['fdbOther']);
  t.false(seen['fdbDeleted']);
  t.true(seen['vlanOnPlainBridge']);
  if (seen['vlanAware'] === null) t.log('not tested: this kernel has no VLAN-aware bridges');
  else t.deepEqual(seen['vlanAware'], [true, false]);
  t.like(seen['set'] as object, { mac: '52:54:00:00:00:01', mtu: 1400, master: null, up: true });
  t.is(seen['badName'], 'RangeError: "-x" is not a name of a network interface');
  t.regex(String(seen['failed']), /CommandError: `ip link set dev nope up` failed with exit code 1: Cannot find device "nope" \(look with/);
});

netnsTest('a raw frame leaves by the device it is sent to', async (t) => {
  const netns = createNetns(t);
  ip(netns, 'link add p0 type veth peer name p1');
  // Nothing else is sent here: no IPv6, so no router solicitations.
  for (const device of ['p0', 'p1']) ip(netns, `link set dev ${device} addrgenmode none up`);
  const seen = (await runModuleIn(netns, scenarios, 'send')) as { bytes: number; down: string };
  t.true(seen.bytes >= 1234, `${seen.bytes} bytes`);
  t.regex(seen.down, /ENXIO|ENODEV/);
});

testWith(needs.root(), needs.tool('ip'), needs.tool('nsenter'), needs.tool('bridge'), needs.vlanAwareBridges())(
  'VLANs of a bridge port are changed, read back, and restored',
  async (t) => {
    const netns = createNetns(t);
    ip(netns, 'link add br0 type bridge vlan_filtering 1');
    ip(netns, 'link add p0 type veth peer name p0-far');
    ip(netns, 'link set dev p0 master br0');
    const { before, changed, after, filtering } = (await runModuleIn(netns, scenarios, 'portVlans')) as Record<string, unknown>;
    t.deepEqual(filtering, { defaultPvid: 1 });
    t.deepEqual(before, [{ vid: 1, pvid: true, untagged: true }]);
    t.deepEqual(changed, [{ vid: 7, pvid: true, untagged: true }, { vid: 9, pvid: false, untagged: false }]);
    t.deepEqual(after, before);
  },
);

testWith(needs.root(), needs.tool('ip'), needs.tool('nsenter'), needs.tool('ethtool'), needs.kernel('6.3'))(
  'what a device takes is read from the kernel, and again when it changes',
  async (t) => {
    const netns = createNetns(t);
    ip(netns, 'link add p0 type veth peer name p1');
    for (const end of ['p0', 'p1']) ip(netns, `link set dev ${end} up`);
    t.deepEqual(await runModuleIn(netns, scenarios, 'features'), {
      before: [true, false],
      after: [false, true],
      key: null,
      warnings: [],
    });
  },
);
