/** Frames for everyone, and what a stack needs them for, on every path and while it changes. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VnicPath } from '../../src/core/model.js';
import { inNetns } from '../../src/native/netns.js';
import { BROADCAST, frame } from '../support/packet_builder.js';
import { Bed, type BedOptions, type GuestOptions, type Risen } from './bed/bed.js';
import { ip } from './bed/commands.js';
import { CASTS, GroupSockets } from './bed/group_sockets.js';
import { type Place, serveScenarios } from './bed/place.js';

const GUESTS = { g1: { software: 'tap', vf: 'port' }, g2: { software: 'veth', vf: 'port' }, g3: { software: 'tap' } } as const;
const ENDS = ['world wire', 'g1 tap', 'g1 vf', 'g2 tap', 'g2 vf', 'g3 tap'] as const;
const STATES: readonly { readonly name: string; readonly cutThrough: boolean; readonly g1: VnicPath; readonly g2: VnicPath }[] = [
  { name: 'software', cutThrough: false, g1: 'software', g2: 'software' },
  { name: 'software, cut-through', cutThrough: true, g1: 'software', g2: 'software' },
  { name: 'one accelerated', cutThrough: true, g1: 'accelerated', g2: 'software' },
  { name: 'both accelerated', cutThrough: false, g1: 'accelerated', g2: 'accelerated' },
];

export interface FramesSeen {
  readonly state: string;
  readonly from: string;
  /** By end: how often the frame of each kind arrived there, when it did. */
  readonly arrived: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly strange: number;
  readonly risen: Risen;
}

function framesFrom(mac: string, ipv4: string, ipv6: string, port: number): Record<string, Buffer> {
  const to = (address: string) => frame().ethernet({ from: mac, to: address });
  const routerAlert = Buffer.from('94040000', 'hex');
  const membership = Buffer.from('2200e9f9000000010400000006060606', 'hex');
  const listener = Buffer.from('8f000000000000010400000000000000ff020000000000000000000000060006', 'hex');
  return {
    arp: to(BROADCAST).arp({ senderMac: mac, sender: ipv4, target: `10.6.0.${port}` }).padTo(60).build(),
    multicast: to('01:00:5e:06:06:06').ip(ipv4, '239.6.6.6').udp(port, 7004).payload('to a group').build(),
    igmp: to('01:00:5e:00:00:16').ipv4({ from: ipv4, to: '224.0.0.22', options: routerAlert, protocol: 2 }).payload(membership).build(),
    mld: to('33:33:00:00:00:16').ipv6({ from: ipv6, to: 'ff02::16', protocol: 58 }).payload(listener).build(),
    dad: to('33:33:ff:00:00:99').ip('::', 'ff02::1:ff00:99').neighbourSolicitation(`fd06::${port}:99`).build(),
    solicitation: to('33:33:ff:00:00:98').ip(ipv6, 'ff02::1:ff00:98').neighbourSolicitation(`fd06::${port}:98`).build(),
  };
}

/** Milliseconds instead of seconds, for every address to come. */
function hastenDuplicateDetection(bed: Bed): void {
  for (const { netns, interface: device } of bed.stations.values()) {
    inNetns(`/run/netns/${netns}`, () => {
      writeFileSync(`/proc/sys/net/ipv6/neigh/${device}/retrans_time_ms`, '150');
      writeFileSync(`/proc/sys/net/ipv6/conf/${device}/router_solicitation_delay`, '0');
    });
  }
}

interface ShownAddress {
  readonly local: string;
  readonly tentative?: boolean;
  readonly dadfailed?: boolean;
}

type DadResult = 'unique' | 'duplicate' | 'tentative';

function dadResult(netns: string, address: string): DadResult {
  const [link] = JSON.parse(ip(netns, '-j address show dev eth0')) as { addr_info: ShownAddress[] }[];
  const found = link?.addr_info.find(({ local }) => local === address);
  if (found?.dadfailed === true) return 'duplicate';
  return found === undefined || found.tentative === true ? 'tentative' : 'unique';
}

async function detect(netns: string, address: string): Promise<DadResult> {
  ip(netns, `address add ${address}/64 dev eth0`);
  for (let i = 0; i < 100 && dadResult(netns, address) === 'tentative'; i++) await sleep(50);
  return dadResult(netns, address);
}

export interface CastSeen {
  readonly sent: number;
  /** Each that did not arrive exactly as often as it should. */
  readonly wrong: readonly string[];
  readonly risen: Risen;
}

