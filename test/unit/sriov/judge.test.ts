import test from 'ava';
import { no, yes } from '../../../src/sriov/fact.js';
import type { HostFacts } from '../../../src/sriov/host_facts.js';
import { judgeHost } from '../../../src/sriov/judge.js';
import { parsePciAddress } from '../../../src/sriov/pci.js';
import { noteOf } from '../../../src/sriov/pool_plan.js';
import { nicFacts, pfFacts, vfFacts } from '../../support/pf_facts.js';

const READY: HostFacts = {
  kernel: '6.12.0', unfit: null, btf: true, bpffs: true, capabilities: (1n << 41n) - 1n, missingPrograms: [], libbpf: true,
  iommuGroups: 9, vfioPci: 'loaded', kvm: true, tun: true, pfs: [pfFacts()], notes: [], unknown: [],
};
const said = (more: Partial<HostFacts>): string[] => judgeHost({ ...READY, ...more }).map(({ level, about, text }) => `${level} ${about}: ${text}`);
const bad = (more: Partial<HostFacts>): string[] => said(more).filter((line) => !line.startsWith('ok '));

test('a host that is ready', (t) => {
  t.deepEqual(said({}), [
    'ok kernel: Linux 6.12.0, with BTF',
    'ok bpffs: there is a bpf file system at /sys/fs/bpf',
    'ok rights: all capabilities are here: CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF',
    'ok tools: all that unipath calls is here',
    'ok KVM: guests run with KVM',
    'ok IOMMU: 9 groups',
    'ok VFIO: vfio-pci is loaded',
    'ok eth0: PF 0000:01:00.0 (igb), 2 of 7 VFs, switch mode legacy',
  ]);
});

const CASES: readonly (readonly [title: string, facts: Partial<HostFacts>, lines: readonly string[]])[] = [
  ['an old kernel', { unfit: 'Linux 4.19 is too old.' }, ['problem kernel: Linux 4.19 is too old.']],
  ['no BTF', { btf: false }, ['problem kernel: Linux 6.12.0 has no BTF']],
  ['no bpffs', { bpffs: false }, ['problem bpffs: there is no bpf file system at /sys/fs/bpf']],
  ['one capability less', { capabilities: ((1n << 41n) - 1n) & ~(1n << 39n) }, ['problem rights: CAP_BPF is missing, which is needed to load programs']],
  ['a program less', { missingPrograms: ['devlink'] }, ['problem tools: devlink is missing']],
  ['no libbpf', { libbpf: false }, ['problem tools: libbpf.so.1 is missing']],
  ['no KVM', { kvm: false }, ['warn KVM: there is no /dev/kvm: guests are emulated, and slow']],
  ['no taps', { tun: false }, ['problem taps: there is no /dev/net/tun']],
  ['a PF and no IOMMU', { iommuGroups: 0 }, ['problem IOMMU: there is none: no VF can be given to a virtual machine']],
  ['a PF and no vfio-pci', { vfioPci: 'missing' }, ['problem VFIO: this kernel has no vfio-pci: no VF can be given to a virtual machine']],
  ['no PF: nothing that VFs need is missed', { pfs: [], iommuGroups: 0 }, [
    'warn IOMMU: there is none: no VF can be given to a virtual machine',
    'warn adapters: no network adapter here can have VFs: guests have the software path',
  ]],
  ['a PF without driver', { pfs: [pfFacts({ driver: no('no driver is bound to it') })] }, ['problem eth0: PF 0000:01:00.0: no driver is bound to it']],
  ['a PF in another network namespace', { pfs: [pfFacts({ nic: no('it is elsewhere') })] }, ['warn 0000:01:00.0: PF 0000:01:00.0 (igb): it is elsewhere']],
  ['a PF that is down', { pfs: [pfFacts({ nic: yes(nicFacts({ up: false, carrier: false })) })] }, ['warn eth0: it is down: neither guests nor VFs reach the wire']],
  ['a PF without link', { pfs: [pfFacts({ nic: yes(nicFacts({ carrier: false })) })] }, ['warn eth0: it has no link']],
  ['a PF without VFs', { pfs: [pfFacts({ vfs: [], sriov: { ...pfFacts().sriov, enabled: 0 } })] }, ['warn eth0: it has no VFs yet']],
  ['a PF without XDP of its own', { pfs: [pfFacts({ nic: yes(nicFacts({ xdpFeatures: no('the driver has none') })) })] }, ['warn eth0: its XDP: the driver has none']],
  ['VFs without IOMMU group', { pfs: [pfFacts({ vfs: [vfFacts(0, { iommuGroup: no('none') }), vfFacts(1)] })] }, ['problem eth0: in no IOMMU group, and so for no virtual machine: VF 0']],
  ['fewer VFs than unipath made', { notes: [noteOf(pfFacts(), { vfs: 7, driver: 'vfio-pci' })] }, ['warn eth0: unipath made 7 VFs, and there are 2']],
  ['VFs with other drivers than unipath bound', { notes: [noteOf(pfFacts(), { vfs: 2, driver: 'vfio-pci' })] }, [
    'warn eth0: unipath bound all VFs to vfio-pci, and these are not: 0, 1',
  ]],
  ['VFs as unipath made them', { notes: [noteOf(pfFacts(), { vfs: 2, driver: 'kernel' })] }, []],
  ['a PF that has gone', { notes: [{ ...noteOf(pfFacts(), { vfs: 2, driver: 'kernel' }), pci: parsePciAddress('0000:07:00.0') }] }, [
    'warn 0000:07:00.0: unipath made VFs of this PF, and it is not there',
  ]],
  ['what could not be found out', { unknown: ['netlink: VFs: no answer'] }, ['warn doctor: could not be found out: netlink: VFs: no answer']],
];

for (const [title, facts, lines] of CASES) test(title, (t) => t.deepEqual(bad(facts), lines));

test('every problem says what to do, but those that say it already', (t) => {
  for (const [, facts] of CASES.filter(([title]) => !/old kernel|IOMMU group/.test(title)))
    for (const { level, text, remedy } of judgeHost({ ...READY, ...facts })) if (level === 'problem') t.truthy(remedy, text);
});
