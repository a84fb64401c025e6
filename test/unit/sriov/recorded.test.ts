/** Discovery of adapters that are not here, by what they were seen to answer elsewhere. */
import test from 'ava';
import { isLegacyOnly, parseEswitchMode, type EswitchMode } from '../../../src/host/devlink.js';
import { assemblePf } from '../../../src/sriov/assemble.js';
import { redirectWay } from '../../../src/sriov/eswitch.js';
import { type Fact, no, unknown, yes } from '../../../src/sriov/fact.js';
import type { NicFacts, PfFacts } from '../../../src/sriov/facts.js';
import { listPfs, parsePciAddress, readPf, readSwitchNetdevs } from '../../../src/sriov/pci.js';
import { readVfOrigin } from '../../../src/sriov/vf_origin.js';
import { portList } from '../../../src/cli/pf_words.js';
import { nicFacts } from '../../support/pf_facts.js';
import { BNXT_SWITCHDEV, I40E, ICE_SWITCHDEV, IXGBE, type RecordedAdapter, SFC, vfSettings } from '../../support/recorded_adapters.js';
import { MLX5_SWITCHDEV, recordedSysfs } from '../../support/recorded_sysfs.js';

/** As readEswitchMode() makes it of what devlink prints. */
function eswitchOf({ eswitch, pci }: RecordedAdapter): Fact<EswitchMode> {
  if ('stdout' in eswitch) return yes(parseEswitchMode(eswitch.stdout, pci) ?? 'legacy');
  return isLegacyOnly(eswitch.stderr) ? yes('legacy') : unknown(eswitch.stderr);
}

function discovered(adapter: RecordedAdapter, xdp: NicFacts['xdpFeatures'] = no('the driver has no XDP of its own')): PfFacts {
  const sysfs = recordedSysfs(adapter.sysfs);
  const pf = readPf(sysfs, parsePciAddress(adapter.pci));
  const { uplink, representors } = readSwitchNetdevs(sysfs, pf);
  const representorXdp = new Map([...representors.keys()].map((index) => [index, xdp]));
  const nic = uplink === null ? null : nicFacts({ name: uplink });
  return assemblePf({ pf, nic, eswitch: eswitchOf(adapter), switchId: null, representors, representorXdp, settings: yes(vfSettings(adapter.vfs)) });
}

const ALL = [IXGBE, I40E, ICE_SWITCHDEV, SFC, BNXT_SWITCHDEV];

test('every one of them is a PF of a network adapter, with its driver, netdev and VFs', (t) => {
  for (const adapter of ALL) {
    t.deepEqual(listPfs(recordedSysfs(adapter.sysfs)) as string[], [adapter.pci], adapter.driver);
    const pf = discovered(adapter);
    t.deepEqual(pf.driver, yes(adapter.driver));
    t.is(pf.vfs.length, pf.sriov.enabled, adapter.driver);
    t.is(pf.vfs.length, adapter.vfs.split('\n').length, adapter.driver);
    t.true(pf.vfs.every(({ configuration }) => configuration.answer === 'yes'), adapter.driver);
    // What nobody has written down is not taken for none.
    t.is(pf.msix.answer, 'unknown', adapter.driver);
    t.is(pf.vfs[0]?.numaNode.answer, 'unknown', adapter.driver);
  }
});

test('the mode of the switch, also where older tools answer in other words', (t) => {
  t.deepEqual(ALL.map((adapter) => discovered(adapter).eswitch), [yes('legacy'), yes('legacy'), yes('switchdev'), yes('legacy'), yes('switchdev')] as Fact<EswitchMode>[]);
  t.deepEqual(eswitchOf({ ...I40E, eswitch: { stderr: 'devlink answers: Operation not permitted' } }), unknown('devlink answers: Operation not permitted'));
});

