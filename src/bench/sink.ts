/**
 * The guest's end, where frames are counted and end:
 *   xdp    a program that drops them: what is measured is forwarding alone
 *   stack  the guest's network stack, which makes an skb of every frame and drops it as not its own: the bridge has made that skb
 *          already, so this is the smaller advantage that a guest behind a veth sees
 */
import { readFileSync } from 'node:fs';
import { u32, u64 } from '../btf/codec.js';
import { run } from '../host/exec.js';
import { PerCpuMap } from '../native/map.js';
import { inNetns } from '../native/netns.js';
import type { BpfObject } from '../native/object.js';
import { XdpLink } from '../native/xdp_link.js';
import type { SinkKind } from './model.js';

export interface Sink {
  /** Frames so far. */
  arrived(): number;
  close(): void;
}

export interface SinkPlace {
  readonly netns: string;
  readonly device: string;
  readonly ifindex: number;
}

/** Either has NAPI, which a veth needs to be redirected to. @param bench the loaded bench.bpf.o */
export async function openSink(kind: SinkKind, bench: BpfObject, place: SinkPlace): Promise<Sink> {
  return kind === 'xdp' ? new XdpSink(bench, place) : StackSink.open(place);
}

function netnsPath({ netns }: SinkPlace): string {
  return `/run/netns/${netns}`;
}

class XdpSink implements Sink {
  readonly #arrived: PerCpuMap<number, bigint>;
  readonly #link: XdpLink;

  constructor(bench: BpfObject, place: SinkPlace) {
    this.#arrived = new PerCpuMap(bench.map('arrived'), u32, u64);
    this.#link = inNetns(netnsPath(place), () => XdpLink.attach(bench.program('bench_sink'), place.ifindex, 'native'));
  }

  arrived(): number {
    return Number((this.#arrived.getAll(0) ?? []).reduce((sum, count) => sum + count, 0n));
  }

  close(): void {
    this.#link.close();
  }
}

class StackSink implements Sink {
  readonly #place: SinkPlace;

  private constructor(place: SinkPlace) {
    this.#place = place;
  }

  static async open(place: SinkPlace): Promise<StackSink> {
    await run('nsenter', [`--net=${netnsPath(place)}`, 'ethtool', '-K', place.device, 'gro', 'on']);
    return new StackSink(place);
  }

  arrived(): number {
    const table = inNetns(netnsPath(this.#place), () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
    return parseReceived(table, this.#place.device);
  }

  close(): void {
    // The device goes with its namespace.
  }
}

/** Packets received by a device, from /proc/net/dev. @throws Error when it is not there */
export function parseReceived(table: string, device: string): number {
  const line = table.split('\n').find((candidate) => candidate.trim().startsWith(`${device}:`));
  if (line === undefined) throw new Error(`${device} is not in /proc/net/dev`);
  return Number(line.slice(line.indexOf(':') + 1).trim().split(/\s+/)[1]);
}
