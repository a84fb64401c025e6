/**
 * Guests that libvirt owns, followed by unipathd: two hosts, each with a libvirtd, a unipathd, a bridge and a PF, and one guest with Linux
 * that is given a NIC, outlives a libvirtd, moves from the one to the other and back, and dies. Some 90 s, half of it starts.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { hostMaps } from '../../maps/generated/contract.js';
import { openSite } from '../../src/dataplane/site.js';
import { LibvirtSource } from '../../src/hypervisor/libvirt/libvirt_source.js';
import { whyNoGuests } from '../../src/lab/qemu/available.js';
import { deadKernelWords } from '../../src/lab/qemu/dead_kernel.js';
import { RawMap } from '../../src/native/map.js';
import { Bed, type BedHost, guest } from '../qemu/bed.js';
import { type FlowOutcome, Traffic } from '../qemu/traffic.js';
import { needs, testWith } from '../support/require.js';
import { domainXml, LibvirtHost } from './bed.js';
import { guestXml, LibvirtGuest } from './guest.js';

const tools = ['libvirtd', 'virsh', 'unshare', 'nsenter', 'setpriv', 'ip', 'bridge'].map(needs.tool);
const followTest = testWith(needs.root(), needs.bpffs(), ...tools, whyNoGuests());

/** A machine with much else to do is slow. */
const DEADLINE_MS = 40_000;
const ATTEMPTS = 4;
const WHOLE = { lost: 0, duplicated: 0, reordered: 0, corrupt: 0, echoLost: 0, echoDuplicated: 0, echoReordered: 0, echoCorrupt: 0 } satisfies Partial<FlowOutcome>;
const spec = guest(1);

interface Site {
  readonly bed: Bed;
  readonly folder: string;
  readonly a: LibvirtHost;
  readonly b: LibvirtHost;
  /** Where it is now. */
  guest: LibvirtGuest;
}

/** Flows of tests that may begin anew. */
let flow = 2;
let site: Promise<Site> | null = null;
/** To be ended, also where the rest could not be set up. */
const libvirts: LibvirtHost[] = [];
let bed: Bed | null = null;
let folder: string | null = null;

async function setUp(): Promise<Site> {
  const own = mkdtempSync(join(tmpdir(), 'unipath-follow-'));
  folder = own;
  const vfs = [{ port: 'vfp0', model: 'vmxnet3' }];
  const config = (name: string, policy: string): Record<string, unknown> => ({
    hypervisors: [{ libvirt: LibvirtHost.uriOf(join(own, name)) }],
    discover: { policy },
  });
  const made = await Bed.create('lv', [
    { name: 'a', vfs, config: config('a', 'software') },
    { name: 'b', vfs, config: config('b', 'accelerated') },
  ]);
  bed = made;
  const start = async (name: string): Promise<LibvirtHost> => {
    const libvirt = await LibvirtHost.start(name, own, made.host(name).netns);
    libvirts.push(libvirt);
    await made.host(name).startDaemon();
    return libvirt;
  };
  // Both, also when one fails: what has been started must be known, to be ended.
  const [a, b] = (await Promise.allSettled([start('a'), start('b')])).map((started) => {
    if (started.status === 'rejected') throw started.reason;
    return started.value;
  }) as [LibvirtHost, LibvirtHost];
  await a.run(await guestXml(spec));
  return { bed: made, folder: own, a, b, guest: new LibvirtGuest(spec, a) };
}

const there = (): Promise<Site> => (site ??= setUp());

test.after.always(async () => {
  await (await site?.catch(() => null))?.guest.close();
  await bed?.close();
  await Promise.all(libvirts.map((libvirt) => libvirt.close()));
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
});

async function eventually(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !(await holds()); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
  }
}

interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly master?: string;
  readonly xdp?: object;
}

function linksOf(host: BedHost): Link[] {
  return JSON.parse(execFileSync('ip', ['-n', host.netns, '-j', 'link', 'show'], { encoding: 'utf8' })) as Link[];
}

