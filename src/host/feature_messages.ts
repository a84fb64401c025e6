/**
 * The generic-netlink requests for what devices can do: ethtool's features and RSS key, and what they take of XDP. Pure.
 *
 * Features are a set of bits whose numbers are not fixed: their names are in a string set, to be read once.
 */
import { deviceHeader, GENLMSGHDR_SIZE, genlHeader } from './genl_messages.js';
import { bytesOfU32, listAttributes, readAttributes, readNumber, readText, readU32, writeAttribute, writeNested } from './netlink_messages.js';

// Numbers of include/uapi/linux/ethtool_netlink.h and netdev.h, which are fixed.
const ETHTOOL_MSG_STRSET_GET = 1;
const ETHTOOL_A_STRSET_HEADER = 1;
const ETHTOOL_A_STRSET_STRINGSETS = 2;
const ETHTOOL_A_STRINGSETS_STRINGSET = 1;
const ETHTOOL_A_STRINGSET_ID = 1;
const ETHTOOL_A_STRINGSET_STRINGS = 3;
const ETHTOOL_A_STRINGS_STRING = 1;
const ETHTOOL_A_STRING_INDEX = 1;
const ETHTOOL_A_STRING_VALUE = 2;
const ETH_SS_FEATURES = 4;

const ETHTOOL_MSG_FEATURES_GET = 11;
const ETHTOOL_A_FEATURES_HEADER = 1;
const ETHTOOL_A_FEATURES_HW = 2;
const ETHTOOL_A_FEATURES_ACTIVE = 4;
const ETHTOOL_A_FEATURES_NOCHANGE = 5;
const ETHTOOL_A_BITSET_VALUE = 4;
const ETHTOOL_A_HEADER_DEV_INDEX = 1;
const ETHTOOL_A_HEADER_DEV_NAME = 2;
const ETHTOOL_A_HEADER_FLAGS = 3;
const ETHTOOL_FLAG_COMPACT_BITSETS = 1;

const ETHTOOL_MSG_RSS_GET = 38;
const ETHTOOL_A_RSS_HEADER = 1;
const ETHTOOL_A_RSS_INDIR = 4;
const ETHTOOL_A_RSS_HKEY = 5;

const NETDEV_CMD_DEV_GET = 1;
const NETDEV_A_DEV_IFINDEX = 1;
const NETDEV_A_DEV_XDP_FEATURES = 3;
const NETDEV_A_DEV_XDP_RX_METADATA_FEATURES = 5;
/** What a device can do of XDP, by bit number; `ethtool` and `xdp-loader features` have the same names. */
const XDP_FEATURES = ['basic', 'redirect', 'ndo-xmit', 'xsk-zerocopy', 'hw-offload', 'rx-sg', 'ndo-xmit-sg'] as const;
export type XdpFeature = (typeof XDP_FEATURES)[number];
/** What a driver can tell programs of a frame, by bit number; names as the kernel's netdev family has them. */
const XDP_HINTS = ['timestamp', 'hash', 'vlan-tag'] as const;
export type XdpHint = (typeof XDP_HINTS)[number];
const NETDEV_XDP_RX_METADATA_HASH = 1n << BigInt(XDP_HINTS.indexOf('hash'));
/** The device transmits redirected frames; also those that lie in several buffers. */
const NETDEV_XDP_ACT_NDO_XMIT = 1n << BigInt(XDP_FEATURES.indexOf('ndo-xmit'));
const NETDEV_XDP_ACT_NDO_XMIT_SG = 1n << BigInt(XDP_FEATURES.indexOf('ndo-xmit-sg'));

/** Payload of the question for the names of all features. */
export function featureNamesPayload(): Buffer {
  const set = writeNested(ETHTOOL_A_STRINGSETS_STRINGSET, writeAttribute(ETHTOOL_A_STRINGSET_ID, bytesOfU32(ETH_SS_FEATURES)));
  const header = writeNested(ETHTOOL_A_STRSET_HEADER);
  return Buffer.concat([genlHeader(ETHTOOL_MSG_STRSET_GET), header, writeNested(ETHTOOL_A_STRSET_STRINGSETS, set)]);
}

const nested = (buf: Buffer | undefined): Buffer => buf ?? Buffer.alloc(0);

/** Number of the feature's bit; null when this kernel has no such feature. */
export function readFeatureBit(payload: Buffer, name: string): number | null {
  const sets = readAttributes(payload.subarray(GENLMSGHDR_SIZE)).get(ETHTOOL_A_STRSET_STRINGSETS);
  const set = readAttributes(nested(sets)).get(ETHTOOL_A_STRINGSETS_STRINGSET);
  const strings = readAttributes(nested(set)).get(ETHTOOL_A_STRINGSET_STRINGS);
  for (const [type, value] of listAttributes(nested(strings))) {
    if (type !== ETHTOOL_A_STRINGS_STRING) continue;
    const string = readAttributes(value);
    if (readText(string.get(ETHTOOL_A_STRING_VALUE)) === name) return readNumber(string.get(ETHTOOL_A_STRING_INDEX));
  }
  return null;
}

/** Payload of the question for the features of every device. */
export function featureDumpPayload(): Buffer {
  const flags = writeAttribute(ETHTOOL_A_HEADER_FLAGS, bytesOfU32(ETHTOOL_FLAG_COMPACT_BITSETS));
  return Buffer.concat([genlHeader(ETHTOOL_MSG_FEATURES_GET), writeNested(ETHTOOL_A_FEATURES_HEADER, flags)]);
}

