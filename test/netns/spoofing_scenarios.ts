/** A guest that claims to be others, on both of its ports, beside a neighbour whose traffic must not notice. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PathState } from '../../src/dataplane/port.js';
import { PacketSocket } from '../../src/native/socket.js';
import { BROADCAST, frame } from '../support/packet_builder.js';
import { Bed, ifindexOf, IN_FLIGHT_MS, type Risen, WORLD } from './bed/bed.js';
import { ip } from './bed/commands.js';
import { BedFlows, type Outcome } from './bed/flows.js';
import { serveScenarios } from './bed/place.js';

const STATES = [['eth0', 'software'], ['eth0', 'accelerated'], ['vf0', 'software'], ['vf0', 'accelerated']] as const;
const ROUNDS = 60;
const BURST = 5;
const PAUSE_MS = 5;
const OBSERVED_MS = 300;

export interface SpoofSeen {
  readonly by: string;
  readonly victimOn: string;
  /** Frames sent of each kind, by the reason to refuse them. */
  readonly sent: Readonly<Record<string, number>>;
  readonly outcome: Outcome;
  readonly risen: Risen;
  readonly path: readonly [before: PathState, after: PathState];
  /** Where the bridge believes the victim to be, and the address that the world has for its IP address. */
  readonly victim: { readonly bridgePort: string | null; readonly neighbour: string };
  readonly ownPath: readonly [before: PathState, after: PathState];
}

/** Every kind of lie, by the reason to refuse it. They go to the victim's peer, or to everyone. */
function lies(bed: Bed): Record<string, Buffer> {
  const [liar, victim, world] = [bed.station('g1'), bed.station('g2'), bed.station(WORLD)];
  const from = (mac: string, to: string = world.mac) => frame().ethernet({ from: mac, to });
  return {
    drop_spoofed_mac: from(victim.mac).ip(victim.ipv4, world.ipv4).udp(20_001, 7000).payload('I am g2').build(),
    drop_spoofed_vlan: from(liar.mac).vlan(9).ip(liar.ipv4, world.ipv4).udp(20_001, 7000).payload('in VLAN 9').build(),
    drop_spoofed_arp: from(liar.mac, BROADCAST).arp({ senderMac: liar.mac, sender: victim.ipv4, target: world.ipv4 }).padTo(60).build(),
    drop_spoofed_nd: from(liar.mac).ip(liar.ipv6, world.ipv6).neighbourAdvertisement(victim.ipv6).build(),
    drop_spoofed_ip: from(liar.mac).ip(victim.ipv4, world.ipv4).udp(20_001, 7000).payload('from g2').build(),
  };
}

await serveScenarios({
  async flood(place) {
    const row = { addresses: ['10.6.0.1', 'fd06::1', 'fe80::/10'] };
    const bed = await Bed.open(place, {
      ends: 'stacks', guests: { g1: { software: 'veth', vf: 'port', row }, g2: { software: 'veth', vf: 'port' } },
    });
    const flows = await BedFlows.start(bed, { pairs: [['world', 'g2']] });
    const liar = bed.station('g1');
    const socket = new PacketSocket(`/run/netns/${liar.netns}`);
    const seen: SpoofSeen[] = [];
    for (const [device, victimOn] of STATES) {
      bed.cutThrough(victimOn === 'software' && device === 'vf0');
      await bed.bring('g1', 'software');
      // It could move itself, if what it sends by the VF were believed.
      bed.dataPlane.changePath(bed.id('g1'), { vfAllowed: true });
      await bed.bring('g2', victimOn);
      await sleep(IN_FLIGHT_MS);
      bed.look();
      const before = [bed.dataPlane.path(bed.id('g1')), bed.dataPlane.path(bed.id('g2'))] as const;
      const kinds = lies(bed);
      const sent: Record<string, number> = {};
      const ifindex = ifindexOf(liar.netns, device);
      const observed = flows.observe(Math.max(OBSERVED_MS, ROUNDS * PAUSE_MS));
      for (let round = 0; round < ROUNDS; round++) {
        for (const [reason, bytes] of Object.entries(kinds)) {
          for (let i = 0; i < BURST; i++) socket.send(ifindex, bytes);
          sent[reason] = (sent[reason] ?? 0) + BURST;
        }
        await sleep(PAUSE_MS);
      }
      const outcome = await observed;
      const victim = bed.station('g2');
      const neighbour = ip(bed.station(WORLD).netns, `neigh show ${victim.ipv4}`);
      seen.push({
        by: device, victimOn, sent, outcome, risen: bed.look(),
        path: [before[1], bed.dataPlane.path(bed.id('g2'))], ownPath: [before[0], bed.dataPlane.path(bed.id('g1'))],
        victim: { bridgePort: bed.fdb(victim.mac), neighbour: /lladdr (\S+)/.exec(neighbour)?.[1] ?? '' },
      });
    }
    socket.close();
    const incomplete = await flows.stop();
    await bed.close();
    return { seen, incomplete };
  },
});
