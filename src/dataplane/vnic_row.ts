/** Rows of map `vnics`: the control plane's words to the contract's and back. */
import { ContractLimit, type Vnic, VnicFlag } from '../../maps/generated/contract.js';
import { macBytes, macText, type VnicPath } from '../core/model.js';
import type { VnicRow } from './port.js';

/** What a row of `vnics` holds: the addresses and the rate are in maps of their own. */
export type VnicRowFields = Omit<VnicRow, 'addresses' | 'maxRate'>;

function wantFlag(want: VnicPath | null): number {
  if (want === null) return 0;
  return want === 'accelerated' ? VnicFlag.WANT_ACCELERATED : VnicFlag.WANT_SOFTWARE;
}

function wantOf(flags: number): VnicPath | null {
  if ((flags & VnicFlag.WANT_SOFTWARE) !== 0) return 'software';
  return (flags & VnicFlag.WANT_ACCELERATED) !== 0 ? 'accelerated' : null;
}

const FLAGS = [
  ['access', VnicFlag.ACCESS],
  ['cutThrough', VnicFlag.CUT_THROUGH],
  ['plugin', VnicFlag.PLUGIN],
  ['tapMultiBuffer', VnicFlag.TAP_MULTI_BUFFER],
  ['vfMultiBuffer', VnicFlag.VF_MULTI_BUFFER],
  ['uplinkMultiBuffer', VnicFlag.UPLINK_MULTI_BUFFER],
  ['vfNoTransmit', VnicFlag.VF_NO_TRANSMIT],
  ['uplinkNoTransmit', VnicFlag.UPLINK_NO_TRANSMIT],
] as const satisfies readonly (readonly [keyof VnicRowFields, number])[];

function checkVlans({ vlans, access }: VnicRow): void {
  const bad = vlans.find((vlan) => !Number.isInteger(vlan) || vlan < 0 || vlan > 4094);
  if (bad !== undefined) throw new RangeError(`VLAN id ${bad} is not in 0..4094`);
  if (vlans.length < 1 || vlans.length > ContractLimit.MAX_VLANS) {
    throw new RangeError(`${vlans.length} VLANs; a vNIC has 1..${ContractLimit.MAX_VLANS}`);
  }
  if (access && (vlans.length > 1 || vlans[0] === 0)) throw new RangeError('an access vNIC has one VLAN, not 0');
}

/** @throws RangeError for VLANs that the packet programs could not follow */
export function toVnic(row: VnicRow): Vnic {
  checkVlans(row);
  const flags = FLAGS.reduce((bits, [field, bit]) => bits | (row[field] ? bit : 0), 0);
  return {
    tapIfindex: row.tapIfindex,
    vfIfindex: row.vfIfindex,
    uplinkIfindex: row.uplinkIfindex,
    flags: (flags | wantFlag(row.operatorWant) | (row.addresses === null ? 0 : VnicFlag.CHECK_ADDRESSES) | (row.maxRate === null ? 0 : VnicFlag.LIMITED)),
    tapFrameMax: row.tapFrameMax,
    vfFrameMax: row.vfFrameMax,
    uplinkFrameMax: row.uplinkFrameMax,
    vlan: row.vlans[0] ?? 0,
    mac: macBytes(row.mac),
    vlanCount: row.vlans.length,
    vlans: Array.from({ length: ContractLimit.MAX_VLANS }, (_, i) => row.vlans[i] ?? 0),
  };
}

/** All but the addresses and the rate, which are in other maps. */
export function fromVnic(vnic: Vnic): VnicRowFields {
  const flags = Object.fromEntries(FLAGS.map(([field, bit]) => [field, (vnic.flags & bit) !== 0]));
  return {
    mac: macText(vnic.mac),
    vlans: vnic.vlans.slice(0, vnic.vlanCount),
    tapIfindex: vnic.tapIfindex,
    vfIfindex: vnic.vfIfindex,
    uplinkIfindex: vnic.uplinkIfindex,
    tapFrameMax: vnic.tapFrameMax,
    vfFrameMax: vnic.vfFrameMax,
    uplinkFrameMax: vnic.uplinkFrameMax,
    ...(flags as Record<(typeof FLAGS)[number][0], boolean>),
    operatorWant: wantOf(vnic.flags),
  };
}

/** Are its addresses checked? */
export function checksAddresses(vnic: Vnic): boolean {
  return (vnic.flags & VnicFlag.CHECK_ADDRESSES) !== 0;
}

/** May its guest send only so much? */
export function isLimited(vnic: Vnic): boolean {
  return (vnic.flags & VnicFlag.LIMITED) !== 0;
}

/** A row that is not in use is all zero. */
export function isUsed(vnic: Vnic): boolean {
  return vnic.tapIfindex !== 0 || vnic.mac.some((byte) => byte !== 0);
}

export const unusedVnic: Vnic = {
  tapIfindex: 0, vfIfindex: 0, uplinkIfindex: 0, flags: 0, tapFrameMax: 0, vfFrameMax: 0, uplinkFrameMax: 0, vlan: 0,
  mac: Buffer.alloc(6), vlanCount: 0, vlans: new Array<number>(ContractLimit.MAX_VLANS).fill(0),
};
