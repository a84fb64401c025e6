/** What a device has still to do to a frame that the kernel had left unfinished: its L4 checksum, and cutting an aggregate up. */
import { crc32c } from '../crc32c.js';
import { parseEthernet } from './ethernet.js';
import { checksumField, L4, type Packet, parsePacket } from './ip.js';
import { pseudoHeaderSum } from './partial_checksum.js';

export interface UnfinishedFrame {
  readonly checksumStart: number;
  readonly checksumOffset: number;
  readonly segment: { readonly kind: 'tcp4' | 'tcp6' | 'udp'; readonly payloadBytes: number; readonly headerBytes: number } | null;
}

/** Of TCP (RFC 9293 section 3.1), UDP (RFC 768) and SCTP (RFC 9260 section 3.1). */
const TCP_CHECKSUM_AT = 16;
const UDP_CHECKSUM_AT = 6;
const UDP_HEADER_BYTES = 8;
const SCTP_CHECKSUM_AT = 8;

function headerBytes(frame: Uint8Array, packet: Packet): number {
  if (packet.l4 === L4.udp) return packet.at + UDP_HEADER_BYTES;
  return packet.at + ((frame[packet.at + 12] ?? 0) >> 4) * 4;
}

/**
 * Null when nothing is left to do. Where the field says just what an unfinished one says, finishing it gives the same sum again.
 * @param segmentSize payload bytes of each frame that an aggregated one stands for; 0 = it is not one
 */
export function unfinished(frame: Uint8Array, segmentSize: number): UnfinishedFrame | null {
  const ethernet = parseEthernet(frame, frame.length);
  if (ethernet === null) return null;
  const packet = parsePacket(ethernet);
  if (packet.l4 !== L4.tcp && packet.l4 !== L4.udp) return null;
  // The IP length of an aggregate is the sum's, too.
  if (segmentSize === 0 && checksumField(frame, packet) !== pseudoHeaderSum(frame, packet)) return null;
  const checksum = { checksumStart: packet.at, checksumOffset: packet.l4 === L4.tcp ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT };
  if (segmentSize === 0) return { ...checksum, segment: null };
  const kind = packet.l4 === L4.udp ? 'udp' : packet.family === 4 ? 'tcp4' : 'tcp6';
  return { ...checksum, segment: { kind, payloadBytes: segmentSize, headerBytes: headerBytes(frame, packet) } };
}

/** SCTP, whose sender left the CRC to its device: a new frame with it. Any other frame as it is. */
export function finishSctp(frame: Uint8Array): Uint8Array {
  const ethernet = parseEthernet(frame, frame.length);
  const packet = ethernet === null ? null : parsePacket(ethernet);
  if (packet === null || packet.l4 !== L4.sctp || checksumField(frame, packet) !== 0) return frame;
  const finished = Uint8Array.from(frame);
  const crc = crc32c(finished.subarray(packet.at, packet.at + packet.upperLength));
  new DataView(finished.buffer).setUint32(packet.at + SCTP_CHECKSUM_AT, crc, true);
  return finished;
}
