/** Looks at the real adapters of this machine. Changes nothing. */
import { type EswitchMode, readEswitchMode } from '../host/devlink.js';
import { assemblePf } from './assemble.js';
import { type Fact, no, unknown, yes } from './fact.js';
import type { PfFacts } from './facts.js';
import { NicReader } from './nic.js';
import { listPfs, type PciAddress, type PhysicalFunction, readPf, switchPortOf } from './pci.js';
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

interface Netdevs {
  /** null: there is none in our network namespace. */
  readonly uplink: string | null;
  readonly representors: ReadonlyMap<number, string>;
}

/** In switchdev mode the representors are devices of the PF, too. */
function netdevsOf(sysfs: Sysfs, pf: PhysicalFunction): Netdevs {
  const representors = new Map<number, string>();
  let uplink: string | null = null;
  for (const name of pf.netdevs) {
    const port = switchPortOf(sysfs.text(`/sys/class/net/${name}/phys_port_name`));
    if (port.kind === 'vf') representors.set(port.index, name);
    else if (port.kind === 'pf') uplink ??= name;
  }
  return { uplink, representors };
}

async function readFacts(sysfs: Sysfs, nics: NicReader, pci: PciAddress): Promise<PfFacts> {
  const pf = readPf(sysfs, pci);
  const { uplink, representors } = netdevsOf(sysfs, pf);
  const nic = uplink === null ? null : await nics.read(uplink);
  const settings = nic === null ? unknown<never>('without the netdev of the PF nobody can be asked') : await nics.vfSettings(nic.ifindex);
  const switchId = uplink === null ? null : sysfs.text(`/sys/class/net/${uplink}/phys_switch_id`);
  return assemblePf({ pf, nic, eswitch: await eswitchOf(pf), switchId, representors, settings });
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
