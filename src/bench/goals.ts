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
  /** Behind the point; default 2. */
  readonly digits?: number;
}

type Subject = readonly [section: SectionName, what: string, against: string];

const atMost = ([section, what, against]: Subject, goal: number, stretch: number): Goal =>
  ({ section, what, against, sense: 'at most', goal, stretch });
const atLeast = ([section, what, against]: Subject, goal: number, stretch: number, digits = 2): Goal =>
  ({ section, what, against, sense: 'at least', goal, stretch, digits });
const noWorse = ([section, what, against]: Subject): Goal => ({ section, what, against, sense: 'no worse', goal: 1, stretch: 1 });
const report = ([section, what, against]: Subject, digits = 2): Goal => ({ section, what, against, sense: 'report', digits });

const redirect = 'minimal redirect_map';
const bridge = 'Linux bridge';
const onePort = 'veth pps, one core';

/** The guest's software port in section tcp: a tap takes aggregated frames or not. */
export const TCP_PORTS = ['veth', 'tso-tap', 'tap'] as const;
export type TcpPort = (typeof TCP_PORTS)[number];
export const TCP_TESTS = { down: 'bulk TCP to the guest', up: 'bulk TCP from the guest', rr: 'TCP request/response' } as const;
export type TcpTest = keyof typeof TCP_TESTS;
const TCP_SETTINGS = { auto: 'automatic', on: 'cut-through on', off: 'cut-through off', generic: 'off, generic XDP' } as const;
type TcpSetting = keyof typeof TCP_SETTINGS;
type TcpGoalId = `${TcpTest}-${TcpPort}-${TcpSetting}`;

function tcpGoals(): Record<TcpGoalId, Goal> {
  const goals: Partial<Record<TcpGoalId, Goal>> = {};
  for (const port of TCP_PORTS) {
    for (const test of Object.keys(TCP_TESTS) as TcpTest[]) {
      for (const setting of Object.keys(TCP_SETTINGS) as TcpSetting[]) {
        const subject: Subject = ['tcp', `${TCP_TESTS[test]}, ${port}, ${TCP_SETTINGS[setting]}`, 'Linux bridge, GRO/GSO'];
        goals[`${test}-${port}-${setting}`] = setting === 'auto' ? noWorse(subject) : report(subject);
      }
    }
  }
  return goals as Record<TcpGoalId, Goal>;
}

/** In the order of the table. */
export const GOALS = {
  'rfs-run': atMost(['steering', 'full program, RFS hit (TEST_RUN)', redirect], 1.45, 1.3),
  'rss4-run': atMost(['steering', 'RSS path, IPv4 (TEST_RUN)', redirect], 1.7, 1.5),
  'rss6-run': atMost(['steering', 'RSS path, IPv6 (TEST_RUN)', redirect], 2, 1.75),
  'rfs-live': atLeast(['steering', `${onePort}, RFS hit`, redirect], 0.88, 0.94),
  'rss4-live': report(['steering', `${onePort}, RSS IPv4`, redirect]),
  'rss6-live': report(['steering', `${onePort}, RSS IPv6`, redirect]),
  'rfs-bridge': atLeast(['steering', `${onePort}, RFS hit`, bridge], 5, 6),
  'rss4-bridge': report(['steering', `${onePort}, RSS IPv4`, bridge]),
  'rss6-bridge': report(['steering', `${onePort}, RSS IPv6`, bridge]),
  'stack-bridge': report(['steering', `${onePort}, RFS hit, into the guest's stack`, bridge]),
  'to-tap': report(['taps', 'uplink -> tap, into the tap\'s ring', bridge]),
  'to-tap-read': report(['taps', 'uplink -> tap, ring and reader', bridge]),
  'from-tap': report(['taps', 'tap -> uplink, write() to the wire\'s stack', bridge]),
  ...tcpGoals(),
  toeplitz4: atLeast(['toeplitz', 'Toeplitz, IPv4', 'loop over the bits'], 35, 50, 1),
  toeplitz6: atLeast(['toeplitz', 'Toeplitz, IPv6', 'loop over the bits'], 18, 24, 1),
  'vnics-run': atMost(['vnics', '1 -> 254 vNICs, in turn (TEST_RUN)', 'own cost at 1'], 1.1, 1.04),
  'vnics-live': report(['vnics', '1 -> 254 vNICs, in turn, live', 'own cost at 1']),
  'flows-run': atMost(['flows', '1 -> 1M flows, uniform (TEST_RUN)', 'own cost at 1'], 2.6, 2.2),
  'flow-lookup': atLeast(['flows', 'flow look-up at 1M', 'BPF LRU_HASH'], 7, 9, 1),
  'flow-lookup-chained': report(['flows', 'flow look-up at 1M, one after the other', 'BPF LRU_HASH'], 1),
  cpumap: atLeast(['cpumap', 'cpumap-steered pps, none lost', redirect], 0.65, 0.75),
  'cpumap-minimal': report(['cpumap', 'cpumap-steered pps, none lost', 'minimal program through a cpumap']),
  'right-queue': atLeast(['cpumap', 'frames on the computed queue', 'all frames'], 1, 1, 4),
  maps: atLeast(['maps', 'map programming from TypeScript', 'bpftool batch'], 12, 18, 1),
  scrape: atMost(['scrape', 'scrape of 254 vNICs, 2048 queues (CPU)', 'prom-client objects'], 0.2, 0.1),
  'scrape-turn': atMost(['scrape', 'longest turn of that scrape (CPU)', '5 ms'], 1, 0.3),
  headers: atMost(['headers', 'worst legal frame (deep headers)', 'median frame'], 2, 1.5),
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
