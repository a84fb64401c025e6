/** The Toeplitz hash by tables against the loop over the bits that defines it, 16 hashes of fresh input per run, net of the empty loop. */
import { Bed } from '../bed.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { ifindexOf, NAMES } from '../stage.js';

/** RUNS of bench.bpf.c. */
const HASHES_PER_RUN = 16;
const FRAME = Buffer.alloc(60);

export const toeplitz: Section = {
  raise: () => Promise.resolve(),

  async measure({ netns, cpu, rounds, object }) {
    const uplink = await ifindexOf(netns.host, NAMES.uplink);
    const bed = await Bed.prepare(object, { uplink, port: uplink });
    try {
      const loop = (name: string, frames: number) => () => bed.costOf(`loop_${name}`, FRAME, frames) / HASHES_PER_RUN;
      const finder = new Finder();
      const measured = finder.used(await measureRounds({
        empty4: loop('empty4', 20_000), tables4: loop('tables4', 20_000), bits4: loop('bits4', 2000),
        empty6: loop('empty6', 20_000), tables6: loop('tables6', 20_000), bits6: loop('bits6', 1000),
      }, { rounds, cpus: [cpu], progress: showProgress('toeplitz') }));
      finder.ratio('toeplitz4', measured.netRatios('bits4', 'tables4', 'empty4'));
      finder.ratio('toeplitz6', measured.netRatios('bits6', 'tables6', 'empty6'));
      for (const version of [4, 6] as const) {
        const net = (way: 'tables' | 'bits'): number[] => measured.net(`${way}${version}`, `empty${version}`);
        finder.figure(`Toeplitz by tables, IPv${version}, net of the empty loop`, 'ns', net('tables'));
        finder.figure(`Toeplitz bit by bit, IPv${version}, net of the empty loop`, 'ns', net('bits'));
      }
      finder.remark('Toeplitz: 12 bytes of input for IPv4 and 36 for IPv6, all of them changed for every hash.');
      return finder.findings();
    } finally {
      bed.close();
    }
  },
};
