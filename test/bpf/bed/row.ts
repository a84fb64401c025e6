/**
 * A row of a table of packets, and how it is checked: the verdict, the target (by taking it away), and that nothing rose, moved or
 * was learnt but what the row says.
 */
import type { ExecutionContext } from 'ava';
import { type ControlCommand, EventKind, HandoverBit, PathBit, type SeenAddresses } from '../../../maps/generated/contract.js';
import type { VnicPath } from '../../../src/core/model.js';
import type { FrameBuilder } from '../../support/packet_builder.js';
import { type Arrival, type Bed, pathCode, type ReasonName, rises, vnicKey } from './bed.js';
import type { Given } from './given.js';
import { bedVnic, type CounterOwner, isUplink, ownerOf, type PortName, PORTS, VNIC_NAMES, type VnicName } from './world.js';

export interface Row extends Arrival {
  readonly title: string;
  /** Beyond the bed's own state; in this order. */
  readonly given?: readonly Given[];
  readonly frame: FrameBuilder;
  readonly verdict: 'pass' | 'drop' | 'redirect';
  /** Which reason counter rises, and whose. */
  readonly counted: readonly [owner: CounterOwner, reason: ReasonName];
  /** Of a redirect: where it ends, on which queue of that port, and by way of which CPU if not straight. */
  readonly to?: PortName;
  /** Whose VF the uplink leads to, when the adapter's own switch delivers. */
  readonly toVfOf?: VnicName;
  /** The VLAN by which the other CPU finds the vNIC; default: the one that world.ts gives it. */
  readonly inVlan?: number;
  readonly toQueue?: number;
  readonly byCpu?: number;
  /** The vNIC moves to the path and an event tells so. */
  readonly moves?: readonly [vnic: VnicName, to: VnicPath];
  /** A flow is learnt: new or in another's slot; or moves to another queue. */
  readonly learns?: { readonly vnic: VnicName; readonly queue: number };
  readonly movesFlow?: { readonly vnic: VnicName; readonly queue: number };
  readonly replacesFlow?: { readonly vnic: VnicName; readonly queue: number };
  /** What was learnt of the frame's flow is too old. */
  readonly expiresFlow?: VnicName;
  /** The frame as it leaves, when a tag was put in or taken off; else as it came. */
  readonly leaves?: FrameBuilder;
  /** It waits for the vNIC, behind so many others: default none. As it leaves the program. */
  readonly holds?: { readonly vnic: VnicName; readonly behind?: number };
  /** An event tells that the guest hears on this path; `generation` default 0. */
  readonly hears?: readonly [vnic: VnicName, path: VnicPath];
  /** The guest was seen to use these addresses. */
  readonly sees?: readonly [vnic: VnicName, addresses: Partial<SeenAddresses>];
  /** An event hands over a control frame. */
  readonly control?: { readonly vnic: VnicName; readonly command: ControlCommand; readonly sequence: number };
}

/** A frame refused or not understood is not counted as one of the vNIC's own. */
const NOT_FROM_THE_GUEST: readonly ReasonName[] = ['pass_runt', 'pass_unknown_port', 'drop_spoofed_mac', 'drop_spoofed_vlan'];

/** By steer_guest, which knows on which port. */
const DROPPED_AT_THE_GUEST = /^drop_(spoofed|control|rate)/;

