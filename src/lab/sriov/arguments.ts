/** How QEMU is called for the machine with emulated adapters. Pure. */
import { join } from 'node:path';
import { KERNEL_WORDS } from '../qemu/arguments.js';

export interface HostMachineOptions {
  readonly name: string;
  /** Adapters of QEMU's model igb: one port, seven VFs each. */
  readonly adapters: readonly { readonly mac: string }[];
  /** One that is virtio-net itself, with as many VFs as it is to have (254 at most): no settings of VFs, but a large pool. */
  readonly pool?: { readonly mac: string; readonly vfs: number };
  /**
   * A NIC that tells its driver the RSS hash of each frame, on a tap outside of that name with so many queues: QEMU hands hashes on only with the header
   * that a tap has, and a hub has none.
   */
  readonly hashing?: { readonly mac: string; readonly tap: string; readonly queues: number };
  /** Default 2. */
  readonly smp?: number;
  /** Default 2048. */
  readonly memoryMiB?: number;
  /** Default: KVM where there is one. */
  readonly accel: 'kvm' | 'tcg';
}

export interface HostMachinePaths {
  readonly serial: string;
  /** The kernel's log. */
  readonly console: string;
  /** QEMU's own words. */
  readonly log: string;
}

export function hostMachinePaths(folder: string): HostMachinePaths {
  return { serial: join(folder, 'serial'), console: join(folder, 'console.log'), log: join(folder, 'qemu.log') };
}

/** A NIC of another make on the same wire: the world outside the adapters. */
export const WIRE_MAC = '52:54:00:5a:00:ff';
/** All NICs are on one wire, which is QEMU's own: no frame leaves the machine. */
const WIRE = 0;

/** The wire is the switch of this one: all its functions are on it. VFs come first: the PF counts those that name it. */
function poolArguments({ mac, vfs }: NonNullable<HostMachineOptions['pool']>, slot: number): string[] {
  const device = (index: number, more: string): string[] => {
    const address = `${(index >> 3).toString(16)}.${index & 7}`;
    const common = `netdev=wire-pool${index},bus=port-pool,addr=${address},iommu_platform=on,disable-legacy=on,romfile=`;
    return ['-netdev', `hubport,id=wire-pool${index},hubid=${WIRE}`, '-device', `virtio-net-pci,${common},${more}`];
  };
  return [
    // Room for the registers of more functions than a plain port has.
    ...['-device', `pcie-root-port,id=port-pool,chassis=${slot},slot=${slot},pref64-reserve=64M,mem-reserve=32M`],
    ...Array.from({ length: vfs }, (_, i) => device(i + 1, 'sriov-pf=pool')).flat(),
    ...device(0, `id=pool,mac=${mac},multifunction=on`),
  ];
}

/** No offload that keeps packet programs away. */
function hashingArguments({ mac, tap, queues }: NonNullable<HostMachineOptions['hashing']>, slot: number): string[] {
  const without = ['guest_tso4', 'guest_tso6', 'guest_ecn', 'guest_ufo'].map((feature) => `${feature}=off`).join(',');
  return [
    ...['-netdev', `tap,id=hashing,ifname=${tap},script=no,downscript=no,queues=${queues}`],
    ...['-device', `pcie-root-port,id=port-hashing,chassis=${slot},slot=${slot}`],
    // A vector for each queue of either direction, for changes, and for commands.
    ...['-device', `virtio-net-pci,netdev=hashing,mac=${mac},bus=port-hashing,romfile=,mq=on,vectors=${2 * queues + 2},rss=on,hash=on,${without}`],
  ];
}

/** @param project folder of this project, and @param modules of the kernel's modules, as the machine outside has them */
export function hostMachineArguments(
  options: HostMachineOptions,
  paths: HostMachinePaths,
  kernel: string,
  image: string,
  project: string,
  modules: string,
): string[] {
  const { name, adapters, pool, hashing, smp = 2, memoryMiB = 2048, accel } = options;
  // Whether the timer works the kernel finds out by waiting, and panics where QEMU was not let run meanwhile.
  const words = [KERNEL_WORDS, 'no_timer_check', 'intel_iommu=on', 'iommu=pt', `unipath.name=${name}`, `unipath.project=${project}`, `unipath.modules=${modules}`];
  const nic = (id: string, model: string, mac: string, slot: number): string[] => [
    ...['-netdev', `hubport,id=wire-${id},hubid=${WIRE}`],
    ...['-device', `pcie-root-port,id=port-${id},chassis=${slot},slot=${slot}`],
    ...['-device', `${model},id=${id},netdev=wire-${id},mac=${mac},bus=port-${id},romfile=`],
  ];
  return [
    ...['-name', name, '-machine', accel === 'kvm' ? 'q35,kernel-irqchip=split' : 'q35', '-accel', accel],
    ...['-cpu', accel === 'kvm' ? 'host' : 'max', '-smp', String(smp), '-m', String(memoryMiB)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-device', 'intel-iommu,intremap=on,caching-mode=on'],
    ...['-kernel', kernel, '-initrd', image, '-append', words.join(' ')],
    ...['-serial', `file:${paths.console}`, '-serial', `unix:${paths.serial},server=on,wait=off`],
    ...['-fsdev', 'local,id=outside,path=/,security_model=none,readonly=on,multidevs=remap'],
    ...['-device', 'virtio-9p-pci,fsdev=outside,mount_tag=outside'],
    ...adapters.flatMap(({ mac }, i) => nic(`pf${i}`, 'igb', mac, i + 1)),
    ...nic('wire', 'virtio-net-pci', WIRE_MAC, adapters.length + 1),
    ...(pool === undefined ? [] : poolArguments(pool, adapters.length + 2)),
    ...(hashing === undefined ? [] : hashingArguments(hashing, adapters.length + 3)),
  ];
}
