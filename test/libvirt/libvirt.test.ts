/** Guests that a real libvirt owns: followed, given NICs, crashed, migrated. Some 40 s, a third of it QEMU's start-up. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { parseMacAddress } from '../../src/core/model.js';
import { LibvirtConnection } from '../../src/hypervisor/libvirt/connection.js';
import { attachNic, detachNic } from '../../src/hypervisor/libvirt/devices.js';
import type { NicToAttach } from '../../src/hypervisor/libvirt/device_xml.js';
import type { LibvirtError } from '../../src/hypervisor/libvirt/refusals.js';
import type { LibvirtDomain } from '../../src/hypervisor/libvirt/snapshot.js';
import { MonitorLostError, QmpError } from '../../src/hypervisor/qemu/monitor.js';
import { whyNoGuests } from '../../src/lab/qemu/available.js';
import { findKernel, unpackedKernel, type GuestKernel } from '../../src/lab/qemu/kernel.js';
import { needs, testWith } from '../support/require.js';
import { domainXml, LibvirtHost } from './bed.js';

const tools = ['libvirtd', 'virsh', 'qemu-system-x86_64', 'unshare', 'nsenter', 'setpriv', 'ip'].map(needs.tool);
const libvirtTest = testWith(needs.root(), ...tools);
const iommuGroups = '/sys/kernel/iommu_groups';
const hasIommu = existsSync(iommuGroups) && readdirSync(iommuGroups).length > 0;
const linuxTest = testWith(needs.root(), ...tools, needs.tool('cpio'), whyNoGuests());

/** A machine with much else to do is slow. */
const DEADLINE_MS = 60_000;
const SHARED_MAC = '52:54:00:00:00:02';

interface Bed {
  readonly folder: string;
  readonly a: LibvirtHost;
  readonly b: LibvirtHost;
}

let bed: Promise<Bed> | null = null;

function hosts(): Promise<Bed> {
  bed ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'unipath-libvirt-'));
    const [a, b] = await Promise.all([LibvirtHost.start('host-a', folder), LibvirtHost.start('host-b', folder)]);
    return { folder, a, b };
  })();
  return bed;
}

test.after.always(async () => {
  if (bed === null) return;
  const { folder, a, b } = await bed;
  await Promise.all([a.close(), b.close()]);
  rmSync(folder, { recursive: true, force: true });
});

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !holds(); await sleep(10)) {
    if (Date.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
  }
}

/** What a connection said and heard. */
class Follower {
  readonly said: string[] = [];
  /** "lifecycle Started Booted", "device-removed ua-vf0", ... with the domain's name first. */
  readonly events: string[] = [];
  readonly libvirt: LibvirtConnection;

  constructor(t: ExecutionContext, host: LibvirtHost) {
    // No resync within a test: what is seen is seen because of an event.
    this.libvirt = new LibvirtConnection({ uri: host.uri, say: (message) => this.said.push(message), timing: { resyncMs: 600_000 } });
    t.teardown(() => this.libvirt.close());
    this.libvirt.onEvent((event) => {
      const details = event.kind === 'lifecycle' ? `${event.event} ${event.detail}` : 'alias' in event ? event.alias : '';
      this.events.push(`${event.domain} ${event.kind} ${details}`.trim());
    });
  }

  domain(name: string): LibvirtDomain | null {
    return [...this.libvirt.domains().values()].find((domain) => domain.name === name) ?? null;
  }

  async sees(name: string, state: string): Promise<LibvirtDomain> {
    await eventually(`${name} is ${state}; now ${this.domain(name)?.state}`, () => (this.domain(name)?.state ?? 'gone') === state);
    return this.domain(name) as LibvirtDomain;
  }

  async connected(): Promise<void> {
    await eventually('libvirt is there', () => this.libvirt.trouble() === null);
  }
}

async function follow(t: ExecutionContext, host: LibvirtHost): Promise<Follower> {
  const follower = new Follower(t, host);
  await follower.connected();
  return follower;
}

function tapNic(mac: string, tap: string, alias = 'ua-vf0'): NicToAttach {
  return { mac: parseMacAddress(mac), alias, source: { tap, model: 'vmxnet3' } };
}

