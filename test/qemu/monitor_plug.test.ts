import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { deviceIdOf, netdevIdOf } from '../../src/hypervisor/qemu/device_ids.js';
import { discoverMachine } from '../../src/hypervisor/qemu/discover.js';
import { freePorts } from '../../src/hypervisor/qemu/machine.js';
import { MonitorLostError } from '../../src/hypervisor/qemu/monitor.js';
import { type DeviceSpec, plugDevice, type TapDevice } from '../../src/hypervisor/qemu/plug.js';
import { DevicePlugError, type PlugReason } from '../../src/hypervisor/qemu/plug_problem.js';
import { QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import { holdsDevice } from '../../src/hypervisor/qemu/qom.js';
import { unplugDevice } from '../../src/hypervisor/qemu/unplug.js';
import { createNetns, ip } from '../support/netns.js';
import { EJECTS_AT_ONCE, makeTaps, PORTS, STANDBY, STANDBY_MAC } from '../support/qemu_arguments.js';
import { qemuNetnsTest, type RealQemu, startQemu } from '../support/real_qemu.js';

const spec = (change: Partial<TapDevice> = {}): TapDevice => ({
  id: deviceIdOf('tp'),
  netdevId: netdevIdOf('tp'),
  port: 'tp',
  model: 'vmxnet3',
  mac: STANDBY_MAC,
  bus: 'rp1',
  failoverPairId: null,
  ...change,
});

interface Bed {
  readonly netns: string;
  readonly qemu: RealQemu;
  readonly client: QmpClient;
  readonly network: () => Promise<unknown>;
}

async function bed(t: ExecutionContext, args = ''): Promise<Bed> {
  const netns = createNetns(t);
  makeTaps(netns);
  const qemu = await startQemu(t, { netns, args: `${PORTS} ${STANDBY} ${args}` });
  const client = await QmpClient.connect(qemu.monitor);
  t.teardown(() => client.close());
  return { netns, qemu, client, network: () => client.execute('human-monitor-command', { 'command-line': 'info network' }) };
}

qemuNetnsTest('NICs of several models come and go, many times, and leave nothing behind', async (t) => {
  const { client, netns, network } = await bed(t, EJECTS_AT_ONCE);
  const before = await network();
  for (const model of ['vmxnet3', 'e1000e', 'rtl8139', 'virtio-net-pci']) {
    for (let i = 0; i < 5; i++) {
      t.is((await plugDevice(client, spec({ model }))).outcome, 'plugged');
      t.is((await plugDevice(client, spec({ model }))).outcome, 'already');
      const machine = await discoverMachine(client);
      t.like(
        machine.nics.find((nic) => nic.id === 'unipath-vf-tp'),
        { model, tap: 'tp', bus: 'rp1', mac: STANDBY_MAC, netdevId: 'unipath-net-tp', hotplugged: true },
      );
      t.false(freePorts(machine).some((port) => port.bus === 'rp1'));
      t.false(/vnet_hdr on/.test(ip(netns, '-d link show dev tp')));
      let requested = 0;
      const result = await unplugDevice(client, 'unipath-vf-tp', { deadlineMs: 5_000, onRequested: () => void requested++ });
      t.is(result.outcome, 'gone', result.message);
      t.is(requested, 1);
      t.is(await network(), before);
    }
  }
  t.is((await unplugDevice(client, 'unipath-vf-tp', { deadlineMs: 100 })).outcome, 'absent');
  t.true(freePorts(await discoverMachine(client)).some((port) => port.bus === 'rp1'));
});

qemuNetnsTest('a downstream port of a switch, and a tap of several queues', async (t) => {
  const { client, netns } = await bed(t, EJECTS_AT_ONCE);
  await plugDevice(client, spec({ bus: 'dp0', port: 'tmq', model: 'virtio-net-pci', queues: 2, vnetHdr: true }));
  const machine = await discoverMachine(client);
  t.like(machine.nics.find((nic) => nic.id === 'unipath-vf-tp'), { bus: 'dp0', tap: 'tmq', queues: 2 });
  t.regex(ip(netns, '-d link show dev tmq'), /vnet_hdr on/);
  t.is((await unplugDevice(client, 'unipath-vf-tp', { deadlineMs: 5_000 })).outcome, 'gone');
});

qemuNetnsTest('what QEMU refuses has a reason, and changes nothing', async (t) => {
  const { client, network } = await bed(t, EJECTS_AT_ONCE);
  const before = await network();
  const cases: readonly [PlugReason, DeviceSpec][] = [
    ['tap_busy', spec({ port: 'tv' })],
    ['tap_queues', spec({ port: 'tmq' })],
    ['tap_queues', spec({ queues: 2 })],
    ['no_hotplug_port', spec({ bus: 'fixed' })],
    ['no_hotplug_port', spec({ bus: 'pcie.0' })],
    ['no_hotplug_port', spec({ bus: 'nowhere' })],
    ['port_taken', spec({ bus: 'rp0' })],
    ['unknown_model', spec({ model: 'no-such-nic' })],
    ['id_in_use', spec({ id: 'net0' })],
    ['no_standby', spec({ failoverPairId: 'rp1' })],
    ['failover_not_negotiated', spec({ failoverPairId: 'net0' })],
    ['refused', spec({ mac: 'no mac' })],
    ['host_device', { id: 'unipath-vf-x', host: '0000:7f:10.0', mac: '52:54:00:aa:00:01', bus: 'rp1', failoverPairId: null }],
  ];
  for (const [reason, wrong] of cases) {
    const error = (await t.throwsAsync(plugDevice(client, wrong), { instanceOf: DevicePlugError }, JSON.stringify(wrong))) as DevicePlugError | undefined;
    t.is(error?.reason, reason, error?.message);
    t.is(await network(), before, reason);
  }
  // Nothing is in the way of the right one.
  t.is((await plugDevice(client, spec())).outcome, 'plugged');
});

qemuNetnsTest('while a migration runs nothing is plugged or unplugged', async (t) => {
  const { client, network } = await bed(t, EJECTS_AT_ONCE);
  await plugDevice(client, spec());
  const before = await network();
  await client.execute('migrate-set-parameters', { 'max-bandwidth': 4096 });
  await client.execute('migrate', { uri: 'exec:cat >/dev/null' });
  const other = spec({ id: deviceIdOf('tq'), netdevId: netdevIdOf('tq'), port: 'tq', bus: 'rp2' });
  const error = await t.throwsAsync(plugDevice(client, other), { instanceOf: DevicePlugError });
  t.is((error as DevicePlugError).reason, 'migrating');
  const result = await unplugDevice(client, spec().id, { deadlineMs: 200 });
  t.is(result.outcome, 'refused');
  t.regex(result.message, /while migrating/);
  t.is(await network(), before);
});

qemuNetnsTest('a guest that does not answer costs the deadline; its reset gives the device back, and the next call carries on', async (t) => {
  for (const running of [false, true]) {
    const { client, network } = await bed(t);
    if (running) await client.execute('cont');
    const before = await network();
    await plugDevice(client, spec());
    const first = await unplugDevice(client, spec().id, { deadlineMs: 300 });
    t.is(first.outcome, 'not_ejected');
    t.true(first.tookMs >= 290 && first.tookMs < 2_000);
    t.true(await holdsDevice(client, spec().id));

    const second = unplugDevice(client, spec().id, { deadlineMs: 10_000 });
    await sleep(50);
    await client.execute('system_reset');
    const result = await second;
    t.is(result.outcome, 'gone', result.message);
    t.is(await network(), before);
  }
});

qemuNetnsTest('a device that left after the deadline is absent for the next call, which clears up', async (t) => {
  const { client, network } = await bed(t);
  const before = await network();
  await plugDevice(client, spec());
  t.is((await unplugDevice(client, spec().id, { deadlineMs: 50 })).outcome, 'not_ejected');
  const deleted = new Promise<void>((resolve) => void client.onEvent((event) => event.name === 'DEVICE_DELETED' && resolve()));
  await client.execute('system_reset');
  await deleted;
  t.is((await unplugDevice(client, spec().id, { deadlineMs: 50 })).outcome, 'absent');
  t.is(await network(), before);
});

qemuNetnsTest('a QEMU that dies meanwhile is an error, at once', async (t) => {
  const { client, qemu } = await bed(t);
  await plugDevice(client, spec());
  const unplugged = t.throwsAsync(unplugDevice(client, spec().id, { deadlineMs: 60_000 }), { instanceOf: MonitorLostError });
  await sleep(50);
  await qemu.kill();
  await unplugged;
});

qemuNetnsTest('what one daemon left half done the next one sets right', async (t) => {
  const { client, qemu, network } = await bed(t, EJECTS_AT_ONCE);
  const before = await network();
  await client.execute('netdev_add', { type: 'tap', id: netdevIdOf('tp'), ifname: 'tp', script: 'no', downscript: 'no', vhost: false });
  client.close();
  const next = await QmpClient.connect(qemu.monitor);
  t.is((await plugDevice(next, spec())).outcome, 'plugged');
  next.close();
  const last = await QmpClient.connect(qemu.monitor);
  t.teardown(() => last.close());
  t.is((await plugDevice(last, spec())).outcome, 'already');
  t.is((await unplugDevice(last, spec().id, { deadlineMs: 5_000 })).outcome, 'gone');
  t.is(await last.execute('human-monitor-command', { 'command-line': 'info network' }), before);
});
