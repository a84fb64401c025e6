/** Rows of map `bridge_vlans`: how a VLAN of a bridge port was before it was changed. */
import { BridgeVlanFlag, type BridgeVlanKey, type BridgeVlanNote as Row } from '../../maps/generated/contract.js';
import type { BridgeVlanNote } from './port.js';

export function toNoteRow({ before }: BridgeVlanNote): Row {
  if (before === null) return { before: 0 };
  return { before: BridgeVlanFlag.PRESENT | (before.pvid ? BridgeVlanFlag.PVID : 0) | (before.untagged ? BridgeVlanFlag.UNTAGGED : 0) };
}

export function fromNoteRow({ ifindex, vid }: BridgeVlanKey, { before }: Row): BridgeVlanNote {
  if ((before & BridgeVlanFlag.PRESENT) === 0) return { ifindex, vid, before: null };
  return { ifindex, vid, before: { pvid: (before & BridgeVlanFlag.PVID) !== 0, untagged: (before & BridgeVlanFlag.UNTAGGED) !== 0 } };
}
