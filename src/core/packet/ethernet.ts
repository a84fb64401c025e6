/** Ethernet and its VLAN tags (IEEE Std 802.1Q): where a frame goes, in which VLAN it is, what it carries. */
import { ContractLimit } from '../../../maps/generated/contract.js';
import { u16 } from './bytes.js';

export const EtherType = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, serviceVlan: 0x88a8, ipv6: 0x86dd } as const;

export const SOURCE_AT = 6;
export const TYPE_AT = 12;
export const ETHERNET_BYTES = 14;
export const TAG_BYTES = 4;
export const VLAN_MASK = 0x0fff;

export interface Ethernet {
  readonly bytes: Uint8Array;
  /** Bytes that can be read: those of the first buffer. */
  readonly end: number;
  /** There is more than can be read. */
  readonly multiBuffer: boolean;
  /** Broadcast, too. */
  readonly multicast: boolean;
  /** VLAN tags that are read; an outer one with VLAN id 0 only tells a priority. */
  readonly tags: number;
  /** VLAN id of the outer tag; 0 = none. */
  readonly vlan: number;
  /** EtherType behind the tags that are read. */
  readonly type: number;
  /** There are tags behind those that are read. */
  readonly tooManyTags: boolean;
  /** Where the content of `type` begins. */
  readonly at: number;
}

export function isTag(type: number): boolean {
  return type === EtherType.vlan || type === EtherType.serviceVlan;
}

/** Null: shorter than its Ethernet header and the VLAN tags that are read. */
export function parseEthernet(bytes: Uint8Array, end: number): Ethernet | null {
  if (end < ETHERNET_BYTES) return null;
  let type = u16(bytes, TYPE_AT);
  let at = ETHERNET_BYTES;
  let vlan = 0;
  let tags = 0;
  while (isTag(type) && tags < ContractLimit.MAX_TAGS) {
    if (at + TAG_BYTES > end) return null;
    if (tags === 0) vlan = u16(bytes, at) & VLAN_MASK;
    type = u16(bytes, at + 2);
    at += TAG_BYTES;
    tags++;
  }
  const multicast = ((bytes[0] ?? 0) & 1) !== 0;
  return { bytes, end, multiBuffer: end < bytes.length, multicast, tags, vlan, type, tooManyTags: isTag(type), at };
}

/** Bytes of the frame as ports count them: the outer VLAN tag not counted. */
export function countedLength(ethernet: Ethernet): number {
  return ethernet.bytes.length - (ethernet.tags > 0 ? TAG_BYTES : 0);
}
