/** Keys of the vNIC index and of the table of stations: an address (MAC and VLAN), or a port. */
import { ContractLimit } from '../../../maps/generated/contract.js';

const PORT_BIT = 1n << 62n;
const ADDRESS_BIT = 0x8000;
const MULTIPLIER = 0x9e37_79b9_7f4a_7c15n;
const SLOT_SHIFT = 50n;

const scratch = new DataView(new ArrayBuffer(8));

/**
 * As vnic_key() in bpf/lib/parse.h: MAC address (first wire byte lowest), VLAN id from bit 48 on, bit 63 set. Never 0, which means "free".
 * @param at of the MAC address in `bytes`
 */
export function vnicKey(bytes: Uint8Array, vlan: number, at = 0): bigint {
  for (let i = 0; i < 6; i++) scratch.setUint8(i, bytes[at + i] ?? 0);
  scratch.setUint16(6, vlan | ADDRESS_BIT, true);
  return scratch.getBigUint64(0, true);
}

/** Of a guest-facing port, as port_key() in bpf/lib/vnic.h; no address has it, because bit 63 is clear. */
export function portKey(ifindex: number): bigint {
  return PORT_BIT | BigInt(ifindex);
}

/** Of the keys that `portKey` makes; null for an address. */
export function ifindexOf(key: bigint): number | null {
  return key >> 62n === 1n ? Number(key & 0xffff_ffffn) : null;
}

/** First of the slots of `vnic_slots` that may hold the key: a multiplicative hash, as slot_of() in bpf/lib/vnic.h. */
export function slotOf(key: bigint): number {
  return Number(BigInt.asUintN(64, key * MULTIPLIER) >> SLOT_SHIFT);
}

/** The one slot of `remotes` that can hold a station. */
export function remoteSlot(key: bigint): number {
  return slotOf(key) % ContractLimit.REMOTE_SLOTS;
}

/** Are the six bytes the same? */
export function sameMac(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  for (let i = 0; i < 6; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}
