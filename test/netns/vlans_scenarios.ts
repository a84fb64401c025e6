/**
 * Access and trunk vNICs on a tagged uplink. The bridge forwards nothing here (it would need VLAN filtering, which not every kernel
 * has): whatever arrives was brought by the programs. Ends are raw, so that tags are seen as they are.
 */
import type { VnicPath } from '../../src/core/model.js';
import { frame } from '../support/packet_builder.js';
import { Bed, type Risen, UPLINK, WORLD } from './bed/bed.js';
import { bridge } from './bed/commands.js';
import { type Place, serveScenarios } from './bed/place.js';
import { splitTag } from './bed/raw_port.js';

/** In VLAN 7: a, b (access) and t (trunk, with 8). In VLAN 8: c (access). */
const GUESTS = {
  a: { software: 'tap', vf: 'port', row: { vlans: [7], access: true } },
  b: { software: 'veth', vf: 'port', row: { vlans: [7], access: true } },
  c: { software: 'tap', vf: 'port', row: { vlans: [8], access: true } },
  t: { software: 'veth', vf: 'port', row: { vlans: [7, 8] } },
} as const;
/** The last one is as large as an MTU of 1500 allows, its tag not counted. */
const SIZES = [60, 61, 590, 1514];

export interface Sent {
  readonly from: string;
  readonly to: string;
  /** Null: untagged. VLAN 0 is a tag that has a priority only. */
  readonly vlan: number | null;
  readonly priority: number;
}

export interface VlanSeen extends Sent {
  /** By the end where they arrived, the tags (VLAN and priority) of those whole, in order; `-` is untagged. */
  readonly arrived: Readonly<Record<string, readonly string[]>>;
  readonly strange: number;
  readonly risen: Risen;
}

const word = (tci: number | null): string => (tci === null ? '-' : `${tci & 0xfff}/${tci >> 13}`);

async function send(bed: Bed, path: VnicPath, sent: Sent): Promise<VlanSeen> {
  const [source, target] = [bed.station(sent.from), bed.station(sent.to)];
  const ends = ['world wire', ...Object.keys(GUESTS).flatMap((guest) => [`${guest} tap`, `${guest} vf`])];
  const portOf = (end: string) => bed.port(...(end.split(' ') as [string, 'tap' | 'vf' | 'wire']));
  await bed.settle();
  for (const end of ends) portOf(end).take();
  bed.look();
  const ethernet = frame().ethernet({ from: source.mac, to: target.mac });
  const inner = (size: number) => (builder: typeof ethernet) => builder.ip(source.ipv4, target.ipv4).udp(4000, 5000).fillTo(size);
  const untagged = SIZES.map((size) => inner(size)(ethernet).build());
  const frames = SIZES.map((size) => inner(size + 4)(ethernet.vlan(sent.vlan ?? 0, sent.priority)).build());
  const port = bed.port(sent.from, sent.from === WORLD ? 'wire' : path === 'accelerated' ? 'vf' : 'tap');
  for (const each of sent.vlan === null ? untagged : frames) port.send(each);
  await bed.settle();
  let strange = 0;
  const arrived: Record<string, string[]> = {};
  for (const end of ends) {
    for (const { frame: bytes } of portOf(end).take()) {
      const { tci, rest } = splitTag(bytes);
      if (untagged.some((each) => each.equals(rest))) (arrived[end] ??= []).push(word(tci));
      else strange++;
    }
  }
  return { ...sent, arrived, strange, risen: bed.look() };
}

const FROM_GUESTS: readonly Sent[] = [
  { from: 'a', to: WORLD, vlan: null, priority: 0 },
  { from: 'a', to: WORLD, vlan: 0, priority: 5 },
  { from: 'a', to: WORLD, vlan: 7, priority: 0 },
  { from: 'a', to: WORLD, vlan: 8, priority: 0 },
  { from: 'a', to: 'b', vlan: null, priority: 0 },
  { from: 'b', to: 'a', vlan: null, priority: 0 },
  { from: 'a', to: 'c', vlan: null, priority: 0 },
  { from: 'a', to: 't', vlan: null, priority: 0 },
  { from: 'a', to: 't', vlan: 0, priority: 6 },
  { from: 'c', to: 't', vlan: null, priority: 0 },
  { from: 't', to: 'a', vlan: 7, priority: 4 },
  { from: 't', to: 'a', vlan: 8, priority: 0 },
  { from: 't', to: 'c', vlan: 8, priority: 0 },
  { from: 't', to: WORLD, vlan: 8, priority: 2 },
  { from: 't', to: WORLD, vlan: 9, priority: 0 },
  { from: 't', to: WORLD, vlan: null, priority: 0 },
];
const FROM_WORLD: readonly Sent[] = [
  { from: WORLD, to: 'a', vlan: 7, priority: 3 },
  { from: WORLD, to: 'a', vlan: 8, priority: 0 },
  { from: WORLD, to: 'a', vlan: null, priority: 0 },
  { from: WORLD, to: 'c', vlan: 8, priority: 0 },
  { from: WORLD, to: 't', vlan: 8, priority: 1 },
  { from: WORLD, to: 't', vlan: 9, priority: 0 },
];

async function walk(place: Place, path: VnicPath): Promise<VlanSeen[]> {
  const bed = await Bed.open(place, { ends: 'raw', guests: GUESTS });
  for (const device of [UPLINK, ...Object.keys(GUESTS).flatMap((guest) => [`tap-${guest}`, `vf-${guest}`])]) {
    bridge(place.host, `link set dev ${device} state disabled`);
  }
  bed.cutThrough(path === 'software');
  for (const guest of Object.keys(GUESTS)) await bed.bring(guest, path);
  const seen: VlanSeen[] = [];
  // First, so that the world is known in both VLANs.
  for (const sent of [...FROM_WORLD, ...FROM_GUESTS]) seen.push(await send(bed, path, sent));
  await bed.close();
  return seen;
}

await serveScenarios({
  software: (place) => walk(place, 'software'),
  accelerated: (place) => walk(place, 'accelerated'),
});
