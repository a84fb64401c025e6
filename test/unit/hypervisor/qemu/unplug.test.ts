import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { MonitorLostError, QmpError } from '../../../../src/hypervisor/qemu/monitor.js';
import { holdsDevice } from '../../../../src/hypervisor/qemu/qom.js';
import { unplugDevice, type UnplugResult } from '../../../../src/hypervisor/qemu/unplug.js';
import { ejects, type Guest, ignores, refuses, SimulatedQemu } from '../../../support/simulated_qemu.js';

const ID = 'unipath-vf-vfp0';
const NETDEV = 'unipath-net-vfp0';
const unplug = (qemu: SimulatedQemu, deadlineMs = 60): Promise<UnplugResult> => unplugDevice(qemu, ID, { deadlineMs });

function holding(guest: Guest): SimulatedQemu {
  const qemu = new SimulatedQemu();
  qemu.guest = guest;
  qemu.devices.set(ID, { model: 'vmxnet3', properties: { netdev: NETDEV, bus: 'rp1' } });
  qemu.netdevs.set(NETDEV, {});
  return qemu;
}

const later = (guest: Guest, ms: number): Guest => (id, qemu) => void setTimeout(() => guest(id, qemu), ms);

test('a device that leaves at once, or later, is gone, and then its netdev', async (t) => {
  for (const guest of [ejects, later(ejects, 20)]) {
    const qemu = holding(guest);
    qemu.intercept = (command) => void (command === 'netdev_del' && t.false(qemu.devices.has(ID)));
    let requests = 0;
    const result = await unplugDevice(qemu, ID, { deadlineMs: 1000, onRequested: () => void requests++ });
    t.is(result.outcome, 'gone');
    t.true(result.tookMs < 1000);
    t.deepEqual([requests, qemu.devices.size, qemu.netdevs.size, qemu.listeners], [1, 0, 0, 0]);
  }
});

test('a device of a name that is not ours takes its own netdev along', async (t) => {
  const qemu = new SimulatedQemu();
  qemu.devices.set('vf0', { model: 'e1000e', properties: { netdev: 'hp' } });
  qemu.netdevs.set('hp', {});
  t.is((await unplugDevice(qemu, 'vf0', { deadlineMs: 60 })).outcome, 'gone');
  t.is(qemu.netdevs.size, 0);
});

test('one that was not there is absent; what was left of it goes', async (t) => {
  const qemu = new SimulatedQemu();
  qemu.netdevs.set(NETDEV, {});
  let requests = 0;
  const result = await unplugDevice(qemu, ID, { deadlineMs: 60, onRequested: () => void requests++ });
  t.is(result.outcome, 'absent');
  t.deepEqual([requests, qemu.netdevs.size], [0, 0]);
});

test('a guest that refuses keeps its device, and the netdev stays', async (t) => {
  const qemu = holding(later(refuses, 5));
  const result = await unplug(qemu, 1000);
  t.is(result.outcome, 'refused');
  t.true(result.tookMs < 500);
  t.deepEqual([qemu.devices.size, qemu.netdevs.size, qemu.listeners], [1, 1, 0]);
});

test('after a deadline a later call carries on, whether the device has left meanwhile or not', async (t) => {
  const qemu = holding(ignores);
  const first = await unplug(qemu);
  t.is(first.outcome, 'not_ejected');
  t.true(first.tookMs >= 55 && first.tookMs < 500);
  t.is(qemu.netdevs.size, 1);
  const second = unplug(qemu, 1000);
  await sleep(10);
  qemu.eject(ID);
  t.is((await second).outcome, 'gone');
  t.is(qemu.netdevs.size, 0);

  const other = holding(ignores);
  await unplug(other);
  other.eject(ID);
  t.is((await unplug(other)).outcome, 'absent');
  t.is(other.netdevs.size, 0);
});

test("events of other devices, and of this one's parts, are not taken for it", async (t) => {
  const qemu = holding((id, self) => {
    self.event('DEVICE_DELETED', { device: 'other', path: '/machine/peripheral/other' });
    self.event('DEVICE_DELETED', { path: `/machine/peripheral/${id}/virtio-backend` });
    self.event('DEVICE_UNPLUG_GUEST_ERROR', { device: 'other', path: '/machine/peripheral/other' });
    self.event('DEVICE_DELETED', {});
  });
  const result = await unplug(qemu);
  t.is(result.outcome, 'not_ejected');
  // Had one been believed, QEMU would have been watched for a second.
  t.true(result.tookMs < 500);
});

test('an event that names the device by its path alone is enough', async (t) => {
  const qemu = holding((id, self) => {
    self.devices.delete(id);
    self.event('DEVICE_DELETED', { path: `/machine/peripheral/${id}` });
  });
  t.is((await unplug(qemu, 1000)).outcome, 'gone');
});

test('an event is not believed before QEMU shows the device no more', async (t) => {
  const qemu = holding((id, self) => {
    self.event('DEVICE_DELETED', { device: id });
    setTimeout(() => self.devices.delete(id), 40);
  });
  const result = await unplug(qemu, 1000);
  t.is(result.outcome, 'gone');
  t.true(result.tookMs >= 35);

  const lying = holding((id, self) => self.event('DEVICE_DELETED', { device: id }));
  t.is((await unplug(lying)).outcome, 'not_ejected');
  t.is(lying.netdevs.size, 1);
});

test('an event that got lost costs the deadline, and no more', async (t) => {
  const qemu = holding((id, self) => void self.devices.delete(id));
  t.is((await unplug(qemu)).outcome, 'gone');
});

test('a device that leaves between looking and asking is gone', async (t) => {
  const qemu = holding(ignores);
  qemu.intercept = (command) => {
    if (command === 'device_del') qemu.devices.delete(ID);
  };
  const result = await unplug(qemu, 1000);
  t.is(result.outcome, 'gone');
  t.true(result.tookMs < 500);
});

test('QEMU refuses: the words are passed on; a guest that is busy is asked again', async (t) => {
  const migrating = holding(ejects);
  migrating.intercept = (command) => {
    if (command === 'device_del') throw new QmpError(command, 'GenericError', 'device_del not allowed while migrating');
  };
  const refused = await unplug(migrating);
  t.is(refused.outcome, 'refused');
  t.regex(refused.message, /not allowed while migrating/);

  const busy = holding(ejects);
  let times = 0;
  busy.intercept = (command) => {
    if (command === 'device_del' && times++ < 2) throw new QmpError(command, 'GenericError', 'Hot-unplug failed: guest is busy (power indicator blinking)');
  };
  t.is((await unplug(busy, 2000)).outcome, 'gone');
  times = -1000;
  t.is((await unplug(holdingAgain(busy), 300)).outcome, 'refused');
});

function holdingAgain(qemu: SimulatedQemu): SimulatedQemu {
  qemu.devices.set(ID, { model: 'vmxnet3', properties: {} });
  return qemu;
}

test('a QEMU that ends meanwhile is an error, and nothing hangs on', async (t) => {
  const qemu = holding((_, self) => void setTimeout(() => self.end('QEMU quit'), 5));
  await t.throwsAsync(unplug(qemu, 10_000), { instanceOf: MonitorLostError, message: /QEMU quit/ });
  t.is(qemu.listeners, 0);
});

test('holdsDevice', async (t) => {
  const qemu = holding(ejects);
  t.true(await holdsDevice(qemu, ID));
  t.false(await holdsDevice(qemu, 'vfp0'));
});
