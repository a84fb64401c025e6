/** The generic-netlink requests for the queues that devices really use (ethtool channels), and what is read of the answers. Pure. */
import { GENLMSGHDR_SIZE, genlHeader } from './genl_messages.js';
import { readAttributes, readNumber } from './netlink_messages.js';

const ETHTOOL_MSG_CHANNELS_GET = 17;
const ETHTOOL_A_CHANNELS_HEADER = 1;
const ETHTOOL_A_CHANNELS_RX_COUNT = 6;
const ETHTOOL_A_CHANNELS_TX_COUNT = 7;
const ETHTOOL_A_CHANNELS_COMBINED_COUNT = 9;
const ETHTOOL_A_HEADER_DEV_INDEX = 1;

/** Payload of the question for the channels of every device that has any. */
export function channelDumpPayload(): Buffer {
  return genlHeader(ETHTOOL_MSG_CHANNELS_GET);
}

export interface Channels {
  readonly ifindex: number;
  readonly rx: number;
  readonly tx: number;
}

/** A combined channel is one receive and one transmit queue. */
export function readChannels(payload: Buffer): Channels | null {
  const attributes = readAttributes(payload.subarray(GENLMSGHDR_SIZE));
  const header = readAttributes(attributes.get(ETHTOOL_A_CHANNELS_HEADER) ?? Buffer.alloc(0));
  const ifindex = readNumber(header.get(ETHTOOL_A_HEADER_DEV_INDEX));
  if (ifindex === null) return null;
  const combined = readNumber(attributes.get(ETHTOOL_A_CHANNELS_COMBINED_COUNT)) ?? 0;
  return {
    ifindex,
    rx: combined + (readNumber(attributes.get(ETHTOOL_A_CHANNELS_RX_COUNT)) ?? 0),
    tx: combined + (readNumber(attributes.get(ETHTOOL_A_CHANNELS_TX_COUNT)) ?? 0),
  };
}
