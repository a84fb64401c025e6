/** Changing the outer VLAN tag of a frame that leaves on another kind of port than it came in by. */
import { putU16, u16 } from './bytes.js';
import { type Ethernet, ETHERNET_BYTES, EtherType, TAG_BYTES, TYPE_AT, VLAN_MASK } from './ethernet.js';

export type TagChange = 'keep' | 'pop' | 'push' | 'set';

/** What makes the frame one that carries `vlan` on the wire. A tag that only tells a priority is filled in. */
export function toWire(ethernet: Ethernet, vlan: number): TagChange {
  if (ethernet.vlan === vlan) return 'keep';
  return ethernet.tags > 0 ? 'set' : 'push';
}

/** What makes the frame one for a guest that must not see tags; one that only tells a priority stays. */
export function toAccess(ethernet: Ethernet): TagChange {
  return ethernet.vlan === 0 ? 'keep' : 'pop';
}

/** Bytes that the change needs before the frame; negative: it gives some. */
export function roomFor(change: TagChange): number {
  if (change === 'push') return TAG_BYTES;
  return change === 'pop' ? -TAG_BYTES : 0;
}

/** A new frame, or the same array for `keep`. The tag that is put in is an 802.1Q one of priority 0. */
export function changeTag(bytes: Uint8Array, change: TagChange, vlan: number): Uint8Array {
  switch (change) {
    case 'keep': return bytes;
    case 'pop': {
      const popped = new Uint8Array(bytes.length - TAG_BYTES);
      popped.set(bytes.subarray(0, TYPE_AT), 0);
      popped.set(bytes.subarray(TYPE_AT + TAG_BYTES), TYPE_AT);
      return popped;
    }
    case 'push': {
      const pushed = new Uint8Array(bytes.length + TAG_BYTES);
      pushed.set(bytes.subarray(0, TYPE_AT), 0);
      putU16(pushed, TYPE_AT, EtherType.vlan);
      putU16(pushed, ETHERNET_BYTES, vlan);
      pushed.set(bytes.subarray(TYPE_AT), TYPE_AT + TAG_BYTES);
      return pushed;
    }
    case 'set': {
      const set = Uint8Array.from(bytes);
      putU16(set, ETHERNET_BYTES, (u16(bytes, ETHERNET_BYTES) & ~VLAN_MASK) | vlan);
      return set;
    }
  }
}
