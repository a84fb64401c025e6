/** A captured frame: what was decided about it, and its bytes as they came in. Pure. */
import { CaptureLimit, captureHeadCodec, DecisionNone, type Reason, reasonNames } from '../../maps/generated/contract.js';

/** enum xdp_action of include/uapi/linux/bpf.h, by number. */
export const verdictNames = ['aborted', 'drop', 'pass', 'tx', 'redirect'] as const;
export type Verdict = (typeof verdictNames)[number];
export type ReasonName = (typeof reasonNames)[Reason];

export interface CapturedFrame {
  /** CLOCK_MONOTONIC, before the program ran. */
  readonly timeNs: bigint;
  /** Where it came in. */
  readonly ifindex: number;
  readonly rxQueue: number;
  /** That ran the program. */
  readonly cpu: number;
  /** Of the frame, all its buffers; `bytes` has as many as were asked for. */
  readonly length: number;
  /** What the program returned. */
  readonly code: number;
  /** Null for a code that XDP does not know. */
  readonly verdict: Verdict | null;
  /** Null for one that this version does not know. */
  readonly reason: ReasonName | null;
  /** Id of the vNIC that it was counted for; 0 = of none. */
  readonly vnic: number;
  /** Of a redirect; 0 = none. */
  readonly targetIfindex: number;
  /** Of the target port, when one was chosen. */
  readonly queue: number | null;
  /** That it was handed to. */
  readonly toCpu: number | null;
  /** RSS hash, when it was computed. */
  readonly hash: number | null;
  readonly bytes: Buffer;
}

export const MAX_SNAPLEN = CaptureLimit.SNAPLEN;

/** @param record as it comes from the ring */
export function toCapturedFrame(record: Buffer): CapturedFrame {
  const { timeNs, ifindex, rxQueue, cpu, length, captured, verdict, decision } = captureHeadCodec.read(record);
  const { size } = captureHeadCodec;
  return {
    timeNs,
    ifindex,
    rxQueue,
    cpu,
    length,
    code: verdict,
    verdict: verdictNames[verdict] ?? null,
    reason: reasonNames[decision.reason as Reason] ?? null,
    vnic: decision.vnic,
    targetIfindex: decision.targetIfindex,
    queue: decision.queue === DecisionNone.QUEUE ? null : decision.queue,
    toCpu: decision.cpu === DecisionNone.CPU ? null : decision.cpu,
    hash: decision.hash === 0 ? null : decision.hash,
    bytes: record.subarray(size, size + captured),
  };
}
