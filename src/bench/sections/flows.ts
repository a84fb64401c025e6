/** What the number of flows costs, and the flow table against the kernel's LRU hash. */
import { Reason } from '../../../maps/generated/contract.js';
import { Bed, type BedVnic, MOST_VNICS, QUEUES } from '../bed.js';
import { FLOWS_PER_VNIC } from '../frames.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { addGuestVeth, ifindexOf, NAMES } from '../stage.js';

const MOST_FLOWS = MOST_VNICS * FLOWS_PER_VNIC;
const COUNTS = [1, 16, 256, 4096, 4 * FLOWS_PER_VNIC, 16 * FLOWS_PER_VNIC, 64 * FLOWS_PER_VNIC, MOST_FLOWS] as const;
const ALL = Array.from({ length: MOST_VNICS }, (_, i) => i + 1);

/** RUNS and TABLE_FLOWS of bench.bpf.c. */
const LOOKUPS_PER_RUN = 16;
const TABLE_FLOWS = 1 << 20;
const LOOKUP_RUNS = 4000;
const EMPTY_FRAME = Buffer.alloc(60);

export const flows: Section = {
  raise: (netns) => addGuestVeth(netns, QUEUES),

  async measure({ netns, cpu, rounds, object }) {
    const place = { uplink: await ifindexOf(netns.host, NAMES.uplink), port: await ifindexOf(netns.host, NAMES.port) };
    const bed = await Bed.prepare(object, place);
    try {
      const each = (id: number): BedVnic => ({ id, cpus: [cpu] });
      for (const id of ALL) bed.setVnic(each(id));
      bed.costOf('fill_tables', EMPTY_FRAME, TABLE_FLOWS / 4); // four runs make a sample
      const finder = new Finder();
      const frame = bed.frame(1, { version: 4, l4: 'udp' });
      const hits: Record<string, number> = {};
      const contenders: Record<string, () => number> = {};
      for (const count of COUNTS) {
        contenders[`flows ${count}`] = () => {
          // What is learnt is forgotten after a while, so again before every slice.
          for (const id of ALL.slice(0, Math.ceil(count / FLOWS_PER_VNIC))) bed.learn(each(id), Math.min(count, FLOWS_PER_VNIC), cpu);
          bed.vary({ flows: count, order: 'uniform', firstVnic: 1 }, frame);
          const [rfs, rss] = [bed.reasonCount(Reason.REDIRECT_RFS, ALL), bed.reasonCount(Reason.REDIRECT_RSS, ALL)];
          const ns = bed.costOf('vary_steer', frame.bytes);
          const learnt = bed.reasonCount(Reason.REDIRECT_RFS, ALL) - rfs;
          hits[count] = learnt / (learnt + bed.reasonCount(Reason.REDIRECT_RSS, ALL) - rss);
          return ns;
        };
      }
      const tableHits: Record<string, number> = {};
      for (const table of ['nowhere', 'lru', 'flows', 'nowhere_chained', 'lru_chained', 'flows_chained'] as const) {
        contenders[table] = () => {
          const before = bed.tableHits();
          const ns = bed.costOf(`loop_${table}`, EMPTY_FRAME, LOOKUP_RUNS) / LOOKUPS_PER_RUN;
          tableHits[table] = (bed.tableHits() - before) / (4 * LOOKUP_RUNS * LOOKUPS_PER_RUN);
          return ns;
        };
      }
      const measured = finder.used(await measureRounds(contenders, { rounds, cpus: [cpu], progress: showProgress('flows') }));
      finder.ratio('flows-run', measured.ratios(`flows ${MOST_FLOWS}`, 'flows 1'));
      finder.ratio('flow-lookup', measured.netRatios('lru', 'flows', 'nowhere'));
      finder.ratio('flow-lookup-chained', measured.netRatios('lru_chained', 'flows_chained', 'nowhere_chained'));
      const points = COUNTS.map((count) => ({ x: count, values: measured.values(`flows ${count}`) }));
      finder.curve({ name: 'program cost by flows', x: 'flows', unit: 'ns', points });
      for (const count of COUNTS) {
        const share = ((hits[count] ?? 0) * 100).toFixed(0);
        finder.figure(`${count} flows uniform, ${share} % RFS hits, TEST_RUN`, 'ns', measured.values(`flows ${count}`));
      }
      const percent = (table: string): string => `${((tableHits[table] ?? 0) * 100).toFixed(0)} % found`;
      for (const [way, suffix] of [['overlapping', ''], ['one after the other', '_chained']] as const) {
        const net = (table: string): number[] => measured.net(`${table}${suffix}`, `nowhere${suffix}`);
        finder.figure(`look-up in our flow table, 1M flows, ${percent('flows')}, ${way}, net`, 'ns', net('flows'));
        finder.figure(`look-up in LRU_HASH, 1M flows, ${percent('lru')}, ${way}, net`, 'ns', net('lru'));
      }
      finder.remark(`Flows: up to ${FLOWS_PER_VNIC} per vNIC, so 1M are ${MOST_VNICS} vNICs; what shares a slot with another flow is not ` +
        'learnt and takes the dearer way, by RSS. Look-ups alone: 16 in one program, keys at random; what overlaps is the CPU\'s choice, ' +
        'and where each waits for the one before, nothing does.');
      return finder.findings();
    } finally {
      bed.close();
    }
  },
};
