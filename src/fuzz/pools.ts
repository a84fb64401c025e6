/** The few addresses, VLANs and ports that worlds and frames are made of: few, so that they meet. */
import { remoteSlot, slotOf, vnicKey } from '../core/packet/model.js';

export type Bytes = Uint8Array;

function mac(text: string): Bytes {
  return Uint8Array.from(Buffer.from(text.replaceAll(':', ''), 'hex'));
}

/** MAC addresses whose untagged keys fall on the same place as `like`. */
function competing(like: Bytes, count: number, place: (key: bigint) => number): Bytes[] {
  const wanted = place(vnicKey(like, 0));
  const found: Bytes[] = [];
  for (let i = 0; found.length < count; i++) {
    const candidate = mac(`0600${i.toString(16).padStart(8, '0')}`);
    if (place(vnicKey(candidate, 0)) === wanted) found.push(candidate);
  }
  return found;
}

const firstGuest = mac('52:54:00:00:00:01');
/** Three of them need the same slots of the index. */
export const GUEST_MACS: readonly Bytes[] = [
  firstGuest, ...competing(firstGuest, 2, slotOf), mac('52:54:00:00:00:02'), mac('52:54:00:00:00:03'), mac('52:54:00:00:01:00'),
  mac('52:55:00:00:00:01'), mac('52:54:00:01:00:01'),
];

const firstStation = mac('02:00:00:00:00:aa');
/** Behind the uplinks. Three of them need the same slot of `remotes`. */
export const STATION_MACS: readonly Bytes[] = [firstStation, ...competing(firstStation, 2, remoteSlot), mac('02:00:00:00:00:bb')];

export const MULTICAST_MACS: readonly Bytes[] = [
  mac('ff:ff:ff:ff:ff:ff'), mac('01:00:5e:00:00:01'), mac('33:33:00:00:00:01'), mac('01:80:c2:00:00:00'),
];
/** Where questions to a guest come from. */
export const CONTROL_MAC = mac('02:00:00:00:00:01');
/** Where guests on a VF behind the adapter's own switch are asked from: the last two bytes are the vNIC's id. */
export const QUESTION_MACS: readonly Bytes[] = [1, 2, 3, 900].map((id) => mac(`02:00:00:01:${(id >> 8).toString(16).padStart(2, '0')}:${(id & 0xff).toString(16).padStart(2, '0')}`));
export const STRANGER_MACS: readonly Bytes[] = [mac('02:00:00:00:00:ee'), mac('00:00:00:00:00:00'), mac('54:54:00:00:00:01'), mac('02:00:00:00:00:02')];

export const VLANS = [0, 1, 100, 101, 4094] as const;
export const FOREIGN_VLANS = [2, 7, 4095] as const;

function ipv4(text: string): Bytes {
  return Uint8Array.from(text.split('.').map(Number));
}

function ipv6(last: number, prefix = '20010db8'): Bytes {
  return Uint8Array.from(Buffer.from(prefix + last.toString(16).padStart(32 - prefix.length, '0'), 'hex'));
}

export const IPV4: readonly Bytes[] = ['192.0.2.1', '192.0.2.2', '192.0.2.129', '198.51.100.7', '10.0.0.1', '224.0.0.1'].map(ipv4);
export const IPV6: readonly Bytes[] = [ipv6(1), ipv6(2), ipv6(0x1_0001), ipv6(1, 'fe80'), ipv6(2, 'fe80'), ipv6(1, 'ff02')];
export const UNSPECIFIED_IPV4 = new Uint8Array(4);
export const UNSPECIFIED_IPV6 = new Uint8Array(16);

/** DNS, DHCP, the tunnels, and some like any other. */
export const L4_PORTS = [53, 67, 68, 80, 4789, 8472, 6081, 1000, 1001, 1002, 50000] as const;