function expectedRises(row: Row, bytes: bigint): Record<string, bigint> {
  const [owner, reason] = row.counted;
  const expected: Record<string, bigint> = { [`${owner} ${reason}`]: 1n, [`${owner} ${reason} bytes`]: bytes };
  const sender = ownerOf(row.on);
  if (sender !== null && row.verdict === 'drop' && DROPPED_AT_THE_GUEST.test(reason)) {
    expected[`${sender} ${reason} on ${bedVnic(sender).vf === row.on ? 'vf' : 'tap'}`] = 1n;
  }
  if (sender !== null && !NOT_FROM_THE_GUEST.includes(reason)) {
    const port = bedVnic(sender).vf === row.on ? 'vf' : 'tap';
    expected[`${sender} from ${port}`] = 1n;
    expected[`${sender} from ${port} bytes`] = bytes;
  }
  if (row.toVfOf !== undefined) expected[`${row.toVfOf} vf queue 0`] = 1n;
  if (row.to !== undefined && !isUplink(row.to)) {
    const receiver = ownerOf(row.to)!;
    expected[`${receiver} ${bedVnic(receiver).vf === row.to ? 'vf' : 'tap'} queue ${row.toQueue ?? 0}`] = 1n;
    if (row.byCpu !== undefined) expected[`${receiver} cpu handovers`] = 1n;
  }
  if (row.moves) expected[`${row.moves[0]} path changes`] = 1n;
  if (row.learns) expected[`${row.learns.vnic} flows learnt`] = 1n;
  if (row.movesFlow) expected[`${row.movesFlow.vnic} flows moved`] = 1n;
  if (row.replacesFlow) expected[`${row.replacesFlow.vnic} flows replaced`] = 1n;
  if (row.expiresFlow) expected[`${row.expiresFlow} flows expired`] = 1n;
  return expected;
}

function prepare(bed: Bed, row: Row): void {
  bed.reset();
  for (const given of row.given ?? []) given(bed);
  bed.takeEvents();
}

export function checkRow(t: ExecutionContext, bed: Bed, row: Row): void {
  const bytes = BigInt(row.frame.build().length);
  const look = () => ({ tallies: bed.tallies(), words: bed.pathWords(), flows: bed.learntFlows(), seen: seenBy(bed), held: heldBy(bed) });
  prepare(bed, row);
  const before = look();
  const verdict = bed.run(row.frame.build(), row);
  const after = look();
  t.is(verdict, row.verdict);
  checkFrame(t, bed, row);
  t.deepEqual(rises(before.tallies, after.tallies), expectedRises(row, bytes));
  checkPaths(t, row, before.words, after.words);
  checkEvents(t, bed, row);
  checkFlows(t, row, before.flows, after.flows);
  checkHeld(t, bed, row.holds, before.held);
  const [guest, addresses] = row.sees ?? [];
  t.deepEqual(after.seen, before.seen.map(([name, seen]) => [name, name === guest ? { ...seen, ...addresses } : seen] as const));
  if (row.verdict === 'redirect') checkTarget(t, bed, row);
}

function seenBy(bed: Bed) {
  return VNIC_NAMES.map((name) => [name, bed.seen.get(bedVnic(name).id)!] as const);
}

export function heldBy(bed: Bed): Record<string, number> {
  return Object.fromEntries(VNIC_NAMES.map((name) => [name, bed.heldFrames(name).length]));
}

/** Nothing else waits than did before, but for one frame, as the program left it. */
export function checkHeld(
  t: ExecutionContext, bed: Bed, holds: { readonly vnic: VnicName; readonly behind?: number } | undefined, before: Record<string, number>,
  segmentSize = 0,
): void {
  const after = heldBy(bed);
  if (holds === undefined) {
    t.deepEqual(after, before, 'frames that wait');
    return;
  }
  const { vnic, behind = 0 } = holds;
  t.is(before[vnic], behind, 'frames that waited');
  t.deepEqual(after, { ...before, [vnic]: behind + 1 }, 'frames that wait');
  const { head: { timeNs, ...head }, bytes } = bed.heldFrames(vnic)[behind]!;
  t.deepEqual(bytes, bed.left);
  t.deepEqual(head, { length: bytes.length, segmentSize, tag: 0, tagProtocol: 0 });
  t.true(process.hrtime.bigint() - timeNs < 1_000_000_000n, 'the time of CLOCK_MONOTONIC');
}

/** Before the frame, for another CPU, the key of its vNIC. */
function checkFrame(t: ExecutionContext, bed: Bed, row: Row): void {
  const frame = (row.leaves ?? row.frame).build();
  if (row.byCpu === undefined) {
    t.deepEqual(bed.left, frame);
    return;
  }
  const { mac, vlan } = bedVnic(ownerOf(row.to!)!);
  const retagged = row.leaves === undefined ? 0n : 1n << BigInt(HandoverBit.RETAGGED_SHIFT);
  t.is(bed.left.readBigUInt64LE(), vnicKey(mac, row.inVlan ?? vlan) | retagged);
  t.deepEqual(bed.left.subarray(8), frame);
}

