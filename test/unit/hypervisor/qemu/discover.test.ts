import test from 'ava';
import { discoverMachine } from '../../../../src/hypervisor/qemu/discover.js';
import { freePorts } from '../../../../src/hypervisor/qemu/machine.js';
import { MonitorLostError, type QemuMonitor } from '../../../../src/hypervisor/qemu/monitor.js';
import { type Exchange, readRecording, replaying } from '../../../support/recorded_monitor.js';

const exchanges = readRecording('qemu-7.2-several-nics');
const lacking = (...commands: string[]): ((exchange: Exchange) => Exchange) => {
  return ({ execute, arguments: args, ...rest }) =>
    commands.includes(execute)
      ? { execute, arguments: args, error: { class: 'CommandNotFound', desc: `The command ${execute} has not been found` } }
      : { execute, arguments: args, ...rest };
};

test('QEMU 7.2 with several NICs', async (t) => {
  const machine = await discoverMachine(replaying(exchanges));
  t.like(machine, { name: 'web-1', version: '7.2.22', runState: 'prelaunch', migration: null });
  t.deepEqual(machine.nics.map((nic) => [nic.id, nic.model, nic.mac, nic.tap, nic.queues, nic.failover, nic.failoverNegotiated, nic.bus]).sort(), [
    [null, 'e1000', '52:54:00:aa:00:04', null, 1, false, false, 'pcie.0'],
    [null, 'e1000e', '52:54:00:aa:00:03', null, 1, false, false, 'dp0'],
    ['net0', 'virtio-net-pci', '52:54:00:aa:00:01', 'tv', 1, true, false, 'rp0'],
    ['net1', 'virtio-net-pci', '52:54:00:aa:00:02', 'tmq', 2, false, false, 'pcie.0'],
  ]);
  t.deepEqual(freePorts(machine).map((port) => port.bus), ['rp1', 'rp2']);
});

test('a guest whose driver took the standby feature', async (t) => {
  const standby = { 'guest-features': { transports: [], 'dev-features': ['VIRTIO_NET_F_STANDBY: Device acting as standby for primary device with same MAC addr. supported'] } };
  const monitor = replaying(exchanges, (exchange) => (exchange.execute === 'x-query-virtio-status' ? { ...exchange, return: standby } : exchange));
  const machine = await discoverMachine(monitor);
  t.true(machine.nics.find((nic) => nic.id === 'net0')?.failoverNegotiated);
});

test('a QEMU without these commands cannot tell, and no more', async (t) => {
  const machine = await discoverMachine(replaying(exchanges, lacking('x-query-virtio-status', 'human-monitor-command', 'query-migrate', 'query-name')));
  t.like(machine, { name: null, migration: null });
  t.is(machine.nics.length, 4);
  const net0 = machine.nics.find((nic) => nic.id === 'net0');
  t.like(net0, { failover: true, failoverNegotiated: null, tap: null, queues: null, netdevId: 'hn0' });
});

test('a device that goes while we ask is left out', async (t) => {
  const gone = (exchange: Exchange): boolean => exchange.execute === 'qom-get' && exchange.arguments['path'] === '/machine/peripheral/net1';
  const monitor = replaying(exchanges, ({ return: value, ...exchange }) =>
    gone(exchange) ? { ...exchange, error: { class: 'DeviceNotFound', desc: 'gone' } } : { ...exchange, return: value },
  );
  const machine = await discoverMachine(monitor);
  t.deepEqual(machine.nics.map((nic) => nic.id).sort(), ['net0', null, null]);
});

test('a monitor that is lost is not taken for a QEMU that refuses', async (t) => {
  const whole = replaying(exchanges);
  const monitor: QemuMonitor = {
    ...whole,
    execute: async (command, args) => {
      if (command === 'qom-get') throw new MonitorLostError('gone');
      return whole.execute(command, args);
    },
  };
  await t.throwsAsync(discoverMachine(monitor), { instanceOf: MonitorLostError });
});

test('a monitor that is lost at any time is one failure, and leaves none that nobody waits for', async (t) => {
  const unheard: unknown[] = [];
  const hear = (error: unknown): void => void unheard.push(error);
  process.on('unhandledRejection', hear);
  t.teardown(() => process.off('unhandledRejection', hear));
  const whole = replaying(exchanges);
  let commands = 0;
  for (let lostAt = 0; lostAt <= commands; lostAt++) {
    commands = 0;
    const execute: QemuMonitor['execute'] = async (command, args) => {
      if (commands++ >= lostAt) throw new MonitorLostError('gone');
      return whole.execute(command, args);
    };
    const discovered = discoverMachine({ ...whole, execute });
    if (lostAt < exchanges.length) await t.throwsAsync(discovered, { instanceOf: MonitorLostError });
    else await discovered;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(commands > 20);
  t.deepEqual(unheard, []);
});
