import test from 'ava';
import { MonitorLostError, QmpError } from '../../../../src/hypervisor/qemu/monitor.js';
import { deviceArguments, netdevArguments, plugDevice, type TapDevice } from '../../../../src/hypervisor/qemu/plug.js';
import { DevicePlugError, plugError, type PlugReason } from '../../../../src/hypervisor/qemu/plug_problem.js';
import { SimulatedQemu } from '../../../support/simulated_qemu.js';

const TAP: TapDevice = {
  id: 'unipath-vf-vfp0',
  netdevId: 'unipath-net-vfp0',
  port: 'vfp0',
  model: 'vmxnet3',
  mac: '52:54:00:aa:00:01',
  bus: 'rp1',
  failoverPairId: null,
};
const HOST = { id: 'unipath-vf-vfp0', host: '0000:01:10.0', mac: '52:54:00:aa:00:01', bus: 'rp1', failoverPairId: 'net0' };

/** With a standby net0, of whose driver QEMU can tell nothing, as QEMU before 7.2. */
function withStandby(): SimulatedQemu {
  const qemu = new SimulatedQemu();
  qemu.devices.set('net0', { model: 'virtio-net-pci', properties: { failover: true, netdev: 'hn0', bus: 'rp0' } });
  return qemu;
}

const negotiated = (...features: string[]): unknown => ({ 'guest-features': { 'dev-features': features } });

test('what QEMU is asked for a tap', (t) => {
  t.deepEqual(netdevArguments(TAP), {
    type: 'tap',
    id: 'unipath-net-vfp0',
    ifname: 'vfp0',
    script: 'no',
    downscript: 'no',
    vhost: false,
    vnet_hdr: false,
  });
  t.deepEqual(deviceArguments(TAP), {
    driver: 'vmxnet3',
    id: 'unipath-vf-vfp0',
    bus: 'rp1',
    netdev: 'unipath-net-vfp0',
    mac: '52:54:00:aa:00:01',
    romfile: '',
  });
  t.like(netdevArguments({ ...TAP, queues: 4, vnetHdr: true }), { queues: 4, vnet_hdr: true });
  t.like(deviceArguments({ ...TAP, queues: 4, failoverPairId: 'net0' }), { mq: true, failover_pair_id: 'net0' });
});

test('what QEMU is asked for a real VF', async (t) => {
  const wanted = { driver: 'vfio-pci', id: 'unipath-vf-vfp0', bus: 'rp1', host: '0000:01:10.0', rombar: 0, failover_pair_id: 'net0' };
  t.deepEqual(deviceArguments(HOST), wanted);
  const qemu = withStandby();
  t.like(await plugDevice(qemu, HOST), { outcome: 'plugged' });
  t.deepEqual([...qemu.netdevs], []);
  t.like(await plugDevice(qemu, HOST), { outcome: 'already' });
  await t.throwsAsync(plugDevice(qemu, { ...HOST, host: '0000:01:10.2' }), { instanceOf: DevicePlugError, message: /its host is "0000:01:10.0", not "0000:01:10.2"/ });
});

test('the same device a second time is no change; another one under its id is refused', async (t) => {
  const qemu = new SimulatedQemu();
  t.is((await plugDevice(qemu, TAP)).outcome, 'plugged');
  t.is((await plugDevice(qemu, TAP)).outcome, 'already');
  t.is((await plugDevice(qemu, { ...TAP, mac: TAP.mac.toUpperCase() })).outcome, 'already');
  t.is(qemu.asked.filter((command) => command === 'device_add').length, 1);
  for (const change of [{ mac: '52:54:00:aa:00:09' }, { model: 'e1000e' }, { netdevId: 'x' }, { failoverPairId: 'net0' }]) {
    const error = await t.throwsAsync(plugDevice(qemu, { ...TAP, ...change }), { instanceOf: DevicePlugError });
    t.is((error as DevicePlugError).reason, 'id_in_use', JSON.stringify(change));
  }
});

test('when the device is refused its netdev is taken away again', async (t) => {
  const qemu = new SimulatedQemu();
  qemu.intercept = (command) => {
    if (command === 'device_add') throw new QmpError(command, 'GenericError', 'device_add not allowed while migrating');
  };
  const error = await t.throwsAsync(plugDevice(qemu, TAP), { instanceOf: DevicePlugError });
  t.is((error as DevicePlugError).reason, 'migrating');
  t.is(qemu.netdevs.size, 0);
});

test('a netdev that was left behind is made anew; one that serves a device is not touched', async (t) => {
  const qemu = new SimulatedQemu();
  qemu.netdevs.set(TAP.netdevId, { ifname: 'old' });
  await plugDevice(qemu, TAP);
  t.like(qemu.netdevs.get(TAP.netdevId), { ifname: 'vfp0' });

  const other = new SimulatedQemu();
  other.netdevs.set(TAP.netdevId, { ifname: 'old' });
  other.devices.set('theirs', { model: 'e1000e', properties: { netdev: TAP.netdevId } });
  const error = await t.throwsAsync(plugDevice(other, TAP), { instanceOf: DevicePlugError });
  t.is((error as DevicePlugError).reason, 'id_in_use');
  t.like(other.netdevs.get(TAP.netdevId), { ifname: 'old' });
});

