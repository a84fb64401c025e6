/**
 * An adapter that switches by itself (VEB): the wire, the PF and the VF of g1 are ports of its switch, and the host sees the PF
 * only. g2 and g3 are on their taps.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BROADCAST, frame, type FrameBuilder } from '../support/packet_builder.js';
import { Bed, IN_FLIGHT_MS, type Risen, WORLD } from './bed/bed.js';
import { BedFlows, type Outcome } from './bed/flows.js';
import { serveScenarios } from './bed/place.js';

const FRAMES = 6;
const OBSERVED_MS = 400;

/** How many of the frames of a step arrived where, whole; and what was counted. */
export interface Step {
  readonly what: string;
  readonly arrived: Readonly<Record<string, number>>;
  readonly strange: number;
  readonly risen: Risen;
}

export interface LegacyState {
  readonly cutThrough: boolean;
  readonly g1: 'accelerated' | 'software';
  readonly outcome: Outcome;
  readonly risen: Risen;
}

const GUESTS = { g1: { software: 'veth', vf: 'adapter' }, g2: { software: 'tap' }, g3: { software: 'veth' } } as const;
const ENDS = ['world wire', 'g1 tap', 'g1 vf', 'g2 tap', 'g3 tap'] as const;

async function rawSteps(bed: Bed): Promise<Step[]> {
  const steps: Step[] = [];
  const portOf = (end: string) => bed.port(...(end.split(' ') as [string, 'tap' | 'vf' | 'wire']));
  const datagram = (from: string, to: string, port: number): FrameBuilder => {
    const [source, target] = [bed.station(from), bed.station(to)];
    return frame().ethernet({ from: source.mac, to: target.mac }).ip(source.ipv4, target.ipv4).udp(4000, port);
  };
  /** `end`: the raw end that sends. */
  const send = async (what: string, end: string, to: string, from = end.split(' ')[0] ?? ''): Promise<void> => {
    await bed.settle();
    for (const each of ENDS) portOf(each).take();
    bed.look();
    const sent = Array.from({ length: FRAMES }, (_, i) => datagram(from, to, 5000 + steps.length).fillTo(60 + 200 * i).build());
    for (const each of sent) portOf(end).send(each);
    await bed.settle();
    const whole = (bytes: Buffer) => sent.some((each) => each.equals(bytes));
    const frames = ENDS.map((each) => [each, portOf(each).take()] as const);
    const strange = frames.flatMap(([, list]) => list).filter((arrived) => !whole(arrived.frame)).length;
    const arrived = frames.map(([each, list]) => [each, list.filter((one) => whole(one.frame)).length] as const);
    steps.push({ what, arrived: Object.fromEntries(arrived.filter(([, count]) => count > 0)), strange, risen: bed.look() });
  };
  // Both switches learn who is where; what they do not know they flood.
  for (const end of ['g2 tap', 'g3 tap', 'g1 vf']) await send('learn', end, WORLD);
  await send('learn', 'world wire', 'g2');
  steps.length = 0;
  for (const cutThrough of [false, true]) {
    bed.cutThrough(cutThrough);
    const mode = cutThrough ? ', cut-through' : '';
    await send(`tap to VF${mode}`, 'g2 tap', 'g1');
    await send(`VF to tap${mode}`, 'g1 vf', 'g2');
    await send(`veth to VF${mode}`, 'g3 tap', 'g1');
    await send(`VF to veth${mode}`, 'g1 vf', 'g3');
    await send(`world to VF${mode}`, 'world wire', 'g1');
    await send(`VF to world${mode}`, 'g1 vf', WORLD);
    await send(`world to tap${mode}`, 'world wire', 'g2');
    await send(`tap to world${mode}`, 'g2 tap', WORLD);
    // An adapter that has not been told of the VF's address gives its frames to the PF; and the host's bridge, which has heard g1 behind
    // the PF, has to hear it on its tap again (where a guest on its VF still sends broadcast) before it does anything with them.
    const g1 = bed.station('g1');
    const announcement = frame().ethernet({ from: g1.mac, to: BROADCAST }).arp({ senderMac: g1.mac, sender: g1.ipv4, target: g1.ipv4 });
    bed.port('g1', 'tap').send(announcement.build());
    await bed.settle();
    bed.adapterKnows('g1', false);
    await send(`world to VF, unknown to the adapter${mode}`, 'world wire', 'g1');
    bed.adapterKnows('g1', true);
  }
  return steps;
}

await serveScenarios({
  async frames(place) {
    const bed = await Bed.open(place, { ends: 'raw', guests: GUESTS });
    await bed.bring('g1', 'accelerated');
    const steps = await rawSteps(bed);
    await bed.close();
    return steps;
  },

  async flows(place) {
    const bed = await Bed.open(place, { ends: 'stacks', guests: { g1: GUESTS.g1, g2: GUESTS.g2 } });
    const flows = await BedFlows.start(bed, { pairs: [['world', 'g1'], ['g1', 'g2'], ['world', 'g2']] });
    const states: LegacyState[] = [];
    for (const [g1, cutThrough] of [['accelerated', false], ['accelerated', true], ['software', true]] as const) {
      bed.cutThrough(cutThrough);
      await bed.bring('g1', g1);
      await sleep(IN_FLIGHT_MS);
      bed.look();
      const outcome = await flows.observe(OBSERVED_MS);
      states.push({ cutThrough, g1, outcome, risen: bed.look() });
    }
    const incomplete = await flows.stop();
    await bed.close();
    return { states, incomplete };
  },
});
