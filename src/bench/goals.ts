/** What is compared with what, and how good it should be. Pure data, and the one place where a number is judged. */
import type { SectionName } from './model.js';
import type { Spread } from './stats.js';

/**
 * at most   the median ratio is not above the goal
 * at least  the median ratio is not below the goal
 * no worse  the upper quartile is not below the goal: what the rounds do not tell apart is not worse
 * report    there is no goal
 */
export type Sense = 'at most' | 'at least' | 'no worse' | 'report';

export interface Goal {
  readonly section: SectionName;
  readonly what: string;
  readonly against: string;
  readonly sense: Sense;
  readonly goal?: number;
  readonly stretch?: number;
  /** Digits behind the point; default 2. */
  readonly digits?: number;
}

const redirect = 'minimal redirect_map';
const bridge = 'Linux bridge';
const offloadBridge = 'Linux bridge, GRO/GSO';

export const GOALS = {
  'rfs-run': { section: 'steering', what: 'full program, RFS hit (TEST_RUN)', against: redirect, sense: 'at most', goal: 1.45, stretch: 1.3 },
  'rss4-run': { section: 'steering', what: 'RSS path, IPv4 (TEST_RUN)', against: redirect, sense: 'at most', goal: 1.7, stretch: 1.5 },
  'rss6-run': { section: 'steering', what: 'RSS path, IPv6 (TEST_RUN)', against: redirect, sense: 'at most', goal: 2, stretch: 1.75 },
  'rfs-live': { section: 'steering', what: 'veth pps, one core, RFS hit', against: redirect, sense: 'at least', goal: 0.88, stretch: 0.94 },
  'rss4-live': { section: 'steering', what: 'veth pps, one core, RSS IPv4', against: redirect, sense: 'report' },
  'rss6-live': { section: 'steering', what: 'veth pps, one core, RSS IPv6', against: redirect, sense: 'report' },
  'rfs-bridge': { section: 'steering', what: 'veth pps, one core, RFS hit', against: bridge, sense: 'at least', goal: 5, stretch: 6 },
  'rss4-bridge': { section: 'steering', what: 'veth pps, one core, RSS IPv4', against: bridge, sense: 'report' },
  'rss6-bridge': { section: 'steering', what: 'veth pps, one core, RSS IPv6', against: bridge, sense: 'report' },
  'stack-bridge': { section: 'steering', what: 'veth pps, RFS hit, guest stack as sink', against: bridge, sense: 'report' },
  'to-tap': { section: 'taps', what: 'uplink -> tap, into the tap\'s ring', against: bridge, sense: 'report' },
  'to-tap-read': { section: 'taps', what: 'uplink -> tap, ring and reader', against: bridge, sense: 'report' },
  'from-tap': { section: 'taps', what: 'tap -> uplink, write() to the wire\'s stack', against: bridge, sense: 'report' },
  'tcp-veth-auto': { section: 'tcp', what: 'bulk TCP to guest, veth, automatic', against: offloadBridge, sense: 'no worse', goal: 1, stretch: 1 },
  'tcp-veth-on': { section: 'tcp', what: 'bulk TCP to guest, veth, cut-through on', against: offloadBridge, sense: 'report' },
  'tcp-veth-off': { section: 'tcp', what: 'bulk TCP to guest, veth, cut-through off', against: offloadBridge, sense: 'report' },
  'tcp-veth-up-auto': { section: 'tcp', what: 'bulk TCP from guest, veth, automatic', against: offloadBridge, sense: 'no worse', goal: 1, stretch: 1 },
  'tcp-veth-up-on': { section: 'tcp', what: 'bulk TCP from guest, veth, cut-through on', against: offloadBridge, sense: 'report' },
  'tcp-veth-up-off': { section: 'tcp', what: 'bulk TCP from guest, veth, cut-through off', against: offloadBridge, sense: 'report' },
  'rr-veth-auto': { section: 'tcp', what: 'TCP request/response, veth, automatic', against: offloadBridge, sense: 'no worse', goal: 1, stretch: 1 },
  'rr-veth-on': { section: 'tcp', what: 'TCP request/response, veth, cut-through on', against: offloadBridge, sense: 'report' },
  'rr-veth-off': { section: 'tcp', what: 'TCP request/response, veth, cut-through off', against: offloadBridge, sense: 'report' },
  'tcp-tap-auto': { section: 'tcp', what: 'bulk TCP to guest, tap, automatic', against: offloadBridge, sense: 'no worse', goal: 1, stretch: 1 },
  'tcp-tap-on': { section: 'tcp', what: 'bulk TCP to guest, tap, cut-through on', against: offloadBridge, sense: 'report' },
  'tcp-tap-off': { section: 'tcp', what: 'bulk TCP to guest, tap, cut-through off', against: offloadBridge, sense: 'report' },
  'tcp-tap-up-auto': { section: 'tcp', what: 'bulk TCP from guest, tap, automatic', against: offloadBridge, sense: 'no worse', goal: 1, stretch: 1 },
  'tcp-tap-up-on': { section: 'tcp', what: 'bulk TCP from guest, tap, cut-through on', against: offloadBridge, sense: 'report' },
  'tcp-tap-up-off': { section: 'tcp', what: 'bulk TCP from guest, tap, cut-through off', against: offloadBridge, sense: 'report' },
  'rr-tap-auto': { section: 'tcp', what: 'TCP request/response, tap, automatic', against: offloadBridge, sense: 'no worse', goal: 1, stretch: 1 },
  'rr-tap-on': { section: 'tcp', what: 'TCP request/response, tap, cut-through on', against: offloadBridge, sense: 'report' },
  'rr-tap-off': { section: 'tcp', what: 'TCP request/response, tap, cut-through off', against: offloadBridge, sense: 'report' },
  'toeplitz4': { section: 'toeplitz', what: 'Toeplitz, IPv4', against: 'loop over the bits', sense: 'at least', goal: 35, stretch: 50, digits: 1 },
  'toeplitz6': { section: 'toeplitz', what: 'Toeplitz, IPv6', against: 'loop over the bits', sense: 'at least', goal: 18, stretch: 24, digits: 1 },
  'vnics-run': { section: 'vnics', what: '1 -> 254 vNICs, in turn (TEST_RUN)', against: 'own cost at 1', sense: 'at most', goal: 1.1, stretch: 1.04 },
  'vnics-live': { section: 'vnics', what: '1 -> 254 vNICs, in turn, live', against: 'own cost at 1', sense: 'report' },
  'flows-run': { section: 'flows', what: '1 -> 1M flows, uniform (TEST_RUN)', against: 'own cost at 1', sense: 'at most', goal: 2.6, stretch: 2.2 },
  'flow-lookup': { section: 'flows', what: 'flow look-up at 1M', against: 'BPF LRU_HASH', sense: 'at least', goal: 7, stretch: 9, digits: 1 },
  'cpumap': { section: 'cpumap', what: 'cpumap-steered pps, none lost', against: 'direct redirect', sense: 'at least', goal: 0.65, stretch: 0.75 },
  'cpumap-minimal': { section: 'cpumap', what: 'cpumap-steered pps, none lost', against: 'minimal cpumap', sense: 'report' },
  'right-queue': { section: 'cpumap', what: 'cpumap: share of frames on the computed queue', against: 'all', sense: 'at least', goal: 1, stretch: 1, digits: 4 },
  'maps': { section: 'maps', what: 'map programming from TypeScript', against: 'bpftool batch', sense: 'at least', goal: 12, stretch: 18, digits: 1 },
  'headers': { section: 'headers', what: 'worst legal frame (deep headers)', against: 'median frame', sense: 'at most', goal: 2, stretch: 1.5 },
} as const satisfies Readonly<Record<string, Goal>>;

export type GoalId = keyof typeof GOALS;

export type Verdict = 'stretch' | 'met' | 'missed' | 'reported';

/** Is `spread` as good as `bound` wants, in the goal's sense? */
function reaches(sense: Sense, spread: Spread, bound: number): boolean {
  switch (sense) {
    case 'at most': return spread.median <= bound;
    case 'at least': return spread.median >= bound;
    case 'no worse': return spread.high >= bound;
    case 'report': return true;
  }
}

export function judge(goal: Goal, spread: Spread): Verdict {
  if (goal.sense === 'report' || goal.goal === undefined) return 'reported';
  if (!reaches(goal.sense, spread, goal.goal)) return 'missed';
  // To be better, not merely no worse, the median must say so.
  const sense = goal.sense === 'no worse' ? 'at least' : goal.sense;
  return goal.stretch !== undefined && reaches(sense, spread, goal.stretch) ? 'stretch' : 'met';
}
