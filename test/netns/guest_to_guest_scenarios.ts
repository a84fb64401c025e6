/** Two guests of one host talk to each other, on every combination of their paths. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VnicPath } from '../../src/core/model.js';
import { Bed, IN_FLIGHT_MS, type GuestOptions, type Risen } from './bed/bed.js';
import { BedFlows, type Outcome } from './bed/flows.js';
import { type Place, serveScenarios } from './bed/place.js';

const PATHS: readonly VnicPath[] = ['software', 'accelerated'];
const OBSERVED_MS = 350;

export interface PairSeen {
  readonly paths: { readonly g1: VnicPath; readonly g2: VnicPath };
  readonly cutThrough: boolean;
  readonly outcome: Outcome;
  readonly risen: Risen;
}

export interface GuestToGuestSeen {
  readonly states: readonly PairSeen[];
  readonly incomplete: readonly string[];
}

async function everyCombination(place: Place, software: GuestOptions['software']): Promise<GuestToGuestSeen> {
  const guests = { g1: { software, vf: 'port' }, g2: { software, vf: 'port' } } as const;
  const bed = await Bed.open(place, { ends: 'stacks', guests });
  const flows = await BedFlows.start(bed, { pairs: [['g1', 'g2']] });
  const states: PairSeen[] = [];
  for (const cutThrough of [false, true]) {
    bed.cutThrough(cutThrough);
    for (const g1 of PATHS) {
      for (const g2 of PATHS) {
        await bed.bring('g1', g1);
        await bed.bring('g2', g2);
        await sleep(IN_FLIGHT_MS);
        bed.look();
        const outcome = await flows.observe(OBSERVED_MS);
        states.push({ paths: { g1, g2 }, cutThrough, outcome, risen: bed.look() });
      }
    }
  }
  const incomplete = await flows.stop();
  await bed.close();
  return { states, incomplete };
}

await serveScenarios({
  taps: (place) => everyCombination(place, 'tap'),
  veths: (place) => everyCombination(place, 'veth'),
});
