import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { ControlCommand, controlFrameCodec, type PluginState, pluginStateCodec } from '../../maps/generated/contract.js';
import { encode } from '../../src/btf/codec.js';
import type { ObservedLink } from '../../src/core/model.js';
import { pluginStatePin } from '../../src/guest/plugin.js';
import { LabChild } from '../../src/lab/child.js';
import type { EventLine } from '../../src/lab/json_lines.js';
import { Endpoint } from '../../src/lab/traffic/client.js';
import { Traffic } from '../../src/lab/traffic/traffic.js';
import { RawMap } from '../../src/native/map.js';
import { PacketSocket } from '../../src/native/socket.js';
import { pluginObjectPath } from '../../src/paths.js';
import { createNetns, ip, runModuleIn } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

const agentTest = testWith(
  needs.root(), needs.tool('ip'), needs.tool('tc'), needs.tool('ethtool'), needs.tool('nsenter'), needs.bpffs(),
  needs.file(pluginObjectPath, 'bpf/plugin.bpf.o (make -C bpf)'),
);

const MAC = '52:54:00:98:00:01';
const agentScript = fileURLToPath(new URL('../../src/guest/agent.js', import.meta.url));
let made = 0;

interface Bed {
  readonly host: string;
  readonly guest: string;
  readonly pins: string;
  readonly events: EventLine[];
  state(): PluginState;
  startAgent(): Promise<LabChild<Record<string, never>>>;
  plug(): void;
  unplug(): void;
  sendControl(command: ControlCommand): void;
  ifindex(netns: string, device: string): number;
  until(what: string, holds: () => boolean, timeoutMs?: number): Promise<void>;
}

/**
 * A host whose bridge has the guest's software port and a VF port. The bridge learns, so what the host sends goes where the
 * guest transmitted last, as with unipath on the host.
 */
