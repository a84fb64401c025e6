/** Of which PF a VF is, where, and how many MSI-X vectors it has: by its own netdev, or by its representor while a guest has that. */
import { NO_ORIGIN, type VfOrigin } from '../core/model.js';
import { valueOf } from './fact.js';
import { deviceFolder, isPciAddress, type PciAddress, readFunction, switchPortOf } from './pci.js';
import type { Sysfs } from './sysfs.js';

/** PCI function behind a netdev, or of that address; null: there is none, or it is not in our network namespace. */
function functionOf(sysfs: Sysfs, netdev: string): PciAddress | null {
  if (isPciAddress(netdev)) return netdev;
  const target = sysfs.link(`/sys/class/net/${netdev}/device`);
  return target !== null && isPciAddress(target) ? target : null;
}

/** The VF behind a representor, which is a netdev of its PF. */
function represented(sysfs: Sysfs, netdev: string): PciAddress | null {
  const pf = functionOf(sysfs, netdev);
  const place = switchPortOf(sysfs.text(`/sys/class/net/${netdev}/phys_port_name`));
  const vf = pf === null || place.kind !== 'vf' ? null : sysfs.link(`${deviceFolder(pf)}/virtfn${place.index}`);
  return vf !== null && isPciAddress(vf) ? vf : null;
}

/** @param device netdev or PCI address that the guest is given; null: it is none of this host's */
export function readVfOrigin(sysfs: Sysfs, port: string, device: string | null): VfOrigin {
  const vf = (device === null ? null : functionOf(sysfs, device)) ?? represented(sysfs, port);
  const pf = vf === null ? null : sysfs.link(`${deviceFolder(vf)}/physfn`);
  if (vf === null || pf === null) return NO_ORIGIN;
  const { numaNode, msix } = readFunction(sysfs, vf);
  return { pf, numaNode: valueOf(numaNode), vectors: valueOf(msix)?.total ?? null };
}