/** Is the feature of this bit on? Null when the message is about no device. */
export function readFeature(payload: Buffer, bit: number): { readonly ifindex: number; readonly active: boolean } | null {
  const attributes = readAttributes(payload.subarray(GENLMSGHDR_SIZE));
  const header = readAttributes(nested(attributes.get(ETHTOOL_A_FEATURES_HEADER)));
  const ifindex = readNumber(header.get(ETHTOOL_A_HEADER_DEV_INDEX));
  const words = readAttributes(nested(attributes.get(ETHTOOL_A_FEATURES_ACTIVE))).get(ETHTOOL_A_BITSET_VALUE);
  if (ifindex === null || words === undefined) return null;
  // Words of 32 bits in the order of this machine, which is little-endian: so the bytes are, too.
  return { ifindex, active: ((words[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0 };
}

/** Payload of the question for the features of one device. */
export function featurePayload(device: string): Buffer {
  const name = writeAttribute(ETHTOOL_A_HEADER_DEV_NAME, Buffer.from(`${device}\0`));
  const flags = writeAttribute(ETHTOOL_A_HEADER_FLAGS, bytesOfU32(ETHTOOL_FLAG_COMPACT_BITSETS));
  return Buffer.concat([genlHeader(ETHTOOL_MSG_FEATURES_GET), writeNested(ETHTOOL_A_FEATURES_HEADER, name, flags)]);
}

/** Is the feature of this bit on, and can it be switched? */
export function readFeatureState(payload: Buffer, bit: number): { readonly active: boolean; readonly fixed: boolean } {
  const attributes = readAttributes(payload.subarray(GENLMSGHDR_SIZE));
  const isSet = (type: number): boolean => {
    const words = readAttributes(nested(attributes.get(type))).get(ETHTOOL_A_BITSET_VALUE);
    return ((words?.[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  };
  return {
    active: isSet(ETHTOOL_A_FEATURES_ACTIVE),
    fixed: !isSet(ETHTOOL_A_FEATURES_HW) || isSet(ETHTOOL_A_FEATURES_NOCHANGE),
  };
}

/** Payload of the question for the RSS key of a device; since Linux 6.2. */
export function rssKeyPayload(device: string): Buffer {
  return Buffer.concat([genlHeader(ETHTOOL_MSG_RSS_GET), deviceHeader(ETHTOOL_A_RSS_HEADER, device)]);
}

/** Null: the device has none. */
export function readRssKey(payload: Buffer): Buffer | null {
  const key = readAttributes(payload.subarray(GENLMSGHDR_SIZE)).get(ETHTOOL_A_RSS_HKEY);
  return key === undefined || key.length === 0 ? null : Buffer.from(key);
}

/** The queue of each entry of a device's indirection table; null: it has none. */
export function readReta(payload: Buffer): readonly number[] | null {
  const table = readAttributes(payload.subarray(GENLMSGHDR_SIZE)).get(ETHTOOL_A_RSS_INDIR);
  if (table === undefined || table.length < 4) return null;
  return Array.from({ length: table.length >> 2 }, (_, i) => readU32(table, 4 * i));
}

/** Payload of the question for the XDP features of every device, to family `netdev`; since Linux 6.3. */
export function xdpFeatureDumpPayload(): Buffer {
  return genlHeader(NETDEV_CMD_DEV_GET);
}

/** What a driver takes of frames that native programs on other devices redirect to it, and tells programs of its own. */
export interface XdpFeatures {
  readonly ifindex: number;
  readonly transmit: boolean;
  /** Also those that lie in several buffers. */
  readonly multiBufferTransmit: boolean;
  /** The RSS hash of a frame; null: the kernel does not say (before Linux 6.6). */
  readonly hash: boolean | null;
}

export function readXdpFeatures(payload: Buffer): XdpFeatures | null {
  const attributes = readAttributes(payload.subarray(GENLMSGHDR_SIZE));
  const ifindex = readNumber(attributes.get(NETDEV_A_DEV_IFINDEX));
  const features = attributes.get(NETDEV_A_DEV_XDP_FEATURES);
  if (ifindex === null || features === undefined || features.length < 8) return null;
  const bits = features.readBigUInt64LE();
  const metadata = attributes.get(NETDEV_A_DEV_XDP_RX_METADATA_FEATURES);
  const hash = metadata === undefined || metadata.length < 8 ? null : (metadata.readBigUInt64LE() & NETDEV_XDP_RX_METADATA_HASH) !== 0n;
  return { ifindex, hash, transmit: (bits & NETDEV_XDP_ACT_NDO_XMIT) !== 0n, multiBufferTransmit: (bits & NETDEV_XDP_ACT_NDO_XMIT_SG) !== 0n };
}

/** Payload of the question for the XDP features of one device, to family `netdev`; since Linux 6.3. */
export function xdpFeaturePayload(ifindex: number): Buffer {
  return Buffer.concat([genlHeader(NETDEV_CMD_DEV_GET), writeAttribute(NETDEV_A_DEV_IFINDEX, bytesOfU32(ifindex))]);
}

function readBitNames<T extends string>(payload: Buffer, attribute: number, names: readonly T[]): readonly T[] | null {
  const set = readAttributes(payload.subarray(GENLMSGHDR_SIZE)).get(attribute);
  if (set === undefined || set.length < 8) return null;
  const bits = set.readBigUInt64LE();
  return names.filter((_, bit) => ((bits >> BigInt(bit)) & 1n) === 1n);
}

/** Null: the answer does not say. */
export const readXdpFeatureNames = (payload: Buffer): readonly XdpFeature[] | null => readBitNames(payload, NETDEV_A_DEV_XDP_FEATURES, XDP_FEATURES);

/** Null: the answer does not say (before Linux 6.6). */
export const readXdpHints = (payload: Buffer): readonly XdpHint[] | null => readBitNames(payload, NETDEV_A_DEV_XDP_RX_METADATA_FEATURES, XDP_HINTS);
