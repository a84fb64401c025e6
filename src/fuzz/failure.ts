/** A failure in words. */
import { differenceText, hex } from './difference.js';
import type { FailureReport } from './protocol.js';
import type { Failure } from './run.js';

export function reportOf(failure: Failure): FailureReport {
  const { program, sent } = failure.shot;
  const { ifindex, rxQueue, cpu, firstBuffer } = sent.arrival;
  const buffers = firstBuffer === undefined ? '' : `, ${firstBuffer} bytes in the first buffer`;
  const metadata = sent.metadata === 0 ? '' : `, ${sent.metadata} bytes of metadata`;
  const beside = sent.tap === null ? '' : `, came in on ifindex ${sent.tap.cameIn}, segments of ${sent.tap.segmentSize}`;
  return {
    seed: failure.seed, frame: failure.frame, text: differenceText(failure), program,
    arrival: `ifindex ${ifindex}, receive queue ${rxQueue}, CPU ${cpu}${buffers}${metadata}${beside}`,
    hex: hex(sent.bytes),
  };
}

export function failureText({ seed, frame, text, program, arrival, hex: bytes }: FailureReport): string {
  return `${text}\n  ${program}, ${arrival}\n  ${bytes}\nagain: npm run fuzz -- --seed ${seed} --replay ${frame}`;
}
