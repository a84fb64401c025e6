import { setTimeout as sleep } from 'node:timers/promises';
import { discoverMachine } from '../../src/hypervisor/qemu/discover.js';
import { freePorts, type Machine, migrating } from '../../src/hypervisor/qemu/machine.js';
import { QmpClient } from '../../src/hypervisor/qemu/qmp_client.js';
import { createNetns } from '../support/netns.js';
import { makeTaps, PORTS, STANDBY, STANDBY_MAC, tapOf } from '../support/qemu_arguments.js';
import { qemuNetnsTest, qemuTest, startQemu } from '../support/real_qemu.js';
import { keepRecording, recording, replaying } from '../support/recorded_monitor.js';

const UUID = '6c1b0d1e-1111-4222-8333-000000000001';
const nicOf = (machine: Machine, id: string): Machine['nics'][number] | undefined => machine.nics.find((nic) => nic.id === id);

qemuNetnsTest('a machine with several NICs is seen as it is, hot-plugged ones and ports included', async (t) => {
  const netns = createNetns(t);
  makeTaps(netns);
  const { monitor: path } = await startQemu(t, {
    netns,
    args: `-name guest=web-1,debug-threads=on -uuid ${UUID} -smp 2,maxcpus=4 ${PORTS} ${STANDBY}
      ${tapOf('hmq', 'tmq', ',queues=2')} -device virtio-net-pci,netdev=hmq,id=net1,mac=52:54:00:AA:00:02,mq=on,bus=pcie.0
      -netdev user,id=hu -device e1000e,netdev=hu,mac=52:54:00:aa:00:03,bus=dp0 -nic user,model=e1000,id=nic0,mac=52:54:00:aa:00:04`,
  });
  const client = await QmpClient.connect(path);
  t.teardown(() => client.close());
  const { monitor, exchanges } = recording(client);

  const before = await discoverMachine(monitor);
  t.like(before, { name: 'web-1', uuid: UUID, runState: 'prelaunch', migration: null });
  t.regex(before.version, /^\d+\.\d+\.\d+$/);
  t.deepEqual(before.cpus.map((cpu) => cpu.index), [0, 1]);
  t.true(before.cpus.every((cpu) => cpu.threadId > 1));
  t.deepEqual(
    before.ports.map(({ id, bus, model, devices }) => [id, bus, model, devices]),
    [
      ['dp0', 'dp0', 'xio3130-downstream', 1],
      ['rp0', 'rp0', 'pcie-root-port', 1],
      ['rp1', 'rp1', 'pcie-root-port', 0],
      ['rp2', 'rp2', 'pcie-root-port', 0],
      ['rp6', 'rp6', 'pcie-root-port', 1],
    ],
  );
  t.deepEqual(freePorts(before).map((port) => port.bus), ['rp1', 'rp2']);
  t.is(before.nics.length, 4);
  t.deepEqual(nicOf(before, 'net0'), {
    id: 'net0',
    path: '/machine/peripheral/net0',
    model: 'virtio-net-pci',
    mac: STANDBY_MAC,
    netdevId: 'hn0',
    backend: 'tap',
    tap: 'tv',
    tapFds: [],
    queues: 1,
    failover: true,
    failoverNegotiated: false,
    failoverPairId: null,
    host: null,
    bus: 'rp0',
    hotplugged: false,
  });
  t.like(nicOf(before, 'net1'), { mac: '52:54:00:aa:00:02', tap: 'tmq', queues: 2, failover: false, failoverNegotiated: false, bus: 'pcie.0' });
  const nameless = before.nics.filter((nic) => nic.id === null);
  t.deepEqual(nameless.map((nic) => [nic.model, nic.mac, nic.backend, nic.tap, nic.netdevId, nic.bus]).sort(), [
    ['e1000', '52:54:00:aa:00:04', 'user', null, 'nic0', 'pcie.0'],
    ['e1000e', '52:54:00:aa:00:03', 'user', null, 'hu', 'dp0'],
  ]);
  keepRecording('qemu-7.2-several-nics', exchanges);
  // What was recorded says the same as what was asked.
  t.deepEqual(await discoverMachine(replaying(exchanges)), before);

  await client.execute('netdev_add', { type: 'tap', id: 'hp', ifname: 'tp', script: 'no', downscript: 'no', vhost: false });
  await client.execute('device_add', { driver: 'vmxnet3', id: 'vf0', netdev: 'hp', mac: STANDBY_MAC, bus: 'rp1', romfile: '' });
  const after = await discoverMachine(client);
  t.like(nicOf(after, 'vf0'), { model: 'vmxnet3', mac: STANDBY_MAC, tap: 'tp', bus: 'rp1', hotplugged: true, failoverPairId: null });
  t.deepEqual(freePorts(after).map((port) => port.bus), ['rp2']);

  await client.execute('cont');
  t.is((await discoverMachine(client)).runState, 'running');
  await client.execute('stop');
  t.is((await discoverMachine(client)).runState, 'paused');
});

