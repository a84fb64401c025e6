import test from 'ava';
import { parseDomainXml } from '../../../../src/hypervisor/libvirt/domain_xml.js';

const UUID = 'b2bb70c5-dfb3-49aa-8a98-2181ca8a5437';

function domain(devices: string, head = `<name>web</name><uuid>${UUID}</uuid>`, attributes = "type='kvm' id='7'"): string {
  return `<domain ${attributes}>${head}<devices>${devices}</devices></domain>`;
}

test('a team of virtio and VF, as libvirt shows it', (t) => {
  const { interfaces } = parseDomainXml(
    domain(`
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='default' portid='1' bridge='br0'/>
      <target dev='vnet3'/>
      <model type='virtio'/>
      <driver name='vhost' queues='4'/>
      <teaming type='persistent'/>
      <link state='down'/>
      <alias name='ua-net0'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </interface>
    <interface type='hostdev' managed='no'>
      <mac address='52:54:00:00:00:01'/>
      <driver name='vfio'/>
      <source><address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/></source>
      <teaming type='transient' persistent='ua-net0'/>
      <alias name='ua-vf0'/>
      <address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>
    </interface>`),
  );
  t.deepEqual(interfaces as unknown, [
    {
      type: 'network',
      mac: '52:54:00:00:00:01',
      alias: 'ua-net0',
      model: 'virtio',
      tap: 'vnet3',
      bridge: 'br0',
      teaming: { type: 'persistent' },
      linkUp: false,
      queues: 4,
      hostdev: null,
      guestPci: '0000:01:00.0',
    },
    {
      type: 'hostdev',
      mac: '52:54:00:00:00:01',
      alias: 'ua-vf0',
      model: null,
      tap: null,
      bridge: null,
      teaming: { type: 'transient', persistent: 'ua-net0' },
      linkUp: true,
      queues: 1,
      hostdev: '0000:3b:02.1',
      guestPci: '0000:02:00.0',
    },
  ]);
});

test('plain hostdevs are counted, and only those of PCI', (t) => {
  const { hostdevs } = parseDomainXml(
    domain(`
    <hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0xaf' slot='0x1f' function='0x7'/></source></hostdev>
    <hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>`),
  );
  t.deepEqual(hostdevs, ['0000:af:1f.7']);
});

test('root ports that are free, and those behind which there is something', (t) => {
  const port = (index: number): string =>
    `<controller type='pci' index='${index}' model='pcie-root-port'><address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x${index}'/></controller>`;
  const used = (bus: string): string =>
    `<disk><address type='pci' domain='0x0000' bus='${bus}' slot='0x00' function='0x0'/></disk>`;
  const { pcie, freeRootPorts } = parseDomainXml(
    domain(`<controller type='pci' index='0' model='pcie-root'/>${[1, 2, 3, 10].map(port).join('')}${used('0x01')}${used('0x0a')}
      <controller type='usb' index='2' model='none'/>
      <controller type='pci' index='4' model='pcie-root-port'><target chassis='4' port='0x4' hotplug='off'/></controller>`),
  );
  t.true(pcie);
  t.deepEqual(freeRootPorts, [2, 3]);
  t.false(parseDomainXml(domain("<controller type='pci' index='0' model='pci-root'/>")).pcie);
});

test('identity: names with entities, no id when it does not run, nested elements of others', (t) => {
  const head = `<name>a &amp; b&apos;s</name><uuid>${UUID}</uuid><metadata><x:domain xmlns:x='urn:x'><x:devices/><name>no</name></x:domain></metadata>`;
  t.like(parseDomainXml(domain('', head)), { name: "a & b's", uuid: UUID, id: 7 });
  t.is(parseDomainXml(domain('', head, "type='kvm'")).id, null);
});

test('what is no domain is refused', (t) => {
  for (const xml of ['', 'error: gone', '<domain', '<network><name>n</name></network>', domain('').replace('<uuid>', '<id>').replace('</uuid>', '</id>')]) {
    t.throws(() => parseDomainXml(xml), { message: /^this is not/ }, xml);
  }
  t.throws(() => parseDomainXml(domain("<interface type='bridge'><mac address='nonsense'/></interface>")), { instanceOf: RangeError });
});