/** What unipath has on a host: rows of vNICs, devices that may be redirected to, programs at devices, FDB entries of guests. */
async function traces(host: BedHost): Promise<{ readonly rows: number; readonly targets: readonly string[]; readonly programs: readonly string[]; readonly fdb: readonly string[] }> {
  const { pins, vnics, link } = await openSite(host.pins, new Map(), null);
  const map = RawMap.fromPin(pins.map('tx_ports'));
  const targets = [...map.entries()].map(([, value]) => link(hostMaps.tx_ports.value.read(value).ifindex)).sort();
  map.close();
  const programs = linksOf(host).filter(({ xdp }) => xdp !== undefined).map(({ ifname }) => ifname);
  const fdb = execFileSync('bridge', ['-n', host.netns, 'fdb', 'show'], { encoding: 'utf8' });
  return { rows: vnics.length, targets, programs, fdb: fdb.split('\n').filter((line) => /^52:54:00.* (?:static|extern_learn)/.test(line)) };
}

/** Nothing of any guest is left, and the VF is as it was. */
async function isClean(t: ExecutionContext, host: BedHost): Promise<void> {
  await eventually(`nothing is left on ${host.name}`, async () => (await host.control.status()).vnics.length === 0);
  await eventually(`VF of ${host.name} is down`, () => linksOf(host).some(({ ifname, flags }) => ifname === 'vfp0' && !flags.includes('UP')));
  t.deepEqual(await traces(host), { rows: 0, targets: ['pf0'], programs: ['pf0'], fdb: [] });
  t.is(linksOf(host).find(({ ifname }) => ifname === 'vfp0')?.master, undefined);
  t.like((await host.control.status()).adapters[0]?.vfs[0], { state: 'free', owner: null });
}

followTest.serial('a domain becomes a vNIC by itself, and is given a NIC and asked for it back without losing a frame', async (t) => {
  const { bed, guest } = await there();
  const host = bed.host('a');
  const found = await host.until(spec.name, (vnic) => vnic.phase === 'software', DEADLINE_MS);
  t.like(found, { mac: spec.mac, tap: `t-${spec.name}`, path: 'software', want_source: 'policy', reason: 'policy_software', vf: null });
  const seen = await traces(host);
  t.deepEqual({ ...seen, fdb: seen.fdb.length }, { rows: 1, targets: ['pf0', `t-${spec.name}`], programs: ['pf0', `t-${spec.name}`], fdb: 1 });
  await guest.ready();

  const traffic = new Traffic(bed.endpoint, guest, { id: 1, packetsPerSecond: 100, talks: true, tcp: true });
  await traffic.start();
  await sleep(500);
  for (const round of [1, 2]) {
    const { vnic } = await host.control.act(spec.name, 'accelerate', DEADLINE_MS);
    t.like(vnic, { path: 'accelerated', phase: 'accelerated', vf: 'vfp0', reason: 'none' });
    t.log(`round ${round}: accelerated; longest pause so far ${await traffic.lap()} ms`);
    // No failover_pair_id: the guest's net_failover pairs it by its MAC address.
    t.regex(await guest.run('for n in /sys/class/net/*; do echo $(basename $(readlink $n/device/driver)) $(basename $(readlink $n/master)); done'), /^vmxnet3 eth0$/m);
    await sleep(500);
    const back = await host.control.act(spec.name, 'software', DEADLINE_MS);
    t.like(back.vnic, { path: 'software' });
    await host.until(spec.name, (vnic) => vnic.phase === 'software' && vnic.vf === null, DEADLINE_MS);
    t.log(`round ${round}: back; longest pause ${await traffic.lap()} ms`);
    t.notRegex(await guest.run('ls -l /sys/class/net/*/device/driver'), /vmxnet3/);
  }
  const outcome = await traffic.finish();
  t.log(`${outcome.sent} datagrams there and back, ${outcome.lost} and ${outcome.echoLost} lost`);
  if (outcome.echoLost > 0) t.log('answers that were lost', JSON.stringify(await bed.endpoint.missing({ flow: 1, stream: 'echo', from: 0, to: outcome.sent })));
  t.like(outcome, WHOLE);
  const tcp = await traffic.tcp();
  t.true(tcp?.ok, tcp?.detail);
});

