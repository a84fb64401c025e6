/** At the end of a run every unipathd is asked to take everything back; this looks whether it did. */
import { existsSync } from 'node:fs';
import { runJson } from '../../host/exec.js';
import type { AdapterMake } from '../model.js';
import { hostPins, namespaceOf } from '../place.js';
import { vfDevice, vfPort } from '../topology.js';
import type { Lab } from '../up.js';
import type { Hosts } from './hosts.js';

/** What is asked of `ip -j link` and `bridge -j fdb`; they say much more. */
export interface LinkJson {
  readonly ifname: string;
  readonly master?: string;
  readonly xdp?: object;
}

export interface FdbJson {
  readonly mac: string;
  readonly ifname: string;
  readonly state?: string;
  readonly flags?: readonly string[];
}

/** Whatever unipathd puts on a host that is still there, in words. Pure. @param macs of the guests */
export function remains(links: readonly LinkJson[], fdb: readonly FdbJson[], { vfs, model }: AdapterMake, macs: readonly string[]): string[] {
  const found = links.filter((link) => link.xdp !== undefined).map((link) => `an XDP program is attached to ${link.ifname}`);
  for (let index = 0; index < vfs; index += 1) {
    const port = links.find((link) => link.ifname === vfPort(index));
    if (port?.master !== undefined) found.push(`${port.ifname} is a port of ${port.master}`);
    // What QEMU makes in the place of a VF is gone with the plug.
    if (model === null && !links.some((link) => link.ifname === vfDevice(index))) found.push(`${vfDevice(index)} is not back on the host`);
  }
  for (const { mac, ifname, state, flags } of fdb) {
    const isOurs = macs.includes(mac) && (state === 'static' || flags?.includes('extern_learn') === true);
    if (isOurs) found.push(`the FDB entry of ${mac} stays on ${ifname}`);
  }
  return found;
}

/** Takes every unipathd down. Returns what they left behind; empty when nothing. @throws what the control socket says */
export async function takeDaemonsDown(lab: Lab, hosts: Hosts): Promise<string[]> {
  const macs = lab.spec.guests.map((guest) => guest.mac);
  const found: string[] = [];
  for (const { name, make } of lab.spec.hosts) {
    await hosts.client(name).down();
    const netns = namespaceOf(lab.place, name);
    const links = (await runJson('ip', ['-j', '-n', netns, 'link', 'show'])) as LinkJson[];
    const fdb = (await runJson('bridge', ['-j', '-n', netns, 'fdb', 'show'])) as FdbJson[];
    const left = remains(links, fdb, make, macs);
    if (existsSync(hostPins(lab.place, name))) left.push(`pins below ${hostPins(lab.place, name)}`);
    found.push(...left.map((each) => `unipathd of host ${name} was taken down, but ${each}`));
  }
  return found;
}
