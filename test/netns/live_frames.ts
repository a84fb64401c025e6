/**
 * Live frames of many flows into steer_uplink, and what arrived of each on which queue: queues.bpf.c from this side. The process
 * must have been started in the network namespace of the devices.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode, u32, u64 } from '../../src/btf/codec.js';
import { XdpLink } from '../../src/native/link.js';
import { PerCpuMap } from '../../src/native/map.js';
import { BpfObject } from '../../src/native/object.js';
import type { BpfProgram } from '../../src/native/program.js';
import { packageRoot } from '../../src/paths.js';

export const queuesObjectPath = join(packageRoot, 'bpf', 'queues.bpf.o');
export const FRAME_SIZE = 128;
const PORT_AT = 112;
const MAX_QUEUES = 64;
const FIRST = encode(u32, 0);
const STATE = { size: 32, flows: 0, logging: 4, number: 12, arrived: 16, spin: 20, misdelivered: 24 } as const;
/** Readings of the clock between two frames that are numbered: about as long as a wire of a million frames per second needs. */
const SPIN = 32;
const ENTRY = { size: 16, number: 8, queue: 12, cpu: 14 } as const;
const WAIT_STEPS = 400;

/** The source MAC address by which the sink knows the flow. */
export function flowMac(flow: number): string {
  const [high, low] = [flow >> 8, flow & 0xff].map((byte) => byte.toString(16).padStart(2, '0'));
  return `02:ee:00:00:${high}:${low}`;
}

/** Writes into the frame at which device, by ifindex, it must arrive; it must have room for it behind its headers. */
export function arriveAt(bytes: Buffer, ifindex: number): Buffer {
  bytes.writeUInt32LE(ifindex, PORT_AT);
  return bytes;
}

/** Of a frame that has such an address as its source; null for any other. */
export function flowOfFrame(bytes: Buffer): number | null {
  return bytes.readUInt32BE(6) === 0x02ee0000 ? bytes.readUInt16BE(10) : null;
}

/** All threads of this process, also those that run asynchronous calls. */
export function pinProcess(cpus: readonly number[]): void {
  execFileSync('taskset', ['--cpu-list', '--pid', '--all-tasks', cpus.join(','), String(process.pid)]);
}

export function ifindexes(): Map<string, number> {
  const links = JSON.parse(execFileSync('ip', ['-j', 'link', 'show'], { encoding: 'utf8' })) as { ifindex: number; ifname: string }[];
  return new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
}

/** Waits until it is true, or for two seconds. */
export async function until(done: () => boolean): Promise<boolean> {
  for (let step = 0; step < WAIT_STEPS && !done(); step++) await sleep(5);
  return done();
}

/** One frame that arrived. */
export interface Arrival {
  readonly number: number;
  readonly sentNs: bigint;
  readonly queue: number;
  readonly cpu: number;
}

export class LiveFrames {
  readonly #object: BpfObject;
  readonly #arrivals: PerCpuMap<number, bigint>;
  readonly #state: Buffer;
  readonly #log: Buffer;
  readonly #uplink: number;
  readonly #sinks: XdpLink[] = [];
  #flows = 0;

  private constructor(object: BpfObject, uplink: number) {
    this.#object = object;
    this.#uplink = uplink;
    this.#state = object.map('states').mmap();
    this.#log = object.map('arrival_log').mmap();
    this.#arrivals = new PerCpuMap(object.map('arrivals'), u32, u64);
  }

  /** @param uplink its ifindex; it must have an XDP program @param steerUplink what the frames enter */
  static async open(uplink: number, steerUplink: BpfProgram): Promise<LiveFrames> {
    const object = BpfObject.open(queuesObjectPath);
    await object.load();
    object.map('steer').set(FIRST, encode(u32, steerUplink.fd));
    return new LiveFrames(object, uplink);
  }

  /** Frames that leave by the other end of the veth are counted there and end. */
  sinkAt(ifindex: number): void {
    this.#sinks.push(XdpLink.attach(this.#object.program('note_arrival'), ifindex, 'native'));
  }

  /** Frames that arrived at another device than they were written for. */
  misdelivered(): number {
    return this.#state.readUInt32LE(STATE.misdelivered);
  }

  /** The frames to send, FRAME_SIZE bytes each, frame i with `flowMac(i)` as its source. */
  setFrames(frames: readonly Buffer[]): void {
    for (const [i, bytes] of frames.entries()) {
      if (bytes.length !== FRAME_SIZE) throw new RangeError(`frame ${i} has ${bytes.length} bytes, not ${FRAME_SIZE}`);
      if (flowOfFrame(bytes) !== i) throw new RangeError(`frame ${i} is not from ${flowMac(i)}`);
    }
    this.#object.map('templates').setBatch(frames.map((bytes, i) => [encode(u32, i), bytes] as const));
    this.#flows = frames.length;
    this.#resetState(false);
  }

  #resetState(logging: boolean): void {
    this.#state.fill(0, 0, STATE.size);
    this.#state.writeUInt32LE(this.#flows, STATE.flows);
    this.#state.writeUInt32LE(logging ? 1 : 0, STATE.logging);
    this.#state.writeUInt32LE(logging ? SPIN : 0, STATE.spin);
  }

  /** From now on the order of arrival is noted; frames are numbered from 0. */
  startLog(): void {
    this.#resetState(true);
  }

  /** Number of the next frame. */
  sent(): number {
    return this.#state.readUInt32LE(STATE.number);
  }

  logged(): number {
    return this.#state.readUInt32LE(STATE.arrived);
  }

  /** What arrived since `startLog`, in order. */
  takeLog(): Arrival[] {
    if (this.logged() * ENTRY.size > this.#log.length) throw new Error(`${this.logged()} frames are more than the log holds`);
    return Array.from({ length: this.logged() }, (_, i) => {
      const at = i * ENTRY.size;
      return {
        sentNs: this.#log.readBigUInt64LE(at), number: this.#log.readUInt32LE(at + ENTRY.number),
        queue: this.#log.readUInt16LE(at + ENTRY.queue), cpu: this.#log.readUInt16LE(at + ENTRY.cpu),
      };
    });
  }

  /** Frames in turn, `count` in all, on the CPU that this process is pinned to. */
  async send(count: number): Promise<void> {
    const data = Buffer.alloc(FRAME_SIZE);
    await this.#object.program('number_frame').sendLiveFrames({ data, ingressIfindex: this.#uplink, repeat: count });
  }

  /** Frames of this flow that arrived so far, by queue. */
  arrived(flow: number, queues: number): number[] {
    const count = (queue: number) => Number((this.#arrivals.getAll(flow * MAX_QUEUES + queue) ?? []).reduce((sum, one) => sum + one, 0n));
    return Array.from({ length: queues }, (_, queue) => count(queue));
  }

  close(): void {
    for (const sink of this.#sinks) sink.close();
    this.#object.close();
  }
}
