/**
 * Whose checksum is still to be finished? A sender that leaves that to its device writes only the folded sum of the pseudo-header
 * (RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1) into the field. Redirected past the host's stack, such a frame arrives
 * corrupt. So what cannot be shown to be finished counts as partial and goes to the bridge.
 */
import { u16 } from './bytes.js';
import type { Ethernet } from './ethernet.js';
import { addressBytes, checksumField, destinationPort, L4, type Packet, Protocol } from './ip.js';

/** VXLAN (RFC 7348), the port that Linux used before it, Geneve (RFC 8926): the outer checksum says nothing of the inner one. */
const TUNNEL_PORTS: readonly number[] = [4789, 8472, 6081];

/** The sender finishes these itself, or they have none and carry nothing; any other protocol may have TCP or UDP within. */
const FINISHED_BY_SENDER: readonly number[] = [
  Protocol.icmp, Protocol.igmp, Protocol.icmpv6, Protocol.esp, Protocol.fragment, Protocol.none,
];

/** The one's complement sum of the pseudo-header, folded to 16 bits and not complemented. */
export function pseudoHeaderSum(bytes: Uint8Array, packet: Packet): number {
  let sum = packet.protocol + packet.upperLength;
  for (let i = 0; i < 2 * addressBytes(packet); i += 2) sum += u16(bytes, packet.addressesAt + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** May someone still have to finish this frame's checksum, or one further in? */
export function mayBePartial(ethernet: Ethernet, packet: Packet): boolean {
  const { bytes, multiBuffer } = ethernet;
  // Nothing of it is IP. What is in a further buffer is not known.
  if (packet.family === 0) return multiBuffer;
  // Who makes fragments has finished the checksum before.
  if (packet.fragment) return false;
  // A checksum on the way is made with the address of the last stop, which is further in.
  if (packet.routed) return true;
  switch (packet.l4) {
    case L4.tcp: return checksumField(bytes, packet) === pseudoHeaderSum(bytes, packet);
    case L4.udp: {
      const field = checksumField(bytes, packet);
      return field === 0 || TUNNEL_PORTS.includes(destinationPort(bytes, packet)) || field === pseudoHeaderSum(bytes, packet);
    }
    // CRC32c is never zero by sum but by chance; a sender that leaves it to its device writes zero (net/sctp/output.c).
    case L4.sctp: return checksumField(bytes, packet) === 0;
    default: {
      const cutShort = packet.protocol === Protocol.tcp || packet.protocol === Protocol.udp || packet.protocol === Protocol.sctp;
      return cutShort ? multiBuffer : !FINISHED_BY_SENDER.includes(packet.protocol);
    }
  }
}
