/** What was decided about a frame, in words. Pure. */
import type { CapturedFrame } from './record.js';

/** Names of what a frame has numbers of. */
export interface Names {
  link(ifindex: number): string;
  vnic(id: number): string;
}

export function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/**
 * "redirect_rss vnic=web target=vfp0 queue=1 cpu=0->1 hash=0x51ccc178"; what was not decided is left out. The arrow: handed to
 * another CPU.
 */
export function decisionText(frame: CapturedFrame, names: Names): string {
  const { reason, verdict, code, vnic, targetIfindex, queue, cpu, toCpu, hash } = frame;
  return [
    reason ?? verdict ?? `verdict ${code}`,
    ...(vnic === 0 ? [] : [`vnic=${names.vnic(vnic)}`]),
    ...(targetIfindex === 0 ? [] : [`target=${names.link(targetIfindex)}`]),
    ...(queue === null ? [] : [`queue=${queue}`]),
    ...(targetIfindex === 0 ? [] : [`cpu=${toCpu === null ? cpu : `${cpu}->${toCpu}`}`]),
    ...(hash === null ? [] : [`hash=${hex32(hash)}`]),
  ].join(' ');
}