function createBed(t: ExecutionContext): Bed {
  const [host, guest] = [createNetns(t, 'host'), createNetns(t, 'guest')];
  const parent = `/sys/fs/bpf/unipath-test-${process.pid}`;
  const pins = `${parent}/agent${++made}`;
  mkdirSync(parent, { recursive: true });
  t.teardown(() => {
    rmSync(pluginStatePin(pins), { force: true });
    rmSync(parent, { recursive: true, force: true });
  });
  ip(host, 'link add br0 type bridge mcast_snooping 0');
  ip(host, `link add tap0 type veth peer name eth0 netns ${guest}`);
  ip(host, 'link add vfp0 type veth peer name vf0');
  for (const port of ['tap0', 'vfp0']) ip(host, `link set dev ${port} master br0 up`);
  ip(host, 'address add 10.7.0.1/24 dev br0');
  ip(host, 'address add fd07::1/64 dev br0 nodad');
  ip(host, 'link set dev br0 up');
  ip(guest, `link set dev eth0 address ${MAC} mtu 1400`);
  ip(guest, 'address add 10.7.0.2/24 dev eth0');
  ip(guest, 'address add fd07::2/64 dev eth0 nodad');
  ip(guest, 'link set dev eth0 up');

  const events: EventLine[] = [];
  const bed: Bed = {
    host,
    guest,
    pins,
    events,
    state: () => {
      const map = RawMap.fromPin(pluginStatePin(pins));
      try {
        return pluginStateCodec.read(map.get(Buffer.alloc(4)) ?? Buffer.alloc(0));
      } finally {
        map.close();
      }
    },
    startAgent: async () => {
      const argv = [agentScript, '--interface', 'eth0', '--pins', pins];
      const onEvent = (event: EventLine) => events.push(event);
      const agent = await LabChild.start<Record<string, never>>({ name: 'agent', netns: guest, argv, onEvent });
      t.teardown(async () => {
        agent.kill('SIGKILL');
        await agent.exited;
      });
      return agent;
    },
    plug: () => {
      ip(host, `link set dev vf0 address ${MAC}`);
      ip(host, `link set dev vf0 netns ${guest}`);
    },
    unplug: () => {
      ip(guest, `link set dev vf0 netns ${host}`);
    },
    sendControl: (command) => {
      const header = Buffer.from(`${MAC.replaceAll(':', '')}02000000000188b5`, 'hex');
      const frame = Buffer.concat([header, encode(controlFrameCodec, { magic: 0x554e4950, sequence: 7, command })]);
      const socket = new PacketSocket(`/run/netns/${host}`);
      socket.send(bed.ifindex(host, 'tap0'), frame);
      socket.close();
    },
    ifindex: (netns, device) => Number(ip(netns, `-o link show dev ${device}`).split(':')[0]),
    until: async (what, holds, timeoutMs = 5000) => {
      const deadline = Date.now() + timeoutMs;
      while (!holds()) {
        if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}; events: ${JSON.stringify(events)}`);
        await sleep(5);
      }
    },
  };
  return bed;
}

const kinds = (events: readonly EventLine[]): string[] =>
  events.map(({ event, reason }) => (reason === undefined ? event : `${event} ${String(reason)}`));
const tc = (netns: string, ...argv: string[]): string => execFileSync('tc', ['-n', netns, ...argv], { encoding: 'utf8' });
const filters = (netns: string, device: string): string =>
  ['ingress', 'egress'].map((where) => tc(netns, 'filter', 'show', 'dev', device, where)).join('');
const bridgeEntries = (netns: string): string => execFileSync('bridge', ['-n', netns, 'fdb', 'show', 'br', 'br0'], { encoding: 'utf8' });
const inGuest = (bed: Bed, ...argv: string[]): string =>
  execFileSync('nsenter', [`--net=/run/netns/${bed.guest}`, ...argv], { encoding: 'utf8' });
/** Without those of the VF, which is now here, now there. */
const qdiscs = (netns: string): string => tc(netns, 'qdisc', 'show').replaceAll(/^.*vf0.*\n/gm, '');
const registered = (bed: Bed) => (): boolean => bed.state().vfIfindex !== 0;
const withdrawn = (bed: Bed) => (): boolean => bed.state().vfIfindex === 0;

async function startTraffic(t: ExecutionContext, bed: Bed): Promise<Traffic> {
  const [source, sink] = await Promise.all([Endpoint.start(bed.host), Endpoint.start(bed.guest)]);
  t.teardown(async () => {
    await Promise.all([source.close(), sink.close()]);
  });
  const traffic = new Traffic();
  for (const family of [4, 6] as const) {
    const [from, to] = family === 4 ? ['10.7.0.1', '10.7.0.2'] : ['fd07::1', 'fd07::2'];
    const ends = { from: { address: from, port: 20_000 }, to: { address: to, port: 7000 } };
    await traffic.addFlow({ id: family, family, ...ends, packetsPerSecond: 1000, sizes: [64, 1300], echoEvery: 1 }, source, sink);
  }
  return traffic;
}

agentTest.serial('a VF is found, prepared, registered and announced, and the host sees the guest on it', async (t) => {
  const bed = createBed(t);
  await bed.startAgent();
  t.is(bed.state().interfaceIfindex, bed.ifindex(bed.guest, 'eth0'));
  t.is(Buffer.from(bed.state().mac).toString('hex'), MAC.replaceAll(':', ''));
  t.is(bed.state().vfIfindex, 0);
  bed.plug();
  await bed.until('registered', registered(bed));
  t.is(bed.state().vfIfindex, bed.ifindex(bed.guest, 'vf0'));
  const vf = ip(bed.guest, '-d address show dev vf0');
  t.notRegex(vf, /inet/, 'no addresses');
  t.regex(vf, /mtu 1400/);
  t.is(inGuest(bed, 'cat', '/proc/sys/net/ipv6/conf/vf0/disable_ipv6'), '1\n');
  const offloads = inGuest(bed, 'ethtool', '-k', 'vf0');
  t.regex(offloads, /tx-checksumming: off/);
  t.regex(offloads, /generic-receive-offload: on/);
  const links = (await runModuleIn(bed.host, new URL('./links_scenarios.js', import.meta.url), 'dump')) as ObservedLink[];
  t.deepEqual(links.find(({ name }) => name === 'vfp0')?.xdpFeatures, { multiBufferTransmit: true }, 'the host can redirect to its port');
  // Nobody sent anything: only the announcement can have told the bridge.
  await bed.until('the bridge has learnt', () => bridgeEntries(bed.host).includes(`${MAC} dev vfp0 `));
});

agentTest.serial('plugged, drained, unplugged, again and again under traffic: nothing is lost, and both paths carry it', async (t) => {
  const bed = createBed(t);
  await bed.startAgent();
  const traffic = await startTraffic(t, bed);
  const before = await traffic.mark();
  await traffic.start();
  for (let round = 0; round < 5; round++) {
    await sleep(150);
    bed.plug();
    await bed.until('registered', registered(bed));
    t.is(bed.state().drained, 0);
    const start = bed.state();
    await sleep(250);
    const carried = bed.state();
    t.true(carried.vf.txPackets > start.vf.txPackets && carried.vf.rxPackets > start.vf.rxPackets, 'the VF carries the traffic');
    bed.sendControl(ControlCommand.DRAIN);
    await bed.until('drained', () => bed.state().drained === 1);
    await sleep(50);
    const drained = bed.state();
    await sleep(100);
    t.is(bed.state().vf.txPackets, drained.vf.txPackets, 'nothing leaves by the VF any more');
    t.true(bed.state().tap.txPackets > drained.tap.txPackets);
    bed.unplug();
    await bed.until('withdrawn', withdrawn(bed));
  }
  await traffic.stop();
  const { total, streams } = await traffic.account(before, await traffic.mark());
  for (const { flow, stream, account } of streams) {
    if (account.lost > 0) t.log('lost', flow.id, stream, await traffic.missing(before, await traffic.mark(), flow.id, stream));
  }
  t.true(total.sent > 4000);
  t.like(total, { lost: 0, duplicated: 0, corrupt: 0 });
});

agentTest.serial('a VF that comes and goes many times without notice leaves the interface working each time', async (t) => {
  const bed = createBed(t);
  await bed.startAgent();
  const traffic = await startTraffic(t, bed);
  const times = { plug: [] as number[], unplug: [] as number[] };
  for (let round = 0; round < 15; round++) {
    bed.plug();
    const plugged = Date.now();
    await bed.until('registered', registered(bed));
    times.plug.push(Date.now() - plugged);
    bed.unplug();
    const unplugged = Date.now();
    await bed.until('withdrawn', withdrawn(bed));
    times.unplug.push(Date.now() - unplugged);
  }
  t.log(`ms from plug to registered: ${times.plug.join(' ')}; from unplug to withdrawn: ${times.unplug.join(' ')}`);
  // Plugged again so soon that the agent may never see it away.
  bed.plug();
  await bed.until('registered', registered(bed));
  for (let round = 0; round < 5; round++) {
    bed.unplug();
    bed.plug();
  }
  await bed.until('up again', () => /state UP/.test(ip(bed.guest, 'link show dev vf0')) && registered(bed)());
  await sleep(300);
  t.regex(filters(bed.guest, 'vf0'), /plugin_vf_ingr/);
  const start = bed.state();
  const mark = await traffic.mark();
  await traffic.start();
  await sleep(300);
  await traffic.stop();
  t.like((await traffic.account(mark, await traffic.mark())).total, { lost: 0, corrupt: 0 });
  t.true(bed.state().vf.txPackets > start.vf.txPackets);
  t.deepEqual(bed.events.filter(({ event }) => event === 'error'), []);
});

agentTest.serial('a VF that was away and back before the agent could look is prepared anew', async (t) => {
  const bed = createBed(t);
  const agent = await bed.startAgent();
  bed.plug();
  await bed.until('registered', registered(bed));
  const ifindex = bed.state().vfIfindex;
  agent.kill('SIGSTOP');
  bed.unplug();
  bed.plug();
  t.is(bed.ifindex(bed.guest, 'vf0'), ifindex, 'the device came back under its old number');
  agent.kill('SIGCONT');
  await bed.until('registered again', () => kinds(bed.events).filter((kind) => kind === 'vf-registered').length === 2);
  t.true(kinds(bed.events).includes('vf-withdrawn replugged'));
  t.regex(filters(bed.guest, 'vf0'), /plugin_vf_ingr/);
  t.regex(ip(bed.guest, 'link show dev vf0'), /state UP/);
});

agentTest.serial('down and no carrier are withdrawn at once, with the reason, and the VF is used again when it works again', async (t) => {
  const bed = createBed(t);
  await bed.startAgent();
  bed.plug();
  await bed.until('registered', registered(bed));
  ip(bed.host, 'link set dev vfp0 down');
  await bed.until('withdrawn', withdrawn(bed));
  ip(bed.host, 'link set dev vfp0 up');
  await bed.until('registered', registered(bed));
  // The guest's own administrator: that is not fought.
  ip(bed.guest, 'link set dev vf0 down');
  await bed.until('withdrawn', withdrawn(bed));
  await sleep(1500);
  t.is(bed.state().vfIfindex, 0);
  t.notRegex(ip(bed.guest, 'link show dev vf0'), /[<,]UP/);
  ip(bed.guest, 'link set dev vf0 up');
  await bed.until('said', () => kinds(bed.events).at(-1) === 'vf-registered');
  t.deepEqual(
    kinds(bed.events).filter((kind) => kind.startsWith('vf-')),
    ['vf-found', 'vf-registered', 'vf-withdrawn no-carrier', 'vf-registered', 'vf-withdrawn down', 'vf-registered'],
  );
});

agentTest.serial('devices stacked on the interface are not taken for a VF', async (t) => {
  const bed = createBed(t);
  await bed.startAgent();
  ip(bed.guest, `link add br7 address ${MAC} type bridge`);
  ip(bed.guest, 'link set dev br7 up');
  await sleep(300);
  t.is(bed.state().vfIfindex, 0);
  t.false(kinds(bed.events).includes('vf-found'));
});

agentTest.serial('SIGTERM takes everything back', async (t) => {
  const bed = createBed(t);
  const before = [qdiscs(bed.guest), qdiscs(bed.host)];
  const agent = await bed.startAgent();
  bed.plug();
  await bed.until('registered', registered(bed));
  t.regex(filters(bed.guest, 'eth0'), /plugin_ingress[\s\S]*plugin_egress/);
  agent.kill('SIGTERM');
  t.deepEqual(await agent.exited, { code: 0, signal: null });
  t.is(filters(bed.guest, 'eth0') + filters(bed.guest, 'vf0'), '');
  t.false(existsSync(bed.pins));
  bed.unplug();
  t.deepEqual([qdiscs(bed.guest), qdiscs(bed.host)], before);
});

agentTest.serial('killed under traffic and started again: the VF stays in use and nothing is lost', async (t) => {
  const bed = createBed(t);
  const first = await bed.startAgent();
  bed.plug();
  await bed.until('registered', registered(bed));
  const traffic = await startTraffic(t, bed);
  const before = await traffic.mark();
  await traffic.start();
  await sleep(200);
  const vf = bed.state().vfIfindex;
  first.kill('SIGKILL');
  await first.exited;
  await sleep(200);
  t.is(bed.state().vfIfindex, vf);
  const counted = bed.state().vf.txPackets;
  await bed.startAgent();
  await bed.until('registered', () => bed.events.filter(({ event }) => event === 'vf-registered').length === 2);
  await sleep(200);
  await traffic.stop();
  t.is(bed.state().vfIfindex, vf);
  t.true(bed.state().vf.txPackets > counted, 'the counts go on');
  const { total } = await traffic.account(before, await traffic.mark());
  t.like(total, { lost: 0, duplicated: 0, corrupt: 0 });
});

agentTest.serial('the next agent keeps what the host asked of the one before: a drained VF stays drained', async (t) => {
  const bed = createBed(t);
  const first = await bed.startAgent();
  bed.plug();
  await bed.until('registered', registered(bed));
  bed.sendControl(ControlCommand.DRAIN);
  await bed.until('drained', () => bed.state().drained === 1);
  first.kill('SIGKILL');
  await first.exited;
  await bed.startAgent();
  await bed.until('registered again', () => kinds(bed.events).filter((kind) => kind === 'vf-registered').length === 2);
  t.is(bed.state().drained, 1);
  bed.sendControl(ControlCommand.RESUME);
  await bed.until('resumed', () => bed.state().drained === 0);
});

agentTest.serial('a VF that went away while no agent was there is taken off by the next', async (t) => {
  const bed = createBed(t);
  const first = await bed.startAgent();
  bed.plug();
  await bed.until('registered', registered(bed));
  first.kill('SIGKILL');
  await first.exited;
  bed.unplug();
  t.not(bed.state().vfIfindex, 0);
  await bed.startAgent();
  t.is(bed.state().vfIfindex, 0);
});

agentTest.serial('no such interface, and pins that are not on a bpffs, are refused in words and leave nothing', async (t) => {
  const bed = createBed(t);
  const start = (...argv: string[]) => LabChild.start({ name: 'agent', netns: bed.guest, argv: [agentScript, ...argv] });
  await t.throwsAsync(start('--interface', 'eth9', '--pins', bed.pins), { message: /there is no interface eth9 in this guest/ });
  await t.throwsAsync(start('--pins', '/tmp/upt-nowhere'), { message: /not on a bpffs/ });
  await t.throwsAsync(start(), { message: /--pins is missing/ });
  t.false(existsSync(bed.pins));
  t.is(filters(bed.guest, 'eth0'), '');
});