let shared: Promise<void> | null = null;

/** The uuid of a domain on host a that several tests use: it lets go of its NICs at once, and nobody ends it. */
async function sharedDomain(a: LibvirtHost, follower: Follower): Promise<string> {
  shared ??= (async () => {
    for (const tap of ['vf0', 'vf1']) await a.addTap(tap);
    await a.run(domainXml({ name: 'shared', mac: SHARED_MAC, guest: { os: 'none', lets: 'go' } }));
  })();
  await shared;
  return (await follower.sees('shared', 'running')).uuid;
}

/** The reason of the LibvirtError with which it fails. */
async function reasonOf(t: ExecutionContext, doing: Promise<unknown>): Promise<string> {
  const error = await t.throwsAsync(doing, { name: 'LibvirtError' });
  t.log(error?.message);
  return (error as LibvirtError).reason;
}

libvirtTest.serial('a domain is seen coming with its tap, pausing, going on and going', async (t) => {
  const { a } = await hosts();
  const follower = await follow(t, a);
  t.is(follower.libvirt.domains().size, 0);
  await a.run(domainXml({ name: 'web', mac: '52:54:00:00:00:01', guest: { os: 'none', lets: 'go' } }));
  const domain = await follower.sees('web', 'running');
  t.is(domain.stateReason, 'booted');
  const [nic] = domain.interfaces;
  const { guestPci, ...rest } = nic ?? { guestPci: null };
  t.deepEqual(rest, {
    type: 'bridge',
    mac: parseMacAddress('52:54:00:00:00:01'),
    alias: 'ua-net0',
    model: 'virtio',
    tap: 'tap-web',
    bridge: 'br0',
    teaming: { type: 'persistent' },
    linkUp: true,
    queues: 1,
    hostdev: null,
  });
  t.is(guestPci, '0000:01:00.0');
  t.deepEqual(domain.freeRootPorts, [2, 3]);

  await a.virsh('suspend', 'web');
  await follower.sees('web', 'paused');
  await a.virsh('resume', 'web');
  await follower.sees('web', 'running');
  await a.virsh('destroy', 'web');
  await eventually('web is gone', () => follower.domain('web') === null);
  // QEMU may or may not still have said that it shuts down when it was destroyed.
  const events = follower.events.filter((event) => !event.includes('lifecycle Shutdown'));
  t.deepEqual(events, [
    'web lifecycle Resumed Unpaused',
    'web lifecycle Started Booted',
    'web lifecycle Suspended Paused',
    'web lifecycle Resumed Unpaused',
    'web lifecycle Stopped Destroyed',
  ]);
  t.deepEqual(follower.said, []);
});

libvirtTest.serial('the monitor asks QEMU, hears it, and changes nothing', async (t) => {
  const { a } = await hosts();
  const follower = await follow(t, a);
  const uuid = await sharedDomain(a, follower);
  const monitor = follower.libvirt.monitor(uuid);
  const heard: string[] = [];
  const times: number[] = [];
  monitor.onEvent(({ name, timeMs }) => {
    heard.push(name);
    times.push(timeMs);
  });

  t.like(await monitor.execute('query-status'), { status: 'running', running: true });
  t.is(await monitor.execute('qom-get', { path: '/machine/peripheral/ua-net0', property: 'failover' }), true);
  const unknown = await t.throwsAsync(monitor.execute('query-nonsense'), { instanceOf: QmpError });
  t.is((unknown as QmpError).qmpClass, 'CommandNotFound');
  const refused = await t.throwsAsync(monitor.execute('device_del', { id: 'ua-net0' }), { instanceOf: QmpError });
  t.is((refused as QmpError).qmpClass, 'OwnedByLibvirt');
  t.is((await follower.libvirt.look(uuid)).interfaces.length, 1);

  const before = Date.now();
  await a.virsh('suspend', 'shared');
  await a.virsh('resume', 'shared');
  await eventually('RESUME is heard', () => heard.length >= 2);
  t.deepEqual(heard, ['STOP', 'RESUME']);
  t.true(times.every((timeMs) => timeMs >= before - 1 && timeMs <= Date.now()), String(times));
  monitor.close();
  await t.throwsAsync(monitor.execute('query-status'), { instanceOf: MonitorLostError });
});

