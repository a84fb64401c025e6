/** Forwarding of live frames from the uplink, one way among several: what a frame costs, and whether all of them arrived. */
import type { Bed } from './bed.js';
import { type Sink, settledArrivals } from './sink.js';

export interface Way {
  /** Of bench.bpf.c. */
  readonly program: string;
  readonly frame: Buffer;
  /** Sets the variation; its turns begin anew with every slice. */
  readonly prepare: () => void;
  /** Frames that went this way so far; absent where there is nothing to count. */
  readonly steered?: () => number;
}

/** Of the frames of a way, at least this share must have been steered in that way: two flows may share a slot of the flow table. */
const MIN_STEERED = 0.9;
const WARM_UP_FRAMES = 20_000;

/** A round whose frames did not arrive proves nothing about forwarding. */
export class LostFramesError extends Error {
  override readonly name = 'LostFramesError';

  constructor(way: string, readonly sent: number, readonly arrived: number) {
    super(`${way}: of ${sent} frames ${arrived} arrived at the sink`);
  }
}

/** Sends `frames` frames; returns ns per frame. @throws LostFramesError unless all arrive */
export async function sendWay(bed: Bed, sink: Sink, name: string, way: Way, frames: number): Promise<number> {
  way.prepare();
  const [arrivedBefore, steeredBefore] = [sink.arrived(), way.steered?.() ?? 0];
  const nsPerFrame = await bed.send(way.program, way.frame, frames);
  const arrived = (await settledArrivals(sink, arrivedBefore + frames)) - arrivedBefore;
  if (arrived !== frames) throw new LostFramesError(name, frames, arrived);
  const steered = (way.steered?.() ?? frames) - steeredBefore;
  if (steered < frames * MIN_STEERED) throw new Error(`${name}: of ${frames} frames only ${steered} were steered that way`);
  return nsPerFrame;
}

/** How many frames of this way take about `sliceNs`. */
export async function sliceOf(bed: Bed, sink: Sink, name: string, way: Way, sliceNs: number): Promise<number> {
  const nsPerFrame = await sendWay(bed, sink, name, way, WARM_UP_FRAMES);
  return Math.max(WARM_UP_FRAMES, Math.round(sliceNs / nsPerFrame));
}
