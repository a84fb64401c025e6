/** The generic-netlink requests for the queues that devices really use (ethtool channels), and what is read of the answers. Pure. */
import { deviceHeader, GENLMSGHDR_SIZE, genlHeader } from './genl_messages.js';
import { readAttributes, readNumber } from './netlink_messages.js';

const ETHTOOL_MSG_CHANNELS_GET = 17;
const ETHTOOL_A_CHANNELS_HEADER = 1;
const ETHTOOL_A_CHANNELS_RX_MAX = 2;
const ETHTOOL_A_CHANNELS_TX_MAX = 3;
const ETHTOOL_A_CHANNELS_COMBINED_MAX = 5;
const ETHTOOL_A_CHANNELS_RX_COUNT = 6;
const ETHTOOL_A_CHANNELS_TX_COUNT = 7;
const ETHTOOL_A_CHANNELS_COMBINED_COUNT = 9;
const ETHTOOL_A_HEADER_DEV_INDEX = 1;

/** Payload of the question for the channels of every device that has any. */
export function channelDumpPayload(): Buffer {
  return genlHeader(ETHTOOL_MSG_CHANNELS_GET);
}

/** Payload of the question for the channels of one device. */
export function channelPayload(device: string): Buffer {
  return Buffer.concat([genlHeader(ETHTOOL_MSG_CHANNELS_GET), deviceHeader(ETHTOOL_A_CHANNELS_HEADER, device)]);
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

/** Channels of a device: those in use, and how many it can have. */
export interface ChannelLimits {
  readonly rx: number;
  readonly tx: number;
  readonly combined: number;
  readonly maxRx: number;
  readonly maxTx: number;
  readonly maxCombined: number;
}

export function readChannelLimits(payload: Buffer): ChannelLimits {
  const attributes = readAttributes(payload.subarray(GENLMSGHDR_SIZE));
  const of = (type: number): number => readNumber(attributes.get(type)) ?? 0;
  return {
    rx: of(ETHTOOL_A_CHANNELS_RX_COUNT),
    tx: of(ETHTOOL_A_CHANNELS_TX_COUNT),
    combined: of(ETHTOOL_A_CHANNELS_COMBINED_COUNT),
    maxRx: of(ETHTOOL_A_CHANNELS_RX_MAX),
    maxTx: of(ETHTOOL_A_CHANNELS_TX_MAX),
    maxCombined: of(ETHTOOL_A_CHANNELS_COMBINED_MAX),
  };
}
