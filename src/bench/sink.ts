/** The guest's end: a program that counts and drops what arrives. Its presence also gives the device the NAPI that redirects need. */
import { u32, u64 } from '../btf/codec.js';
import { PerCpuMap } from '../native/map.js';
import { inNetns } from '../native/netns.js';
import type { BpfObject } from '../native/object.js';
import { XdpLink } from '../native/xdp_link.js';

export class Sink {
  readonly #arrived: PerCpuMap<number, bigint>;
  readonly #link: XdpLink;

  /** @param bench the loaded bench.bpf.o @param netns where the device is */
  constructor(bench: BpfObject, netns: string, ifindex: number) {
    this.#arrived = new PerCpuMap(bench.map('arrived'), u32, u64);
    this.#link = inNetns(`/run/netns/${netns}`, () => XdpLink.attach(bench.program('bench_sink'), ifindex, 'native'));
  }

  /** Frames so far. */
  arrived(): number {
    return Number((this.#arrived.getAll(0) ?? []).reduce((sum, count) => sum + count, 0n));
  }

  close(): void {
    this.#link.close();
  }
}
