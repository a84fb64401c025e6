import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { LabChild } from '../../src/lab/child.js';
import { Endpoint } from '../../src/lab/traffic/client.js';
import { Traffic } from '../../src/lab/traffic/traffic.js';
import { VmmClient, vmmArguments, vmmScript } from '../../src/lab/vmm_client.js';
import { createNetns, ip } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const vmmTest = testWith(needs.root(), needs.tool('ip'), needs.tool('nsenter'), needs.file('/dev/net/tun', 'the kernel module tun'));

const QUEUES = 2;
const GUEST_MAC = '52:54:00:99:00:01';

/** Has an address on the other end of the guest's wire. */
function giveAddresses(netns: string, device: string, host: number): void {
  ip(netns, `address add 10.8.0.${host}/24 dev ${device}`);
  ip(netns, `address add fd08::${host}/64 dev ${device} nodad`);
  ip(netns, `link set dev ${device} up`);
}

function createTap(netns: string, device: string): void {
  ip(netns, `tuntap add dev ${device} mode tap multi_queue`);
}

async function startVmm(t: ExecutionContext, guestNetns: string, netns: string): Promise<VmmClient> {
  const vmm = await VmmClient.start({ guestNetns, guestTap: 'eth0', netns, tap: 'tap0', queues: QUEUES });
  t.teardown(() => vmm.close());
  return vmm;
}

async function startEndpoint(t: ExecutionContext, netns: string): Promise<Endpoint> {
  const endpoint = await Endpoint.start(netns);
  t.teardown(() => endpoint.close());
  return endpoint;
}

const flow = (id: number, packetsPerSecond: number, family: 4 | 6 = 4) => ({
  id,
  family,
  from: { address: family === 4 ? '10.8.0.1' : 'fd08::1', port: 20_000 + id },
  to: { address: family === 4 ? '10.8.0.2' : 'fd08::2', port: 7000 },
  packetsPerSecond,
  sizes: [64, 256, 1400],
  echoEvery: 1,
});

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

vmmTest.serial('10 000 frames a second each way between two namespaces, none lost, moved or changed', async (t) => {
  const [guest, host] = [createNetns(t, 'guest'), createNetns(t, 'host')];
  createTap(host, 'tap0');
  const vmm = await startVmm(t, guest, host);
  giveAddresses(host, 'tap0', 1);
  giveAddresses(guest, 'eth0', 2);
  t.regex(ip(guest, 'link show dev eth0'), /qlen 20000/);
  t.regex(ip(host, 'link show dev tap0'), /qlen 20000/);
  const traffic = new Traffic();
  const [source, sink] = await Promise.all([startEndpoint(t, host), startEndpoint(t, guest)]);
  for (let id = 0; id < 8; id++) await traffic.addFlow(flow(id, 1250, id % 2 ? 6 : 4), source, sink);
  const before = await traffic.mark();
  await traffic.start();
  await sleep(2000);
  await traffic.stop();
  const { total } = await traffic.account(before, await traffic.mark());
  t.like(total, { lost: 0, duplicated: 0, reordered: 0, corrupt: 0 });
  const stats = await vmm.stats();
  t.true(sum(stats.hosts[0]?.toGuest.map(({ frames }) => frames) ?? []) >= total.sent / 2);
  t.true(sum(stats.fromGuest.map(({ frames }) => frames)) >= total.sent / 2);
  t.true(stats.hosts[0]?.toGuest.every(({ frames }) => frames > 0), 'both queues are used');
  t.log(`${total.sent} datagrams, p50 ${total.latency.p50Us} us, p99 ${total.latency.p99Us} us`);
});

/** Two hosts whose taps hang on bridges that a third namespace, the world, joins. */
function createTwoHosts(t: ExecutionContext) {
  const [world, a, b, guest] = ['world', 'a', 'b', 'guest'].map((label) => createNetns(t, label)) as [string, string, string, string];
  ip(world, 'link add sw0 type bridge');
  for (const [index, host] of [a, b].entries()) {
    ip(host, 'link add br0 type bridge');
    ip(host, `link add pf0 type veth peer name port${index} netns ${world}`);
    createTap(host, 'tap0');
    for (const device of ['pf0', 'tap0']) ip(host, `link set dev ${device} master br0 up`);
    ip(host, 'link set dev br0 up');
    ip(world, `link set dev port${index} master sw0 up`);
  }
  giveAddresses(world, 'sw0', 1);
  return { world, a, b, guest };
}

