/** Rows of map `vnics`: the control plane's words to the contract's and back. */
import { type Vnic, VnicFlag } from '../../maps/generated/contract.js';
import type { MacAddress, VnicPath } from '../core/model.js';
import type { VnicRow } from './port.js';

/** Six bytes in wire order. */
export function macBytes(mac: MacAddress): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

function macText(bytes: Uint8Array): MacAddress {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') as MacAddress;
}

function wantFlag(want: VnicPath | null): number {
  if (want === null) return 0;
  return want === 'accelerated' ? VnicFlag.WANT_ACCELERATED : VnicFlag.WANT_SOFTWARE;
}

function wantOf(flags: number): VnicPath | null {
  if ((flags & VnicFlag.WANT_SOFTWARE) !== 0) return 'software';
  return (flags & VnicFlag.WANT_ACCELERATED) !== 0 ? 'accelerated' : null;
}

/** @throws RangeError unless 0 <= vlan <= 4094 */
export function toVnic(row: VnicRow): Vnic {
  if (!Number.isInteger(row.vlan) || row.vlan < 0 || row.vlan > 4094) throw new RangeError(`VLAN id ${row.vlan} is not in 0..4094`);
  return {
    tapIfindex: row.tapIfindex,
    vfIfindex: row.vfIfindex,
    uplinkIfindex: row.uplinkIfindex,
    flags: (row.cutThrough ? VnicFlag.CUT_THROUGH : 0) | (row.plugin ? VnicFlag.PLUGIN : 0) | wantFlag(row.operatorWant),
    tapFrameMax: row.tapFrameMax,
    vfFrameMax: row.vfFrameMax,
    uplinkFrameMax: row.uplinkFrameMax,
    vlan: row.vlan,
    mac: macBytes(row.mac),
  };
}

export function fromVnic(vnic: Vnic): VnicRow {
  return {
    mac: macText(vnic.mac),
    vlan: vnic.vlan,
    tapIfindex: vnic.tapIfindex,
    vfIfindex: vnic.vfIfindex,
    uplinkIfindex: vnic.uplinkIfindex,
    tapFrameMax: vnic.tapFrameMax,
    vfFrameMax: vnic.vfFrameMax,
    uplinkFrameMax: vnic.uplinkFrameMax,
    cutThrough: (vnic.flags & VnicFlag.CUT_THROUGH) !== 0,
    plugin: (vnic.flags & VnicFlag.PLUGIN) !== 0,
    operatorWant: wantOf(vnic.flags),
  };
}

/** A row that is not in use is all zero. */
export function isUsed(vnic: Vnic): boolean {
  return vnic.tapIfindex !== 0 || vnic.mac.some((byte) => byte !== 0);
}

export const unusedVnic: Vnic = {
  tapIfindex: 0, vfIfindex: 0, uplinkIfindex: 0, flags: 0, tapFrameMax: 0, vfFrameMax: 0, uplinkFrameMax: 0, vlan: 0, mac: Buffer.alloc(6),
};