type PathWords = ReturnType<Bed['pathWords']>;

function checkPaths(t: ExecutionContext, row: Row, before: PathWords, after: PathWords): void {
  for (const [name, { word, holdUntilNs }] of before) {
    t.is(after.get(name)?.holdUntilNs, holdUntilNs, `end of the hold of ${name}`);
    let expected = word;
    if (row.moves?.[0] === name) {
      expected = ((word & ~BigInt(PathBit.MASK)) | BigInt(pathCode(row.moves[1]))) + (1n << BigInt(PathBit.GENERATION_SHIFT));
    }
    t.is(after.get(name)?.word, expected, `path word of ${name}`);
  }
}

function checkEvents(t: ExecutionContext, bed: Bed, row: Row): void {
  const events = bed.takeEvents().map(({ timeNs, ...event }) => {
    t.true(process.hrtime.bigint() - timeNs < 1_000_000_000n, 'the event has the time of CLOCK_MONOTONIC');
    return event;
  });
  const ifindex = bed.ifindex(row.on);
  const expected = [];
  if (row.moves) {
    const path = pathCode(row.moves[1]);
    expected.push({ vnic: bedVnic(row.moves[0]).id, generation: 1, ifindex, kind: 0, path, command: 0 });
  }
  if (row.hears) {
    const [vnic, path] = row.hears;
    expected.push({ vnic: bedVnic(vnic).id, generation: 0, ifindex, kind: EventKind.HEARD, path: pathCode(path), command: 0 });
  }
  if (row.control) {
    const { vnic, command, sequence } = row.control;
    expected.push({ vnic: bedVnic(vnic).id, generation: sequence, ifindex, kind: 1, path: 0, command });
  }
  t.deepEqual(events, expected as typeof events);
}

type Flows = ReturnType<Bed['learntFlows']>;

function checkFlows(t: ExecutionContext, row: Row, before: Flows, after: Flows): void {
  // `seen` may be refreshed without a word.
  const changed = [...after].filter(([slot, flow]) => {
    const old = before.get(slot);
    return old === undefined || old.tag !== flow.tag || old.queue !== flow.queue;
  });
  const expected = row.learns ?? row.movesFlow ?? row.replacesFlow;
  t.deepEqual(
    changed.map(([slot, flow]) => `${slot.split('/')[0]} queue ${flow.queue}`),
    expected ? [`${expected.vnic} queue ${expected.queue}`] : [],
    'learnt flows',
  );
  const forgotten = [...before.keys()].filter((slot) => !after.has(slot)).length;
  t.is(forgotten, row.expiresFlow === undefined ? 0 : 1, 'flows that are forgotten');
}

/** TEST_RUN does not say where a redirect goes. So: without its target the frame is passed, with nothing but its target it still goes. */
function checkTarget(t: ExecutionContext, bed: Bed, row: Row): void {
  const { to, byCpu } = row;
  if (to === undefined) throw new Error(`row "${row.title}" redirects but does not say where to`);
  prepare(bed, row);
  if (byCpu === undefined) bed.forbid(to);
  else bed.forbidCpu(byCpu);
  const before = bed.tallies();
  t.is(bed.run(row.frame.build(), row), 'pass', `without ${byCpu === undefined ? to : `CPU ${byCpu}`}`);
  const risen = rises(before, bed.tallies());
  t.is(risen[`${row.counted[0]} pass_no_target`], 1n);
  t.is(risen[`${row.counted[0]} ${row.counted[1]}`], undefined);
  t.is(Object.keys(risen).find((name) => /queue|handover/.test(name)), undefined, 'a frame that goes nowhere is in no queue');

  prepare(bed, row);
  for (const port of PORTS) if (port !== to) bed.forbid(port);
  for (const cpu of [0, 1]) if (cpu !== byCpu) bed.forbidCpu(cpu);
  t.is(bed.run(row.frame.build(), row), 'redirect', 'with no other target');
}
