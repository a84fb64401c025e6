/** A VF port, and an uplink, whose drivers take no frames from programs on other devices: veths whose far ends have no NAPI. */
import { LinuxHostNetwork } from '../../src/host/network.js';
import { BROADCAST, frame } from '../support/packet_builder.js';
import { Bed, type Risen, type Station, WORLD } from './bed/bed.js';
import { setFeatures } from './bed/commands.js';
import { serveScenarios } from './bed/place.js';

const FRAMES = 10;

export interface NoTransmitSeen {
  /** What the kernel says of the uplink, the tap and the VF port; then of the same when programs run in generic mode. */
  readonly takes: readonly (boolean | null | undefined)[];
  readonly takesGeneric: readonly (boolean | null | undefined)[];
  readonly steps: Readonly<Record<string, { readonly arrived: Readonly<Record<string, number>>; readonly risen: Risen }>>;
}

const unicast = (from: Station, to: Station, port: number): Buffer =>
  frame().ethernet({ from: from.mac, to: to.mac }).ip(from.ipv4, to.ipv4).udp(port, 53).fillTo(200).build();

async function observe(place: Parameters<typeof Bed.open>[0], plugin: boolean): Promise<NoTransmitSeen> {
  const bed = await Bed.open(place, { ends: 'raw', guests: { g1: { software: 'tap', vf: 'port', row: { plugin } }, g2: { software: 'tap' } } });
  const [g1, g2, world] = [bed.station('g1'), bed.station('g2'), bed.station(WORLD)];
  setFeatures(g1.netns, 'vf0', 'gro', 'off');
  setFeatures(world.netns, 'wire', 'gro', 'off');
  const takes = async (programs: 'native' | 'generic') => {
    const network = new LinuxHostNetwork(undefined, programs);
    const links = await network.links();
    network.close();
    return ['pf0', 'tap-g1', 'vf-g1'].map((name) => links.get(name)?.takesRedirects);
  };
  const steps: Record<string, NoTransmitSeen['steps'][string]> = {};
  const look = async (what: string): Promise<void> => {
    await bed.settle();
    const ports = ([['g1', 'tap'], ['g1', 'vf'], ['g2', 'tap'], [WORLD, 'wire']] as const).map(([name, side]) =>
      [`${name} ${side}`, bed.port(name, side).take().length] as const);
    steps[what] = { arrived: Object.fromEntries(ports.filter(([, count]) => count > 0)), risen: bed.look() };
  };
  const times = (send: (i: number) => void): void => void Array.from({ length: FRAMES }, (_, i) => send(i));

  await bed.bring('g1', 'accelerated');
  times((i) => bed.port(WORLD).send(unicast(world, g1, i)));
  await look('untold, from the wire');
  bed.change('g1', { vfNoTransmit: true, uplinkNoTransmit: true });
  bed.dataPlane.attachTap(bed.ifindex('tap-g1'), 'tap-g1');
  times((i) => bed.port(WORLD).send(unicast(world, g1, i)));
  await look('from the wire');
  times((i) => bed.port('g2', 'tap').send(unicast(g2, g1, i)));
  await look('from a neighbour');
  bed.port(WORLD).send(frame().ethernet({ from: world.mac, to: BROADCAST }).arp({ senderMac: world.mac, sender: world.ipv4, target: g1.ipv4 }).build());
  await look('a broadcast');
  times((i) => bed.port('g1', 'vf').send(unicast(g1, world, i)));
  await look('to the wire');
  await bed.bring('g1', 'software');
  times((i) => bed.port(WORLD).send(unicast(world, g1, i)));
  await look('software, from the wire');
  const seen = { takes: await takes('native'), takesGeneric: await takes('generic'), steps };
  await bed.close();
  return seen;
}

await serveScenarios({
  plugin: (place) => observe(place, true),
  failover: (place) => observe(place, false),
});
