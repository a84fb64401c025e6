/** Rates of each vNIC between two looks at its counters. Pure. */
import type { CountersReply, StatusReply, TallyJson, VnicStatus } from '../control/protocol.js';
import { isAsWanted } from './words.js';

/** Both were asked for one after the other. */
export interface Sample {
  /** Monotonic, milliseconds. */
  readonly atMs: number;
  readonly status: StatusReply;
  readonly counters: CountersReply;
}

export interface Rate {
  readonly packets_per_second: number;
  readonly bits_per_second: number;
}

export interface TopRow {
  readonly vnic: string;
  readonly adapter: string;
  readonly path: VnicStatus['path'];
  readonly as_wanted: boolean;
  readonly reason: string;
  /** From the guest by its tap, and past the bridge to it. */
  readonly tap: Rate;
  /** From the guest by its VF, and to it. */
  readonly vf: Rate;
  /** Left to the bridge, either way; those from the guest are in `tap` or `vf`, too. */
  readonly bridge_packets_per_second: number;
  readonly drops_per_second: number;
  /** Percent of the frames redirected to the guest that each queue of its current path got; empty when there were none. */
  readonly queue_percents: readonly number[];
}

type Counters = CountersReply['vnics'][number];

/** Frames toward a guest, on a queue that was chosen. */
const QUEUED = ['redirect_rss', 'redirect_rfs', 'redirect_single', 'redirect_drain'];
/** By the bridge to the VF of a guest that hears nowhere else. */
const BY_BRIDGE_TO_VF = 'redirect_vf';
const NONE: TallyJson = { packets: 0, bytes: 0 };

/** Counters of a vNIC that is taken down and set up again begin anew. */
const since = (before: number, now: number): number => (now >= before ? now - before : now);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function tallySince(before: TallyJson | undefined, now: TallyJson | undefined): TallyJson {
  const [old, fresh] = [before ?? NONE, now ?? NONE];
  return { packets: since(old.packets, fresh.packets), bytes: since(old.bytes, fresh.bytes) };
}

function reasonsSince(before: Counters, now: Counters, wanted: (reason: string) => boolean): TallyJson {
  const tallies = Object.keys(now.reasons).filter(wanted).map((reason) => tallySince(before.reasons[reason], now.reasons[reason]));
  return { packets: sum(tallies.map(({ packets }) => packets)), bytes: sum(tallies.map(({ bytes }) => bytes)) };
}

function rowOf(vnic: VnicStatus, before: Counters, now: Counters, seconds: number): TopRow {
  const rate = (from: TallyJson, to: TallyJson): Rate => ({
    packets_per_second: Math.round((from.packets + to.packets) / seconds),
    bits_per_second: Math.round(((from.bytes + to.bytes) * 8) / seconds),
  });
  const [tapQueues, vfQueues] = [
    now.tap_queues.map((packets, queue) => since(before.tap_queues[queue] ?? 0, packets)),
    now.vf_queues.map((packets, queue) => since(before.vf_queues[queue] ?? 0, packets)),
  ];
  const queued = reasonsSince(before, now, (reason) => QUEUED.includes(reason));
  const toVf = reasonsSince(before, now, (reason) => reason === BY_BRIDGE_TO_VF);
  const [toTapPackets, toVfPackets] = [sum(tapQueues), sum(vfQueues)];
  // Bytes are counted for both paths together: of an interval with a change of path, each gets its share of the frames.
  const share = (packets: number): number => (packets === 0 ? 0 : (queued.bytes * packets) / (toTapPackets + toVfPackets));
  const current = vnic.path === 'accelerated' ? vfQueues : tapQueues;
  const queues = (vnic.path === 'accelerated' ? vnic.vf_queues : vnic.tap_queues)?.queues ?? 0;
  const total = sum(current);
  return {
    vnic: vnic.name,
    adapter: vnic.adapter,
    path: vnic.path,
    as_wanted: isAsWanted(vnic),
    reason: vnic.reason,
    tap: rate(tallySince(before.from_tap, now.from_tap), { packets: toTapPackets, bytes: share(toTapPackets) }),
    vf: rate(tallySince(before.from_vf, now.from_vf), { packets: toVfPackets + toVf.packets, bytes: share(toVfPackets) + toVf.bytes }),
    bridge_packets_per_second: Math.round(reasonsSince(before, now, (reason) => reason.startsWith('pass_')).packets / seconds),
    drops_per_second: Math.round(reasonsSince(before, now, (reason) => reason.startsWith('drop_')).packets / seconds),
    queue_percents: total === 0 ? [] : current.slice(0, queues).map((packets) => Math.round((packets * 100) / total)),
  };
}

/** Of every vNIC that is there now; one that was not there before has had nothing yet. */
export function ratesBetween(before: Sample, now: Sample): readonly TopRow[] {
  const seconds = Math.max(now.atMs - before.atMs, 1) / 1000;
  const countersOf = ({ counters }: Sample, name: string): Counters | undefined => counters.vnics.find((each) => each.name === name);
  return now.status.vnics.map((vnic) => {
    const fresh = countersOf(now, vnic.name) ?? { ...EMPTY, name: vnic.name };
    return rowOf(vnic, countersOf(before, vnic.name) ?? fresh, fresh, seconds);
  });
}

const EMPTY: Omit<Counters, 'name'> = {
  reasons: {},
  tap_queues: [],
  vf_queues: [],
  from_tap: NONE,
  from_vf: NONE,
  cpu_handovers: 0,
  flows_learnt: 0,
  flows_moved: 0,
  flows_replaced: 0,
  flows_expired: 0,
  path_changes: 0,
};
