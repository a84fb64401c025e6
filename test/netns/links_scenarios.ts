/** The parts of links.test.ts that must run inside a network namespace: prints what it saw as JSON. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BridgePortFlags, FdbEntry, HostNetwork } from '../../src/host/port.js';
import { Links } from '../../src/host/links.js';
import { parseMacAddress } from '../../src/core/model.js';
import { printScenario } from '../support/scenario.js';

const sh = (command: string): void => {
  const [name, ...args] = command.split(' ');
  execFileSync(name ?? '', args, { stdio: ['ignore', 'ignore', 'inherit'] });
};

function childPids(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** Waits until `condition` holds; false when it never does. */
async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 3_000): Promise<boolean> {
  const end = Date.now() + deadlineMs;
  while (Date.now() < end) {
    if (await condition()) return true;
    await sleep(5);
  }
  return false;
}

/** What a VLAN-aware bridge says of the entry under its own VLAN and another; null on a kernel without such bridges. */
async function vlanAwareBridge(network: HostNetwork, entry: FdbEntry): Promise<readonly boolean[] | null> {
  try {
    execFileSync('ip', ['link', 'set', 'dev', 'br0', 'type', 'bridge', 'vlan_filtering', '1'], { stdio: 'ignore' });
  } catch {
    return null;
  }
  sh('bridge vlan add dev p0 vid 7');
  await network.addFdb(entry);
  return [await network.hasStaticFdb(entry), await network.hasStaticFdb({ ...entry, vlan: 8 })];
}

