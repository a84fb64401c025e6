/** Flows of all kinds that a NIC hashes, and what each is hashed of. */
import { rssInput2Tuple, rssInput4Tuple, toeplitzHash } from '../../src/core/toeplitz.js';
import { frame } from '../support/packet_builder.js';
import { addressBytes } from '../support/packet_layers.js';

export const NIC_MAC = '52:54:00:5a:02:01';
export const GUEST_MAC = '52:54:00:00:00:a0';
const WORLD_MAC = '52:54:00:00:00:f0';
const FLOWS = 60;
const IPV4 = ['10.0.0.1', '10.0.0.10'] as const;
const IPV6 = ['fd00::1', 'fd00::10'] as const;

/** The default of Microsoft's and others' NICs, and another one. */
export const NIC_KEY = '6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa';
export const OWN_KEY = '0123456789abcdeffedcba98765432100f1e2d3c4b5a69788796a5b4c3d2e1f000112233aabbccdd';

interface Flow {
  readonly bytes: Buffer;
  readonly hashed: Uint8Array;
}

const across = <T>(of: (i: number) => T): T[] => Array.from({ length: FLOWS }, (_, i) => of(i));
const base = frame().ethernet({ from: WORLD_MAC, to: GUEST_MAC });
const overPorts = ([from, to]: readonly [string, string], l4: 'tcp' | 'udp'): Flow[] =>
  across((i) => {
    const [source, destination] = [20_000 + (l4 === 'tcp' ? 37 : 41) * i, 443];
    return {
      bytes: base.ip(from, to)[l4](source, destination).fillTo(120).build(),
      hashed: rssInput4Tuple(addressBytes(from), addressBytes(to), source, destination),
    };
  });

/** One frame of each flow. */
export const KINDS = {
  'TCP over IPv4': overPorts(IPV4, 'tcp'),
  'UDP over IPv4': overPorts(IPV4, 'udp'),
  'TCP over IPv6': overPorts(IPV6, 'tcp'),
  'UDP over IPv6': overPorts(IPV6, 'udp'),
  'other IPv4': across((i): Flow => {
    const from = `10.${i % 7}.1.${3 * i + 1}`;
    return { bytes: base.ip(from, IPV4[1]).echo().fillTo(120).build(), hashed: rssInput2Tuple(addressBytes(from), addressBytes(IPV4[1])) };
  }),
} as const;

export type Kind = keyof typeof KINDS;

/** How many frames of the kind a queue gets by a key. @param reta queues, one for each rest of the hash */
export function queuesBy(kind: Kind, key: string, reta: readonly number[]): number[] {
  const counts = new Array<number>(Math.max(...reta) + 1).fill(0);
  for (const { hashed } of KINDS[kind]) {
    const queue = reta[toeplitzHash(Buffer.from(key, 'hex'), hashed) % reta.length] ?? 0;
    counts[queue] = (counts[queue] ?? 0) + 1;
  }
  return counts;
}
