/** What `unipath adapter show` and `unipath doctor` say of real (emulated) PFs is what the machine is known to have. */
import type { Finding } from '../../src/core/finding.js';
import { fileThere, PF_MACS, sriovTest, unipath, unipathJson, unipathProcess } from './bed.js';

interface FactJson<T> {
  readonly answer: 'yes' | 'no' | 'unknown';
  readonly value?: T;
  readonly why?: string;
}

interface PfJson {
  readonly pci: string;
  readonly nic: FactJson<Readonly<Record<string, unknown>>>;
  readonly vfs: readonly { readonly pci: string; readonly iommu_group: FactJson<number>; readonly netdevs: readonly string[]; readonly configuration: FactJson<object> }[];
}

const yes = <T>(value: T): FactJson<T> => ({ answer: 'yes', value });

async function pfsOf(machine: Parameters<typeof unipathJson>[0], words = ''): Promise<readonly PfJson[]> {
  const { status, answer } = await unipathJson(machine, `adapter show ${words}`);
  if (status !== 0) throw new Error(`exit code ${status}: ${JSON.stringify(answer)}`);
  return (answer as { pfs: readonly PfJson[] }).pfs;
}

sriovTest('doctor: PFs that are down and have no VFs are no problem, but said', async (t, machine) => {
  const { status, answer } = await unipathJson(machine, 'doctor');
  const { ok, findings } = answer as { ok: boolean; findings: readonly Finding[] };
  t.deepEqual(findings.filter(({ level }) => level === 'problem').map(({ text }) => text), []);
  t.true(ok);
  t.is(status, 0);
  const about = (what: string): string[] => findings.filter((each) => each.about === what).map(({ level, text }) => `${level} ${text}`);
  t.deepEqual(about('eth0'), [
    'ok PF 0000:01:00.0 (igb), 0 of 7 VFs, switch mode legacy',
    'warn it is down: neither guests nor VFs reach the wire',
    'warn it has no VFs yet',
  ]);
  t.regex(about('IOMMU').join(), /^ok \d+ groups$/);
  t.deepEqual(about('VFIO'), ['ok vfio-pci can be loaded; `unipath adapter setup` does it']);
});

sriovTest('without VFs: what the PFs are and what their driver can do', async (t, machine) => {
  const pfs = await pfsOf(machine);
  t.is(pfs.length, 2);
  for (const [index, pf] of pfs.entries()) {
    t.like(pf, {
      pci: `0000:0${index + 1}:00.0`,
      id: '8086:10c9',
      driver: yes('igb'),
      eswitch: yes('legacy'),
      sriov: { total: 7, enabled: 0, autoprobe: true },
      vfs: [],
    });
    t.like(pf.nic.value, { name: `eth${index}`, mac: PF_MACS[index], up: false, carrier: false, mtu: 1500, ntuple: { answer: 'no' }, hw_tc_offload: { answer: 'no' } });
    t.like(pf, { controls: { mac: { answer: 'yes' }, spoof_check: { answer: 'yes' }, link_state: { answer: 'no' } } });
    t.is((pf as unknown as { iommu_group: FactJson<number> }).iommu_group.answer, 'yes');
  }
  const { rss, xdp_features: xdp, xdp_hints: hints } = pfs[0]?.nic.value as {
    readonly rss: FactJson<{ key: FactJson<string>; reta: number[] }>;
    readonly xdp_features: FactJson<string[]>;
    readonly xdp_hints: FactJson<string[]>;
  };
  t.is(rss.value?.reta.length, 128);
  t.is(rss.value?.key.answer, 'no');
  // That it takes redirected frames igb says only while a program is attached.
  t.deepEqual(xdp.value, ['basic', 'redirect']);
  t.is(hints.answer, 'no');
});

sriovTest('with VFs: each with its address, driver, IOMMU group and settings', async (t, machine) => {
  await machine.run('ip link set eth0 up && echo 3 > /sys/class/net/eth0/device/sriov_numvfs', { deadlineMs: 30_000 });
  await machine.run('ip link set eth0 vf 0 mac 52:54:00:12:34:56 && ip link set eth0 vf 1 vlan 7 qos 3 spoofchk off && ip link set eth0 vf 2 trust on');
  const [pf] = await pfsOf(machine, 'eth0');
  t.deepEqual(pf?.vfs.map(({ pci }) => pci), ['0000:01:10.0', '0000:01:10.2', '0000:01:10.4']);
  t.is(new Set(pf?.vfs.map((vf) => vf.iommu_group.value)).size, 3);
  t.true(pf?.vfs.every((vf) => vf.netdevs.length === 1));
  const plain = { vlan: 0, qos: 0, protocol: '802.1Q', link_state: 'auto', min_rate: 0, max_rate: 0, spoof_check: yes(true), trust: yes(false) };
  const settings = (pf?.vfs ?? []).map(({ configuration }) => configuration.value as { readonly mac: string });
  t.is(settings[0]?.mac, '52:54:00:12:34:56');
  // Those of the others they chose themselves.
  t.deepEqual(settings.map(({ mac: _, ...rest }) => rest), [plain, { ...plain, vlan: 7, qos: 3, spoof_check: yes(false) }, { ...plain, trust: yes(true) }]);
  // A PF is also known by its address.
  t.is((await pfsOf(machine, '0000:01:00.0'))[0]?.pci, pf?.pci);
});

sriovTest('in words', async (t, machine) => {
  const all = await unipathProcess(machine, 'adapter show');
  t.is(all.status, 0);
  t.regex(all.output, /^PF +NETDEV +DRIVER +LINK +NUMA +IOMMU +SWITCH +XDP +VFS$/m);
  t.regex(all.output, /^0000:01:00\.0 +eth0 +igb +1 Gbit\/s +- +\d+ +legacy +native +3\/7$/m);
  const one = await unipath(machine, 'adapter show eth0 -d');
  t.regex(one.output, /^RSS key +none: the driver does not show it$/m);
  t.regex(one.output, /^link_state +none: the driver igb has no such setting$/m);
  t.regex(one.output, /^ *1 +0000:01:10\.2 +igbvf +eth\d+ +- +\d+ +3 +[0-9a-f:]{17} +7,qos 3 +off +off +auto +-$/m);
  const { status, output } = await unipath(machine, 'adapter show eth7');
  t.is(status, 1);
  t.regex(output, /there is no adapter "eth7"/);
});

sriovTest('a PF whose driver is gone is still there, and why nothing more is known', async (t, machine) => {
  await machine.run('echo 0000:02:00.0 > /sys/bus/pci/drivers/igb/unbind');
  const [, second] = await pfsOf(machine);
  t.like(second, { pci: '0000:02:00.0', driver: { answer: 'no', why: 'no driver is bound to it' }, nic: { answer: 'no' } });
  const { status, answer } = await unipathJson(machine, 'doctor');
  t.is(status, 4);
  t.true((answer as { findings: readonly Finding[] }).findings.some(({ level, about }) => level === 'problem' && about === '0000:02:00.0'));
  await machine.run('echo 0000:02:00.0 > /sys/bus/pci/drivers/igb/bind');
  t.is(await fileThere(machine, '/sys/bus/pci/devices/0000:02:00.0/sriov_totalvfs'), '7');
});
