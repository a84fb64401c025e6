/** Is this host ready for unipath and for VFs, and if not, what has to be done? Pure. */
import { type Finding, finding } from '../core/finding.js';
import { valueOf } from './fact.js';
import type { PfFacts } from './facts.js';
import type { HostFacts } from './host_facts.js';
import { pfName } from './pf_name.js';
import { driftOf } from './pool_plan.js';

/** Numbers of include/uapi/linux/capability.h, and what unipath does with each. */
const CAPABILITIES: readonly (readonly [bit: number, name: string, why: string])[] = [
  [12, 'CAP_NET_ADMIN', 'attach programs, set links'],
  [13, 'CAP_NET_RAW', 'send control frames to guests'],
  [19, 'CAP_SYS_PTRACE', 'see which process holds a VF'],
  [21, 'CAP_SYS_ADMIN', 'enter network namespaces of guests'],
  [38, 'CAP_PERFMON', 'count frames that the kernel drops'],
  [39, 'CAP_BPF', 'load programs'],
];

const NO_PF = finding(
  'warn',
  'adapters',
  'no network adapter here can have VFs: guests have the software path',
  'is SR-IOV switched on in the firmware, of the machine and of the adapter?',
);

export function judgeHost(facts: HostFacts): Finding[] {
  return [
    ...judgeKernel(facts),
    ...judgeRights(facts),
    ...judgeTools(facts),
    ...judgeVirtualization(facts),
    ...judgeVfio(facts),
    ...facts.pfs.flatMap((pf) => [...judgePf(pf), ...judgeNote(pf, facts)]),
    ...judgeLostPfs(facts),
    ...(facts.pfs.length === 0 ? [NO_PF] : []),
    ...facts.unknown.map((what) => finding('warn', 'doctor', `could not be found out: ${what}`)),
  ];
}

function judgeKernel({ kernel, unfit, btf, bpffs }: HostFacts): Finding[] {
  if (unfit !== null) return [finding('problem', 'kernel', unfit)];
  const findings: Finding[] = [];
  if (!btf) findings.push(finding('problem', 'kernel', `Linux ${kernel} has no BTF`, 'boot a kernel built with CONFIG_DEBUG_INFO_BTF=y'));
  else findings.push(finding('ok', 'kernel', `Linux ${kernel}, with BTF`));
  if (bpffs) findings.push(finding('ok', 'bpffs', 'there is a bpf file system at /sys/fs/bpf'));
  else findings.push(finding('problem', 'bpffs', 'there is no bpf file system at /sys/fs/bpf', 'run: mount -t bpf bpf /sys/fs/bpf'));
  return findings;
}

function judgeRights({ capabilities }: HostFacts): Finding[] {
  const missing = CAPABILITIES.filter(([bit]) => (capabilities & (1n << BigInt(bit))) === 0n);
  if (missing.length === 0) return [finding('ok', 'rights', `all capabilities are here: ${CAPABILITIES.map(([, name]) => name).join(', ')}`)];
  const remedy = 'run as root, or give unipathd the capability';
  return missing.map(([, name, why]) => finding('problem', 'rights', `${name} is missing, which is needed to ${why}`, remedy));
}

function judgeTools({ missingPrograms, libbpf }: HostFacts): Finding[] {
  const findings = missingPrograms.map((name) => finding('problem', 'tools', `${name} is missing`, 'install iproute2, ethtool and util-linux'));
  if (!libbpf) findings.push(finding('problem', 'tools', 'libbpf.so.1 is missing', 'install libbpf1 (Debian) or libbpf'));
  return findings.length > 0 ? findings : [finding('ok', 'tools', 'all that unipath calls is here')];
}

