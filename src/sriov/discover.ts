/** Looks at the real adapters of this machine. Changes nothing. */
import { type EswitchMode, readEswitchMode } from '../host/devlink.js';
import { assemblePf } from './assemble.js';
import { AdapterError } from './error.js';
import { type Fact, no, unknown, yes } from './fact.js';
import type { PfFacts } from './facts.js';
import { pfName } from './pf_name.js';
import { NicReader } from './nic.js';
import { listPfs, type PciAddress, pciOfNetdev, type PhysicalFunction, readPf, readSwitchNetdevs } from './pci.js';
import { realSysfs, type Sysfs } from './sysfs.js';

async function eswitchOf(pf: PhysicalFunction): Promise<Fact<EswitchMode>> {
  if (pf.driver.answer !== 'yes') return no(pf.driver.why);
  try {
    // A driver without devlink has this mode only.
    return yes((await readEswitchMode(pf.pci)) ?? 'legacy');
  } catch (error) {
    return unknown((error as Error).message);
  }
}

async function readFacts(sysfs: Sysfs, nics: NicReader, pci: PciAddress): Promise<PfFacts> {
  const pf = readPf(sysfs, pci);
  const { uplink, representors } = readSwitchNetdevs(sysfs, pf);
  const nic = uplink === null ? null : await nics.read(uplink);
  const settings = nic === null ? unknown<never>('without the netdev of the PF nobody can be asked') : await nics.vfSettings(nic.ifindex);
  const switchId = uplink === null ? null : sysfs.text(`/sys/class/net/${uplink}/phys_switch_id`);
  const representorXdp: Awaited<ReturnType<NicReader['xdpFeatures']>>[] = [];
  for (const name of representors.values()) representorXdp.push(await nics.xdpFeatures(name));
  const byNumber = new Map([...representors.keys()].map((index, i) => [index, representorXdp[i] ?? unknown<never>('it went meanwhile')] as const));
  return assemblePf({ pf, nic, eswitch: await eswitchOf(pf), switchId, representors, representorXdp: byNumber, settings });
}

/** Every PF of a network adapter, one after the other, in the order of their PCI addresses. @throws NetlinkError */
export async function discoverPfs(sysfs: Sysfs = realSysfs): Promise<PfFacts[]> {
  const nics = new NicReader(sysfs);
  try {
    const found: PfFacts[] = [];
    for (const pci of listPfs(sysfs)) found.push(await readFacts(sysfs, nics, pci));
    return found;
  } finally {
    nics.close();
  }
}

/** That alone; null: this netdev is none of a PF. @throws NetlinkError */
export async function pfOfNetdev(name: string): Promise<PfFacts | null> {
  const pci = pciOfNetdev(realSysfs, name);
  if (pci === null) return null;
  const nics = new NicReader(realSysfs);
  try {
    return await readFacts(realSysfs, nics, pci);
  } finally {
    nics.close();
  }
}

/** The PF of this netdev or PCI address. @throws AdapterError that says which there are */
export async function findPf(name: string): Promise<PfFacts> {
  const pfs = await discoverPfs();
  const found = pfs.find((pf) => pfName(pf) === name || pf.pci === name.toLowerCase());
  if (found !== undefined) return found;
  throw new AdapterError(`there is no PF "${name}"`, `there are: ${pfs.map(pfName).join(', ') || 'none'}`);
}
