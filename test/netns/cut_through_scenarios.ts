/** The world and two guests on their software paths, a tap and a veth, with and without cut-through. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Bed, IN_FLIGHT_MS, type Risen, UPLINK, WORLD } from './bed/bed.js';
import { bridge } from './bed/commands.js';
import { BedFlows, type Outcome } from './bed/flows.js';
import { serveScenarios } from './bed/place.js';

const OBSERVED_MS = 400;
/** The stacks' own multicast, which the bridge carries and learns from, is rare. */
const QUIET_TRIES = 30;
const QUIET_MS = 100;

export interface CutThroughState {
  readonly cutThrough: boolean;
  readonly outcome: Outcome;
  readonly risen: Risen;
  /** Where the bridge, whose table was emptied, has heard a station in a moment without multicast. */
  readonly learnt: { readonly world: string | null; readonly g1: string | null; readonly g2: string | null };
  /** The same traffic while the bridge forwards nothing. */
  readonly withoutBridge: Outcome;
}

async function learntWithoutMulticast(bed: Bed): Promise<CutThroughState['learnt']> {
  for (let i = 0; i < QUIET_TRIES; i++) {
    // In this order, a frame of between the two is counted as of this moment; in the other, it would be learnt from and not counted.
    bed.look();
    bed.flushFdb();
    await sleep(QUIET_MS);
    const learnt = { world: bed.fdb(bed.station(WORLD).mac), g1: bed.fdb(bed.station('g1').mac), g2: bed.fdb(bed.station('g2').mac) };
    const passed = Object.keys(bed.look()).filter((name) => name.includes(' pass_') && !name.endsWith(' pass_software'));
    if (passed.length === 0) return learnt;
  }
  throw new Error('there is multicast all the time');
}

await serveScenarios({
  async offAndOn(place) {
    const bed = await Bed.open(place, { ends: 'stacks', guests: { g1: { software: 'tap' }, g2: { software: 'veth' } } });
    const flows = await BedFlows.start(bed, { pairs: [['world', 'g1'], ['world', 'g2'], ['g1', 'g2']] });
    const forward = (state: 'disabled' | 'forwarding'): void => {
      for (const device of [UPLINK, 'tap-g1', 'tap-g2']) bridge(place.host, `link set dev ${device} state ${state}`);
    };
    const states: CutThroughState[] = [];
    for (const cutThrough of [false, true]) {
      bed.cutThrough(cutThrough);
      await sleep(IN_FLIGHT_MS);
      bed.look();
      const outcome = await flows.observe(OBSERVED_MS);
      const risen = bed.look();
      const learnt = await learntWithoutMulticast(bed);
      forward('disabled');
      await sleep(IN_FLIGHT_MS);
      const withoutBridge = await flows.observe(OBSERVED_MS);
      forward('forwarding');
      await flows.recover();
      states.push({ cutThrough, outcome, risen, learnt, withoutBridge });
    }
    const incomplete = await flows.stop();
    await bed.close();
    return { states, incomplete };
  },
});
