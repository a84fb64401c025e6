/** Looks at the host. Changes nothing. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { commandEnvironment, run } from '../host/exec.js';
import { whyUnfit } from '../host/machine.js';
import { STATE_FOLDER } from '../paths.js';
import { discoverPfs } from './discover.js';
import type { HostFacts } from './host_facts.js';
import { notedPfs, readNote } from './pool_notes.js';
import { realSysfs } from './sysfs.js';

const PROGRAMS = ['ip', 'bridge', 'tc', 'ethtool', 'devlink', 'nsenter', 'setpriv'];
const BPFFS = /^\S+ \/sys\/fs\/bpf bpf /m;

const text = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

function hasProgram(name: string): boolean {
  return (commandEnvironment()['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

function vfioPci(kernel: string): HostFacts['vfioPci'] {
  if (existsSync('/sys/bus/pci/drivers/vfio-pci')) return 'loaded';
  return /\/vfio-pci\.ko/m.test(text(`/lib/modules/${kernel}/modules.dep`)) ? 'available' : 'missing';
}

export async function gatherHost(): Promise<HostFacts> {
  const unknown: string[] = [];
  const tried = async <T>(otherwise: T, look: () => Promise<T>): Promise<T> => {
    try {
      return await look();
    } catch (error) {
      unknown.push((error as Error).message);
      return otherwise;
    }
  };
  const kernel = release();
  return {
    kernel,
    unfit: await whyUnfit(),
    btf: existsSync('/sys/kernel/btf/vmlinux'),
    bpffs: BPFFS.test(text('/proc/mounts')),
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(text('/proc/self/status'))?.[1] ?? '0'}`),
    missingPrograms: PROGRAMS.filter((name) => !hasProgram(name)),
    libbpf: await tried(true, async () => /\blibbpf\.so\.1 /.test(await run('ldconfig', ['-p']))),
    iommuGroups: realSysfs.list('/sys/kernel/iommu_groups').length,
    vfioPci: vfioPci(kernel),
    kvm: existsSync('/dev/kvm'),
    tun: existsSync('/dev/net/tun'),
    pfs: await tried([], () => discoverPfs()),
    notes: await tried([], async () => notedPfs(STATE_FOLDER).flatMap((pci) => readNote(STATE_FOLDER, pci) ?? [])),
    unknown,
  };
}
