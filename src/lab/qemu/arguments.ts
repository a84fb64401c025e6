/** How QEMU is called for a guest. */
import { join } from 'node:path';

export interface GuestNic {
  /** Device id in QEMU; its netdev is `host-ID`, its PCIe port `port-ID`. */
  readonly id: string;
  /** Exists already, in the guest's network namespace. */
  readonly tap: string;
  readonly mac: string;
  /** QEMU's name of the device; default virtio-net-pci. */
  readonly model?: string;
  /** virtio: takes a primary that is plugged later with `failover_pair_id` of this id. Default false. */
  readonly failover?: boolean;
  /** More than one needs a tap made with as many (multi_queue), and virtio. Default 1. */
  readonly queues?: number;
  /** The guest may leave checksums and segmentation to whoever reads the tap. Default true, as QEMU's. */
  readonly vnetHdr?: boolean;
}

export interface MachineOptions {
  readonly name: string;
  readonly nics: readonly GuestNic[];
  /** Empty PCIe ports `hotplug0`, `hotplug1`, ... Default 2. */
  readonly hotplugPorts?: number;
  readonly memoryMiB: number;
  /** Default 1. */
  readonly smp?: number;
  readonly accel: 'kvm' | 'tcg';
  /** Further words for the kernel; see command_line.ts. */
  readonly commandLine?: string;
  /** Waits for a migration: "defer", or an address. */
  readonly incoming?: string;
}

/** Names within a guest's folder. */
export interface GuestPaths {
  /** For unipathd. A QMP socket serves one client at a time. */
  readonly qmp: string;
  /** For the lab. */
  readonly qmp2: string;
  readonly serial: string;
  /** The kernel's log. */
  readonly console: string;
  /** QEMU's own words. */
  readonly log: string;
  readonly pid: string;
}

/** sun_path of unix(7), with its final zero. */
const SOCKET_PATH_BYTES = 108;

/** @throws RangeError when the folder's name is too long for sockets in it */
export function guestPaths(folder: string): GuestPaths {
  const [qmp, qmp2, serial] = [join(folder, 'qmp'), join(folder, 'qmp2'), join(folder, 'serial')];
  if (Buffer.byteLength(serial) >= SOCKET_PATH_BYTES) throw new RangeError(`${folder} is too long a name for a folder with sockets`);
  return { qmp, qmp2, serial, console: join(folder, 'console.log'), log: join(folder, 'qemu.log'), pid: join(folder, 'pid') };
}

/**
 * Less to do at boot: no checks that say something about hardware or the kernel's own build, no defence against other
 * guests' programs. A kernel that panics ends QEMU (with -no-reboot).
 */
export const KERNEL_WORDS = 'console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests=1 apparmor=0 audit=0 random.trust_cpu=on';

function nicArguments({ id, tap, mac, model = 'virtio-net-pci', failover = false, queues = 1, vnetHdr = true }: GuestNic): string[] {
  const netdev = [`tap,id=host-${id},ifname=${tap},script=no,downscript=no,vhost=off`, `vnet_hdr=${vnetHdr ? 'on' : 'off'}`];
  if (queues > 1) netdev.push(`queues=${queues}`);
  // No boot ROM: it costs a second at start, and a migration between different devices fails on it.
  const device = [`${model},id=${id},netdev=host-${id},mac=${mac},bus=port-${id},romfile=`];
  if (failover) device.push('failover=on');
  // One vector for each queue and direction, one for the configuration, one for the control queue.
  if (queues > 1) device.push(`mq=on,vectors=${2 * queues + 2}`);
  return ['-netdev', netdev.join(','), '-device', device.join(',')];
}

export function qemuArguments(options: MachineOptions, paths: GuestPaths, kernel: string, image: string): string[] {
  const { name, nics, hotplugPorts = 2, memoryMiB, smp = 1, accel, commandLine = '', incoming } = options;
  const ports = [...nics.map(({ id }) => `port-${id}`), ...Array.from({ length: hotplugPorts }, (_, i) => `hotplug${i}`)];
  const socket = (path: string): string => `unix:${path},server=on,wait=off`;
  return [
    ...['-name', name, '-machine', 'q35', '-accel', accel, '-cpu', accel === 'kvm' ? 'host' : 'max'],
    ...['-smp', String(smp), '-m', String(memoryMiB)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-pidfile', paths.pid],
    ...['-kernel', kernel, '-initrd', image, '-append', `${KERNEL_WORDS} unipath.name=${name} ${commandLine}`.trimEnd()],
    ...['-serial', `file:${paths.console}`, '-serial', socket(paths.serial), '-qmp', socket(paths.qmp), '-qmp', socket(paths.qmp2)],
    ...ports.flatMap((port, i) => ['-device', `pcie-root-port,id=${port},chassis=${i + 1},slot=${i + 1}`]),
    ...nics.flatMap(nicArguments),
    ...(incoming === undefined ? [] : ['-incoming', incoming]),
  ];
}