test('settings that a driver does not tell are no settings of off', (t) => {
  t.like(discovered(SFC).vfs[0]?.configuration, {
    value: { mac: '76:c1:36:0a:be:2b', spoofCheck: no('the driver sfc has no such setting'), trust: no('the driver sfc has no such setting'), maxRate: 0 },
  });
  t.like(discovered(IXGBE).vfs[7]?.configuration, { value: { mac: null, spoofCheck: yes(true), trust: yes(false), linkState: 'auto' } });
  t.like(discovered(BNXT_SWITCHDEV).vfs[0]?.configuration, { value: { vlan: 7, maxRate: 1000, spoofCheck: yes(false), trust: yes(true), linkState: 'enable' } });
});

test('what each driver cannot set', (t) => {
  const lacking = (adapter: RecordedAdapter): string[] => Object.entries(discovered(adapter).controls).flatMap(([name, { answer }]) => (answer === 'no' ? [name] : []));
  t.deepEqual(ALL.map(lacking), [['vlan_protocol', 'min_rate'], ['vlan_protocol', 'min_rate'], [], ['vlan_protocol', 'trust', 'min_rate', 'max_rate'], ['vlan_protocol']]);
});

test('representors: of the VF that their port is named after, and none in legacy mode', (t) => {
  t.deepEqual(discovered(ICE_SWITCHDEV).vfs.map(({ representor }) => representor), [yes('eth0'), yes('eth1')]);
  t.is((discovered(ICE_SWITCHDEV).nic as { readonly value: NicFacts }).value.name, 'ens4f1');
  t.deepEqual(discovered(BNXT_SWITCHDEV).vfs.map(({ representor }) => representor), [yes('eth5')]);
  for (const adapter of [IXGBE, I40E, SFC]) {
    const [vf] = discovered(adapter).vfs;
    t.is(vf?.representor.answer, 'no', adapter.driver);
    t.regex(vf?.redirect.answer === 'no' ? vf.redirect.why : '', /leave by the PF/, adapter.driver);
  }
});

test('how frames reach a representor: natively where its driver takes them, else by tc; it is said, with the port', (t) => {
  t.deepEqual(redirectWay(yes(['basic', 'redirect', 'ndo-xmit'])), yes('native'));
  t.deepEqual(redirectWay(yes(['basic', 'redirect'])), yes('tc'));
  t.deepEqual(redirectWay(no('the driver has no XDP of its own')), yes('tc'));
  t.deepEqual(redirectWay(unknown('this kernel is too old to tell')), unknown('this kernel is too old to tell'));
  t.deepEqual(portList(discovered(BNXT_SWITCHDEV)), [['VF 0', '{port: eth5, device: its netdev}; frames are redirected to it by tc, behind the bridge, or by XDP with xdp_mode: generic']]);
  t.regex(portList(discovered(ICE_SWITCHDEV, yes(['basic', 'ndo-xmit'])))[1]?.[1] ?? '', /^\{port: eth1, .*natively$/);
  t.deepEqual(portList(discovered(I40E)), []);
});

test('of which PF a VF is, and where: by its own netdev, or by its representor while a guest has that', (t) => {
  const sysfs = recordedSysfs({
    ...MLX5_SWITCHDEV,
    '/sys/bus/pci/devices/0000:03:00.3/physfn': { link: '../0000:03:00.0' },
    '/sys/bus/pci/devices/0000:03:00.3/numa_node': '1',
    '/sys/class/net/enp3s0f0npf0vf1/device': { link: '../../../0000:03:00.0' },
    '/sys/class/net/enp3s0f0v1/device': { link: '../../../0000:03:00.3' },
  });
  const expected = { pf: '0000:03:00.0', numaNode: 1, vectors: null };
  t.deepEqual(readVfOrigin(sysfs, 'enp3s0f0npf0vf1', 'enp3s0f0v1'), expected);
  t.deepEqual(readVfOrigin(sysfs, 'enp3s0f0npf0vf1', 'not-here'), expected);
  // What stands in for a VF is of no PF.
  t.deepEqual(readVfOrigin(sysfs, 'vfp0', 'vf0'), { pf: null, numaNode: null, vectors: null });
});
