/** What the number of vNICs costs. The number of flows stays the same: they are shared out among the vNICs, which take turns. */
import { Reason } from '../../../maps/generated/contract.js';
import { Bed, type BedVnic, MOST_VNICS, QUEUES } from '../bed.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { XdpSink } from '../sink.js';
import { addGuestVeth, ifindexOf, NAMES } from '../stage.js';
import { sendWay, sliceOf, type Way } from '../ways.js';

const COUNTS = [1, 2, 4, 8, 16, 32, 64, 128, MOST_VNICS] as const;
const FLOWS = MOST_VNICS;
const ALL = Array.from({ length: MOST_VNICS }, (_, i) => i + 1);

export const vnics: Section = {
  raise: (netns) => addGuestVeth(netns, QUEUES),

  async measure({ netns, cpu, rounds, sliceNs, object }) {
    const place = { uplink: await ifindexOf(netns.host, NAMES.uplink), port: await ifindexOf(netns.host, NAMES.port) };
    const bed = await Bed.prepare(object, place);
    try {
      const each = (id: number): BedVnic => ({ id, cpus: [cpu], ownPort: true });
      for (const id of ALL) bed.setVnic(each(id));
      const sink = await XdpSink.open(bed.bench, netns.guest, NAMES.device);
      const frame = bed.frame(1, { version: 4, l4: 'udp' });
      const prepare = (count: number): void => {
        // What is learnt is forgotten after a while, so again before every slice.
        for (const id of ALL.slice(0, count)) bed.learn(each(id), FLOWS, cpu);
        bed.vary({ flows: FLOWS, order: 'turns', firstVnic: 1, vnics: count }, frame);
      };
      const learnt = (): number => bed.reasonCount(Reason.REDIRECT_RFS, ALL);
      const finder = new Finder();
      const contenders: Record<string, () => number | Promise<number>> = {};
      for (const count of COUNTS) {
        contenders[`run ${count}`] = () => {
          prepare(count);
          return bed.costOf('vary_steer', frame.bytes);
        };
      }
      for (const count of [1, MOST_VNICS]) {
        const way: Way = { program: 'vary_steer', frame: frame.bytes, prepare: () => prepare(count), steered: learnt };
        const name = `live ${count}`;
        const frames = await sliceOf(bed, sink, name, way, sliceNs);
        contenders[name] = () => sendWay(bed, sink, name, way, frames);
      }
      const measured = finder.used(await measureRounds(contenders, { rounds, cpus: [cpu], progress: showProgress('vnics') }));
      sink.close();
      finder.ratio('vnics-run', measured.ratios(`run ${MOST_VNICS}`, 'run 1'));
      finder.ratio('vnics-live', measured.ratios(`live ${MOST_VNICS}`, 'live 1'));
      const points = COUNTS.map((count) => ({ x: count, values: measured.values(`run ${count}`) }));
      finder.curve({ name: 'program cost by vNICs', x: 'vNICs', unit: 'ns', points });
      for (const count of COUNTS) finder.figure(`${count} vNICs in turn, RFS, TEST_RUN`, 'ns', measured.values(`run ${count}`));
      for (const count of [1, MOST_VNICS]) {
        finder.figure(`${count} vNICs in turn, RFS, live`, 'Mpps', measured.values(`live ${count}`).map((ns) => 1e3 / ns));
      }
      finder.remark(`vNICs: ${FLOWS} flows in all at every point, so that only the number of vNICs changes; every vNIC has its own entry ` +
        'in the map of ports, and all of these name one device.');
      return finder.findings();
    } finally {
      bed.close();
    }
  },
};