qemuNetnsTest('a primary is seen with its pair, also one whose pair is no standby', async (t) => {
  const netns = createNetns(t);
  makeTaps(netns);
  const { monitor } = await startQemu(t, {
    netns,
    args: `${PORTS} ${STANDBY} ${tapOf('hp', 'tp')} -device e1000e,netdev=hp,id=vf0,mac=${STANDBY_MAC},bus=rp1,failover_pair_id=elsewhere,romfile=`,
  });
  const client = await QmpClient.connect(monitor);
  t.teardown(() => client.close());
  t.like(nicOf(await discoverMachine(client), 'vf0'), { failoverPairId: 'elsewhere', model: 'e1000e', bus: 'rp1', tap: 'tp' });
});

qemuTest('a machine without name, NICs or ports is a machine, too; so are one of another type and one that waits for a migration', async (t) => {
  for (const args of ['', '-machine pc', '-machine microvm', '-incoming defer']) {
    const { monitor } = await startQemu(t, { args });
    const client = await QmpClient.connect(monitor);
    const machine = await discoverMachine(client);
    t.like(machine, { name: null, uuid: null, nics: [], ports: [] }, args);
    t.is(machine.runState, args === '-incoming defer' ? 'inmigrate' : 'prelaunch');
    client.close();
  }
});

qemuTest('the NUMA node that its memory is bound to', async (t) => {
  for (const [policy, node] of [['bind', 0], ['interleave', null]] as const) {
    const memory = `-m 64 -object memory-backend-ram,id=ram0,size=64M,host-nodes=0,policy=${policy} -machine q35,memory-backend=ram0`;
    const { monitor } = await startQemu(t, { args: memory });
    const client = await QmpClient.connect(monitor);
    t.is((await discoverMachine(client)).numaNode, node, policy);
    client.close();
  }
});

qemuTest('a migration that runs is seen, and so is one that was given up', async (t) => {
  const { monitor } = await startQemu(t);
  const client = await QmpClient.connect(monitor);
  t.teardown(() => client.close());
  t.false(migrating(await discoverMachine(client)));
  await client.execute('migrate-set-parameters', { 'max-bandwidth': 4096 });
  await client.execute('migrate', { uri: 'exec:cat >/dev/null' });
  let machine = await discoverMachine(client);
  while (machine.migration === 'setup') machine = await discoverMachine(client);
  t.is(machine.migration, 'active');
  t.true(migrating(machine));
  await client.execute('migrate_cancel');
  while (machine.migration === 'active' || machine.migration === 'cancelling') {
    await sleep(20);
    machine = await discoverMachine(client);
  }
  t.is(machine.migration, 'cancelled');
  t.false(migrating(machine));
});

qemuTest('every question is answered while devices come and go', async (t) => {
  const { monitor } = await startQemu(t, { args: `${PORTS} -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off` });
  const client = await QmpClient.connect(monitor);
  t.teardown(() => client.close());
  const seen = new Set<number>();
  let looking = true;
  const looks = (async () => {
    while (looking) seen.add((await discoverMachine(client)).nics.length);
  })();
  for (let i = 0; i < 100; i++) {
    await client.execute('device_add', { driver: 'vmxnet3', id: `vf${i}`, bus: 'rp1', romfile: '' });
    await client.execute('device_del', { id: `vf${i}` });
  }
  looking = false;
  await looks;
  t.true(seen.size >= 1);
});
