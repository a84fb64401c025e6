import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { createNetns, ip, netnsTest, runModuleIn } from '../support/netns.js';

const scenarios = new URL('./netns_hypervisor_scenarios.js', import.meta.url);

/** A host with one VF, and a guest. */
function lab(t: ExecutionContext): { host: string; guest: string } {
  const host = createNetns(t);
  const guest = createNetns(t, 'guest');
  ip(host, 'link add vfp0 type veth peer name vf0');
  ip(host, 'link set dev vfp0 up');
  ip(host, 'link set dev vf0 address 02:00:00:00:00:07');
  return { host, guest };
}

/** What must be the same after plug and unplug, or after a plug that failed. */
function state(netns: string, device = 'vf0'): string {
  const offloads = execFileSync('nsenter', [`--net=/run/netns/${netns}`, 'ethtool', '-k', device], { encoding: 'utf8' });
  const [link] = JSON.parse(ip(netns, `-j link show dev ${device}`)) as Record<string, unknown>[];
  return JSON.stringify([link?.['address'], link?.['ifalias'], link?.['flags'], offloads]);
}

function features(netns: string): string {
  return execFileSync('nsenter', [`--net=/run/netns/${netns}`, 'ethtool', '-k', 'vf0'], { encoding: 'utf8' });
}

netnsTest('a plugged device has the MAC address, no transmit checksums, GRO; and comes back as it was', async (t) => {
  const { host, guest } = lab(t);
  const before = state(host);
  t.is(await runModuleIn(host, scenarios, 'plug', guest), 'ok');
  const [link] = JSON.parse(ip(guest, '-j link show dev vf0')) as Record<string, unknown>[];
  t.is(link?.['address'], '52:54:00:00:00:01');
  t.regex(features(guest), /^tx-checksumming: off$/m);
  t.regex(features(guest), /^generic-receive-offload: on$/m);
  t.true(await runModuleIn(host, scenarios, 'holds', guest));

  // Another process takes it back, as a restarted daemon does.
  ip(guest, 'link set dev vf0 up');
  t.is(await runModuleIn(host, scenarios, 'unplug', guest), 'ok');
  t.false(await runModuleIn(host, scenarios, 'holds', guest));
  t.is(state(host), before);
});

netnsTest('an alias and the up state of the device are kept', async (t) => {
  const { host, guest } = lab(t);
  ip(host, 'link set dev vf0 alias rack-7');
  ip(host, 'link set dev vf0 up');
  const before = state(host);
  t.is(await runModuleIn(host, scenarios, 'plug', guest), 'ok');
  t.is(await runModuleIn(host, scenarios, 'unplug', guest), 'ok');
  t.is(state(host), before);
});

netnsTest('plug and unplug may be repeated', async (t) => {
  const { host, guest } = lab(t);
  t.deepEqual(await runModuleIn(host, scenarios, 'twice', guest), ['ok', 'ok', true, 'ok', 'ok', false]);
});

netnsTest('a guest is its namespace, not a file of its name', async (t) => {
  const { host, guest } = lab(t);
  t.true(await runModuleIn(host, scenarios, 'exists', guest));
  t.false(await runModuleIn(host, scenarios, 'exists', 'upt-no-such-guest'));
  // What is left of a namespace whose mount is gone.
  const leftover = `upt-${process.pid}-leftover`;
  writeFileSync(`/run/netns/${leftover}`, '');
  t.teardown(() => rmSync(`/run/netns/${leftover}`));
  t.false(await runModuleIn(host, scenarios, 'exists', leftover));
  t.regex(String(await runModuleIn(host, scenarios, 'plug', 'upt-no-such-guest')), /guest upt-no-such-guest is not there/);
  await t.throwsAsync(runModuleIn(host, scenarios, 'exists', '1234'), { message: /would be taken for a process id/ });
  await t.throwsAsync(runModuleIn(host, scenarios, 'exists', '../../etc'), { message: /not a name of a network namespace/ });
});

netnsTest('an interface of the guest with the same name is not taken for the VF and stops the plug', async (t) => {
  const { host, guest } = lab(t);
  ip(guest, 'link add vf0 type veth peer name other');
  const before = state(host);
  t.false(await runModuleIn(host, scenarios, 'holds', guest));
  t.regex(String(await runModuleIn(host, scenarios, 'plug', guest)), /has an interface vf0 of its own; rename it there/);
  t.is(state(host), before);
  // Nor is it when its other end is somewhere else.
  const third = createNetns(t, 'third');
  ip(guest, `link set dev other netns ${third}`);
  t.false(await runModuleIn(host, scenarios, 'holds', guest));
});

netnsTest('a name taken on the host meanwhile is reported, and the guest keeps the device', async (t) => {
  const { host, guest } = lab(t);
  t.is(await runModuleIn(host, scenarios, 'plug', guest), 'ok');
  ip(host, 'link add vf0 type veth peer name other');
  t.regex(String(await runModuleIn(host, scenarios, 'unplug', guest)), /the host has another interface vf0; rename it/);
  t.true(await runModuleIn(host, scenarios, 'holds', guest));
});

netnsTest('a plug that fails half-way leaves the device as it was', async (t) => {
  const { host, guest } = lab(t);
  const before = state(host);
  t.regex(
    String(await runModuleIn(host, scenarios, 'plug', guest, 'vf0', 'vfp0', '01:00:00:00:00:01')),
    /`ip link set dev vf0 address 01:/,
  );
  t.is(state(host), before);
  // A bridge cannot leave its namespace: the last step fails.
  ip(host, 'link add stuck type bridge');
  ip(host, 'link set dev stuck address 02:00:00:00:00:08 up');
  const stuck = state(host, 'stuck');
  t.regex(String(await runModuleIn(host, scenarios, 'plug', guest, 'stuck', 'vfp0')), /`ip link set dev stuck netns /);
  t.is(state(host, 'stuck'), stuck);
});

netnsTest('a device that died with its guest is reported as not come back', async (t) => {
  const { host } = lab(t);
  const doomed = `upt-${process.pid}-doomed`;
  execFileSync('ip', ['netns', 'add', doomed]);
  t.teardown(() => {
    if (ip(host, 'netns list').includes(doomed)) execFileSync('ip', ['netns', 'del', doomed]);
  });
  t.is(await runModuleIn(host, scenarios, 'plug', doomed), 'ok');
  execFileSync('ip', ['netns', 'del', doomed]);
  t.regex(String(await runModuleIn(host, scenarios, 'unplug', doomed)), /device vf0 of VF vfp0 did not come back from guest/);
});
