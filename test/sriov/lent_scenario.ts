/**
 * Runs in the machine: unipathd's reconciler on its real data plane, host and adapter gives a VF to a guest that hears on one path only, and takes it
 * back, while a station on the wire and a guest on a tap ask it. The guest is a namespace with a bond of its tap's end and the VF's netdev, which hears on the
 * active one only, as net_failover does; who "plugs" binds the VF to its own driver and moves the netdev there. Prints what became of the questions.
 */
import { execFileSync, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { patientTiming } from '../../src/core/backoff.js';
import { DEFAULT_HASH_TYPES } from '../../src/core/limits.js';
import { DEFAULT_RULES, DEFAULT_TERMS, type GuestSpec, parseMacAddress, PLUGIN_GUEST, type VfSpec, type VnicSpec } from '../../src/core/model.js';
import { openDataPlane } from '../../src/dataplane/dataplane.js';
import { LinuxHostNetwork } from '../../src/host/network.js';
import { ownAddresses } from '../../src/host/own_addresses.js';
import type { Hypervisor, HypervisorEvent } from '../../src/hypervisor/port.js';
import { onlineCpus } from '../../src/native/cpus.js';
import { hostObjectPath } from '../../src/paths.js';
import { Reconciler } from '../../src/reconcile/reconciler.js';
import { LinuxAdapters } from '../../src/sriov/adapters.js';
import { findPf } from '../../src/sriov/discover.js';
import { planPoolSetup, setUpPool } from '../../src/sriov/pool.js';
import { printScenario } from '../support/scenario.js';

const PF = 'eth0';
const STATE = '/run/unipath-state';
const MAC = parseMacAddress('52:54:00:00:00:a0');
const NEIGHBOUR_MAC = parseMacAddress('52:54:00:00:00:b0');
const VF = '0000:01:10.0';
const WIRE_MAC = '52:54:00:5a:00:ff';
const INTERVAL_S = 0.05;
const WAIT_MS = 60_000;

export interface Lent {
  readonly sent: number;
  readonly answered: number;
  readonly doubled: number;
}

export interface LentAndBack {
  readonly asked: Readonly<Record<string, Lent>>;
  readonly reached: readonly boolean[];
  /** Frames that went to the tap while the guest was on its VF. */
  readonly toTap: number;
  /** Frames that its VF heard meanwhile. */
  readonly toVf: number;
  readonly before: unknown;
  readonly onVf: unknown;
  readonly after: unknown;
  readonly leftOwn: readonly string[];
  readonly said: readonly string[];
}

const sh = (line: string): string => execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' }).trim();
const bindTo = (from: string, to: string): string =>
  sh(`echo ${VF} > /sys/bus/pci/drivers/${from}/unbind; echo ${to} > /sys/bus/pci/devices/${VF}/driver_override; echo ${VF} > /sys/bus/pci/drivers_probe`);
const driver = (): string => sh(`basename $(readlink /sys/bus/pci/devices/${VF}/driver)`);
const count = (what: string): number => Number(sh(`cat /sys/class/net/${what}`));

class BondGuests implements Hypervisor {
  readonly #listeners = new Set<(event: HypervisorEvent) => void>();

  found = () => Promise.resolve([]);
  look = (guest: GuestSpec) => Promise.resolve(guest.kind === 'vm' ? ({ ...PLUGIN_GUEST, mode: 'net_failover' } as const) : PLUGIN_GUEST);
  holds = (guest: GuestSpec, vf: VfSpec) => Promise.resolve(guest.kind === 'vm' && vf.device === VF && driver() === 'igbvf');
  prepare = () => Promise.resolve();
  unprepare = () => Promise.resolve();

  plug(): Promise<void> {
    bindTo('vfio-pci', 'igbvf');
    const netdev = sh(`ls /sys/bus/pci/devices/${VF}/net`);
    sh(`ip link set ${netdev} netns g0 name nic0 && ip -n g0 link set nic0 master bond0 && ip -n g0 link set bond0 type bond primary nic0`);
    return Promise.resolve();
  }

  eject(): Promise<void> {
    sh('ip -n g0 link set nic0 nomaster');
    bindTo('igbvf', 'vfio-pci');
    for (const listener of this.#listeners) listener({ kind: 'ejected', port: VF });
    return Promise.resolve();
  }

  unplug(): Promise<void> {
    return driver() === 'igbvf' ? this.eject() : Promise.resolve();
  }

  onEvent(listener: (event: HypervisorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

async function network(): Promise<void> {
  sh(`ip link set ${PF} up`);
  const { pf, plan, wish } = await planPoolSetup(PF, { vfs: 2, driver: 'vfio-pci' }, STATE);
  await setUpPool(pf, plan, wish, STATE, () => undefined);
  const wire = sh(`basename $(dirname $(grep -l ${WIRE_MAC} /sys/class/net/*/address))`);
  for (const line of [
    'for n in g0 s world; do ip netns add $n; done',
    'ip link add br0 type bridge forward_delay 0 && ip link set br0 up',
    `ip link set ${PF} master br0`,
    ...['g0', 's'].flatMap((name) => [
      `ip link add tap-${name} type veth peer name eth0 netns ${name} && ip link set tap-${name} master br0 up`,
      `ip netns exec ${name} ethtool -K eth0 tx off gro on && ethtool -K tap-${name} gro on`,
    ]),
    `ip -n s link set eth0 address ${NEIGHBOUR_MAC} up && ip -n s address add 10.0.0.20/24 dev eth0`,
    `ip -n g0 link set eth0 address ${MAC} && ip -n g0 link add bond0 type bond mode active-backup miimon 20 && ip -n g0 link set eth0 master bond0`,
    'ip -n g0 address add 10.0.0.10/24 dev bond0 && ip -n g0 link set bond0 up',
    `ip link set ${wire} netns world name wire && ip -n world address add 10.0.0.1/24 dev wire && ip -n world link set wire up`,
  ]) sh(line);
}

/** Asks until it is stopped. */
function ask(netns: string): () => Promise<Lent> {
  let said = '';
  const child = spawn('ip', ['netns', 'exec', netns, 'busybox', 'ping', '-i', String(INTERVAL_S), '10.0.0.10'], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (said += text));
  return async () => {
    const closed = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGINT');
    await closed;
    const number = (pattern: RegExp): number => Number(pattern.exec(said)?.[1] ?? 0);
    return { sent: number(/(\d+) packets transmitted/), answered: number(/(\d+) packets received/), doubled: number(/(\d+) duplicates/) };
  };
}

const vnic = (name: string, mac: typeof MAC, tap: string, guest: GuestSpec): VnicSpec => ({
  name, mac, vlans: [0], access: false, addresses: null, adapter: 'nic0', tap, guest, policy: 'software', cutThrough: 'auto', weights: [], maxRate: null,
  terms: DEFAULT_TERMS,
  vf: { maxRate: 500 },
});

const configuration = async (): Promise<unknown> => (await findPf(PF)).vfs[0]?.configuration;

await printScenario(
  {
    async lentAndBack(): Promise<LentAndBack> {
      await network();
      const before = await configuration();
      const ownBefore = await ownAddresses(PF);
      const said: string[] = [];
      const tell = (message: string): void => {
        said.push(message);
        process.stderr.write(`${message}\n`);
      };
      const dataPlane = await openDataPlane({
        objectPath: hostObjectPath, pinsRoot: '/sys/fs/bpf/unipath', flowsPerVnic: 256, rssKey: 'random', xdpMode: 'auto', warn: tell,
      });
      const host = new LinuxHostNetwork(tell);
      const vfs: VfSpec[] = [{ kind: 'passthrough', port: VF, device: VF }];
      const desired = {
        discover: null,
        adapters: [{ name: 'nic0', uplink: PF, bridge: 'br0', vfs, limits: { vfs: 254, queues: 2048 }, rules: DEFAULT_RULES }],
        vnics: [
          vnic('g0', MAC, 'tap-g0', { kind: 'vm', vm: 'g0', mac: MAC, mode: 'net_failover' }),
          vnic('s', NEIGHBOUR_MAC, 'tap-s', { kind: 'netns', netns: 's' }),
        ],
        rss: { key: 'random', hashTypes: DEFAULT_HASH_TYPES },
        quotas: [],
      };
      const controller = new Reconciler({
        desired, dataPlane, host, hypervisor: new BondGuests(), adapters: new LinuxAdapters(STATE), timing: patientTiming(5), cpus: onlineCpus,
      });
      controller.onEvent(({ message }) => tell(message));
      await controller.start();
      await sleep(5000);
      const stations = ['world', 's'];
      for (const netns of stations) sh(`ip netns exec ${netns} busybox ping -c 3 -w 10 10.0.0.10 || true`);
      const asking = stations.map(ask);
      await sleep(3000);
      const { reached: there } = await controller.want('g0', 'accelerated', WAIT_MS);
      await sleep(2000);
      const onVf = await configuration();
      const counters = (): [number, number] => [count('tap-g0/statistics/tx_packets'), Number(sh('ip netns exec g0 cat /sys/class/net/nic0/statistics/rx_packets 2>/dev/null || echo 0'))];
      const [tapBefore, vfBefore] = counters();
      await sleep(3000);
      const [tapAfter, vfAfter] = counters();
      const { reached: back } = await controller.want('g0', 'software', WAIT_MS);
      await sleep(3000);
      const answers = await Promise.all(asking.map((stop) => stop()));
      await controller.down();
      const after = await configuration();
      const leftOwn = [...(await ownAddresses(PF))].filter((mac) => !ownBefore.has(mac));
      host.close();
      dataPlane.close();
      return {
        asked: Object.fromEntries(stations.map((name, i) => [name, answers[i] as Lent])),
        reached: [there, back],
        ...{ toTap: tapAfter - tapBefore, toVf: vfAfter - vfBefore, before, onVf, after, leftOwn, said },
      };
    },
  },
  process.argv[2],
);