function judgeVirtualization({ kvm, tun }: HostFacts): Finding[] {
  const findings: Finding[] = [];
  if (kvm) findings.push(finding('ok', 'KVM', 'guests run with KVM'));
  else {
    const remedy = 'load kvm_intel or kvm_amd, and switch virtualization on in the firmware';
    findings.push(finding('warn', 'KVM', 'there is no /dev/kvm: guests are emulated, and slow', remedy));
  }
  if (!tun) findings.push(finding('problem', 'taps', 'there is no /dev/net/tun', 'run: modprobe tun'));
  return findings;
}

/** Without adapters nothing is missed. */
function judgeVfio({ iommuGroups, vfioPci, pfs }: HostFacts): Finding[] {
  const level = pfs.length > 0 ? 'problem' : 'warn';
  const findings: Finding[] = [];
  if (iommuGroups > 0) findings.push(finding('ok', 'IOMMU', `${iommuGroups} groups`));
  else {
    const remedy = 'switch it on in the firmware (VT-d, AMD-Vi), and boot with intel_iommu=on where the kernel needs it';
    findings.push(finding(level, 'IOMMU', 'there is none: no VF can be given to a virtual machine', remedy));
  }
  if (vfioPci === 'loaded') findings.push(finding('ok', 'VFIO', 'vfio-pci is loaded'));
  else if (vfioPci === 'available') findings.push(finding('ok', 'VFIO', 'vfio-pci can be loaded; `unipath adapter setup` does it'));
  else findings.push(finding(level, 'VFIO', 'this kernel has no vfio-pci: no VF can be given to a virtual machine', 'install the modules of this kernel'));
  return findings;
}

function judgePf(pf: PfFacts): Finding[] {
  const about = pfName(pf);
  const { total, enabled } = pf.sriov;
  if (pf.driver.answer !== 'yes') return [finding('problem', about, `PF ${pf.pci}: ${pf.driver.why}`, 'load its driver (lspci -k names it)')];
  if (pf.nic.answer !== 'yes') return [finding('warn', about, `PF ${pf.pci} (${pf.driver.value}): ${pf.nic.why}`)];
  const nic = pf.nic.value;
  const mode = valueOf(pf.eswitch) ?? 'unknown';
  const findings = [finding('ok', about, `PF ${pf.pci} (${pf.driver.value}), ${enabled} of ${total} VFs, switch mode ${mode}`)];
  if (!nic.up) findings.push(finding('warn', about, 'it is down: neither guests nor VFs reach the wire', `run: ip link set dev ${nic.name} up`));
  else if (!nic.carrier) findings.push(finding('warn', about, 'it has no link', 'look at the cable and at the switch'));
  if (enabled === 0) findings.push(finding('warn', about, 'it has no VFs yet', `run: unipath adapter setup ${nic.name} --vfs ${total}`));
  if (nic.xdpFeatures.answer === 'no') findings.push(finding('warn', about, `its XDP: ${nic.xdpFeatures.why}`));
  const alone = pf.vfs.filter((vf) => vf.iommuGroup.answer === 'no');
  const list = alone.map(({ index }) => index).join(', ');
  if (alone.length > 0) findings.push(finding('problem', about, `in no IOMMU group, and so for no virtual machine: VF ${list}`));
  return findings;
}

function judgeNote(pf: PfFacts, { notes }: HostFacts): Finding[] {
  const note = notes.find(({ pci }) => pci === pf.pci);
  const drift = note === undefined ? null : driftOf(pf, note);
  if (drift === null) return [];
  const name = pfName(pf);
  return [finding('warn', name, drift, `to make it so again: unipath adapter setup ${name}; to give it up: unipath adapter reset ${name}`)];
}

/** Pulled out, or moved to another slot. */
function judgeLostPfs({ notes, pfs }: HostFacts): Finding[] {
  const lost = notes.filter(({ pci }) => pfs.every((pf) => pf.pci !== pci));
  const remedy = 'if it will not come back, remove its note from the state folder';
  return lost.map(({ pci }) => finding('warn', pci, 'unipath made VFs of this PF, and it is not there', remedy));
}