/** Numbered datagrams to everyone, from everyone, while guests change their path. */
async function castWhileSwitching(place: Place, options: BedOptions, switching: readonly string[]): Promise<CastSeen> {
  const bed = await Bed.open(place, options);
  const sockets = new GroupSockets(bed);
  const stations = [...bed.stations.keys()];
  await sleep(100);
  bed.look();
  const sent: { from: string; text: string; own: number }[] = [];
  for (let round = 0; round < 8; round++) {
    for (let number = 0; number < 6; number++) {
      if (number === 3) for (const guest of switching) await bed.bring(guest, round % 2 === 0 ? 'accelerated' : 'software');
      for (const from of stations) {
        for (const cast of CASTS) {
          const text = `${from} ${cast} ${round} ${number}`;
          sockets.send(from, cast, text);
          // A stack gives its own to its own sockets, too; that one never was on a wire.
          sent.push({ from, text, own: cast === 'multicast4' ? 0 : 1 });
        }
      }
      await sleep(8);
    }
  }
  await sleep(300);
  const wrong = sent.flatMap(({ from, text, own }) => stations.flatMap((station) => {
    const count = sockets.count(station, text);
    return count === (station === from ? own : 1) ? [] : [`"${text}" arrived ${count} times at ${station}`];
  }));
  sockets.close();
  const risen = bed.look();
  await bed.close();
  return { sent: sent.length, wrong, risen };
}

await serveScenarios({
  async frames(place) {
    const bed = await Bed.open(place, { ends: 'raw', guests: GUESTS });
    const portOf = (end: string) => bed.port(...(end.split(' ') as [string, 'tap' | 'vf' | 'wire']));
    const seen: FramesSeen[] = [];
    for (const { name, cutThrough, g1, g2 } of STATES) {
      bed.cutThrough(cutThrough);
      await bed.bring('g1', g1);
      await bed.bring('g2', g2);
      for (const from of ENDS.filter((end) => !end.endsWith('vf') || end === 'g1 vf')) {
        if (from === 'g1 vf' && g1 !== 'accelerated') continue;
        await bed.settle(20);
        for (const end of ENDS) portOf(end).take();
        bed.look();
        const { mac, ipv4, ipv6 } = bed.station(from.split(' ')[0] ?? '');
        const sent = framesFrom(mac, ipv4, ipv6, seen.length + 1);
        for (const each of Object.values(sent)) portOf(from).send(each);
        await bed.settle();
        let strange = 0;
        const arrived: Record<string, Record<string, number>> = {};
        for (const end of ENDS) {
          for (const one of portOf(end).take()) {
            const kind = Object.keys(sent).find((each) => sent[each]?.equals(one.frame));
            if (kind === undefined) strange++;
            else (arrived[end] ??= {})[kind] = (arrived[end]?.[kind] ?? 0) + 1;
          }
        }
        seen.push({ state: name, from, arrived, strange, risen: bed.look() });
      }
    }
    await bed.close();
    return seen;
  },

  switching: (place) => castWhileSwitching(place, { ends: 'stacks', guests: GUESTS, knownNeighbours: false }, ['g1', 'g2']),

  legacy: (place) => {
    const guests: Record<string, GuestOptions> = { g1: { software: 'tap', vf: 'adapter' }, g2: { software: 'veth', vf: 'adapter' } };
    return castWhileSwitching(place, { ends: 'stacks', guests, knownNeighbours: false }, ['g1', 'g2']);
  },

  async neighbours(place) {
    const bed = await Bed.open(place, { ends: 'stacks', guests: GUESTS, knownNeighbours: false });
    hastenDuplicateDetection(bed);
    const sockets = new GroupSockets(bed);
    const [g1, g2] = [bed.station('g1'), bed.station('g2')];
    const states: object[] = [];
    for (const [i, state] of STATES.entries()) {
      bed.cutThrough(state.cutThrough);
      await bed.bring('g1', state.g1);
      await bed.bring('g2', state.g2);
      // The first datagram waits until the neighbour is found.
      for (const { netns } of bed.stations.values()) ip(netns, 'neigh flush all');
      const pairs = [['g1', 'g2'], ['g2', 'world'], ['world', 'g1'], ['g3', 'g1']] as const;
      for (const [from, to] of pairs) sockets.sendTo(from, to, `${from} ${to} ${i}`);
      const first = await detect(g1.netns, `fd06::${i + 1}:1`);
      const [duplicate, second] = await Promise.all([detect(g2.netns, `fd06::${i + 1}:1`), detect(g2.netns, `fd06::${i + 1}:2`)]);
      const arrived = pairs.flatMap(([from, to]) => [4, 6].map((family) => sockets.count(to, `${from} ${to} ${i} ${family}`)));
      states.push({ name: state.name, first, duplicate, second, arrived });
    }
    sockets.close();
    await bed.close();
    return states;
  },
});
