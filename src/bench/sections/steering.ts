/** What steering a frame costs: by the program alone, and live from the uplink to a guest's port on one core. */
import { Reason } from '../../../maps/generated/contract.js';
import { Bed, QUEUES } from '../bed.js';
import type { Shape } from '../frames.js';
import type { SectionContext } from '../model.js';
import { measureRounds } from '../rounds.js';
import { Finder, type Section, showProgress } from '../section.js';
import { type Sink, StackSink, XdpSink } from '../sink.js';
import { addGuestVeth, addToFdb, ifindexOf, NAMES } from '../stage.js';
import type { Rounds } from '../stats.js';
import { sendWay, sliceOf, type Way } from '../ways.js';

const RFS_VNIC = 1;
const RSS_VNIC = 2;
const FLOWS = 256;
const WAYS = ['bridge', 'redirect', 'rfs', 'rss4', 'rss6'] as const;
type WayName = (typeof WAYS)[number];
const STACK_WAYS = ['bridge', 'redirect', 'rfs'] as const;

const TITLES: Readonly<Record<WayName | 'empty', string>> = {
  empty: 'empty program', bridge: 'Linux bridge', redirect: 'minimal bpf_redirect_map', rfs: 'unipath, RFS hit', rss4: 'unipath, RSS IPv4',
  rss6: 'unipath, RSS IPv6',
};

function makeWays(bed: Bed, cpu: number): Readonly<Record<WayName | 'empty', Way>> {
  const way = (program: string, vnic: number, version: 4 | 6 = 4, reason: Reason | null = null): Way => {
    const shape: Shape = { version, l4: 'udp' };
    const frame = bed.frame(vnic, shape);
    const prepare = (): void => {
      // What is learnt is forgotten after a while, so again before every slice.
      if (vnic === RFS_VNIC) bed.learn({ id: RFS_VNIC, cpus: [cpu] }, FLOWS, cpu);
      bed.vary({ flows: FLOWS, order: 'uniform', firstVnic: vnic }, frame);
    };
    const counted = reason === null ? {} : { steered: () => bed.reasonCount(reason, [vnic]) };
    return { program, frame: frame.bytes, prepare, ...counted };
  };
  return {
    empty: way('vary_empty', RSS_VNIC),
    bridge: way('vary_pass', RSS_VNIC),
    redirect: way('vary_redirect', RSS_VNIC),
    rfs: way('vary_steer', RFS_VNIC, 4, Reason.REDIRECT_RFS),
    rss4: way('vary_steer', RSS_VNIC, 4, Reason.REDIRECT_RSS),
    rss6: way('vary_steer', RSS_VNIC, 6, Reason.REDIRECT_RSS),
  };
}

async function measureLive<W extends WayName>(
  bed: Bed, sink: Sink, names: readonly W[], { cpu, rounds, sliceNs }: SectionContext, progress: string,
): Promise<Rounds<W>> {
  const ways = makeWays(bed, cpu);
  const contenders: Partial<Record<W, () => Promise<number>>> = {};
  for (const name of names) {
    const frames = await sliceOf(bed, sink, TITLES[name], ways[name], sliceNs);
    contenders[name] = () => sendWay(bed, sink, TITLES[name], ways[name], frames);
  }
  return measureRounds(contenders as Record<W, () => Promise<number>>, { rounds, cpus: [cpu], progress: showProgress(progress) });
}

async function measurePrograms(bed: Bed, { cpu, rounds }: SectionContext): Promise<Rounds<Exclude<WayName, 'bridge'> | 'empty'>> {
  const ways = makeWays(bed, cpu);
  const run = (name: WayName | 'empty') => (): number => {
    ways[name].prepare();
    return bed.costOf(ways[name].program, ways[name].frame);
  };
  const contenders = { empty: run('empty'), redirect: run('redirect'), rfs: run('rfs'), rss4: run('rss4'), rss6: run('rss6') };
  return measureRounds(contenders, { rounds, cpus: [cpu], progress: showProgress('steering, programs alone') });
}

export const steering: Section = {
  async raise(netns) {
    await addGuestVeth(netns, QUEUES);
    await addToFdb(netns, NAMES.port, RSS_VNIC);
  },

  async measure(context) {
    const { netns, cpu, object } = context;
    const place = { uplink: await ifindexOf(netns.host, NAMES.uplink), port: await ifindexOf(netns.host, NAMES.port) };
    const bed = await Bed.prepare(object, place);
    try {
      for (const id of [RFS_VNIC, RSS_VNIC]) bed.setVnic({ id, cpus: [cpu] });
      const finder = new Finder();
      const stack = await StackSink.open(netns.guest, NAMES.device);
      const seen = finder.used(await measureLive(bed, stack, STACK_WAYS, shorter(context), 'steering, stack as sink'));
      stack.close();
      const sink = await XdpSink.open(bed.bench, netns.guest, NAMES.device);
      const live = finder.used(await measureLive(bed, sink, WAYS, context, 'steering, live'));
      const alone = finder.used(await measurePrograms(bed, context));
      sink.close();

      for (const name of ['rfs', 'rss4', 'rss6'] as const) {
        finder.ratio(`${name}-run`, alone.ratios(name, 'redirect'));
        // Frames per second compare like the costs, upside down.
        finder.ratio(`${name}-live`, live.ratios('redirect', name));
        finder.ratio(`${name}-bridge`, live.ratios('bridge', name));
      }
      finder.ratio('stack-bridge', seen.ratios('bridge', 'rfs'));
      for (const name of ['empty', 'redirect', 'rfs', 'rss4', 'rss6'] as const) {
        finder.figure(`${TITLES[name]}, TEST_RUN`, 'ns', alone.values(name));
        if (name !== 'empty') finder.figure(`${TITLES[name]}, TEST_RUN, net of empty`, 'ns', alone.net(name, 'empty'));
      }
      for (const name of ['rfs', 'rss4', 'rss6'] as const) {
        finder.figure(`${TITLES[name]}, net of empty, by ${TITLES.redirect}`, 'x', alone.netRatios(name, 'redirect', 'empty'));
      }
      for (const name of WAYS) finder.figure(`${TITLES[name]}, veth, one core`, 'Mpps', live.values(name).map((ns) => 1e3 / ns));
      for (const name of STACK_WAYS) {
        finder.figure(`${TITLES[name]}, veth, guest's stack as sink`, 'Mpps', seen.values(name).map((ns) => 1e3 / ns));
      }
      finder.remark('Live: frames are made by the kernel on the measuring CPU (BPF_F_TEST_XDP_LIVE_FRAMES), all arrive, and a program ' +
        'drops them in the guest; the guest\'s stack makes an skb of each and drops it as not its own.');
      return finder.findings();
    } finally {
      bed.close();
    }
  },
};

function shorter(context: SectionContext): SectionContext {
  return { ...context, rounds: Math.max(3, Math.round(context.rounds / 3)) };
}
