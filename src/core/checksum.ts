/** The Internet checksum (RFC 1071): the one's complement sum of 16-bit big-endian words; an odd last byte is padded with 0. */

/** The folded sum, 0 .. 0xffff, not complemented. */
export function onesSum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** What goes into a checksum field. Every part but the last must have an even length. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  return ~onesSum(...parts) & 0xffff;
}
