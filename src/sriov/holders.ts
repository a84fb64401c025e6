/** Who uses which VF of a PF: processes that have it open by VFIO, netdevs that are up or in another network namespace. Changes nothing. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { runJson } from '../host/exec.js';
import { valueOf } from './fact.js';
import type { PfFacts, VfFacts } from './facts.js';
import { deviceFolder } from './pci.js';
import { type Holder, VFIO_DRIVER } from './pool_plan.js';
import { realSysfs } from './sysfs.js';

const NETNS_FOLDER = '/run/netns';

const listed = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

/** Paths below /dev/vfio that processes have open, with these processes. */
function openVfioFiles(): ReadonlyMap<string, string> {
  const holders = new Map<string, string>();
  for (const pid of listed('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of listed(`/proc/${pid}/fd`)) {
      try {
        const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
        if (target.startsWith('/dev/vfio/')) holders.set(target, `process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`);
      } catch {
        // It has ended, or closed the file.
      }
    }
  }
  return holders;
}

/** By group, or, where the kernel has one, by the device's own file. */
function vfioHolder(vf: VfFacts, open: ReadonlyMap<string, string>): string | null {
  const group = valueOf(vf.iommuGroup);
  const devices = realSysfs.list(`${deviceFolder(vf.pci)}/vfio-dev`).map((name) => `/dev/vfio/devices/${name}`);
  const files = [...(group === null ? [] : [`/dev/vfio/${group}`, `/dev/vfio/noiommu-${group}`]), ...devices];
  return files.map((path) => open.get(path)).find((by) => by !== undefined) ?? null;
}

interface LinkJson {
  readonly ifname?: string;
  readonly flags?: readonly string[];
  readonly master?: string;
  readonly parentdev?: string;
}

/** Netdevs of network namespaces that have a name, by the address of their device. */
async function elsewhere(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const netns of listed(NETNS_FOLDER)) {
    try {
      const links = (await runJson('ip', ['-n', netns, '-j', '-d', 'link', 'show'])) as LinkJson[];
      for (const { ifname, parentdev } of links) if (parentdev !== undefined) found.set(parentdev, `network namespace ${netns}, as ${ifname ?? '?'}`);
    } catch {
      // It went meanwhile.
    }
  }
  return found;
}

async function netdevHolder(vf: VfFacts): Promise<string | null> {
  for (const name of vf.netdevs) {
    const [link] = (await runJson('ip', ['-j', 'link', 'show', 'dev', name])) as LinkJson[];
    if (link?.master !== undefined) return `netdev ${name}, which is a port of ${link.master}`;
    if (link?.flags?.includes('UP') === true) return `netdev ${name}, which is up`;
  }
  return null;
}

/** @throws CommandError */
export async function findHolders(pf: PfFacts): Promise<Holder[]> {
  const bound = pf.vfs.filter(({ driver }) => driver.answer === 'yes');
  const open = bound.some(({ driver }) => valueOf(driver) === VFIO_DRIVER) ? openVfioFiles() : new Map<string, string>();
  const away = bound.some((vf) => valueOf(vf.driver) !== VFIO_DRIVER && vf.netdevs.length === 0) ? await elsewhere() : new Map<string, string>();
  const holders: Holder[] = [];
  for (const vf of bound) {
    const driver = valueOf(vf.driver);
    let by: string | null;
    if (driver === VFIO_DRIVER) by = vfioHolder(vf, open);
    else if (vf.netdevs.length > 0) by = await netdevHolder(vf);
    else by = away.get(vf.pci) ?? `the driver ${driver}, whose netdev is in a network namespace without a name, or which has none`;
    if (by !== null) holders.push({ vf: vf.index, pci: vf.pci, by });
  }
  return holders;
}