test('a port that is taken is not tried: QEMU would accept it', async (t) => {
  const qemu = new SimulatedQemu();
  qemu.devices.set('other', { model: 'e1000e', properties: { bus: 'rp1' } });
  const error = await t.throwsAsync(plugDevice(qemu, TAP), { instanceOf: DevicePlugError });
  t.is((error as DevicePlugError).reason, 'port_taken');
  t.deepEqual(qemu.asked.filter((command) => command.endsWith('_add')), []);
});

test('a pair needs a standby that the guest has accepted', async (t) => {
  const spec = { ...TAP, failoverPairId: 'net0' };
  const reasonOf = async (qemu: SimulatedQemu): Promise<string> => {
    const error = await t.throwsAsync(plugDevice(qemu, spec), { instanceOf: DevicePlugError });
    t.is(qemu.netdevs.size, 0);
    return (error as DevicePlugError).reason;
  };
  t.is(await reasonOf(new SimulatedQemu()), 'no_standby');

  const waiting = withStandby();
  waiting.intercept = (command) => (command === 'x-query-virtio-status' ? negotiated('VIRTIO_NET_F_MAC: x') : undefined);
  t.is(await reasonOf(waiting), 'failover_not_negotiated');
  t.false(waiting.asked.includes('device_add'));

  // QEMU cannot tell, and hides the primary.
  const hiding = withStandby();
  hiding.intercept = (command) => (command === 'device_add' ? {} : undefined);
  t.is(await reasonOf(hiding), 'failover_not_negotiated');

  const ready = withStandby();
  ready.intercept = (command) => (command === 'x-query-virtio-status' ? negotiated('VIRTIO_NET_F_STANDBY: x') : undefined);
  t.is((await plugDevice(ready, spec)).outcome, 'plugged');
});

test('an answer that is late is not a failure when the device is there', async (t) => {
  const qemu = new SimulatedQemu();
  qemu.intercept = (command, args) => {
    if (command !== 'device_add') return undefined;
    qemu.perform(command, args);
    throw new MonitorLostError('late');
  };
  t.is((await plugDevice(qemu, TAP)).outcome, 'plugged');
});

test('a monitor that is lost leaves what the next call sets right', async (t) => {
  for (const during of ['netdev_add', 'device_add', 'qom-list']) {
    const qemu = new SimulatedQemu();
    let lost = false;
    qemu.intercept = (command, args) => {
      if (lost) throw new MonitorLostError('gone');
      lost = command === during;
      if (!lost) return undefined;
      qemu.perform(command, args);
      throw new MonitorLostError('gone');
    };
    await t.throwsAsync(plugDevice(qemu, TAP), { instanceOf: MonitorLostError });
    qemu.intercept = () => undefined;
    await plugDevice(qemu, TAP);
    t.deepEqual([[...qemu.devices.keys()], [...qemu.netdevs.keys()]], [[TAP.id], [TAP.netdevId]], during);
  }
});

test("QEMU's words have reasons, and a sentence that says what to do", (t) => {
  const words: readonly [string, PlugReason][] = [
    ["Bus 'rp3' does not support hotplugging", 'no_hotplug_port'],
    ["Bus 'nix' not found", 'no_hotplug_port'],
    ["Hot-plug failed: unsupported by the port device 'fixed'", 'no_hotplug_port'],
    ['failover: primary device must be in its own PCI slot', 'no_hotplug_port'],
    ["Cannot attach more than one primary device to 'net0': 'vf0' and 'x3'", 'primary_reserved'],
    ["Duplicate device ID 'v5'", 'id_in_use'],
    ["Duplicate ID 'un1'", 'id_in_use'],
    ['device_add not allowed while migrating', 'migrating'],
    ['could not configure /dev/net/tun (tp): Device or resource busy', 'tap_busy'],
    ['could not configure /dev/net/tun (tmq): Invalid argument', 'tap_queues'],
    ['could not configure /dev/net/tun (tp): Operation not permitted', 'tap_denied'],
    ['could not open /dev/net/tun: Permission denied', 'tap_denied'],
    ["'nix' is not a valid device model name", 'unknown_model'],
    ['vfio /sys/bus/pci/devices/0000:01:10.0: no such host device: No such file or directory', 'host_device'],
    ['vfio 0000:01:10.0: group 7 is not viable', 'host_device'],
    ['out of cheese', 'refused'],
  ];
  for (const [text, reason] of words) {
    const error = plugError('device x into rp1', new QmpError('device_add', 'GenericError', text));
    t.is(error.reason, reason, text);
    t.true(error.message.startsWith(`device x into rp1: device_add: ${text}`));
    if (reason !== 'refused') t.regex(error.message.slice(text.length + 31), /: \w/);
  }
});
