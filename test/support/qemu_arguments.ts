/** Command lines of QEMU that tests share; taps are those of `makeTaps`. */
import { ip } from './netns.js';

export const PORTS = `-device pcie-root-port,id=rp0,chassis=1,slot=1 -device pcie-root-port,id=rp1,chassis=2,slot=2
  -device pcie-root-port,id=rp2,chassis=3,slot=3 -device pcie-root-port,id=fixed,chassis=4,slot=4,hotplug=off
  -device pcie-root-port,chassis=5,slot=5
  -device pcie-root-port,id=rp6,chassis=6,slot=6 -device x3130-upstream,bus=rp6,id=up0 -device xio3130-downstream,bus=up0,id=dp0,chassis=7,slot=0`;

export const tapOf = (id: string, ifname: string, more = ''): string => `-netdev tap,id=${id},ifname=${ifname},script=no,downscript=no,vhost=off${more}`;

export const STANDBY_MAC = '52:54:00:aa:00:01';
export const STANDBY = `${tapOf('hn0', 'tv')} -device virtio-net-pci,netdev=hn0,id=net0,mac=${STANDBY_MAC},failover=on,bus=rp0`;

/** Native PCIe hot-plug: without a driver in the guest a slot has no power, and a device is out of it at once. */
export const EJECTS_AT_ONCE = '-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off';

/** tv, tp, tq: taps of one queue; tmq: of several. */
export function makeTaps(netns: string): void {
  for (const tap of ['tv', 'tp', 'tq']) ip(netns, `tuntap add ${tap} mode tap`);
  ip(netns, 'tuntap add tmq mode tap multi_queue');
}
