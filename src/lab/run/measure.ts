/** One step measured: what is read at its beginning, after its changes and at its end, and what follows from that. */
import type { VnicStatus } from '../../control/protocol.js';
import type { VnicPath } from '../../core/model.js';
import { addFrames, type FlowResult, type FrameCounts, type GuestSteering, noFrames, type StepResult } from '../results.js';
import { SUBJECT, type ScenarioStep } from '../scenario.js';
import type { Account } from '../traffic/arrivals.js';
import type { Gap } from '../traffic/gaps.js';
import type { Mark, StepAccount, TcpStreamReport } from '../traffic/traffic.js';
import { type PlannedFlow, subjectRate } from '../flows.js';
import { hostOf, type LabSpec } from '../model.js';
import type { Hosts, VnicCounters } from './hosts.js';
import { judgeStep, lossAllowance } from './judge.js';
import type { Transition } from './path_follower.js';
import { steeringOf } from './spread.js';

/** Counters of the guests whose steering is shown, as they were at one time; null: unknown to their host's unipathd. */
export type CounterSnapshot = ReadonlyMap<string, VnicCounters | null>;

export async function readCounters(hosts: Hosts, guests: readonly string[]): Promise<CounterSnapshot> {
  return new Map(await Promise.all(guests.map(async (guest) => [guest, await hosts.counters(guest)] as const)));
}

/** Everything about a step that cannot be read again later. */
export interface StepRecord {
  readonly step: ScenarioStep;
  readonly from: Mark;
  readonly to: Mark;
  readonly tcpFrom: TcpStreamReport;
  readonly tcpTo: TcpStreamReport;
  readonly home: string;
  readonly vnics: ReadonlyMap<string, VnicStatus | null>;
  readonly guestPaths: ReadonlyMap<string, VnicPath>;
  /** After the changes, and at the end. */
  readonly countersFrom: CounterSnapshot;
  readonly countersTo: CounterSnapshot;
  /** Of all hosts, since the end of the step before. */
  readonly redirectErrors: number;
  /** For so long QEMU had stopped the guest, for migrations. */
  readonly stoodStillMs: number;
  readonly problems: readonly string[];
}

const countsOf = ({ sent, received, lost, duplicated, reordered, corrupt }: Account): FrameCounts => ({
  sent,
  received,
  lost,
  duplicated,
  reordered,
  corrupt,
});

const gapMs = (gap: Gap | null): number | null => (gap === null ? null : gap.lengthNs / 1e6);

const maxOrNull = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
};

/** Flows of one kind and family as one line; echoes run against their flow and have a line of their own. */
function flowResults(account: StepAccount, planned: readonly PlannedFlow[]): FlowResult[] {
  const lines = new Map<string, { frames: FrameCounts; longestGapMs: number | null }>();
  for (const { flow, stream, account: counted } of account.streams) {
    const kind = planned.find(({ spec }) => spec.id === flow.id)?.kind ?? `flow ${flow.id}`;
    const name = `${kind}, IPv${flow.family}${stream === 'echo' ? ', answers' : ''}`;
    const line = lines.get(name) ?? { frames: noFrames, longestGapMs: null };
    lines.set(name, {
      frames: addFrames(line.frames, countsOf(counted)),
      longestGapMs: maxOrNull([line.longestGapMs, gapMs(counted.longestGap)]),
    });
  }
  return [...lines].map(([name, line]) => ({ name, ...line }));
}

function steering(record: StepRecord): GuestSteering[] {
  return [...record.countersTo].flatMap(([guest, after]) => {
    const status = record.vnics.get(guest);
    if (after === null || status === null || status === undefined) return [];
    return [steeringOf(status, record.countersFrom.get(guest) ?? null, after)];
  });
}

