/** Giving frames that were kept back (maps/holds.h) to the port that their guest hears on, one after the other. */
import { heldFrameCodec } from '../../maps/generated/contract.js';
import { parseEthernet } from '../core/packet/ethernet.js';
import { sameMac } from '../core/packet/keys.js';
import { finishSctp, unfinished, type UnfinishedFrame } from '../core/packet/offload.js';
import { segmentsOf } from '../core/packet/segments.js';
import { changeTag, toWire } from '../core/packet/tags.js';
import { isNativeError } from '../native/errors.js';
import type { PacketSocket } from '../native/socket.js';
import type { HoldReport } from './port.js';

/** What has waited this long is of no use to anyone; its sender has given up on it, or sent it again. */
const STALE_NS = 10_000_000_000n;

export interface HoldPort {
  readonly ifindex: number;
  /**
   * The port is the uplink, behind which the adapter's own switch gives frames to the VF: only those for this MAC address may go out
   * there, for the switch has given the others to all whom they are for. `vlan`: the tag they need; null: they are as they must be.
   */
  readonly adapter: { readonly mac: Uint8Array; readonly vlan: number | null } | null;
}

/** What is sent in one piece. */
interface Piece {
  readonly frame: Uint8Array;
  readonly unfinished: UnfinishedFrame | null;
}

function withTag(frame: Uint8Array, protocol: number, tag: number): Uint8Array {
  if (protocol === 0) return frame;
  const tagged = Buffer.allocUnsafe(frame.length + 4);
  tagged.set(frame.subarray(0, 12));
  tagged.writeUInt16BE(protocol, 12);
  tagged.writeUInt16BE(tag, 14);
  tagged.set(frame.subarray(12), 16);
  return tagged;
}

function inVlan(frame: Uint8Array, vlan: number): Uint8Array {
  const ethernet = parseEthernet(frame, frame.length);
  return ethernet === null ? frame : changeTag(frame, toWire(ethernet, vlan), vlan);
}

export class HoldDelivery {
  readonly report: { -readonly [K in keyof HoldReport]: HoldReport[K] } = { delivered: 0, stale: 0, lost: 0, longestMs: 0 };
  readonly #socket: Pick<PacketSocket, 'send'>;
  readonly #port: HoldPort;
  readonly #deadlineNs: bigint;
  /** Of a frame that the port took in part: what it did not. */
  #rest: Piece[] | null = null;

  /** Owns no socket. @param deadlineNs after it, a port that takes nothing loses what is for it */
  constructor(socket: Pick<PacketSocket, 'send'>, port: HoldPort, deadlineNs: bigint) {
    this.#socket = socket;
    this.#port = port;
    this.#deadlineNs = deadlineNs;
  }

  /** False: the port takes no more now, and the record must come again. */
  take(record: Buffer): boolean {
    const now = process.hrtime.bigint();
    const { timeNs, length, segmentSize, tag, tagProtocol } = heldFrameCodec.read(record);
    const bytes = record.subarray(heldFrameCodec.size, heldFrameCodec.size + length);
    const { adapter } = this.#port;
    if (now - timeNs > STALE_NS || (adapter !== null && !sameMac(bytes, 0, adapter.mac, 0))) {
      this.report.stale++;
      return true;
    }
    let pieces = this.#rest;
    if (pieces === null) {
      const tagged = withTag(bytes, tagProtocol, tag);
      const frame = finishSctp(adapter === null || adapter.vlan === null ? tagged : inVlan(tagged, adapter.vlan));
      pieces = [{ frame, unfinished: unfinished(frame, segmentSize) }];
    }
    this.#rest = null;
    const outcome = this.#send(pieces, now);
    if (outcome === 'blocked') return false;
    this.report[outcome]++;
    if (outcome === 'delivered') this.report.longestMs = Math.max(this.report.longestMs, Number(now - timeNs) / 1e6);
    return true;
  }

  #send(pieces: Piece[], now: bigint): 'delivered' | 'lost' | 'blocked' {
    for (const [i, piece] of pieces.entries()) {
      try {
        this.#socket.send(this.#port.ifindex, piece.frame, piece.unfinished);
      } catch (error) {
        if (!isNativeError(error, 'ENOBUFS') && !isNativeError(error, 'EAGAIN')) return 'lost';
        // Past its queueing discipline, a device that does not cut aggregates up itself is given none (__dev_direct_xmit()).
        if (piece.unfinished !== null && piece.unfinished.segment !== null) {
          const segments = segmentsOf(piece.frame, piece.unfinished);
          if (segments.length > 1) return this.#send(segments.map((frame) => ({ frame, unfinished: unfinished(frame, 0) })), now);
        }
        if (now >= this.#deadlineNs) return 'lost';
        this.#rest = pieces.slice(i);
        return 'blocked';
      }
    }
    return 'delivered';
  }
}