vmmTest.serial('a guest is re-homed to another host and back under traffic, and no frame is lost', async (t) => {
  const { world, a, b, guest } = createTwoHosts(t);
  const vmm = await startVmm(t, guest, a);
  ip(guest, `link set dev eth0 address ${GUEST_MAC}`);
  giveAddresses(guest, 'eth0', 2);
  const traffic = new Traffic();
  const [source, sink] = await Promise.all([startEndpoint(t, world), startEndpoint(t, guest)]);
  for (let id = 0; id < 4; id++) await traffic.addFlow(flow(id, 500, id % 2 ? 6 : 4), source, sink);
  const before = await traffic.mark();
  await traffic.start();
  for (const [from, to] of [[a, b], [b, a], [a, b]] as const) {
    await sleep(400);
    await vmm.attach(to, 'tap0');
    t.is(await vmm.switch(GUEST_MAC), to);
    await sleep(300);
    await vmm.detach(from);
  }
  await sleep(300);
  await traffic.stop();
  const { total } = await traffic.account(before, await traffic.mark());
  t.true(total.sent > 5000);
  t.like(total, { lost: 0, duplicated: 0, corrupt: 0 });
  const { hosts } = await vmm.stats();
  t.deepEqual(hosts.map(({ netns, current }) => [netns, current]), [[b, true]]);
  t.true(sum(hosts[0]?.fromGuest ?? []) > 0);
});

vmmTest.serial('a silent guest is announced on the new host', async (t) => {
  const { world, a, b, guest } = createTwoHosts(t);
  const vmm = await startVmm(t, guest, a);
  ip(guest, `link set dev eth0 address ${GUEST_MAC}`);
  ip(guest, 'link set dev eth0 addrgenmode none up');
  await vmm.attach(b, 'tap0');
  await vmm.switch(GUEST_MAC);
  await sleep(100);
  const fdb = execFileSync('bridge', ['-n', world, 'fdb', 'show', 'br', 'sw0'], { encoding: 'utf8' });
  t.regex(fdb, new RegExp(`${GUEST_MAC} dev port1 `));
});

vmmTest.serial('what cannot be done is refused in words, and the process goes on', async (t) => {
  const [guest, host] = [createNetns(t, 'guest'), createNetns(t, 'host')];
  const vmm = await startVmm(t, guest, host);
  await t.throwsAsync(vmm.attach('upt-nowhere', 'tap0'), { message: /open \(\/run\/netns\/upt-nowhere\) failed: ENOENT/ });
  await t.throwsAsync(vmm.attach(host, 'tap0'), { message: /attached already/ });
  await t.throwsAsync(vmm.detach('upt-nowhere'), { message: /no tap in upt-nowhere is attached/ });
  t.is((await vmm.stats()).hosts.length, 1);
  const wrongQueues = { guestNetns: guest, guestTap: 'eth0', netns: host, tap: 'tap1', queues: 1 };
  await t.throwsAsync(VmmClient.start(wrongQueues), { message: /TUNSETIFF/ });
});

vmmTest.serial('with a socket it outlives who started it; without, it ends with them and its taps go', async (t) => {
  const [guest, host] = [createNetns(t, 'guest'), createNetns(t, 'host')];
  const folder = await mkdtemp(join(tmpdir(), 'upt-vmm-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const socket = join(folder, 'vmm.sock');
  const options = { guestNetns: guest, guestTap: 'eth0', netns: host, tap: 'tap0', queues: QUEUES };
  const child = await LabChild.start({ name: 'vmm', netns: null, argv: [vmmScript, ...vmmArguments(options), '--socket', socket] });
  t.teardown(() => child.kill('SIGKILL'));
  for (const round of [1, 2]) {
    const vmm = await VmmClient.connect('vmm', socket);
    t.is((await vmm.stats()).fromGuest.length, QUEUES, `connection ${round}`);
    await vmm.close();
  }
  child.kill('SIGTERM');
  t.is((await child.exited).code, 0);
  t.false(existsSync(socket));
  t.notRegex(ip(guest, 'link show'), /eth0/);

  const tied = await VmmClient.start(options);
  t.regex(ip(guest, 'link show'), /eth0/);
  await tied.close();
  t.notRegex(ip(guest, 'link show'), /eth0/);
});
