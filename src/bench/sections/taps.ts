/**
 * A tap as QEMU would hold it: this process has its queues.
 *
 * Uplink -> tap: live frames until they are in the tap's ring, which holds a whole slice, so the reader is not in the way; then the same
 * and the reader, one after the other. Tap -> uplink: the same write() per frame both ways, to the network stack at the wire's end.
 */
import { run } from '../../host/exec.js';
import { closeFd, readNonBlocking, writeNonBlocking } from '../../native/io.js';
import { openTap } from '../../native/tap.js';
import { XdpLink } from '../../native/xdp_link.js';
import { Bed, QUEUES, STATION } from '../bed.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { settledArrivals, StackSink } from '../sink.js';
import { addToFdb, ifindexOf, ip, NAMES } from '../stage.js';

const VNIC = 1;
const FLOWS = 256;
/** Frames of a slice; each ring could hold all of them. */
const SLICE = 8192;
const WRITES = 4096;

/** The reader, the same for every way. */
class Tap {
  readonly fds: readonly number[];
  readonly #buffer = Buffer.alloc(2048);

  constructor(name: string) {
    this.fds = Array.from({ length: QUEUES }, () => openTap(name, { multiQueue: true }));
  }

  /** Reads everything that is there; returns how many frames. */
  drain(): number {
    let frames = 0;
    for (const fd of this.fds) while (readNonBlocking(fd, this.#buffer) > 0) frames++;
    return frames;
  }

  close(): void {
    for (const fd of this.fds) closeFd(fd);
  }
}

export const taps: Section = {
  raise: () => Promise.resolve(),

  async measure({ netns, cpu, rounds, object }) {
    const tap = new Tap(NAMES.tap);
    let bed: Bed | null = null;
    try {
      await ip(netns.host, `link set dev ${NAMES.tap} txqueuelen ${2 * SLICE} master ${NAMES.bridge} up`);
      await addToFdb(netns, NAMES.tap, VNIC);
      const station = STATION.toString('hex').replace(/..(?!$)/g, '$&:');
      await run('bridge', ['-n', netns.host, 'fdb', 'add', station, 'dev', NAMES.uplink, 'master', 'static']);
      const place = { uplink: await ifindexOf(netns.host, NAMES.uplink), port: await ifindexOf(netns.host, NAMES.tap) };
      const sink = await StackSink.open(netns.wire, NAMES.far);
      const loaded = (bed = await Bed.prepare(object, place));
      loaded.setVnic({ id: VNIC, path: 'software', cutThrough: true, cpus: [cpu] });
      const frame = loaded.frame(VNIC, { version: 4, l4: 'udp' });
      loaded.vary({ flows: FLOWS, order: 'uniform', firstVnic: VNIC }, frame);
      loaded.costOf('vary_steer', frame.bytes, 1); // makes the station known

      const send = async (program: string, timed: 'ring' | 'ring and reader'): Promise<number> => {
        loaded.vary({ flows: FLOWS, order: 'uniform', firstVnic: VNIC }, frame);
        tap.drain();
        const ring = await loaded.send(program, frame.bytes, SLICE);
        const start = performance.now();
        const read = tap.drain();
        const reader = ((performance.now() - start) * 1e6) / SLICE;
        if (read !== SLICE) throw new Error(`${program}: of ${SLICE} frames ${read} were in the tap`);
        return timed === 'ring' ? ring : ring + reader;
      };
      const replies = Array.from({ length: FLOWS }, (_, flow) => loaded.frame(VNIC, { version: 4, l4: 'udp' }, flow, true).bytes);
      const write = async (way: string): Promise<number> => {
        const before = sink.arrived();
        const fd = tap.fds[cpu % QUEUES] ?? -1;
        const start = performance.now();
        for (let i = 0; i < WRITES; i++) {
          const reply = replies[i % FLOWS]!;
          writeNonBlocking(fd, reply, reply.length);
        }
        const ns = ((performance.now() - start) * 1e6) / WRITES;
        const arrived = (await settledArrivals(sink, before + WRITES)) - before;
        if (arrived !== WRITES) throw new Error(`tap -> uplink, ${way}: of ${WRITES} frames ${arrived} arrived`);
        return ns;
      };
      const attached = async (work: () => Promise<number>): Promise<number> => {
        const link = XdpLink.attach(loaded.steerGuest, place.port, 'native');
        try {
          return await work();
        } finally {
          link.close();
        }
      };

      const finder = new Finder();
      const measured = finder.used(await measureRounds({
        'bridge ring': () => send('vary_pass', 'ring'),
        'unipath ring': () => send('vary_steer', 'ring'),
        'bridge read': () => send('vary_pass', 'ring and reader'),
        'unipath read': () => send('vary_steer', 'ring and reader'),
        'bridge write': () => write('bridge'),
        'unipath write': () => attached(() => write('unipath')),
      }, { rounds, cpus: [cpu], progress: showProgress('taps') }));
      sink.close();
      finder.ratio('to-tap', measured.ratios('bridge ring', 'unipath ring'));
      finder.ratio('to-tap-read', measured.ratios('bridge read', 'unipath read'));
      finder.ratio('from-tap', measured.ratios('bridge write', 'unipath write'));
      const rate = (ns: number): number => 1e3 / ns;
      for (const way of ['bridge', 'unipath'] as const) {
        finder.figure(`uplink -> tap, ${way}, into the ring`, 'Mpps', measured.values(`${way} ring`).map(rate));
        finder.figure(`uplink -> tap, ${way}, ring and reader`, 'Mpps', measured.values(`${way} read`).map(rate));
        finder.figure(`tap -> uplink, ${way}`, 'Mpps', measured.values(`${way} write`).map(rate));
      }
      finder.remark('Taps: without QEMU and vhost. Reader and writer are this process, a system call per frame, one after the other with ' +
        'what feeds the ring; both ways have the same.');
      return finder.findings();
    } finally {
      bed?.close();
      tap.close();
    }
  },
};
