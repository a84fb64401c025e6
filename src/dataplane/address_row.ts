/** Rows of map `vnic_addresses`: IP addresses and prefixes as text to what the packet programs compare, and back. */
import { ContractLimit, type VnicAddresses } from '../../maps/generated/contract.js';
import { maskBytes, parsePrefixes, type Prefix, prefixText } from '../core/addresses.js';

const { MAX_PREFIXES } = ContractLimit;

interface Words {
  readonly prefix: number[];
  readonly mask: number[];
}

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

function toWords({ address, length }: Prefix): Words {
  return { prefix: words(address), mask: words(maskBytes(address.length, length)) };
}

function fromWords(prefix: readonly number[], mask: readonly number[]): string {
  const length = bytesOf(mask).reduce((bits, byte) => bits + byte.toString(2).replaceAll('0', '').length, 0);
  return prefixText({ family: prefix.length === 1 ? 4 : 6, address: bytesOf(prefix), length });
}

/** @throws RangeError for text that is no prefix, and for more than MAX_PREFIXES of a family */
export function toVnicAddresses(addresses: readonly string[]): VnicAddresses {
  const prefixes = parsePrefixes(addresses);
  const [ipv4, ipv6] = [prefixes.ipv4.map(toWords), prefixes.ipv6.map(toWords)];
  const nothing = [0, 0, 0, 0];
  return {
    ipv4Count: ipv4.length,
    ipv6Count: ipv6.length,
    ipv4: Array.from({ length: MAX_PREFIXES }, (_, i) => ({ prefix: ipv4[i]?.prefix[0] ?? 0, mask: ipv4[i]?.mask[0] ?? 0 })),
    ipv6: Array.from({ length: MAX_PREFIXES }, (_, i) => ({ prefix: [...(ipv6[i]?.prefix ?? nothing)], mask: [...(ipv6[i]?.mask ?? nothing)] })),
  };
}

/** In canonical form, IPv4 first. */
export function fromVnicAddresses(row: VnicAddresses): string[] {
  return [
    ...row.ipv4.slice(0, row.ipv4Count).map(({ prefix, mask }) => fromWords([prefix], [mask])),
    ...row.ipv6.slice(0, row.ipv6Count).map(({ prefix, mask }) => fromWords(prefix, mask)),
  ];
}
