/**
 * A virtual machine inside the machine that plays a KVM host is given a VF of an emulated adapter by VFIO, and it is taken back: unipathd, the
 * PF's driver, VFIO and the guest's net_failover as on a real host, under emulation twice. Minutes; with nothing else to do on the machine outside, two.
 */
import type { ExecutionContext } from 'ava';
import { guestCommandLine } from '../../src/lab/qemu/command_line.js';
import { guestImage } from '../../src/lab/qemu/image.js';
import { findKernel, unpackedKernel } from '../../src/lab/qemu/kernel.js';
import { guestPaths, qemuArguments } from '../../src/lab/qemu/arguments.js';
import { emulator } from '../../src/lab/qemu/emulator.js';
import { shellWords } from '../../src/lab/qemu/serial_shell.js';
import type { HostMachine } from '../../src/lab/sriov/machine.js';
import { PF_MACS, sriovTest, unipathDone, useMachine } from './bed.js';

const SOCKET = '/run/unipath.sock';
const MAC = '52:54:00:00:00:a0';
const VF = '0000:01:10.0';
const [GUEST, WORLD, NEIGHBOUR] = ['10.0.0.10', '10.0.0.1', '10.0.0.20'];
/** Emulated CPUs in an emulated CPU: everything that a guest does takes this many times longer. */
const PATIENCE = 20;
const CONFIG = `socket: ${SOCKET}
patience: ${PATIENCE}
hypervisors: [{qmp: /run/g1/qmp}]
adapters: [{name: nic0, uplink: eth0, bridge: br0, vfs: [{pci: "${VF}"}]}]
vnics:
  - {name: g1, mac: "${MAC}", adapter: nic0, guest: {vm: g1}, policy: software, vf: {max_rate: 500}}
  - {name: s, mac: "52:54:00:00:00:b0", adapter: nic0, tap: tap-s, guest: {netns: s}, policy: software}
`;
const BOOT_MS = 300_000;
const INTERVAL_S = 0.2;

useMachine({ adapters: PF_MACS.slice(0, 1).map((mac) => ({ mac })), bootMs: BOOT_MS });

async function network(machine: HostMachine): Promise<void> {
  const wire = (await machine.run('basename $(dirname $(grep -l 52:54:00:5a:00:ff /sys/class/net/*/address))')).trim();
  for (const command of [
    'ip netns add world; ip netns add s',
    'ip link add br0 type bridge forward_delay 0 && ip link set br0 up && ip link set eth0 master br0',
    'ip tuntap add tap-g1 mode tap && ip link set tap-g1 master br0 up',
    'ip link add tap-s type veth peer name eth0 netns s && ip link set tap-s master br0 up',
    `ip -n s link set eth0 address 52:54:00:00:00:b0 up && ip -n s address add ${NEIGHBOUR}/24 dev eth0`,
    // A redirect into a veth needs NAPI on its peer.
    'ip netns exec s ethtool -K eth0 tx off gro on',
    `ip link set ${wire} netns world name wire && ip -n world address add ${WORLD}/24 dev wire && ip -n world link set wire up`,
  ]) await machine.run(command);
}

async function startGuest(machine: HostMachine): Promise<void> {
  const kernel = findKernel();
  if (kernel === null) throw new Error('there is no kernel for guests: run `npm run setup -- --guests`');
  const nics = [{ id: 'net0', tap: 'tap-g1', mac: MAC, failover: true, vnetHdr: false }];
  const commandLine = guestCommandLine({ ip: `${GUEST}/24` });
  const options = { name: 'g1', nics, hotplugPorts: 1, memoryMiB: 192, accel: 'tcg' as const, commandLine };
  const args = qemuArguments(options, guestPaths('/run/g1'), await unpackedKernel(kernel), await guestImage('base', kernel));
  await machine.run('mkdir /run/g1');
  await machine.run(`${shellWords([...emulator(), ...args])} > /run/g1/qemu.log 2>&1 & echo $! > /run/g1.pid`);
}

async function startDaemon(machine: HostMachine): Promise<void> {
  await machine.run(`cat > /run/unipath.yaml <<'END'\n${CONFIG}END`);
  await machine.run(`${process.execPath} ${machine.project}/build/src/daemon.js --config /run/unipath.yaml > /run/unipathd.log 2>&1 & echo $! > /run/unipathd.pid`);
}