const scenarios: Readonly<Record<string, () => Promise<unknown>>> = {
  async dump() {
    const links = new Links();
    const seen = [...(await links.dump()).values()];
    links.close();
    return seen;
  },

  /** A listener hears of each kind of change, and stops when told. */
  async events() {
    const warnings: string[] = [];
    const links = new Links((message) => warnings.push(message));
    let calls = 0;
    const stop = links.onChange(() => calls++);
    const listening = await until(() => calls > 0);
    const heard: Record<string, boolean> = {};
    const changes: readonly (readonly [string, string])[] = [
      ['created', 'ip link add e0 type veth peer name e1'],
      ['up', 'ip link set dev e0 up'],
      ['mac', 'ip link set dev e0 address 52:54:00:aa:bb:cc'],
      ['mtu', 'ip link set dev e0 mtu 1400'],
      ['deleted', 'ip link del e0'],
    ];
    for (const [name, command] of changes) {
      await sleep(60);
      const before = calls;
      sh(command);
      heard[name] = await until(() => calls > before);
    }
    stop();
    await sleep(50);
    const after = calls;
    sh('ip link add e0 type veth peer name e1');
    await sleep(100);
    links.close();
    return { listening, heard, callsAfterStop: calls - after, children: childPids().length, warnings };
  },

  /** The monitor is killed: it comes back, says why, and nothing that happened meanwhile goes unnoticed. */
  async monitorKilled() {
    const warnings: string[] = [];
    const links = new Links((message) => warnings.push(message));
    let calls = 0;
    links.onChange(() => calls++);
    await until(() => calls > 0);
    for (const pid of childPids()) process.kill(pid, 'SIGKILL');
    await until(() => warnings.length > 0);
    const before = calls;
    sh('ip link add e0 type veth peer name e1');
    const noticed = await until(() => calls > before);
    links.close();
    return { noticed, warnings };
  },

  /** More changes than any buffer holds while nobody reads: afterwards the look is right, and later changes are heard. */
  async flood() {
    const links = new Links();
    let calls = 0;
    links.onChange(() => calls++);
    await until(() => calls > 0);
    const [monitor] = childPids();
    if (monitor === undefined) throw new Error('no monitor');
    sh('ip link add e0 type veth peer name e1');
    process.kill(monitor, 'SIGSTOP');
    let batch = '';
    for (let i = 0; i < 4_000; i++) batch += `link set dev e0 mtu ${1000 + (i % 400)}\n`;
    execFileSync('ip', ['-batch', '-'], { input: `${batch}link set dev e0 mtu 1234\n` });
    process.kill(monitor, 'SIGCONT');
    const before = calls;
    const noticed = await until(() => calls > before);
    const mtu = (await links.dump()).get('e0')?.mtu;
    await sleep(300);
    const later = calls;
    sh('ip link set dev e0 up');
    const hearsAgain = await until(() => calls > later);
    links.close();
    return { noticed, mtu, hearsAgain };
  },

  /** Memory and descriptors over many looks. */
  async manyDumps() {
    const links = new Links();
    const looks = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i++) await links.dump();
      globalThis.gc?.();
      return process.memoryUsage().rss;
    };
    await looks(2_000);
    const fdsBefore = readdirSync('/proc/self/fd').length;
    const before = await looks(500);
    const after = await looks(10_000);
    const fds = readdirSync('/proc/self/fd').length - fdsBefore;
    links.close();
    return { grownBytes: after - before, fds };
  },

  /** Looks asked for at the same time all answer. */
  async concurrentDumps() {
    const links = new Links();
    const sizes = (await Promise.all(Array.from({ length: 20 }, () => links.dump()))).map((map) => map.size);
    links.close();
    const closed = await links.dump().then(
      () => 'answered',
      (error: Error) => error.message,
    );
    return { sizes, closed };
  },

  /** A Links with a listener and no close(): the process ends all the same. */
  async forgotten() {
    const links = new Links();
    links.onChange(() => undefined);
    await links.dump();
    return {};
  },

  /** Tells the monitor's pid and waits to be killed. */
  async hold() {
    const links = new Links();
    let calls = 0;
    links.onChange(() => calls++);
    await until(() => calls > 0);
    process.stdout.write(`${childPids()[0]}\n`);
    await sleep(60_000);
    return {};
  },

  /** One frame out of p0 arrives at p1. */
  async send() {
    const { LinuxHostNetwork } = await import('../../src/host/network.js');
    const network = new LinuxHostNetwork();
    const received = (): number => {
      const [link] = JSON.parse(execFileSync('ip', ['-j', '-s', 'link', 'show', 'dev', 'p1'], { encoding: 'utf8' })) as {
        stats64: { rx: { bytes: number } };
      }[];
      return link?.stats64.rx.bytes ?? 0;
    };
    const before = received();
    const frame = Buffer.alloc(1234);
    frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
    network.sendFrame((await network.links()).get('p0')?.ifindex ?? 0, frame);
    const bytes = received() - before;
    const down = await Promise.resolve()
      .then(() => network.sendFrame(999_999, frame))
      .then(
        () => 'sent',
        (error: Error) => error.message,
      );
    network.close();
    return { bytes, down };
  },

  /** What p0, a veth, takes: as made; then without segmentation and with a peer that takes redirected frames. */
  async features() {
    const { LinuxHostNetwork } = await import('../../src/host/network.js');
    const warnings: string[] = [];
    const network = new LinuxHostNetwork((message) => warnings.push(message));
    const seen = async (): Promise<unknown> => {
      const link = (await network.links()).get('p0');
      return [link?.takesAggregates, link?.xdpFeatures?.multiBufferTransmit];
    };
    const before = await seen();
    sh('ethtool -K p0 tso off');
    sh('ethtool -K p1 gro on');
    const after = await seen();
    const key = await network.rssKey('p0');
    network.close();
    return { before, after, key, warnings };
  },

  /** VLANs of a port, on a bridge br0 that looks at tags. */
  async portVlans() {
    const { LinuxHostNetwork } = await import('../../src/host/network.js');
    const network = new LinuxHostNetwork();
    const vlans = async (): Promise<unknown> => (await network.bridgeVlans()).get('p0');
    const before = await vlans();
    await network.setBridgeVlan('p0', 7, { pvid: true, untagged: true });
    await network.setBridgeVlan('p0', 1, null);
    await network.setBridgeVlan('p0', 9, { pvid: false, untagged: false });
    const changed = await vlans();
    await network.setBridgeVlan('p0', 1, { pvid: true, untagged: true });
    for (const vid of [7, 7, 9]) await network.setBridgeVlan('p0', vid, null);
    const after = await vlans();
    await network.setBridgeVlan('gone0', 7, null);
    const filtering = (await network.links()).get('br0')?.vlanFiltering;
    network.close();
    return { before, changed, after, filtering };
  },

  async bridge() {
    const { LinuxHostNetwork } = await import('../../src/host/network.js');
    const network = new LinuxHostNetwork();
    const mac = parseMacAddress('52:54:00:00:00:01');
    const flags: BridgePortFlags = { learning: false, flood: false, multicastFlood: false, broadcastFlood: false };
    const untagged = { mac, vlan: 0, device: 'p0' };
    const tagged = { mac, vlan: 7, device: 'p0' };
    const seen: Record<string, unknown> = { before: await network.bridgePortFlags('p0') };
    await network.setBridgePortFlags('p0', flags);
    seen['after'] = await network.bridgePortFlags('p0');
    seen['noPort'] = await network.bridgePortFlags('p1');
    seen['noDevice'] = await network.bridgePortFlags('nope');
    seen['fdbBefore'] = await network.hasStaticFdb(untagged);
    await network.addFdb(untagged);
    await network.addFdb(untagged);
    seen['fdb'] = await network.hasStaticFdb(untagged);
    seen['fdbOther'] = await network.hasStaticFdb({ ...untagged, device: 'q0' });
    await network.deleteFdb(untagged);
    await network.deleteFdb(untagged);
    seen['fdbDeleted'] = await network.hasStaticFdb(untagged);
    await network.deleteFdb({ ...untagged, device: 'nope' });
    // A bridge that does not look at tags takes the entry without one.
    await network.addFdb(tagged);
    seen['vlanOnPlainBridge'] = await network.hasStaticFdb(tagged);
    await network.deleteFdb(tagged);
    seen['vlanAware'] = await vlanAwareBridge(network, tagged);
    await network.setLink('q0', { mac, mtu: 1400, bridge: null, up: true });
    seen['set'] = (await network.links()).get('q0');
    seen['badName'] = await network.setLink('-x', { up: true }).then(String, String);
    seen['failed'] = await network.setLink('nope', { up: true }).then(String, String);
    network.close();
    return seen;
  },
};

await printScenario(scenarios, process.argv[2]);
