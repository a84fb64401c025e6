import test from 'ava';
import { parseMacAddress } from '../../../../src/core/model.js';
import { type NicToAttach, nicXml, wantsRootPort } from '../../../../src/hypervisor/libvirt/device_xml.js';

const mac = parseMacAddress('52:54:00:00:00:01');
const vf: NicToAttach = { mac, alias: 'ua-vf0', source: { pci: '0000:3b:02.1', persistent: 'ua-net0' } };
const nic: NicToAttach = { mac, alias: 'ua-vf0', source: { tap: 'vf0', model: 'vmxnet3' } };

test('a VF: a hostdev that the host does not manage, teamed with the NIC that stands by', (t) => {
  t.is(
    nicXml(vf, null),
    `<interface type='hostdev' managed='no'>
  <source><address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/></source>
  <teaming type='transient' persistent='ua-net0'/>
  <vlan><tag id='4094'/></vlan>
  <mac address='52:54:00:00:00:01'/>
  <alias name='ua-vf0'/>
  <rom enabled='no'/>
</interface>
`,
  );
});

test('an emulated NIC: on its own tap, in the slot that it is told', (t) => {
  t.is(
    nicXml(nic, 10),
    `<interface type='ethernet'>
  <target dev='vf0' managed='no'/>
  <model type='vmxnet3'/>
  <mac address='52:54:00:00:00:01'/>
  <alias name='ua-vf0'/>
  <address type='pci' domain='0x0000' bus='0x0a' slot='0x00' function='0x0'/>
  <rom enabled='no'/>
</interface>
`,
  );
});

test('who must be told a slot', (t) => {
  t.true(wantsRootPort(nic.source));
  t.false(wantsRootPort({ tap: 'vf0', model: 'e1000e' }));
  t.false(wantsRootPort(vf.source));
});

test('nothing that is not what it should be gets into the XML', (t) => {
  const bad: readonly NicToAttach[] = [
    { ...vf, alias: 'vf0' },
    { ...vf, alias: 'ua-' },
    { ...vf, alias: "ua-'/><x a='" },
    { ...vf, mac: "52:54:00:00:00:01'" as NicToAttach['mac'] },
    { ...vf, source: { pci: '3b:02.1', persistent: 'ua-net0' } },
    { ...vf, source: { pci: '0000:3b:02.8', persistent: 'ua-net0' } },
    { ...vf, source: { pci: '0000:3b:02.1', persistent: "'" } },
    { ...nic, source: { tap: 'a/b', model: 'vmxnet3' } },
    { ...nic, source: { tap: 'vf0', model: "x'/>" } },
  ];
  for (const one of bad) t.throws(() => nicXml(one, null), { instanceOf: RangeError }, JSON.stringify(one));
});
