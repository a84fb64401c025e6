/**
 * Real TCP between a station behind the wire and a guest, over its software port: does unipath cost what the bridge gives by aggregated
 * frames (GRO, GSO)?
 *
 * The wire carries what a wire carries: frames of the MTU, checksums finished; the uplink aggregates them (GRO). The guest's port is
 *   veth     which takes and sends aggregated frames
 *   tso-tap  which does so by its vnet header, as those of QEMU's virtio-net do
 *   tap      without a vnet header, so it takes none
 * In place of QEMU and vhost, a process copies frames between a tap and one in the guest.
 * unipath is on the uplink in all its modes:
 *   left     and nowhere else: the port is the bridge's
 *   off      and on the port, cut-through off
 *   generic  the same, but there its program runs on skbs: the device keeps its features
 *   on       and on the port, cut-through on
 * The automatic setting is `on` where the port takes no aggregated frames, else `left`.
 */
import { fileURLToPath } from 'node:url';
import { inNetns } from '../../native/netns.js';
import { XdpLink } from '../../native/xdp_link.js';
import { Bed } from '../bed.js';
import { TCP_PORTS, type TcpPort, TCP_TESTS, type TcpTest } from '../goals.js';
import type { Netns } from '../model.js';
import { type Contender, measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { addGuestVeth, benchMac, ifindexOf, inside, ip, macOf, NAMES } from '../stage.js';
import { bulkRate, type Endpoint, iperfServer, Processes, roundTrip, sockperfServer, type ToolPlace } from '../tools.js';

const MODES = ['bridge', 'left', 'off', 'generic', 'on'] as const;
export type Mode = (typeof MODES)[number];

/** Rounds are long: so many of the others make one. */
const ROUND_SHARE = 10;
const SECONDS = 1;
const STATION = 'station';
const IPERF_PORT = 5201;
const SOCKPERF_PORT = 11111;

interface Port {
  readonly vnic: number;
  readonly name: string;
  readonly device: string;
  /** Station and guest are .1 and .2. */
  readonly subnet: string;
}
const PORTS: Readonly<Record<TcpPort, Port>> = {
  veth: { vnic: 1, name: NAMES.port, device: NAMES.device, subnet: '10.98.1' },
  'tso-tap': { vnic: 2, name: 'tap1', device: 'eth1', subnet: '10.98.2' },
  tap: { vnic: 3, name: 'tap2', device: 'eth2', subnet: '10.98.3' },
};

const guestOf = (kind: TcpPort, port: number): Endpoint => ({ address: `${PORTS[kind].subnet}.2`, port });

const copierPath = fileURLToPath(new URL('../tap_copier.js', import.meta.url));

/** A tap on the bridge whose other end is one in the guest. */
async function addTap(processes: Processes, { host, guest }: Netns, kind: 'tap' | 'tso-tap', cpus: readonly number[]): Promise<void> {
  const { name, device } = PORTS[kind];
  const copier = [process.execPath, copierPath, host, name, guest, device, ...(kind === 'tso-tap' ? ['vnet'] : [])];
  await processes.startReady(['taskset', '--cpu-list', cpus.join(','), ...copier]);
  await ip(host, `link set dev ${name} master ${NAMES.bridge} up`);
}

/**
 * The station receives on the wire's end of the uplink, as from a NIC that sends aggregated frames. What it sends leaves by another
 * device, whose other end redirects it to the uplink: there it arrives as from a driver, frame by frame in pages, checksums finished.
 * Bridge and programs then start from the same.
 */
async function addWire(bed: Bed, { wire, host, guest }: Netns): Promise<XdpLink> {
  const mac = await macOf(wire, NAMES.far);
  await ip(wire, `link add ${STATION} address ${mac} type veth peer name ${STATION}-far`);
  for (const device of [STATION, `${STATION}-far`]) await ip(wire, `link set dev ${device} up`);
  for (const scope of ['all', 'default', STATION, NAMES.far]) await inside(wire, `sysctl -qw net.ipv4.conf.${scope}.rp_filter=0`);
  await inside(wire, `ethtool -K ${STATION} tx off tso off gso off`);
  for (const [netns, device] of [[wire, NAMES.far], [host, NAMES.uplink], [host, NAMES.port], [guest, NAMES.device]] as const) {
    // GRO, and with it the NAPI that a redirect to a veth needs.
    await inside(netns, `ethtool -K ${device} gro on`);
  }
  for (const kind of TCP_PORTS) {
    const { vnic, device, subnet } = PORTS[kind];
    await ip(guest, `link set dev ${device} address ${benchMac(vnic)} up`);
    await ip(guest, `address add ${subnet}.2/24 dev ${device}`);
    await ip(guest, `neighbour add ${subnet}.1 lladdr ${mac} dev ${device}`);
    await ip(wire, `address add ${subnet}.1/32 dev ${NAMES.far}`);
    await ip(wire, `route add ${subnet}.0/24 dev ${STATION} src ${subnet}.1`);
    await ip(wire, `neighbour add ${subnet}.2 lladdr ${benchMac(vnic)} dev ${STATION}`);
  }
  const [uplinkEnd, stationEnd] = [await ifindexOf(wire, NAMES.far), await ifindexOf(wire, `${STATION}-far`)];
  return inNetns(`/run/netns/${wire}`, () => {
    bed.setWire(uplinkEnd);
    return XdpLink.attach(bed.bench.program('bench_wire'), stationEnd, 'native');
  });
}

/** What unipath's automatic setting makes of a port with these features, as `ethtool -k` prints them. */
export function automaticMode(kind: TcpPort, features: string): Mode {
  if (/^\s*tx-tcp-segmentation: off/m.test(features)) return 'on';
  return kind === 'veth' ? 'generic' : 'off';
}

/** Attachments of a mode, replaced by those of the next. */
class Attachments {
  readonly #bed: Bed;
  readonly #ifindexes: Readonly<Record<TcpPort, number>>;
  readonly #cpus: readonly number[];
  #links: XdpLink[] = [];
  #now = '';

  constructor(bed: Bed, ifindexes: Readonly<Record<TcpPort, number>>, cpus: readonly number[]) {
    this.#bed = bed;
    this.#ifindexes = ifindexes;
    this.#cpus = cpus;
  }

  change(kind: TcpPort, mode: Mode): void {
    if (this.#now === `${kind} ${mode}`) return;
    this.clear();
    const { vnic } = PORTS[kind];
    this.#bed.setVnic({ id: vnic, path: 'software', cutThrough: mode === 'on', cpus: this.#cpus, port: this.#ifindexes[kind] });
    if (mode !== 'bridge') this.#links.push(XdpLink.attach(this.#bed.steerUplink, this.#bed.place.uplink, 'native'));
    if (mode === 'off' || mode === 'on' || mode === 'generic') {
      const how = mode === 'generic' ? 'generic' : 'native';
      this.#links.push(XdpLink.attach(this.#bed.steerGuest, this.#ifindexes[kind], how));
    }
    this.#now = `${kind} ${mode}`;
  }

  clear(): void {
    for (const link of this.#links) link.close();
    this.#links = [];
    this.#now = '';
  }
}

/** Costs, so that less is better: s per Gbit, or us. */
function runTest(test: TcpTest, kind: TcpPort, client: ToolPlace): Promise<number> {
  if (test === 'rr') return roundTrip(client, guestOf(kind, SOCKPERF_PORT), SECONDS);
  return bulkRate(client, guestOf(kind, IPERF_PORT), SECONDS, test === 'up').then((rate) => 1e9 / rate);
}

const TESTS = Object.keys(TCP_TESTS) as TcpTest[];

export const tcp: Section = {
  async raise(netns) {
    await addGuestVeth(netns, 1);
  },

  async measure({ netns, cpu, otherCpu, rounds, object }) {
    const processes = new Processes();
    const client = { netns: netns.wire, cpu };
    const cpus = otherCpu === null ? [cpu] : [cpu, otherCpu];
    let bed: Bed | null = null;
    try {
      for (const kind of ['tap', 'tso-tap'] as const) await addTap(processes, netns, kind, cpus);
      const portOf = (kind: TcpPort): Promise<number> => ifindexOf(netns.host, PORTS[kind].name);
      const ifindexes = { veth: await portOf('veth'), 'tso-tap': await portOf('tso-tap'), tap: await portOf('tap') };
      bed = await Bed.prepare(object, { uplink: await ifindexOf(netns.host, NAMES.uplink), port: ifindexes.veth });
      const wire = await addWire(bed, netns);
      const attachments = new Attachments(bed, ifindexes, [cpu]);
      const guest = { netns: netns.guest, cpu: otherCpu ?? cpu };
      for (const kind of TCP_PORTS) {
        processes.start(guest, iperfServer(guestOf(kind, IPERF_PORT)));
        processes.start(guest, sockperfServer(guestOf(kind, SOCKPERF_PORT)));
      }
      const contenders: Record<string, Contender> = {};
      for (const kind of TCP_PORTS) {
        for (const mode of MODES) {
          for (const test of TESTS) {
            const name = `${kind} ${mode} ${test}`;
            contenders[name] = () => {
              attachments.change(kind, mode);
              return runTest(test, kind, client).catch((error: unknown) => {
                throw new Error(`${name} failed`, { cause: error });
              });
            };
          }
        }
      }
      const finder = new Finder();
      const measured = finder.used(await measureRounds(contenders, {
        rounds: Math.max(2, Math.round(rounds / ROUND_SHARE)),
        cpus,
        progress: showProgress('tcp'),
      }));
      attachments.clear();
      wire.close();
      for (const kind of TCP_PORTS) {
        const auto = automaticMode(kind, await inside(netns.host, `ethtool -k ${PORTS[kind].name}`));
        finder.remark(`TCP, ${kind}: the automatic setting is \`${auto}\`.`);
        for (const test of TESTS) {
          const compare = (mode: Mode): number[] => measured.ratios(`${kind} bridge ${test}`, `${kind} ${mode} ${test}`);
          finder.ratio(`${test}-${kind}-auto`, compare(auto));
          for (const mode of ['on', 'off', 'generic'] as const) finder.ratio(`${test}-${kind}-${mode}`, compare(mode));
          for (const mode of MODES) {
            const costs = measured.values(`${kind} ${mode} ${test}`);
            const values = test === 'rr' ? costs : costs.map((cost) => 1 / cost);
            finder.figure(`${TCP_TESTS[test]}, ${kind}, ${mode}`, test === 'rr' ? 'us' : 'Gbit/s', values);
          }
        }
      }
      finder.remark('TCP: sender and receiver on a CPU each; what is between them runs on either. The taps are fed by a process that ' +
        'copies frame by frame, in place of QEMU with vhost, and are bound by it.');
      return finder.findings();
    } finally {
      processes.stopAll();
      bed?.close();
    }
  },
};