followTest.serial('libvirtd dies and comes back while the guest is accelerated: its traffic does not notice', async (t) => {
  const { bed, a, guest } = await there();
  const host = bed.host('a');
  await host.control.act(spec.name, 'accelerate', DEADLINE_MS);
  const traffic = new Traffic(bed.endpoint, guest, { id: 2, packetsPerSecond: 100, talks: true });
  await traffic.start();
  const before = host.events.length;
  await a.killDaemon();
  await eventually('the loss is noticed', () => /is not there/.test(host.log));
  await sleep(1500);
  t.like(await host.vnic(spec.name), { path: 'accelerated', phase: 'accelerated', vf: 'vfp0' });
  await a.startDaemon();
  await eventually('libvirt is back', () => /is back/.test(host.log));
  await sleep(500);
  t.like(await host.vnic(spec.name), { path: 'accelerated', phase: 'accelerated', vf: 'vfp0' });
  t.deepEqual(host.events.slice(before).filter(({ kind }) => kind === 'phase' || kind === 'vf').map(({ message }) => message), []);
  t.like(await traffic.finish(), WHOLE);
  // And it is followed again.
  await host.control.act(spec.name, 'software', DEADLINE_MS);
  t.is((await host.until(spec.name, (vnic) => vnic.vf === null, DEADLINE_MS)).path, 'software');
});

followTest.serial('a look at a guest costs little', async (t) => {
  const { a } = await there();
  const source = new LibvirtSource({ uri: a.uri, warn: (message) => t.log(message) });
  t.throws(() => source.machines(), { message: /has not been seen yet/ });
  await source.start();
  t.teardown(() => source.close());
  const [live] = source.machines();
  t.like(live?.machine.nics[0], { id: 'ua-net0', tap: `t-${spec.name}`, failover: true, failoverNegotiated: true });
  const took: number[] = [];
  for (let i = 0; i < 20; i++) {
    const before = performance.now();
    await live?.refresh();
    took.push(performance.now() - before);
  }
  took.sort((x, y) => x - y);
  t.log(`median ${took[10]?.toFixed(1)} ms, fastest ${took[0]?.toFixed(1)} ms`);
  t.true((took[0] ?? 0) < 50);
});

async function migratesThere(t: ExecutionContext, shared: Site): Promise<void> {
  const { bed, a, b } = shared;
  const [here, away] = [bed.host('a'), bed.host('b')];
  const traffic = new Traffic(bed.endpoint, shared.guest, { id: ++flow, packetsPerSecond: 100, talks: true, tcp: true });
  await traffic.start();
  const before = away.events.length;
  const slow = ['--live', '--migrateuri', `unix://${join(shared.folder, 'migration')}`, '--bandwidth', '2'];
  const migration = a.virsh('migrate', spec.name, b.uri, ...slow);
  // Whoever fails before it is waited for has said why already.
  migration.catch(() => {});
  const waits = await away.until(spec.name, (vnic) => vnic.reason === 'guest_incoming', DEADLINE_MS);
  t.like(waits, { phase: 'absent', path: 'software', tap: `t-${spec.name}`, mac: spec.mac });
  t.deepEqual(away.events.slice(before).filter(({ kind, vnic }) => kind === 'action' && vnic === spec.name).map(({ message }) => message), [], 'it was announced by a host where it is not');
  t.is((await traces(away)).rows, 0);
  t.like(await here.vnic(spec.name), { phase: 'software' });
  // It cannot be plugged now, whether QEMU knows of the migration already or only libvirt; and that keeps no frame back.
  await here.control.act(spec.name, 'accelerate');
  t.is((await here.until(spec.name, (vnic) => vnic.reason === 'guest_leaving' && vnic.phase === 'software', DEADLINE_MS)).vf, null);
  await here.control.act(spec.name, 'auto');
  await a.virsh('migrate-setspeed', spec.name, '1000');
  await migration;
  const arrived = performance.now();
  await shared.guest.close();
  shared.guest = new LibvirtGuest(spec, b);

  await isClean(t, here);
  await away.until(spec.name, (vnic) => vnic.phase === 'accelerated', DEADLINE_MS);
  t.log(`accelerated there ${Math.round(performance.now() - arrived)} ms after the migration`);
  await sleep(500);
  const outcome = await traffic.finish(shared.guest);
  t.log(`${outcome.sent} datagrams, ${outcome.lost} and ${outcome.echoLost} lost`);
  // While it runs neither here nor there; at 100 a second.
  t.true(outcome.lost < 100 && outcome.echoLost < 100);
  t.like(outcome, { duplicated: 0, corrupt: 0 });
  const tcp = await traffic.tcp(shared.guest);
  t.true(tcp?.ok, tcp?.detail);
}