/** Polls there, where it is cheap. */
const until = (machine: HostMachine, condition: string, deadlineMs: number): Promise<string> =>
  machine.run(`until ${condition}; do [ -e /proc/$(cat /run/unipathd.pid) ] || { tail -c 2000 /run/unipathd.log; exit 1; }; sleep 0.5; done`, { deadlineMs });

const ask = (machine: HostMachine, netns: string): Promise<string> =>
  machine.run(`ip netns exec ${netns} busybox ping -i ${INTERVAL_S} ${GUEST} > /run/ping-${netns}.log 2>&1 & echo $! >> /run/ping.pids`);

interface Answered {
  readonly sent: number;
  readonly answered: number;
  /** Longest time without an answer. */
  readonly darkS: number;
}

async function answered(machine: HostMachine, netns: string): Promise<Answered> {
  const said = await machine.run(`cat /run/ping-${netns}.log`);
  const numbers = [...new Set([...said.matchAll(/seq=(\d+) /g)].map(([, seq]) => Number(seq)))].sort((a, b) => a - b);
  const gaps = numbers.slice(1).map((seq, i) => seq - (numbers[i] ?? 0) - 1);
  return { sent: Number(/(\d+) packets transmitted/.exec(said)?.[1] ?? 0), answered: numbers.length, darkS: Math.max(0, ...gaps) * INTERVAL_S };
}

const vfLine = async (machine: HostMachine): Promise<string> => (await machine.run("ip link show dev eth0 | grep 'vf 0 '")).trim();
const toTap = async (machine: HostMachine): Promise<number> => Number(await machine.run('cat /sys/class/net/tap-g1/statistics/tx_packets'));

async function giveAndTake(t: ExecutionContext, machine: HostMachine): Promise<void> {
  const started = performance.now();
  const at = (what: string): void => t.log(`${((performance.now() - started) / 1000).toFixed(0)} s: ${what}`);
  await machine.run('ip link set eth0 up');
  await unipathDone(machine, 'adapter setup eth0 --vfs 2');
  const before = await vfLine(machine);
  await network(machine);
  await startGuest(machine);
  await startDaemon(machine);
  await until(machine, `grep -q '"msg":"ready"' /run/unipathd.log`, BOOT_MS);
  at('unipathd is ready');
  await until(machine, `ip netns exec world busybox ping -c 1 -W 1 ${GUEST} > /dev/null`, BOOT_MS);
  at('the guest answers');

  for (const netns of ['world', 's']) await ask(machine, netns);
  await machine.run('sleep 4');
  t.log(await unipathDone(machine, `-S ${SOCKET} vnic accelerate g1 --wait 100`));
  at('on its VF');
  await machine.run('sleep 4');
  t.regex(await vfLine(machine), new RegExp(`${MAC}.*(?!vlan).*tx rate 500|${MAC}.*max_tx_rate 500`));
  const onTap = await toTap(machine);
  await machine.run('sleep 4');
  t.true((await toTap(machine)) - onTap < 5, 'frames still go to the tap');
  t.log(await unipathDone(machine, `-S ${SOCKET} status`));

  t.log(await unipathDone(machine, `-S ${SOCKET} vnic software g1 --wait 100`));
  at('on its tap');
  await machine.run('sleep 4; kill -INT $(cat /run/ping.pids); sleep 1');
  for (const netns of ['world', 's']) {
    const result = await answered(machine, netns);
    t.log(`${netns}: ${result.answered} of ${result.sent} answered, none for ${result.darkS.toFixed(1)} s at most`);
    t.true(result.answered > 20, netns);
  }
  t.is(await vfLine(machine), before);
  await unipathDone(machine, `-S ${SOCKET} down`);
  t.is((await machine.run(`bridge fdb show dev eth0 | grep -c '${MAC}' || true`)).trim(), '0');
  await machine.run('kill $(cat /run/g1.pid)');
}

sriovTest('a VF is given to a virtual machine by VFIO and taken back, and everybody reaches it on either path', async (t, machine) => {
  try {
    await giveAndTake(t, machine);
  } catch (error) {
    t.log(await machine.run('tail -n 60 /run/unipathd.log; tail -n 30 /run/g1/console.log /run/g1/qemu.log; dmesg | tail -n 30; true'));
    throw error;
  }
}, { long: true });
