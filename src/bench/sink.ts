/**
 * The receiver's end, where frames are counted and end:
 *   xdp    a program that drops them: what is measured is forwarding alone
 *   stack  the receiver's network stack, which makes an skb of every frame and drops it as not its own: the bridge has made that skb
 *          already, so this is the smaller advantage that a guest behind a veth sees
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNetns } from '../native/netns.js';
import type { BpfObject } from '../native/object.js';
import { XdpLink } from '../native/xdp_link.js';
import { ifindexOf, inside } from './stage.js';

export interface Sink {
  /** Frames so far. */
  arrived(): number;
  close(): void;
}

/** Another CPU may still work on what it was handed, and may not get to it at once on a busy machine. */
const SETTLE_STEP_MS = 1;
const QUIET_STEPS = 50;

/** Frames at the sink once `wanted` are there, or once none has come for a while. */
export async function settledArrivals(sink: Sink, wanted: number): Promise<number> {
  let seen = sink.arrived();
  for (let quiet = 0; seen < wanted && quiet < QUIET_STEPS; quiet++) {
    await sleep(SETTLE_STEP_MS);
    const now = sink.arrived();
    if (now !== seen) quiet = 0;
    seen = now;
  }
  return seen;
}

const netnsPath = (netns: string): string => `/run/netns/${netns}`;

/** `struct arrival` of bench.bpf.c. */
const ROW_BYTES = 256;
const LAST_NS_AT = 136;
const ROWS = 8;

export class XdpSink implements Sink {
  readonly #rows: Buffer;
  readonly #link: XdpLink;

  private constructor(rows: Buffer, link: XdpLink) {
    this.#rows = rows;
    this.#link = link;
  }

  /** @param bench the loaded bench.bpf.o */
  static async open(bench: BpfObject, netns: string, device: string): Promise<XdpSink> {
    const ifindex = await ifindexOf(netns, device);
    const link = inNetns(netnsPath(netns), () => XdpLink.attach(bench.program('bench_sink'), ifindex, 'native'));
    return new XdpSink(bench.map('arrivals').mmap(), link);
  }

  /** By receive queue. */
  arrivedByQueue(): number[] {
    return Array.from({ length: ROWS }, (_, queue) => Number(this.#rows.readBigUInt64LE(queue * ROW_BYTES)));
  }

  arrived(): number {
    return this.arrivedByQueue().reduce((sum, frames) => sum + frames, 0);
  }

  /** When the latest multiple of 64 frames of a queue was complete; CLOCK_MONOTONIC, ns. */
  lastNs(): number {
    return Math.max(...Array.from({ length: ROWS }, (_, queue) => Number(this.#rows.readBigUInt64LE(queue * ROW_BYTES + LAST_NS_AT))));
  }

  /** Only while no frame is under way. */
  reset(): void {
    this.#rows.fill(0);
  }

  close(): void {
    this.#link.close();
  }
}

export class StackSink implements Sink {
  readonly #netns: string;
  readonly #device: string;

  private constructor(netns: string, device: string) {
    this.#netns = netns;
    this.#device = device;
  }

  static async open(netns: string, device: string): Promise<StackSink> {
    // NAPI, without which a veth takes no redirected frames.
    await inside(netns, `ethtool -K ${device} gro on`);
    return new StackSink(netns, device);
  }

  arrived(): number {
    const table = inNetns(netnsPath(this.#netns), () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
    return parseReceived(table, this.#device);
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
