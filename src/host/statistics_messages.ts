/** The rtnetlink request for what every link has counted (RTM_GETSTATS), and what is read of its answer. Pure. */
import { bytesOfU32, readAttributes, readU32, readU64 } from './netlink_messages.js';

export const RTM_NEWSTATS = 92;
export const RTM_GETSTATS = 94;

const IF_STATS_MSG_SIZE = 12;
const IFLA_STATS_LINK_64 = 1;

/** What a device has sent since it was made: struct rtnl_link_stats64 (linux/if_link.h), whose tx_* toward a guest are what the guest gets. */
export interface LinkStatistics {
  readonly ifindex: number;
  readonly txFrames: number;
  readonly txBytes: number;
  readonly txDropped: number;
}

const TX_FRAMES_AT = 8;
const TX_BYTES_AT = 24;
const TX_DROPPED_AT = 56;

/** Payload of the question for every link. */
export function statisticsDumpPayload(): Buffer {
  const filter = bytesOfU32(1 << (IFLA_STATS_LINK_64 - 1));
  return Buffer.concat([Buffer.alloc(IF_STATS_MSG_SIZE - filter.length), filter]);
}

/** Null when it has no such numbers. @throws RangeError when malformed */
export function readStatistics(payload: Buffer): LinkStatistics | null {
  if (payload.length < IF_STATS_MSG_SIZE) throw new RangeError(`message of ${payload.length} bytes about what a link has counted`);
  const counts = readAttributes(payload.subarray(IF_STATS_MSG_SIZE)).get(IFLA_STATS_LINK_64);
  if (counts === undefined || counts.length < TX_DROPPED_AT + 8) return null;
  return {
    ifindex: readU32(payload, 4),
    txFrames: readU64(counts, TX_FRAMES_AT),
    txBytes: readU64(counts, TX_BYTES_AT),
    txDropped: readU64(counts, TX_DROPPED_AT),
  };
}