libvirtTest.serial('a NIC is plugged and taken out again by its alias; the one that stands by stays', async (t) => {
  const { a } = await hosts();
  const follower = await follow(t, a);
  const uuid = await sharedDomain(a, follower);
  const { libvirt } = follower;

  const nic = await attachNic(libvirt, uuid, tapNic(SHARED_MAC, 'vf0'));
  t.like(nic, { alias: 'ua-vf0', tap: 'vf0', model: 'vmxnet3', mac: SHARED_MAC, type: 'ethernet', guestPci: '0000:02:00.0' });
  await eventually('the NIC is seen', () => follower.domain('shared')?.interfaces.length === 2);
  const monitor = libvirt.monitor(uuid);
  t.is(await monitor.execute('qom-get', { path: '/machine/peripheral/ua-vf0', property: 'romfile' }), '');
  t.deepEqual(await attachNic(libvirt, uuid, tapNic(SHARED_MAC, 'vf0')), nic, 'it was there already');
  t.is(await reasonOf(t, attachNic(libvirt, uuid, tapNic(SHARED_MAC, 'vf1'))), 'alias_in_use');
  t.is(await reasonOf(t, attachNic(libvirt, uuid, tapNic(SHARED_MAC, 'nosuch', 'ua-vf1'))), 'no_such_source');
  t.is(await reasonOf(t, attachNic(libvirt, uuid, tapNic(SHARED_MAC, 'vf0', 'ua-vf1'))), 'source_in_use');

  await t.throwsAsync(detachNic(libvirt, uuid, SHARED_MAC), { instanceOf: RangeError });
  t.is(await reasonOf(t, detachNic(libvirt, uuid, 'ua-net0')), 'no_standby');
  await detachNic(libvirt, uuid, 'ua-vf0');
  t.deepEqual(
    (await libvirt.look(uuid)).interfaces.map(({ alias }) => alias),
    ['ua-net0'],
  );
  await eventually('its going is seen', () => follower.domain('shared')?.interfaces.length === 1);
  t.deepEqual(
    follower.events.filter((event) => event.includes('device-')),
    ['shared device-added ua-vf0', 'shared device-removed ua-vf0'],
  );
  await t.notThrowsAsync(detachNic(libvirt, uuid, 'ua-vf0'), 'it is out already');
});

libvirtTest.serial('a guest that does not let go of a NIC, and slots that run out', async (t) => {
  const { a } = await hosts();
  const follower = await follow(t, a);
  const mac = '52:54:00:00:00:04';
  for (const tap of ['deaf1', 'deaf2', 'deaf3']) await a.addTap(tap);
  await a.run(domainXml({ name: 'deaf', mac, guest: { os: 'none', lets: 'nothing go' } }));
  const { uuid } = await follower.sees('deaf', 'running');
  await attachNic(follower.libvirt, uuid, tapNic(mac, 'deaf1', 'ua-vf1'));
  await attachNic(follower.libvirt, uuid, tapNic(mac, 'deaf2', 'ua-vf2'));
  t.is(await reasonOf(t, attachNic(follower.libvirt, uuid, tapNic(mac, 'deaf3', 'ua-vf3'))), 'no_slot');

  const started = Date.now();
  t.is(await reasonOf(t, detachNic(follower.libvirt, uuid, 'ua-vf1', { deadlineMs: 1500 })), 'guest_silent');
  t.true(Date.now() - started >= 1500);
  t.is((await follower.libvirt.look(uuid)).interfaces.length, 3);
  // The end of the domain's run takes the NIC away, too.
  const waiting = detachNic(follower.libvirt, uuid, 'ua-vf2');
  await sleep(300);
  await a.virsh('destroy', 'deaf');
  await t.notThrowsAsync(waiting);
  t.is(await reasonOf(t, attachNic(follower.libvirt, uuid, tapNic(mac, 'deaf1', 'ua-vf1'))), 'no_domain');
});

const vfioTest = testWith(needs.root(), ...tools, hasIommu ? 'a machine without an IOMMU' : null);

