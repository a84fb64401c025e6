/**
 * The packet programs in the driver of a PF that has VFs: what the VFs feel of the first attach, and of a daemon that is killed and comes back; and that a
 * guest on its tap is reached, though the adapter gives the PF back what the guest has sent to all.
 */
import type { HostMachine } from '../../src/lab/sriov/machine.js';
import { sriovTest, unipathDone } from './bed.js';

const SOCKET = '/run/unipath.sock';
const CONFIG = `{socket: ${SOCKET}, pins: /sys/fs/bpf/unipath, xdp_mode: native, adapters: [{name: nic0, uplink: eth0, bridge: br0}], ` +
  'vnics: [{name: g0, mac: "52:54:00:00:00:b0", adapter: nic0, tap: tap-g0, guest: {netns: g0}, policy: software}]}';
const INTERVAL_S = 0.05;
/** The verifier on an emulated CPU of a busy machine. */
const START_MS = 240_000;

async function makeNetwork(machine: HostMachine): Promise<void> {
  const wire = (await machine.run('basename $(dirname $(grep -l 52:54:00:5a:00:ff /sys/class/net/*/address))')).trim();
  const vf = (await machine.run('ls /sys/class/net/eth0/device/virtfn0/net')).trim();
  for (const command of [
    'for n in g0 g1 world; do ip netns add $n; done',
    'ip link add br0 type bridge forward_delay 0 && ip link set br0 up && ip link set eth0 master br0',
    'ip link add tap-g0 type veth peer name eth0 netns g0 && ip link set tap-g0 master br0 up',
    'ip -n g0 link set eth0 address 52:54:00:00:00:b0 up && ip -n g0 address add 10.0.0.20/24 dev eth0',
    `ip link set ${vf} netns g1 name nic0 && ip -n g1 address add 10.0.0.10/24 dev nic0 && ip -n g1 link set nic0 up`,
    `ip link set ${wire} netns world name wire && ip -n world address add 10.0.0.1/24 dev wire && ip -n world link set wire up`,
  ]) await machine.run(command);
}

const ask = (machine: HostMachine): Promise<string> =>
  machine.run(`ip netns exec g1 busybox ping -i ${INTERVAL_S} 10.0.0.1 > /run/ping.log 2>&1 & echo $! > /run/ping.pid`);

/** Seconds of the longest time without an answer, and questions that got none but at the very end. */
async function answered(machine: HostMachine): Promise<{ readonly darkS: number; readonly lost: number; readonly asked: number }> {
  await machine.run('kill -INT $(cat /run/ping.pid); sleep 1');
  const numbers = [...(await machine.run('cat /run/ping.log')).matchAll(/seq=(\d+) /g)].map(([, seq]) => Number(seq));
  const gaps = numbers.slice(1).map((seq, i) => seq - (numbers[i] ?? 0) - 1).filter((gap) => gap > 0);
  return { darkS: Math.max(0, ...gaps) * INTERVAL_S, lost: gaps.reduce((sum, gap) => sum + gap, 0), asked: (numbers.at(-1) ?? -1) + 1 };
}

/** @param times how often it will have been ready by then */
async function startDaemon(machine: HostMachine, times: number): Promise<void> {
  await machine.run(`${process.execPath} ${machine.project}/build/src/daemon.js --config /run/unipath.yaml >> /run/unipathd.log 2>&1 & echo $! > /run/unipathd.pid`);
  const ready = `[ "$(grep -c '"msg":"ready"' /run/unipathd.log)" = ${times} ] && exit`;
  await machine.run(`while kill -0 $(cat /run/unipathd.pid); do ${ready}; sleep 0.5; done; tail -c 2000 /run/unipathd.log; exit 1`, { deadlineMs: START_MS });
}

sriovTest('the first attach darkens a VF, a daemon that is killed and comes back does not', async (t, machine) => {
  await machine.run('ip link set eth0 up');
  await unipathDone(machine, 'adapter setup eth0 --vfs 2 --driver kernel');
  await makeNetwork(machine);
  await machine.run(`cat > /run/unipath.yaml <<'END'\n${CONFIG}\nEND`);
  await machine.run('sleep 3');
  await ask(machine);
  await startDaemon(machine, 1);
  await machine.run('sleep 8');
  const first = await answered(machine);
  t.true(first.asked > 100, JSON.stringify(first));
  t.regex(await unipathDone(machine, `-S ${SOCKET} adapter show nic0`), /^xdp +native$/m);
  t.regex(await unipathDone(machine, 'adapter show eth0'), /^XDP program +\d+, native$/m);

  await ask(machine);
  await machine.run('sleep 1; kill -KILL $(cat /run/unipathd.pid); sleep 1');
  await startDaemon(machine, 2);
  await machine.run('sleep 1');
  const again = await answered(machine);
  t.log(`dark for ${first.darkS.toFixed(2)} s at the first attach, ${again.darkS.toFixed(2)} s when the daemon was killed and came back (${again.lost} of ${again.asked} lost)`);
  t.true(again.asked > 40, JSON.stringify(again));
  t.is(again.lost, 0);
}, { long: true });
