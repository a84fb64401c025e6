import { readFileSync } from 'node:fs';
import test from 'ava';
import { parseMacAddress } from '../../../../src/core/model.js';
import type { NicToAttach } from '../../../../src/hypervisor/libvirt/device_xml.js';
import { attachNic, type DomainAccess, detachNic, ejectNic } from '../../../../src/hypervisor/libvirt/devices.js';
import type { LibvirtInterface } from '../../../../src/hypervisor/libvirt/domain_xml.js';
import type { DomainEvent } from '../../../../src/hypervisor/libvirt/event_lines.js';
import { LibvirtError } from '../../../../src/hypervisor/libvirt/refusals.js';
import type { LibvirtDomain } from '../../../../src/hypervisor/libvirt/snapshot.js';

const UUID = '00000000-0000-0000-0000-00000000000a';
const mac = parseMacAddress('52:54:00:00:00:01');
const plain: LibvirtInterface = {
  type: 'bridge',
  mac,
  alias: 'ua-net0',
  model: 'virtio',
  tap: 'tap-web',
  bridge: 'br0',
  teaming: { type: 'persistent' },
  linkUp: true,
  queues: 1,
  hostdev: null,
  guestPci: '0000:01:00.0',
};
const vfNic: LibvirtInterface = {
  ...plain,
  type: 'hostdev',
  alias: 'ua-vf0',
  model: null,
  tap: null,
  teaming: { type: 'transient', persistent: 'ua-net0' },
  hostdev: '0000:3b:02.1',
};
const vf: NicToAttach = { mac, alias: 'ua-vf0', source: { pci: '0000:3b:02.1', persistent: 'ua-net0' } };

/** A libvirt with one domain, that does what it is told to. */
class FakeLibvirt implements DomainAccess {
  readonly asked: string[] = [];
  xml = '';
  domain: LibvirtDomain | null = {
    uuid: UUID,
    name: 'web',
    id: 3,
    state: 'running',
    stateReason: 'booted',
    interfaces: [plain],
    hostdevs: [],
    pcie: true,
    freeRootPorts: [2],
  };
  job = 'Job type:         None        \n';
  onDetach = (): void => {};
  readonly listeners = new Set<(event: DomainEvent) => void>();

  readonly virsh = {
    run: async (_what: string, args: readonly string[]): Promise<string> => {
      const [command = '', ...rest] = args;
      this.asked.push([command, ...rest.map((word) => (word.endsWith('.xml') ? 'FILE' : word))].join(' '));
      if (command === 'domjobinfo') return this.job;
      if (command === 'attach-device') {
        this.xml = readFileSync(rest[1] ?? '', 'utf8');
        this.setNics(plain, vfNic);
      }
      if (command === 'detach-device-alias') this.onDetach();
      return '';
    },
  };

  setNics(...interfaces: readonly LibvirtInterface[]): void {
    if (this.domain !== null) this.domain = { ...this.domain, interfaces };
  }

  say(kind: 'device-removed' | 'device-removal-failed', alias = 'ua-vf0', domain = 'web'): void {
    for (const listener of this.listeners) listener({ timeMs: 0, domain, kind, alias });
  }

  async look(): Promise<LibvirtDomain> {
    if (this.domain === null) throw new LibvirtError('no_domain', 'there is no such domain');
    return this.domain;
  }

