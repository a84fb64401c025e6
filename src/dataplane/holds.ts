/**
 * Frames kept back for a guest that changes its path (maps/holds.h): begun before it turns deaf, ended when it hears again. What
 * waits is delivered in order, and what comes meanwhile stays behind it.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { waitForRunningPrograms } from '../native/grace_period.js';
import { createRing, deleteInner, getInner, setInner } from '../native/inner_map.js';
import type { RawMap } from '../native/map.js';
import { RingBuffer } from '../native/ring_buffer.js';
import { PacketSocket } from '../native/socket.js';
import { HoldDelivery, type HoldPort } from './hold_delivery.js';
import type { PathWords } from './path_word.js';
import type { HoldReport, VnicPath } from './port.js';

/** Between two looks at the events there is time for this many frames. */
const FRAMES_AT_ONCE = 128;
/** A program that saw others wait has put its own frame behind them by then. */
const GRACE_MS = 2;
/** A release that takes longer than this has a port that takes nothing. */
const RELEASE_DEADLINE_MS = 2_000;
const RETRY_MS = 1;
const NOTHING_WAITED: HoldReport = { delivered: 0, stale: 0, lost: 0, longestMs: 0 };

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
   * hold_room), for `durationMs` at most. Of one that is held already, only the end is put off; one that is being released is held
   * again, and the release ends.
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
  async release(id: number, path: VnicPath, port: HoldPort, vfAllowed: boolean): Promise<HoldReport> {
    const inner = getInner(this.#rings, id);
    if (inner === null) {
      this.#paths.change(id, { path, vfAllowed, hold: 'none' });
      return NOTHING_WAITED;
    }
    const ring = new RingBuffer(inner);
    const deadline = process.hrtime.bigint() + BigInt(RELEASE_DEADLINE_MS) * 1_000_000n;
    this.#socket ??= new PacketSocket();
    const delivery = new HoldDelivery(this.#socket, port, deadline);
    this.#paths.setHoldUntil(id, deadline + 1_000_000_000n);
    this.#paths.change(id, { path, vfAllowed, hold: 'releasing' });
    try {
      await this.#deliverAll(id, ring, delivery);
      // All that could have seen others wait have put their frame behind them when this is over.
      await sleep(GRACE_MS);
      await this.#deliverAll(id, ring, delivery);
      await this.#finish(id, ring, delivery);
    } catch (error) {
      if (this.#isReleasing(id)) this.drop(id);
      throw error;
    } finally {
      ring.close();
      inner.close();
    }
    return delivery.report;
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

  #isReleasing(id: number): boolean {
    return this.#paths.get(id).hold === 'releasing';
  }

  /**
   * Until nothing waits, or the hold was begun anew. When frames come faster than they are delivered, there is no end to them: then
   * those that the ring has no more room for are lost, and counted, rather than that one overtakes another.
   */
  async #deliverAll(id: number, ring: RingBuffer, delivery: HoldDelivery): Promise<void> {
    let bytes = 0;
    while (this.#isReleasing(id)) {
      let blocked = false;
      const take = (record: Buffer): boolean => {
        blocked = !delivery.take(record);
        if (!blocked) bytes += record.length;
        return !blocked;
      };
      ring.drain(take, FRAMES_AT_ONCE, bytes > ring.size);
      if (blocked) await sleep(RETRY_MS);
      else if (!ring.isEmpty) await setImmediate();
      else {
        ring.giveBack();
        if (ring.isEmpty) return;
      }
    }
    ring.giveBack();
  }

  /** Frames go straight on; what a program has put into the ring when it was nearly empty is older than they are. */
  async #finish(id: number, ring: RingBuffer, delivery: HoldDelivery): Promise<void> {
    if (!this.#isReleasing(id)) return;
    this.#paths.change(id, { hold: 'none' });
    waitForRunningPrograms();
    while (!ring.isEmpty) {
      ring.drain((record) => delivery.take(record), FRAMES_AT_ONCE);
      if (!ring.isEmpty) await sleep(RETRY_MS);
    }
    if (this.#paths.get(id).hold === 'none') deleteInner(this.#rings, id);
  }
}
