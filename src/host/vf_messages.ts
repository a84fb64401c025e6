/**
 * The rtnetlink request for the VFs of one PF, and what is read of its answer. Pure.
 *
 * The list of VFs is one attribute, whose length has 16 bits: with statistics 222 VFs are too many for it, and since they cost some drivers
 * milliseconds each, they are asked for without, and for one PF at a time.
 */
import { bytesOfU32, listAttributes, readAttributes, readNumber, readU32, writeAttribute } from './netlink_messages.js';

// Numbers of include/uapi/linux/if_link.h and rtnetlink.h, which are fixed.
const IFINFOMSG_SIZE = 16;
const IFLA_NUM_VF = 21;
const IFLA_VFINFO_LIST = 22;
const IFLA_EXT_MASK = 29;
const RTEXT_FILTER_VF = 1;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFLA_VF_INFO = 1;
const IFLA_VF_MAC = 1;
const IFLA_VF_VLAN = 2;
const IFLA_VF_SPOOFCHK = 4;
const IFLA_VF_LINK_STATE = 5;
const IFLA_VF_RATE = 6;
const IFLA_VF_TRUST = 9;
const IFLA_VF_VLAN_LIST = 12;
const IFLA_VF_VLAN_INFO = 1;
const MAC_BYTES = 6;
/** What the kernel puts in before it asks the driver, which leaves it so when it has no such control. */
const NOT_SET_BY_DRIVER = 0xffff_ffff;
const ETH_P_8021AD = 0x88a8;
const LINK_STATES = ['auto', 'enable', 'disable'] as const;

export type VfLinkState = (typeof LINK_STATES)[number];
export type VlanProtocol = '802.1Q' | '802.1ad';

/** How the PF's driver treats a VF. */
export interface VfSettings {
  readonly index: number;
  /** All zero: the PF does not decide it. */
  readonly mac: string;
  /** 0: frames are not tagged. */
  readonly vlan: number;
  readonly qos: number;
  readonly protocol: VlanProtocol;
  /** null: the driver has no such control. */
  readonly spoofCheck: boolean | null;
  /** null: the driver has no such control. */
  readonly trust: boolean | null;
  readonly linkState: VfLinkState;
  /** Mbit/s; 0: none. */
  readonly minRate: number;
  /** Mbit/s; 0: no limit. */
  readonly maxRate: number;
}

/** Payload of the RTM_GETLINK for one PF with its VFs. */
export function vfListPayload(ifindex: number): Buffer {
  const header = Buffer.alloc(IFINFOMSG_SIZE);
  bytesOfU32(ifindex).copy(header, 4);
  return Buffer.concat([header, writeAttribute(IFLA_EXT_MASK, bytesOfU32(RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS))]);
}

const none = Buffer.alloc(0);
const macOf = (bytes: Buffer): string => [...bytes.subarray(4, 4 + MAC_BYTES)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');

function flagOf(setting: Buffer | undefined): boolean | null {
  if (setting === undefined || setting.length < 8) return null;
  const value = readU32(setting, 4);
  return value === NOT_SET_BY_DRIVER ? null : value !== 0;
}

function readVlan(info: ReadonlyMap<number, Buffer>): Pick<VfSettings, 'vlan' | 'qos' | 'protocol'> {
  const listed = readAttributes(info.get(IFLA_VF_VLAN_LIST) ?? none).get(IFLA_VF_VLAN_INFO);
  // struct ifla_vf_vlan_info: vf, vlan, qos, protocol in network order; struct ifla_vf_vlan is the same without the last.
  const vlan = listed ?? info.get(IFLA_VF_VLAN);
  if (vlan === undefined || vlan.length < 12) return { vlan: 0, qos: 0, protocol: '802.1Q' };
  const protocol = listed !== undefined && listed.length >= 14 && listed.readUInt16BE(12) === ETH_P_8021AD ? '802.1ad' : '802.1Q';
  return { vlan: readU32(vlan, 4), qos: readU32(vlan, 8), protocol };
}

function readVf(buf: Buffer): VfSettings | null {
  const info = readAttributes(buf);
  const mac = info.get(IFLA_VF_MAC);
  if (mac === undefined || mac.length < 4 + MAC_BYTES) return null;
  const rate = info.get(IFLA_VF_RATE);
  const linkState = info.get(IFLA_VF_LINK_STATE);
  return {
    index: readU32(mac, 0),
    mac: macOf(mac),
    ...readVlan(info),
    spoofCheck: flagOf(info.get(IFLA_VF_SPOOFCHK)),
    trust: flagOf(info.get(IFLA_VF_TRUST)),
    linkState: LINK_STATES[linkState === undefined || linkState.length < 8 ? 0 : readU32(linkState, 4)] ?? 'auto',
    minRate: rate === undefined || rate.length < 12 ? 0 : readU32(rate, 4),
    maxRate: rate === undefined || rate.length < 12 ? 0 : readU32(rate, 8),
  };
}

/**
 * Reads the payload of an RTM_NEWLINK; null: the driver says nothing of its VFs. @throws RangeError when malformed, or when it tells of fewer VFs
 * than it has: the kernel cuts the list where it does not fit.
 */
export function readVfList(payload: Buffer): readonly VfSettings[] | null {
  if (payload.length < IFINFOMSG_SIZE) throw new RangeError(`link message of ${payload.length} bytes`);
  const attributes = readAttributes(payload.subarray(IFINFOMSG_SIZE));
  const list = attributes.get(IFLA_VFINFO_LIST);
  const count = readNumber(attributes.get(IFLA_NUM_VF)) ?? 0;
  if (list === undefined) return null;
  const vfs = listAttributes(list).flatMap(([type, value]) => (type === IFLA_VF_INFO ? (readVf(value) ?? []) : []));
  if (vfs.length < count) throw new RangeError(`the kernel lists ${vfs.length} of ${count} VFs`);
  return vfs;
}