  onEvent(listener: (event: DomainEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

test('a VF is plugged by its XML, into the running domain only', async (t) => {
  const libvirt = new FakeLibvirt();
  t.is(await attachNic(libvirt, UUID, vf), vfNic);
  t.deepEqual(libvirt.asked, [`domjobinfo ${UUID}`, `attach-device ${UUID} FILE --live`]);
  t.regex(libvirt.xml, /^<interface type='hostdev' managed='no'>/);
  t.notRegex(libvirt.xml, /bus='0x02'/, 'libvirt finds the slot of a VF by itself');
});

test('nothing is plugged where it cannot be right', async (t) => {
  const cases: readonly (readonly [reason: string, spoil: (libvirt: FakeLibvirt) => void])[] = [
    ['no_domain', (libvirt) => (libvirt.domain = null)],
    ['not_running', (libvirt) => (libvirt.domain = { ...(libvirt.domain as LibvirtDomain), id: null })],
    ['no_standby', (libvirt) => libvirt.setNics({ ...plain, teaming: null })],
    ['no_standby', (libvirt) => libvirt.setNics({ ...plain, mac: parseMacAddress('52:54:00:00:00:02') })],
    ['alias_in_use', (libvirt) => libvirt.setNics(plain, { ...vfNic, hostdev: '0000:3b:02.2' })],
    ['busy', (libvirt) => (libvirt.job = 'Job type:         Unbounded   \nOperation:        Outgoing migration\n')],
  ];
  for (const [reason, spoil] of cases) {
    const libvirt = new FakeLibvirt();
    spoil(libvirt);
    const error = await t.throwsAsync(attachNic(libvirt, UUID, vf), { instanceOf: LibvirtError });
    t.is(error?.reason, reason as LibvirtError['reason']);
    t.false(libvirt.asked.some((line) => line.startsWith('attach')), reason);
  }
});

test('a NIC goes by its alias; it is out when libvirt does not show it any more', async (t) => {
  const libvirt = new FakeLibvirt();
  libvirt.setNics(plain, vfNic);
  // Another device's going, and another domain's, are not ours; and an event alone is no proof.
  libvirt.onDetach = () => {
    libvirt.say('device-removed', 'ua-other');
    libvirt.say('device-removal-failed', 'ua-vf0', 'other');
    setTimeout(() => {
      libvirt.setNics(plain);
      libvirt.say('device-removed');
    }, 50);
  };
  const started = Date.now();
  await detachNic(libvirt, UUID, 'ua-vf0');
  t.true(Date.now() - started < 900, 'by the event, not by the next look');
  t.deepEqual(libvirt.asked, [`domjobinfo ${UUID}`, `detach-device-alias ${UUID} ua-vf0 --live`]);
  t.is(libvirt.listeners.size, 0);
});

test('to be asked is enough; to be asked twice is no failure, and who is on the way somewhere is not asked', async (t) => {
  const libvirt = new FakeLibvirt();
  await ejectNic(libvirt, { uuid: UUID, name: 'web' }, 'ua-vf0');
  for (const reason of ['being_unplugged', 'no_device', 'not_running'] as const) {
    libvirt.onDetach = () => {
      throw new LibvirtError(reason, 'x');
    };
    await t.notThrowsAsync(ejectNic(libvirt, { uuid: UUID, name: 'web' }, 'ua-vf0'), reason);
  }
  libvirt.asked.length = 0;
  libvirt.job = 'Job type:         Unbounded   \nOperation:        Outgoing migration\n';
  t.is((await t.throwsAsync(ejectNic(libvirt, { uuid: UUID, name: 'web' }, 'ua-vf0'), { instanceOf: LibvirtError }))?.reason, 'busy');
  t.deepEqual(libvirt.asked, [`domjobinfo ${UUID}`]);
  libvirt.job = 'Job type:         None        \n';
  await t.throwsAsync(ejectNic(libvirt, { uuid: UUID, name: 'web' }, 'net0'), { instanceOf: RangeError });
});

test('an event that was lost is found out by looking', async (t) => {
  const libvirt = new FakeLibvirt();
  libvirt.setNics(plain, vfNic);
  libvirt.onDetach = () => setTimeout(() => libvirt.setNics(plain), 50);
  await t.notThrowsAsync(detachNic(libvirt, UUID, 'ua-vf0'));
});

test('a guest that says no, one that says nothing, and the NIC that stands by', async (t) => {
  const libvirt = new FakeLibvirt();
  libvirt.setNics(plain, vfNic);
  libvirt.onDetach = () => libvirt.say('device-removal-failed');
  t.is((await t.throwsAsync(detachNic(libvirt, UUID, 'ua-vf0'), { instanceOf: LibvirtError }))?.reason, 'guest_refused');
  libvirt.onDetach = () => libvirt.say('device-removed');
  t.is((await t.throwsAsync(detachNic(libvirt, UUID, 'ua-vf0', { deadlineMs: 50 }), { instanceOf: LibvirtError }))?.reason, 'guest_silent');
  const asked = libvirt.asked.length;
  t.is((await t.throwsAsync(detachNic(libvirt, UUID, 'ua-net0'), { instanceOf: LibvirtError }))?.reason, 'no_standby');
  await t.throwsAsync(detachNic(libvirt, UUID, mac), { instanceOf: RangeError });
  t.is(libvirt.asked.length, asked);
  t.is(libvirt.listeners.size, 0);
});

test('what is out already, or in no running domain, is out', async (t) => {
  const libvirt = new FakeLibvirt();
  await detachNic(libvirt, UUID, 'ua-vf0');
  libvirt.domain = null;
  await detachNic(libvirt, UUID, 'ua-vf0');
  t.deepEqual(libvirt.asked, []);
});