async function migratesBack(t: ExecutionContext, shared: Site): Promise<void> {
  const { bed, a, b } = shared;
  const [here, away] = [bed.host('b'), bed.host('a')];
  const traffic = new Traffic(bed.endpoint, shared.guest, { id: ++flow, packetsPerSecond: 100, talks: true, tcp: true });
  await traffic.start();
  const before = away.events.length;
  // The NIC goes along, and is taken back there.
  await b.virsh('migrate', spec.name, a.uri, '--live', '--migrateuri', `unix://${join(shared.folder, 'migration')}`);
  await shared.guest.close();
  shared.guest = new LibvirtGuest(spec, a);
  await isClean(t, here);
  await away.until(spec.name, (vnic) => vnic.phase === 'software' && vnic.vf === null, DEADLINE_MS);
  t.is((await a.virsh('domiflist', spec.name)).match(/vfp0/), null);
  t.true(away.events.slice(before).some(({ kind, message }) => kind === 'vf' && message === `${spec.name} has VF vfp0`));
  await sleep(500);
  const outcome = await traffic.finish(shared.guest);
  t.log(`${outcome.sent} datagrams, ${outcome.lost} and ${outcome.echoLost} lost`);
  t.like(outcome, { duplicated: 0, corrupt: 0 });
  const tcp = await traffic.tcp(shared.guest);
  t.true(tcp?.ok, tcp?.detail);
}

/** It runs on a, as at the beginning. */
async function startAnew(shared: Site): Promise<void> {
  await shared.guest.close();
  for (const host of [shared.a, shared.b]) await host.virsh('destroy', spec.name).catch(() => null);
  await eventually('it is gone', async () => (await Promise.all(['a', 'b'].map((name) => shared.bed.host(name).control.status()))).every(({ vnics }) => vnics.length === 0));
  await shared.a.run(await guestXml(spec));
  shared.guest = new LibvirtGuest(spec, shared.a);
  const host = shared.bed.host('a');
  await host.until(spec.name, (vnic) => vnic.phase !== 'absent', DEADLINE_MS);
  // Whatever it was told to be when it died.
  await host.control.act(spec.name, 'auto');
  await host.until(spec.name, (vnic) => vnic.phase === 'software', DEADLINE_MS);
  await shared.guest.ready();
}

followTest.serial('live migrations are followed: there, nothing before the guest runs and nothing here after; and back with the NIC in its hands', async (t) => {
  t.timeout(240_000);
  const shared = await there();
  for (let attempt = 1; ; attempt++) {
    const result = await t.try(async (tt) => {
      try {
        await migratesThere(tt, shared);
        await migratesBack(tt, shared);
      } catch (error) {
        tt.fail((error as Error).stack ?? String(error));
      }
    });
    const consoles = await Promise.all([shared.a, shared.b].map((host) => new LibvirtGuest(spec, host).console().catch(() => '')));
    const words = consoles.map(deadKernelWords).find((text) => text !== null);
    if (result.passed || words === undefined || attempt === ATTEMPTS) {
      result.commit();
      return;
    }
    result.discard();
    t.log(`attempt ${attempt}: the guest's kernel died (${words}), and the test begins anew`);
    await startAnew(shared);
  }
});

followTest.serial('a QEMU is killed while its guest is accelerated: all of it is given back', async (t) => {
  const { bed, a } = await there();
  const host = bed.host('a');
  t.like((await host.control.act(spec.name, 'accelerate', DEADLINE_MS)).vnic, { phase: 'accelerated' });
  await a.killQemu(spec.name);
  const killed = performance.now();
  await isClean(t, host);
  t.log(`clean after ${Math.round(performance.now() - killed)} ms`);
});

followTest.serial('a domain is destroyed: all of it is given back', async (t) => {
  const { bed, b } = await there();
  const host = bed.host('b');
  await b.run(domainXml({ name: 'plain', mac: '52:54:00:aa:00:09', guest: { os: 'none', lets: 'go' } }));
  t.like(await host.until('plain', (vnic) => vnic.phase === 'software', DEADLINE_MS), { tap: 'tap-plain', mac: '52:54:00:aa:00:09' });
  await b.virsh('destroy', 'plain');
  await isClean(t, host);
});
