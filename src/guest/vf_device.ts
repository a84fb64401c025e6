/** Makes a netdev ready to be a VF: another way in and out of the IP interface, with no life of its own. */
import { writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { run } from '../host/exec.js';
import type { DumpedLink } from '../host/link_messages.js';
import { checkInterfaceName } from '../host/names.js';

/** Brings it up. @throws CommandError, e.g. when the device went away meanwhile */
export async function prepareVf(vf: DumpedLink, mtu: number): Promise<void> {
  const name = checkInterfaceName(vf.name);
  // No IPv6 at all: it would speak for itself as soon as it is up. A kernel without IPv6 has no such file.
  await writeFile(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await run('ip', ['link', 'set', 'dev', name, 'mtu', String(mtu), 'addrgenmode', 'none', 'up']);
  // A veth leaves checksums to be finished by whoever reads the frame, but XDP programs and redirects take frames as they are;
  // and frames redirected into a veth arrive only while its other end has NAPI, which `gro on` gives it. The other end is told that it
  // takes redirects only when this changes while the device is up (or when that end is set up later): so off first, then on.
  if (vf.kind === 'veth') {
    await run('ethtool', ['-K', name, 'tx', 'off', 'gro', 'off']);
    await run('ethtool', ['-K', name, 'gro', 'on']);
  }
  if ((networkInterfaces()[name] ?? []).length > 0) await run('ip', ['address', 'flush', 'dev', name]);
}

export async function setMtu(device: string, mtu: number): Promise<void> {
  await run('ip', ['link', 'set', 'dev', checkInterfaceName(device), 'mtu', String(mtu)]);
}

export async function setDown(device: string): Promise<void> {
  await run('ip', ['link', 'set', 'dev', checkInterfaceName(device), 'down']);
}

/** First IPv4 address of a device that is up, as four octets; null when it has none. */
export function ipv4Of(device: string): Buffer | null {
  const address = (networkInterfaces()[device] ?? []).find(({ family }) => family === 'IPv4')?.address;
  return address === undefined ? null : Buffer.from(address.split('.').map(Number));
}