/** Low-rate flows and answers pause by nature: what is asked is whether the guest that travels could be reached, and could reach. */
function longestGapMs(account: StepAccount, planned: readonly PlannedFlow[]): number | null {
  const kinds = [`world to ${SUBJECT}`, `${SUBJECT} to world`];
  const ids = new Set(planned.filter(({ kind }) => kinds.includes(kind)).map(({ spec }) => spec.id));
  return maxOrNull(
    account.streams.filter(({ flow, stream }) => stream === 'forward' && ids.has(flow.id)).map((each) => gapMs(each.account.longestGap)),
  );
}

/** Bytes that arrived at either end. */
const tcpBytes = (report: TcpStreamReport): number => report.client.bytesReceived + report.server.bytesReceived;

function tcpStallMs(record: StepRecord): number | null {
  const { from, to, tcpTo } = record;
  const stalls = [...tcpTo.client.stalls, ...tcpTo.server.stalls];
  return maxOrNull(stalls.filter(({ startMs }) => startMs >= from.monotonicMs && startMs < to.monotonicMs).map(({ lengthMs }) => lengthMs));
}

/** For so long frames had waited that then came at once to a NIC that has no room for many; 0: to none such. */
function burstMs({ step, home }: StepRecord, spec: LabSpec, gap: number | null): number {
  const plugged = step.changes.some((change) => change.kind === 'want' && change.guest === SUBJECT && change.path === 'accelerated');
  return plugged && hostOf(spec, home).make.model === 'rtl8139' ? (gap ?? 0) : 0;
}

/** @param startMs CLOCK_MONOTONIC that is time 0 of the run; lostWhere: words for which frames were lost */
export function stepResult(
  spec: LabSpec,
  record: StepRecord,
  account: StepAccount,
  planned: readonly PlannedFlow[],
  transitions: readonly Transition[],
  startMs: number,
  lostWhere: string,
): StepResult {
  const { step, from, to } = record;
  const durationMs = to.monotonicMs - from.monotonicMs;
  const inStep = transitions.filter(({ atNs }) => atNs / 1e6 >= from.monotonicMs && atNs / 1e6 < to.monotonicMs);
  const frames = countsOf(account.total);
  const framesPerSecond = (frames.received * 1000) / durationMs;
  const subject = record.vnics.get(SUBJECT) ?? null;
  const gap = longestGapMs(account, planned);
  const allowance = lossAllowance({
    kind: step.kind,
    guests: spec.kind,
    // A guest that has to wait for its VF sends and is sent less: its plan is what counts.
    framesPerSecond: spec.kind === 'qemu' ? subjectRate(planned) : framesPerSecond,
    stoodStillMs: record.stoodStillMs,
    burstMs: burstMs(record, spec, gap),
  });
  const result = {
    name: step.name,
    title: step.title,
    kind: step.kind,
    fromMs: from.monotonicMs - startMs,
    toMs: to.monotonicMs - startMs,
    where: { host: record.home, path: subject?.path ?? 'software', reason: subject?.reason ?? 'internal_error' },
    frames,
    flows: flowResults(account, planned),
    framesPerSecond,
    switchTimes: {
      receiveMs: maxOrNull(inStep.map((each) => each.receiveMs)),
      transmitMs: maxOrNull(inStep.map((each) => each.transmitMs)),
    },
    longestGapMs: gap,
    steering: steering(record),
    tcpBytes: tcpBytes(record.tcpTo) - tcpBytes(record.tcpFrom),
    tcpLongestGapMs: tcpStallMs(record),
    redirectErrors: record.redirectErrors,
    lossAllowed: allowance.frames,
    lossReason: allowance.reason,
  };
  const otherPaths = new Map<string, VnicPath>();
  for (const [guest, vnic] of record.vnics) if (vnic !== null && guest !== SUBJECT) otherPaths.set(guest, vnic.path);
  const failures = judgeStep(SUBJECT, result, step.expect, {
    guestPaths: record.guestPaths,
    otherPaths,
    tcpAlive: record.tcpTo.alive,
    problems: record.problems,
    lostWhere,
  });
  return { ...result, failures };
}