vfioTest.serial('a VF where the host cannot give PCI devices away: the reason says so', async (t) => {
  const { a } = await hosts();
  const follower = await follow(t, a);
  const uuid = await sharedDomain(a, follower);
  const mac = parseMacAddress(SHARED_MAC);
  const vf = { mac, alias: 'ua-vf0', source: { pci: '0000:3b:02.1', persistent: 'ua-net0' } };
  t.is(await reasonOf(t, attachNic(follower.libvirt, uuid, vf)), 'no_passthrough');
  t.is(await reasonOf(t, attachNic(follower.libvirt, uuid, { ...vf, source: { ...vf.source, persistent: 'ua-net7' } })), 'no_standby');
  t.is(await reasonOf(t, attachNic(follower.libvirt, uuid, { ...vf, mac: parseMacAddress('52:54:00:00:00:99') })), 'no_standby');
});

libvirtTest.serial('QEMU killed: the crash is seen', async (t) => {
  const { a } = await hosts();
  const follower = await follow(t, a);
  await a.run(domainXml({ name: 'crash', mac: '52:54:00:00:00:06', guest: { os: 'none', lets: 'go' } }), { keep: true });
  const { uuid } = await follower.sees('crash', 'running');
  const ended: string[] = [];
  follower.libvirt.monitor(uuid).onEnd((why) => ended.push(why));
  await a.killQemu('crash');
  const domain = await follower.sees('crash', 'shut off');
  t.like(domain, { stateReason: 'crashed', id: null });
  t.is(domain.interfaces[0]?.tap, 'tap-crash', 'the definition names it, though it is gone');
  t.is(follower.events.at(-1), 'crash lifecycle Stopped Failed');
  t.regex(ended[0] ?? '', /shut off: crashed/);
  await a.virsh('undefine', 'crash');
  await eventually('the definition is gone', () => follower.domain('crash') === null);
});

libvirtTest.serial('libvirtd killed and started again while a domain runs', async (t) => {
  const { a } = await hosts();
  const follower = await follow(t, a);
  await a.run(domainXml({ name: 'stays', mac: '52:54:00:00:00:07', guest: { os: 'none', lets: 'go' } }));
  const { uuid, id } = await follower.sees('stays', 'running');
  const monitor = follower.libvirt.monitor(uuid);
  const ended: string[] = [];
  const heard: string[] = [];
  monitor.onEnd((why) => ended.push(why));
  monitor.onEvent((event) => heard.push(event.name));

  await a.killDaemon();
  await eventually('the loss is noticed', () => follower.libvirt.trouble() !== null);
  t.regex(follower.said[0] ?? '', /is not there: .*; trying again$/);
  t.is(follower.domain('stays')?.state, 'running', 'known from before');
  await t.throwsAsync(monitor.execute('query-status'), { instanceOf: MonitorLostError });
  t.is(await reasonOf(t, follower.libvirt.look(uuid)), 'unreachable');
  await sleep(1500);
  t.is(follower.said.length, 1, 'said once, not with each attempt');

  await a.startDaemon();
  await follower.connected();
  t.regex(follower.said[1] ?? '', /is back$/);
  t.is(follower.domain('stays')?.id, id);
  t.like(await monitor.execute('query-status'), { running: true });
  await a.virsh('suspend', 'stays');
  await follower.sees('stays', 'paused');
  await eventually('STOP is heard', () => heard.includes('STOP'));
  t.deepEqual(ended, []);

  // And what happened while nobody listened is found out.
  await a.killDaemon();
  await a.killQemu('stays');
  await a.startDaemon();
  await eventually('stays is gone', () => follower.domain('stays') === null);
  t.is(ended.length, 1);
});

