/** What kernels say they dropped: those of a bed's namespaces, and the guest's own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Bed, RunningGuest } from './bed.js';

const run = promisify(execFile);

/** Frames, datagrams or fragments since the namespace was made; by place and counter. */
export type Drops = ReadonlyMap<string, number>;

const SHOWN = 'ip -s -j link && cat /proc/net/snmp';
/** The devices' own counters, each device's behind a line with its name. */
const DEVICE_COUNTERS = 'for at in /sys/class/net/*; do echo "device ${at##*/}"; ethtool -S ${at##*/} 2>/dev/null; done; true';
const LINK_COUNTERS = ['dropped', 'errors'] as const;
/** Of /proc/net/snmp. */
const PROTOCOL_COUNTERS: ReadonlySet<string> = new Set(['InDiscards', 'OutDiscards', 'ReasmFails', 'FragFails', 'InErrors', 'RcvbufErrors', 'SndbufErrors', 'InCsumErrors', 'MemErrors']);

interface ShownLink {
  readonly ifname: string;
  readonly stats64: Readonly<Record<'rx' | 'tx', Readonly<Record<(typeof LINK_COUNTERS)[number], number>>>>;
}

function parse(place: string, text: string): [string, number][] {
  const cut = text.indexOf('\n');
  const links = (JSON.parse(text.slice(0, cut)) as ShownLink[]).flatMap(({ ifname, stats64 }) =>
    (['rx', 'tx'] as const).flatMap((way) => LINK_COUNTERS.map((counter): [string, number] => [`${place} ${ifname} ${way} ${counter}`, stats64[way][counter]])),
  );
  const lines = text.slice(cut + 1).trim().split('\n').map((line) => line.split(' '));
  const protocols = lines.flatMap(([protocol, ...values], i) =>
    i % 2 === 0 ? [] : values.map((value, at): [string, number] => [`${place} ${protocol} ${lines[i - 1]?.[at + 1]}`, Number(value)]),
  );
  return [...links, ...protocols.filter(([name]) => PROTOCOL_COUNTERS.has(name.slice(name.lastIndexOf(' ') + 1)))];
}

/** What QEMU's vmxnet3 had no room for in the guest's ring; no counter of the interface has it. */
function starved(text: string): [string, number][] {
  return text.split('device ').flatMap((part): [string, number][] => {
    const [, device, count] = /^(\S+)[^]*?pkts rx OOB: (\d+)/.exec(part) ?? [];
    return device === undefined ? [] : [[`guest ${device} out of buffers`, Number(count)]];
  });
}

export async function drops(bed: Bed, { qemu }: RunningGuest): Promise<Drops> {
  const namespaces = [['wire', bed.wire], ...[...bed.hosts.values()].map(({ name, netns }) => [`host ${name}`, netns])];
  const shown = await Promise.all(
    namespaces.map(async ([place = '', netns]) => parse(place, (await run('nsenter', [`--net=/run/netns/${netns}`, 'sh', '-c', SHOWN])).stdout)),
  );
  const redirects = await Promise.all(
    [...bed.hosts.values()].map(async ({ name, control }) => {
      const { redirect_errors } = await control.counters();
      return redirect_errors.map(({ kind, ifindex, errno, packets }): [string, number] => [`host ${name} ${kind} ${ifindex} errno ${errno}`, packets]);
    }),
  );
  return new Map([...shown.flat(), ...redirects.flat(), ...parse('guest', await qemu.run(SHOWN)), ...starved(await qemu.run(DEVICE_COUNTERS))]);
}

/** Those that have grown, and by how much. */
export function grown(before: Drops, after: Drops): [string, number][] {
  return [...after].map(([name, count]): [string, number] => [name, count - (before.get(name) ?? 0)]).filter(([, by]) => by > 0);
}

/** Of those, what a queue of the bed had no room for: rings of veths, taps and vmxnet3, sockets. */
export function overran(bed: Bed, growth: readonly (readonly [string, number])[]): number {
  // A VF's tap drops what its host says to a port that no QEMU has open.
  const vfs = new Set([...bed.hosts.values()].flatMap(({ name, options }) => options.vfs.map(({ port }) => `host ${name} ${port} tx dropped`)));
  return growth.filter(([name]) => / tx dropped$| errno | out of buffers$| Udp: RcvbufErrors$/.test(name) && !vfs.has(name)).reduce((sum, [, by]) => sum + by, 0);
}
