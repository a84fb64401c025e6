import test from 'ava';
import type { VfSettings } from '../../../src/host/vf_messages.js';
import { assemblePf, type PfAnswers } from '../../../src/sriov/assemble.js';
import { no, unknown, yes } from '../../../src/sriov/fact.js';
import { parsePciAddress, readPf, readSwitchNetdevs } from '../../../src/sriov/pci.js';
import { nicFacts } from '../../support/pf_facts.js';
import { IGB, MLX5_SWITCHDEV, pciFunction, recordedSysfs, type RecordedFiles } from '../../support/recorded_sysfs.js';

const SETTINGS: VfSettings = {
  index: 0, mac: '00:00:00:00:00:00', vlan: 0, qos: 0, protocol: '802.1Q', spoofCheck: true, trust: null, linkState: 'auto', minRate: 0, maxRate: 0,
};

function answers(files: RecordedFiles, pci: string, more: Partial<PfAnswers> = {}): PfAnswers {
  const sysfs = recordedSysfs(files);
  const pf = readPf(sysfs, parsePciAddress(pci));
  const { representors } = readSwitchNetdevs(sysfs, pf);
  return { pf, nic: nicFacts(), eswitch: yes('legacy'), switchId: null, representors, representorXdp: new Map(), settings: yes([]), ...more };
}

test('igb: settings of each VF; what the driver lacks is no answer of off', (t) => {
  const pf = assemblePf(answers(IGB, '0000:01:00.0', { settings: yes([SETTINGS, { ...SETTINGS, index: 1, mac: '52:54:00:00:00:01' }]) }));
  t.like(pf.vfs[0]?.configuration, { answer: 'yes', value: { mac: null, spoofCheck: yes(true), trust: no('the driver igb has no such setting') } });
  t.like(pf.vfs[1]?.configuration, { value: { mac: '52:54:00:00:00:01' } });
  t.deepEqual(pf.vfs[0]?.representor, no('the adapter switches by itself (legacy mode)'));
  t.deepEqual(pf.controls.link_state, no('the driver igb has no such setting'));
  t.deepEqual(pf.controls.mac, yes(true));
});

test('mlx5 in switchdev mode: representors are found by the names of their ports, and the uplink is none of them', (t) => {
  const sysfs = recordedSysfs(MLX5_SWITCHDEV);
  t.is(readSwitchNetdevs(sysfs, readPf(sysfs, parsePciAddress('0000:03:00.0'))).uplink, 'enp3s0f0np0');
  const pf = assemblePf(answers(MLX5_SWITCHDEV, '0000:03:00.0', { eswitch: yes('switchdev'), switchId: '5ab2d30003a1420c' }));
  t.deepEqual(pf.vfs.map(({ representor }) => representor), [yes('enp3s0f0npf0vf0'), yes('enp3s0f0npf0vf1')]);
  t.deepEqual(pf.switchId, yes('5ab2d30003a1420c'));
});

test('a representor that is not here may be in another network namespace: that is not known', (t) => {
  const pf = assemblePf(answers(IGB, '0000:01:00.0', { eswitch: yes('switchdev') }));
  t.is(pf.vfs[0]?.representor.answer, 'unknown');
});

test('a PF without driver: no, and everything that follows', (t) => {
  const files = pciFunction('0000:02:00.0', { class: '0x020000', vendor: '0x8086', device: '0x10c9', sriov_totalvfs: '7', sriov_numvfs: '0' });
  const pf = assemblePf(answers(files, '0000:02:00.0', { nic: null, settings: unknown('nobody can be asked') }));
  t.deepEqual(pf.nic, no('no driver is bound to it'));
  t.true(Object.values(pf.controls).every((fact) => fact.answer === 'no'));
});

test('a driver that is not in the table: what it can do is not known, and not taken for granted', (t) => {
  const files = pciFunction('0000:02:00.0', { class: '0x020000', driver: { link: '../x/hinic' }, sriov_totalvfs: '7' });
  const pf = assemblePf(answers(files, '0000:02:00.0'));
  t.true(Object.values(pf.controls).every((fact) => fact.answer === 'unknown'));
});

test('what cannot be told of the VFs is said of each', (t) => {
  const pf = assemblePf(answers(IGB, '0000:01:00.0', { settings: unknown('the kernel lists 2 of 3 VFs') }));
  t.deepEqual(pf.vfs.map(({ configuration }) => configuration), [unknown('the kernel lists 2 of 3 VFs'), unknown('the kernel lists 2 of 3 VFs')]);
});