libvirtTest.serial('a live migration, seen from both sides', async (t) => {
  const { a, b, folder } = await hosts();
  const [source, destination] = await Promise.all([follow(t, a), follow(t, b)]);
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, randomBytes(40 << 20));
  await a.run(domainXml({ name: 'moves', mac: '52:54:00:00:00:08', guest: { os: 'none', lets: 'go' }, ballast }));
  const { uuid } = await source.sees('moves', 'running');
  source.events.length = 0;
  const monitor = source.libvirt.monitor(uuid);
  const qemu: string[] = [];
  const ended: string[] = [];
  monitor.onEvent((event) => qemu.push(event.name === 'MIGRATION' ? `MIGRATION ${event.data['status']}` : event.name));
  monitor.onEnd((why) => ended.push(why));

  await a.addTap('vf8');
  const migration = a.virsh('migrate', 'moves', b.uri, '--live', '--migrateuri', `unix://${folder}/migration`, '--bandwidth', '1');
  await eventually('it is being migrated', () => qemu.includes('MIGRATION active'));
  t.is(await reasonOf(t, attachNic(source.libvirt, uuid, tapNic('52:54:00:00:00:08', 'vf8'))), 'busy');
  t.is(await reasonOf(t, attachNic(destination.libvirt, uuid, tapNic('52:54:00:00:00:08', 'vf8'))), 'busy');
  t.like(await monitor.execute('query-migrate'), { status: 'active' });
  await a.virsh('migrate-setspeed', 'moves', '1000');
  await migration;

  await destination.sees('moves', 'running');
  await eventually('it is gone from here', () => source.domain('moves') === null);
  t.deepEqual(
    source.events.filter((event) => event.includes('lifecycle')),
    ['moves lifecycle Suspended Migrated', 'moves lifecycle Stopped Migrated'],
  );
  t.deepEqual(destination.events, ['moves lifecycle Started Migrated', 'moves lifecycle Resumed Migrated']);
  const telling = ['MIGRATION setup', 'MIGRATION active', 'STOP', 'MIGRATION completed'];
  t.deepEqual(
    qemu.filter((event) => telling.includes(event)),
    telling,
  );
  t.is(ended.length, 1);
  const arrived = destination.domain('moves');
  t.is(arrived?.uuid, uuid);
  t.like(arrived?.interfaces[0], { tap: 'tap-moves', mac: '52:54:00:00:00:08', alias: 'ua-net0' });
  t.like(await destination.libvirt.monitor(uuid).execute('query-status'), { running: true });
  await b.virsh('destroy', 'moves');
});

/** A busybox that does nothing but be there. */
function initrd(folder: string): string {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'bin'), { recursive: true });
  cpSync(execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim(), join(root, 'bin/busybox'), { dereference: true });
  writeFileSync(join(root, 'init'), '#!/bin/busybox sh\necho guest is ready\nwhile :; do /bin/busybox sleep 3600; done\n', { mode: 0o755 });
  const file = join(folder, 'initrd.cpio');
  execFileSync('sh', ['-c', 'cd "$1" && find . | cpio --quiet -o -H newc >"$2"', 'sh', root, file]);
  return file;
}

linuxTest.serial('a guest with Linux lets go of the NIC, also after a pause', async (t) => {
  const { a, folder } = await hosts();
  const follower = await follow(t, a);
  const mac = '52:54:00:00:00:09';
  const console = join(folder, 'console');
  await a.addTap('vf9');
  await a.run(domainXml({ name: 'linux', mac, guest: { os: 'linux', kernel: await unpackedKernel(findKernel() as GuestKernel), initrd: initrd(folder), console } }));
  const { uuid } = await follower.sees('linux', 'running');
  await eventually('Linux is up', () => readFileSync(console, 'utf8').includes('guest is ready'));
  await attachNic(follower.libvirt, uuid, tapNic(mac, 'vf9'));
  await eventually('the guest has the NIC', () => readFileSync(console, 'utf8').includes('0000:02:00.0: [15ad:07b0]'));
  await detachNic(follower.libvirt, uuid, 'ua-vf0', { deadlineMs: DEADLINE_MS });

  await attachNic(follower.libvirt, uuid, tapNic(mac, 'vf9'));
  await a.virsh('suspend', 'linux');
  t.is(await reasonOf(t, detachNic(follower.libvirt, uuid, 'ua-vf0', { deadlineMs: 1000 })), 'guest_silent');
  const again = detachNic(follower.libvirt, uuid, 'ua-vf0', { deadlineMs: DEADLINE_MS });
  await a.virsh('resume', 'linux');
  await again;
  t.is((await follower.libvirt.look(uuid)).interfaces.length, 1);
  await a.virsh('destroy', 'linux');
});
