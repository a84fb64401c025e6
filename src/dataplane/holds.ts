/**
 * Frames kept back for a guest that changes its path (maps/holds.h): begun before it turns deaf, ended when it hears again. What
 * waits is delivered in order, and what comes meanwhile stays behind it.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { heldFrameCodec } from '../../maps/generated/contract.js';
import { unfinished } from '../core/packet/offload.js';
import { waitForRunningPrograms } from '../native/grace_period.js';
import { isNativeError } from '../native/errors.js';
import { createRing, deleteInner, getInner, setInner } from '../native/inner_map.js';
import type { RawMap } from '../native/map.js';
import { RingBuffer } from '../native/ring_buffer.js';
import { PacketSocket } from '../native/socket.js';
import type { PathWords } from './path_word.js';
import type { HoldReport, VnicPath } from './port.js';

/** Between two looks at the events there is time for this many frames. */
const FRAMES_AT_ONCE = 128;
/** A program that saw others wait has put its own frame behind them by then. */
const GRACE_MS = 2;
/** A release that takes longer than this has a port that takes nothing. */
const RELEASE_DEADLINE_MS = 2_000;
const RETRY_MS = 1;
/** What has waited this long is of no use to anyone; its sender has given up on it, or sent it again. */
const STALE_NS = 10_000_000_000n;

function withTag(frame: Buffer, protocol: number, tag: number): Buffer {
  if (protocol === 0) return frame;
  const inserted = Buffer.alloc(4);
  inserted.writeUInt16BE(protocol, 0);
  inserted.writeUInt16BE(tag, 2);
  return Buffer.concat([frame.subarray(0, 12), inserted, frame.subarray(12)]);
}

export class Holds {
  readonly #rings: RawMap;
  readonly #paths: PathWords;
  #socket: PacketSocket | null = null;

  /** Owns neither. */
  constructor(rings: RawMap, paths: PathWords) {
    this.#rings = rings;
    this.#paths = paths;
  }

  /**
   * From now on frames for the vNIC are kept back, `bytes` of them at most (a power of two, each frame with its room, see enum
   * hold_room), for `durationMs` at most. Of one that is held already, only the end is put off.
   */
  begin(id: number, durationMs: number, bytes: number): void {
    this.prepare(id, bytes);
    this.#paths.setHoldUntil(id, process.hrtime.bigint() + BigInt(Math.round(durationMs * 1e6)));
    this.#paths.change(id, { hold: 'holding' });
  }

  /** Makes the ring, which takes some 10 ms, unless it is there. */
  prepare(id: number, bytes: number): void {
    if (this.exists(id)) return;
    const ring = createRing('hold', bytes);
    try {
      setInner(this.#rings, id, ring);
    } finally {
      ring.close();
    }
  }

  /** Does anything of a hold exist for this vNIC, ended or not? */
  exists(id: number): boolean {
    const ring = getInner(this.#rings, id);
    ring?.close();
    return ring !== null;
  }

  /** The vNIC is on `path` now: delivers what waits to a port, in order, and ends the hold. Without one, only the path changes. */
  async release(id: number, path: VnicPath, ifindex: number, vfAllowed: boolean): Promise<HoldReport> {
    const inner = getInner(this.#rings, id);
    if (inner === null) {
      this.#paths.change(id, { path, vfAllowed, hold: 'none' });
      return { delivered: 0, stale: 0, lost: 0, longestMs: 0 };
    }
    const ring = new RingBuffer(inner);
    const report = { delivered: 0, stale: 0, lost: 0, longestMs: 0 };
    const deadline = process.hrtime.bigint() + BigInt(RELEASE_DEADLINE_MS) * 1_000_000n;
    this.#paths.setHoldUntil(id, deadline + 1_000_000_000n);
    this.#paths.change(id, { path, vfAllowed, hold: 'releasing' });
    try {
      await this.#deliverAll(ring, ifindex, deadline, report);
      // All that could have seen others wait have put their frame behind them when this is over.
      await sleep(GRACE_MS);
      await this.#deliverAll(ring, ifindex, deadline, report);
      this.#paths.change(id, { hold: 'none' });
      waitForRunningPrograms();
      await this.#deliverAll(ring, ifindex, deadline, report);
    } finally {
      this.#paths.change(id, { hold: 'none' });
      deleteInner(this.#rings, id);
      ring.close();
      inner.close();
    }
    return report;
  }

  /** Ends a hold and forgets what waits. */
  drop(id: number): void {
    this.#paths.change(id, { hold: 'none' });
    deleteInner(this.#rings, id);
  }

  close(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  async #deliverAll(ring: RingBuffer, ifindex: number, deadline: bigint, report: { -readonly [K in keyof HoldReport]: HoldReport[K] }): Promise<void> {
    for (;;) {
      let blocked = false;
      ring.drain((record) => {
        const outcome = this.#deliver(record, ifindex, deadline);
        if (outcome === 'blocked') {
          blocked = true;
          return false;
        }
        if (outcome === 'delivered') {
          report.delivered++;
          const { timeNs } = heldFrameCodec.read(record);
          report.longestMs = Math.max(report.longestMs, Number(process.hrtime.bigint() - timeNs) / 1e6);
        } else report[outcome]++;
        return true;
      }, FRAMES_AT_ONCE);
      if (blocked) await sleep(RETRY_MS);
      else if (ring.isEmpty) return;
      else await setImmediate();
    }
  }

  #deliver(record: Buffer, ifindex: number, deadline: bigint): 'delivered' | 'stale' | 'lost' | 'blocked' {
    const { timeNs, length, segmentSize, tag, tagProtocol } = heldFrameCodec.read(record);
    const now = process.hrtime.bigint();
    if (now - timeNs > STALE_NS) return 'stale';
    const frame = withTag(record.subarray(heldFrameCodec.size, heldFrameCodec.size + length), tagProtocol, tag);
    this.#socket ??= new PacketSocket();
    try {
      this.#socket.send(ifindex, frame, unfinished(frame, segmentSize));
      return 'delivered';
    } catch (error) {
      const full = isNativeError(error, 'ENOBUFS') || isNativeError(error, 'EAGAIN');
      return full && now < deadline ? 'blocked' : 'lost';
    }
  }
}
