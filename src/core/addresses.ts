/** IP addresses and prefixes that a vNIC may speak for: text to bytes and back. Pure. */
import ipaddr from 'ipaddr.js';
import { MAX_PREFIXES } from './limits.js';

export interface Prefix {
  readonly family: 4 | 6;
  /** Network order, the bits behind the prefix zero; 4 or 16 bytes, as the mask. */
  readonly address: readonly number[];
  /** Leading bits that count. */
  readonly length: number;
}

/** Bytes of a mask of `bytes` bytes whose first `length` bits are set. */
export function maskBytes(bytes: number, length: number): number[] {
  return Array.from({ length: bytes }, (_, i) => 0xff & (0xff00 >> Math.min(8, Math.max(0, length - i * 8))));
}

/** An address alone is a prefix of all its bits. @throws RangeError for what is neither */
export function parsePrefix(text: string): Prefix {
  const [address = '', length, ...more] = text.split('/');
  const valid = ipaddr.IPv6.isValid(address) || ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!valid || more.length > 0 || address.includes('%')) {
    throw new RangeError(`"${text}" is not an IP address or prefix such as 192.0.2.1 or 2001:db8::/64`);
  }
  const bytes = ipaddr.parse(address).toByteArray();
  const bits = length === undefined ? bytes.length * 8 : Number(length);
  if ((length !== undefined && !/^[0-9]{1,3}$/.test(length)) || bits > bytes.length * 8) {
    throw new RangeError(`"${text}" has no prefix length in 0..${bytes.length * 8}`);
  }
  const mask = maskBytes(bytes.length, bits);
  return { family: bytes.length === 4 ? 4 : 6, address: bytes.map((byte, i) => byte & (mask[i] ?? 0)), length: bits };
}

/** In canonical form; an address alone without its length. */
export function prefixText({ address, length }: Prefix): string {
  const text = ipaddr.fromByteArray([...address]).toString();
  return length === address.length * 8 ? text : `${text}/${length}`;
}

/** Of each family in the order given, IPv4 first. @throws RangeError for text that is no prefix, and for more than MAX_PREFIXES of a family */
export function parsePrefixes(texts: readonly string[]): { readonly ipv4: readonly Prefix[]; readonly ipv6: readonly Prefix[] } {
  const prefixes = texts.map(parsePrefix);
  const of = (family: 4 | 6): Prefix[] => {
    const found = prefixes.filter((prefix) => prefix.family === family);
    if (found.length > MAX_PREFIXES) throw new RangeError(`${found.length} IPv${family} addresses; a vNIC has at most ${MAX_PREFIXES}`);
    return found;
  };
  return { ipv4: of(4), ipv6: of(6) };
}

/** The same list as it reads back from the map: canonical, IPv4 first. @throws RangeError */
export function canonicalAddresses(texts: readonly string[]): string[] {
  const { ipv4, ipv6 } = parsePrefixes(texts);
  return [...ipv4, ...ipv6].map(prefixText);
}
