/** A row of a table of frames that the bridge hands to a port (tc egress), and how it is checked: nothing rose or waits but what it says. */
import type { ExecutionContext } from 'ava';
import type { FrameBuilder } from '../../support/packet_builder.js';
import { type Bed, type ReasonName, rises } from './bed.js';
import type { Given } from './given.js';
import { checkHeld, heldBy } from './row.js';
import type { CounterOwner, PortName, VnicName } from './world.js';

const ACTIONS = { ok: 0, shot: 2, redirect: 7 } as const;

export interface TapRow {
  readonly title: string;
  readonly given?: readonly Given[];
  readonly frame: FrameBuilder;
  readonly at: PortName;
  /** Where it came into the host; null: it was made here. Default: the uplink. */
  readonly cameIn?: PortName | null;
  /** Of an aggregate. */
  readonly segmentSize?: number;
  readonly action: keyof typeof ACTIONS;
  /** Null: not counted, the tap has it. */
  readonly counted: readonly [owner: CounterOwner, reason: ReasonName] | null;
  readonly holds?: { readonly vnic: VnicName; readonly behind?: number };
}

export function checkTapRow(t: ExecutionContext, bed: Bed, row: TapRow): void {
  const bytes = row.frame.build();
  bed.reset();
  for (const given of row.given ?? []) given(bed);
  bed.takeEvents();
  const [tallies, words, held] = [bed.tallies(), bed.pathWords(), heldBy(bed)];
  t.is(bed.runAtTap(bytes, row.at, row.cameIn === undefined ? 'pf0' : row.cameIn, row.segmentSize ?? 0), ACTIONS[row.action]);
  t.deepEqual(bed.left, bytes, 'a tag that is put in lies beside the frame');
  const [owner, reason] = row.counted ?? [];
  const expected = reason === undefined ? {} : { [`${owner} ${reason}`]: 1n, [`${owner} ${reason} bytes`]: BigInt(bytes.length) };
  t.deepEqual(rises(tallies, bed.tallies()), expected);
  t.deepEqual(bed.pathWords(), words);
  t.deepEqual(bed.takeEvents(), []);
  checkHeld(t, bed, row.holds, held, row.segmentSize);
}
