/** What the shape of a frame costs: tags, options, extension headers. The deepest legal frame against the plain one. */
import { Reason } from '../../../maps/generated/contract.js';
import { Bed, QUEUES } from '../bed.js';
import { type Shape, VLANS } from '../frames.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { addGuestVeth, ifindexOf, NAMES } from '../stage.js';

const UNTAGGED_VNIC = 1;
const TAGGED_VNIC = 2;
const FLOWS = 256;

const SHAPES = {
  'IPv4 UDP': { version: 4, l4: 'udp' },
  'IPv4 TCP': { version: 4, l4: 'tcp' },
  'IPv4 UDP, 40 bytes of options': { version: 4, l4: 'udp', options: 40 },
  'IPv4 UDP, fragment': { version: 4, l4: 'udp', fragment: true },
  'IPv4 UDP, one tag': { version: 4, l4: 'udp', tags: 1 },
  'IPv4 UDP, two tags': { version: 4, l4: 'udp', tags: 2 },
  'IPv6 UDP': { version: 6, l4: 'udp' },
  'IPv6 TCP': { version: 6, l4: 'tcp' },
  'IPv6 TCP, 2 extension headers': { version: 6, l4: 'tcp', extensions: 2 },
  'IPv6 TCP, 6 extension headers': { version: 6, l4: 'tcp', extensions: 6 },
  'IPv6 TCP, 6 extension headers, two tags': { version: 6, l4: 'tcp', extensions: 6, tags: 2 },
} as const satisfies Readonly<Record<string, Shape>>;
type ShapeName = keyof typeof SHAPES;
const MEDIAN: ShapeName = 'IPv4 UDP';
const WORST: ShapeName = 'IPv6 TCP, 6 extension headers, two tags';

export const headers: Section = {
  raise: (netns) => addGuestVeth(netns, QUEUES),

  async measure({ netns, cpu, rounds, object }) {
    const place = { uplink: await ifindexOf(netns.host, NAMES.uplink), port: await ifindexOf(netns.host, NAMES.port) };
    const bed = await Bed.prepare(object, place);
    try {
      bed.setVnic({ id: UNTAGGED_VNIC, cpus: [cpu] });
      bed.setVnic({ id: TAGGED_VNIC, cpus: [cpu], vlan: VLANS[0] });
      const redirected: Partial<Record<ShapeName, boolean>> = {};
      const names = Object.keys(SHAPES) as ShapeName[];
      const contenders = Object.fromEntries(names.map((name) => {
        const shape: Shape = SHAPES[name];
        const vnic = shape.tags === undefined ? UNTAGGED_VNIC : TAGGED_VNIC;
        const frame = bed.frame(vnic, shape);
        return [name, () => {
          bed.vary({ flows: FLOWS, order: 'uniform', firstVnic: vnic }, frame);
          const before = bed.reasonCount(Reason.REDIRECT_RSS, [vnic]);
          const ns = bed.costOf('vary_steer', frame.bytes);
          redirected[name] = bed.reasonCount(Reason.REDIRECT_RSS, [vnic]) > before;
          return ns;
        }];
      })) as Record<ShapeName, () => number>;
      const finder = new Finder();
      const measured = finder.used(await measureRounds(contenders, { rounds, cpus: [cpu], progress: showProgress('headers') }));
      finder.ratio('headers', measured.ratios(WORST, MEDIAN));
      for (const name of names) {
        finder.figure(`${name}, RSS, ${redirected[name] === true ? 'redirected' : 'passed to the bridge'}`, 'ns', measured.values(name));
      }
      if (redirected[WORST] !== true) finder.remark('Headers: those of the worst frame are not followed; it is passed to the bridge.');
      return finder.findings();
    } finally {
      bed.close();
    }
  },
};
