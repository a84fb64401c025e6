/** Rows of map `vnic_addresses`: IP addresses and prefixes as text to what the packet programs compare, and back. */
import ipaddr from 'ipaddr.js';
import { ContractLimit, type VnicAddresses } from '../../maps/generated/contract.js';

const { MAX_PREFIXES } = ContractLimit;

/** Words of address bytes; the codec writes them in network order, as they lie in the frame. */
function words(bytes: readonly number[]): number[] {
  const buffer = Buffer.from(bytes);
  return Array.from({ length: bytes.length / 4 }, (_, i) => buffer.readUInt32BE(i * 4));
}

function bytesOf(values: readonly number[]): number[] {
  const buffer = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => buffer.writeUInt32BE(value, i * 4));
  return [...buffer];
}

function maskBytes(length: number, prefixLength: number): number[] {
  return Array.from({ length }, (_, i) => 0xff & (0xff00 >> Math.min(8, Math.max(0, prefixLength - i * 8))));
}

/** An address alone is a prefix of all its bits. @throws RangeError for what is neither */
export function parsePrefix(text: string): { readonly family: 4 | 6; readonly prefix: readonly number[]; readonly mask: readonly number[] } {
  const [address = '', length, ...more] = text.split('/');
  const valid = ipaddr.IPv6.isValid(address) || ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!valid || more.length > 0 || address.includes('%')) throw new RangeError(`"${text}" is not an IP address or prefix such as 192.0.2.1 or 2001:db8::/64`);
  const bytes = ipaddr.parse(address).toByteArray();
  const bits = length === undefined ? bytes.length * 8 : Number(length);
  if (length !== undefined && !/^[0-9]{1,3}$/.test(length)) throw new RangeError(`"${text}" has no prefix length in 0..${bytes.length * 8}`);
  if (bits > bytes.length * 8) throw new RangeError(`"${text}" has no prefix length in 0..${bytes.length * 8}`);
  const mask = maskBytes(bytes.length, bits);
  return { family: bytes.length === 4 ? 4 : 6, prefix: words(bytes.map((byte, i) => byte & (mask[i] ?? 0))), mask: words(mask) };
}

/** @throws RangeError for text that is no prefix, and for more than MAX_PREFIXES of a family */
export function toVnicAddresses(addresses: readonly string[]): VnicAddresses {
  const prefixes = addresses.map(parsePrefix);
  const of = (family: 4 | 6) => prefixes.filter((prefix) => prefix.family === family);
  for (const family of [4, 6] as const) {
    if (of(family).length > MAX_PREFIXES) throw new RangeError(`${of(family).length} IPv${family} addresses; a vNIC has at most ${MAX_PREFIXES}`);
  }
  const [ipv4, ipv6] = [of(4), of(6)];
  const nothing = [0, 0, 0, 0];
  return {
    ipv4Count: ipv4.length,
    ipv6Count: ipv6.length,
    ipv4: Array.from({ length: MAX_PREFIXES }, (_, i) => ({ prefix: ipv4[i]?.prefix[0] ?? 0, mask: ipv4[i]?.mask[0] ?? 0 })),
    ipv6: Array.from({ length: MAX_PREFIXES }, (_, i) => ({ prefix: [...(ipv6[i]?.prefix ?? nothing)], mask: [...(ipv6[i]?.mask ?? nothing)] })),
  };
}

function prefixText(prefix: readonly number[], mask: readonly number[]): string {
  const address = ipaddr.fromByteArray(bytesOf(prefix)).toString();
  const length = bytesOf(mask).reduce((bits, byte) => bits + byte.toString(2).replaceAll('0', '').length, 0);
  return length === prefix.length * 32 ? address : `${address}/${length}`;
}

/** In canonical form, IPv4 first. */
export function fromVnicAddresses(row: VnicAddresses): string[] {
  return [
    ...row.ipv4.slice(0, row.ipv4Count).map(({ prefix, mask }) => prefixText([prefix], [mask])),
    ...row.ipv6.slice(0, row.ipv6Count).map(({ prefix, mask }) => prefixText(prefix, mask)),
  ];
}

/** The same list as it reads back from the map: canonical, IPv4 first. @throws RangeError */
export function canonicalAddresses(addresses: readonly string[]): string[] {
  return fromVnicAddresses(toVnicAddresses(addresses));
}
