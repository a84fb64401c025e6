/**
 * Runs in the machine: a guest's address goes from the host's path to its VF and back while a station on the wire, the guest of another VF and
 * a guest of the host's bridge ask the guest 50 times a second. The guest, a namespace, hears on both of its NICs (a bond with
 * all_slaves_active), and sends on the one it is told to, as one with the plug-in does. The packet programs run on the PF and on the host's taps: what the
 * adapter gives back to the PF would else move the guests in the bridge. Prints what became of the questions.
 */
import { execFileSync, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { discoverPfs, findPf } from '../../src/sriov/discover.js';
import { planSteering } from '../../src/core/queue_plan.js';
import { parseMacAddress, type VnicPath } from '../../src/core/model.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import type { DataPlane } from '../../src/dataplane/port.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { hostObjectPath } from '../../src/paths.js';
import { addOwnAddress, deleteOwnAddress } from '../../src/host/own_addresses.js';
import { LinuxAdapters } from '../../src/sriov/adapters.js';
import { planPoolReset, planPoolSetup, resetPool, setUpPool } from '../../src/sriov/pool.js';
import { printScenario } from '../support/scenario.js';

const PF = 'eth0';
const STATE = '/run/unipath-state';
const MAC = parseMacAddress('52:54:00:00:00:a0');
const NEIGHBOUR_VF_MAC = '52:54:00:00:00:a1';
const NEIGHBOUR_TAP_MAC = parseMacAddress('52:54:00:00:00:b0');
const ADDRESS = '10.0.0.10';
const WIRE_MAC = '52:54:00:5a:00:ff';
const QUESTIONS = 400;
const INTERVAL_S = 0.02;
const VF = '0000:01:10.0';
const adapters = new LinuxAdapters(STATE);

export interface Asked {
  readonly sent: number;
  readonly answered: number;
  readonly doubled: number;
}

export interface HandedOver {
  readonly asked: Readonly<Record<string, Asked>>;
  /** Frames that the guest's VF and its other NIC have heard: before the take-over, between, after. */
  readonly heard: readonly { readonly vf: number; readonly tap: number }[];
  readonly takeOverMs: number;
  readonly giveBackMs: number;
  /** Of the VF, before all and after all. */
  readonly before: unknown;
  readonly after: unknown;
}

const sh = (line: string): string => execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' });
const setup = (...lines: readonly string[]): void => lines.forEach(sh);

async function pool(driver: 'vfio-pci' | 'kernel'): Promise<void> {
  const { pf, plan, wish } = await planPoolSetup(PF, { vfs: 2, driver }, STATE);
  await setUpPool(pf, plan, wish, STATE, () => undefined);
}

async function configuration(): Promise<unknown> {
  return (await findPf(PF)).vfs[0]?.configuration;
}

function network(): void {
  const vfNetdev = (index: number): string => sh(`ls /sys/class/net/${PF}/device/virtfn${index}/net`).trim();
  const wire = sh(`basename $(dirname $(grep -l ${WIRE_MAC} /sys/class/net/*/address))`).trim();
  const tap = (netns: string, mac: string): string[] => [
    `ip link add tap-${netns} type veth peer name eth0 netns ${netns}`,
    `ip link set tap-${netns} master br0 up`,
    `ip -n ${netns} link set eth0 address ${mac}`,
  ];
  setup(
    'for n in g0 g1 s world; do ip netns add $n; done',
    'ip link add br0 type bridge forward_delay 0 && ip link set br0 up',
    `ip link set ${PF} master br0`,
    ...tap('g0', MAC),
    ...tap('s', NEIGHBOUR_TAP_MAC),
    'ip -n s address add 10.0.0.20/24 dev eth0 && ip -n s link set eth0 up',
    `ip link set ${wire} netns world name wire`,
    'ip -n world address add 10.0.0.1/24 dev wire && ip -n world link set wire up',
    `ip link set ${vfNetdev(1)} netns g1 name nic0`,
    'ip -n g1 address add 10.0.0.11/24 dev nic0 && ip -n g1 link set nic0 up',
    `ip link set ${vfNetdev(0)} netns g0 name nic0`,
    'ip -n g0 link add bond0 type bond mode active-backup miimon 100 all_slaves_active 1',
    'ip -n g0 link set eth0 master bond0 && ip -n g0 link set nic0 master bond0',
    `ip -n g0 address add ${ADDRESS}/24 dev bond0 && ip -n g0 link set bond0 up`,
    // What unipathd's programs do for frames between the host's own guests.
    `bridge fdb replace ${MAC} dev tap-g0 master static`,
    `bridge fdb replace ${NEIGHBOUR_TAP_MAC} dev ${PF} self permanent`,
  );
}

const ifindex = (device: string): number => Number(sh(`cat /sys/class/net/${device}/ifindex`));
const FRAME_MAX = 1514;
const GUEST = 1;

/** The guest and its neighbour, on the software path. */
async function steer(): Promise<DataPlane> {
  const dataPlane = await openDataPlane({ objectPath: hostObjectPath, pinsRoot: '/sys/fs/bpf/unipath-hand-over', flowsPerVnic: 256, rssKey: 'random', xdpMode: 'auto' });
  const uplink = ifindex(PF);
  const usual = { vlans: [0], access: false, addresses: null, maxRate: null, plugin: true, cutThrough: false, operatorWant: null } as const;
  const frames = { tapFrameMax: FRAME_MAX, vfFrameMax: FRAME_MAX, uplinkFrameMax: FRAME_MAX } as const;
  const takes = { tapMultiBuffer: false, vfMultiBuffer: false, uplinkMultiBuffer: false, vfNoTransmit: false, uplinkNoTransmit: false } as const;
  for (const [id, mac, tap, vfIfindex] of [[GUEST, MAC, 'tap-g0', uplink], [2, NEIGHBOUR_TAP_MAC, 'tap-s', 0]] as const) {
    dataPlane.writeVnic(id, { ...usual, ...frames, ...takes, mac, tapIfindex: ifindex(tap), vfIfindex, uplinkIfindex: uplink });
    dataPlane.writePort(ifindex(tap), { vnic: id, role: 'tap' });
    dataPlane.writeSteering(id, 'tap', planSteering(1, onlineCpus(), id));
    await dataPlane.attach('steer_guest', ifindex(tap), tap);
  }
  dataPlane.writeSteering(GUEST, 'vf', planSteering(1, onlineCpus(), GUEST));
  await dataPlane.attach('steer_uplink', uplink, PF);
  dataPlane.writeTxPort(uplink, true);
  return dataPlane;
}

const use = (nic: string): string => sh(`ip -n g0 link set bond0 type bond active_slave ${nic}`);
const packets = (nic: string): number => Number(sh(`ip netns exec g0 cat /sys/class/net/${nic}/statistics/rx_packets`));
const heard = (): { vf: number; tap: number } => ({ vf: packets('nic0'), tap: packets('eth0') });

/** Resolves when the last answer is there, or late. */
function ask(netns: string): Promise<Asked> {
  const words = ['netns', 'exec', netns, 'busybox', 'ping', '-i', String(INTERVAL_S), '-c', String(QUESTIONS), '-W', '2', ADDRESS];
  return new Promise((resolve, reject) => {
    let said = '';
    const child = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.on('error', reject).on('close', () => {
      const number = (pattern: RegExp): number => Number(pattern.exec(said)?.[1] ?? 0);
      resolve({ sent: number(/(\d+) packets transmitted/), answered: number(/(\d+) packets received/), doubled: number(/(\d+) duplicates/) });
    });
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const before = performance.now();
  await work();
  return Math.round(performance.now() - before);
}

await printScenario(
  {
    async handOver(): Promise<HandedOver> {
      sh(`ip link set ${PF} up`);
      await pool('vfio-pci');
      sh(`ip link set ${PF} vf 1 mac ${NEIGHBOUR_VF_MAC}`);
      const before = await configuration();
      await addOwnAddress(PF, MAC);
      await adapters.lend(PF, VF, MAC, {});
      await pool('kernel');
      network();
      const dataPlane = await steer();
      const bring = (path: VnicPath): unknown => dataPlane.changePath(GUEST, { path, vfAllowed: path === 'accelerated' });
      use('eth0');
      await sleep(3000);
      for (const netns of ['world', 'g1', 's']) sh(`ip netns exec ${netns} busybox ping -c 2 -w 5 ${ADDRESS} || true`);
      const stations = ['world', 'g1', 's'];
      const start = heard();
      const asking = stations.map(ask);
      await sleep(2500);
      const parked = heard();
      const takeOverMs = await timed(async () => {
        await adapters.admit(PF, VF, 0);
        await deleteOwnAddress(PF, MAC);
        bring('accelerated');
        use('nic0');
      });
      await sleep(300);
      const taken = heard();
      await sleep(2000);
      const onVf = heard();
      const giveBackMs = await timed(async () => {
        use('eth0');
        bring('software');
        await addOwnAddress(PF, MAC);
        await adapters.park(PF, VF);
      });
      await sleep(300);
      const given = heard();
      const answers = await Promise.all(asking);
      const end = heard();
      dataPlane.remove();
      // What was in a namespace comes back a while after that has gone.
      sh(`ip netns del g0; ip netns del g1; for i in $(seq 300); do [ -n "$(ls /sys/bus/pci/devices/${VF}/net 2> /dev/null)" ] && break; sleep 0.2; done`);
      await adapters.giveBack(PF, VF);
      const after = (await discoverPfs())[0]?.vfs[0]?.configuration;
      const { pf, plan } = await planPoolReset(PF, STATE);
      await resetPool(pf, plan, STATE, () => undefined);
      const between = (from: typeof start, to: typeof start) => ({ vf: to.vf - from.vf, tap: to.tap - from.tap });
      return {
        asked: Object.fromEntries(stations.map((name, i) => [name, answers[i] as Asked])),
        heard: [between(start, parked), between(taken, onVf), between(given, end)],
        ...{ takeOverMs, giveBackMs, before, after },
      };
    },
  },
  process.argv[2],
);
