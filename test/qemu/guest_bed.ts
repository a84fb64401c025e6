/** A guest with failover on a bridge, a second tap for its primary, and a wire namespace with a traffic endpoint. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { QemuGuest, type GuestOptions } from '../../src/lab/qemu/guest.js';
import { createTap } from '../../src/lab/qemu/tap.js';
import { whyNoGuests } from '../../src/lab/qemu/available.js';
import { Endpoint } from '../../src/lab/traffic/client.js';
import { createNetns, ip } from '../support/netns.js';
import { testWith } from '../support/require.js';
import { connectQmp, type Qmp } from './qmp.js';

export const guestTest = testWith(whyNoGuests());
export const MAC = '52:54:00:aa:00:01';
export const WIRE = '10.77.0.1';
export const GUEST = '10.77.0.11';

export interface GuestBed {
  readonly host: string;
  readonly wire: Endpoint;
  readonly guest: QemuGuest;
  readonly qmp: Qmp;
  readonly bootMs: number;
}

/** Frames that came out of the guest through a tap. */
export function framesFrom({ host }: GuestBed, tap: string): number {
  const [link] = JSON.parse(ip(host, `-j -s link show dev ${tap}`)) as { stats64: { rx: { packets: number } } }[];
  return link?.stats64.rx.packets ?? 0;
}

/** Polls until it is so. @throws Error naming what did not come */
export async function until<T>(what: string, look: () => Promise<T | null> | T | null, withinMs = 15_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
}

export async function startBed(t: ExecutionContext, options: Partial<GuestOptions> = {}): Promise<GuestBed> {
  const host = createNetns(t, 'host');
  const wireNetns = createNetns(t, 'wire');
  ip(host, 'link add br0 type bridge');
  ip(host, 'link set br0 up');
  ip(host, `link add vw type veth peer name eth0 netns ${wireNetns}`);
  ip(host, 'link set vw master br0 up');
  ip(wireNetns, `address add ${WIRE}/24 dev eth0`);
  ip(wireNetns, 'link set eth0 up');
  for (const tap of ['tv', 'tp']) {
    await createTap(host, tap);
    // Without learning the bridge floods to both: who has the guest's MAC address now is not what is tested here.
    ip(host, `link set ${tap} master br0`);
    ip(host, `link set ${tap} type bridge_slave learning off`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'unipath-guest-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const before = performance.now();
  const nics = [{ id: 'net0', tap: 'tv', mac: MAC, failover: true }];
  const guest = await QemuGuest.start({ name: 'g1', netns: host, folder: join(folder, 'g1'), nics, ...options });
  t.teardown(() => guest.stop());
  await guest.waitForShell();
  const bootMs = Math.round(performance.now() - before);
  const wire = await Endpoint.start(wireNetns);
  t.teardown(() => wire.close());
  const qmp = await connectQmp(guest.labQmpSocket);
  t.teardown(() => qmp.close());
  return { host, wire, guest, qmp, bootMs };
}

interface GuestLink {
  readonly ifname: string;
  readonly master?: string;
  readonly flags: readonly string[];
  readonly address: string;
}

/** The netdev of a driver, as the guest sees it; null when there is none. */
export async function linkOfDriver(guest: QemuGuest, driver: string): Promise<GuestLink | null> {
  const output = await guest.run('ip -j link; ls -l /sys/class/net/*/device/driver');
  const name = new RegExp(`/sys/class/net/(\\S+)/device/driver -> .*/${driver}$`, 'm').exec(output)?.[1];
  const links = JSON.parse(output.slice(0, output.indexOf('\n'))) as GuestLink[];
  return links.find(({ ifname }) => ifname === name) ?? null;
}

/** All primaries have it: QEMU keeps the first one's for ever and takes no other device for this NIC. */
const PRIMARY = 'vf0';

/** Plugs a device with the guest's MAC address onto the tap `tp`. */
export async function plugPrimary({ host, qmp }: GuestBed, model: string, { failover = true } = {}): Promise<void> {
  const netdev = { type: 'tap', id: 'host-vf0', ifname: 'tp', script: 'no', downscript: 'no', vhost: false };
  await qmp.execute('netdev_add', netdev);
  // The bridge takes frames from a port a moment after QEMU has opened its tap.
  await until('tp has carrier', () => (/state UP/.test(ip(host, 'link show dev tp')) ? true : null));
  const device = { driver: model, id: PRIMARY, netdev: 'host-vf0', mac: MAC, bus: 'hotplug0', romfile: '' };
  await qmp.execute('device_add', failover ? { ...device, failover_pair_id: 'net0' } : device);
}

export async function unplugPrimary({ host, qmp }: GuestBed): Promise<void> {
  await qmp.execute('device_del', { id: PRIMARY });
  await qmp.event('DEVICE_DELETED', PRIMARY);
  await qmp.execute('netdev_del', { id: 'host-vf0' });
  // Else the next one is plugged while the bridge is about to learn of this, and drops what comes for a second or two.
  await until('tp has lost carrier', () => (/state DOWN/.test(ip(host, 'link show dev tp')) ? true : null));
}
