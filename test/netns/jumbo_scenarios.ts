/** An MTU of 9000: frames that lie in several buffers, between stacks that leave checksums and segmentation to their devices or not. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VnicPath } from '../../src/core/model.js';
import { Bed, IN_FLIGHT_MS, type Risen, WORLD } from './bed/bed.js';
import { setFeatures } from './bed/commands.js';
import { BedFlows, type Outcome } from './bed/flows.js';
import { serveScenarios } from './bed/place.js';

const MTU = 9000;
/** One buffer, several, and as many as there can be with IPv6. */
const SIZES = [300, 4500, MTU - 48];
const OBSERVED_MS = 400;

export interface JumboSeen {
  readonly path: VnicPath;
  readonly cutThrough: boolean;
  readonly offloads: boolean;
  readonly outcome: Outcome;
  readonly risen: Risen;
}

await serveScenarios({
  async flows(place) {
    const ports = { vfMultiBuffer: true, uplinkMultiBuffer: true };
    const bed = await Bed.open(place, {
      ends: 'stacks', mtu: MTU,
      guests: {
        g1: { software: 'tap', vf: 'port', row: ports },
        g2: { software: 'veth', vf: 'port', row: { ...ports, tapMultiBuffer: true } },
      },
    });
    const pairs = [['world', 'g1'], ['world', 'g2'], ['g1', 'g2']] as const;
    const flows = await BedFlows.start(bed, { pairs, sizes: SIZES, packetsPerSecond: 60, tcpBytesPerSecond: 1_000_000 });
    const senders = [[WORLD, 'wire'], ['g1', 'vf0'], ['g2', 'eth0'], ['g2', 'vf0']] as const;
    const seen: JumboSeen[] = [];
    for (const [path, cutThrough] of [['software', false], ['software', true], ['accelerated', true]] as const) {
      bed.cutThrough(cutThrough);
      for (const guest of ['g1', 'g2']) await bed.bring(guest, path);
      for (const offloads of [false, true]) {
        const state = offloads ? 'on' : 'off';
        for (const [station, device] of senders) setFeatures(bed.station(station).netns, device, 'tx', state, 'tso', state, 'gso', state);
        await sleep(IN_FLIGHT_MS);
        bed.look();
        const outcome = await flows.observe(OBSERVED_MS);
        seen.push({ path, cutThrough, offloads, outcome, risen: bed.look() });
      }
    }
    const incomplete = await flows.stop();
    await bed.close();
    return { seen, incomplete };
  },
});
