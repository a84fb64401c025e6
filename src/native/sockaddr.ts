/** Socket addresses as bytes. */
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { sockaddrIn, sockaddrIn6 } from './structs.js';

export const AddressFamily = { INET: 2, INET6: 10, NETLINK: 16, PACKET: 17 } as const;

export interface SocketAddress {
  readonly family: number;
  readonly bytes: Buffer;
}

/** @throws RangeError unless `address` is an IPv4 or IPv6 address */
export function encodeInternetAddress(address: string, port: number): SocketAddress {
  if (isIPv4(address)) {
    const { size, at } = sockaddrIn;
    const bytes = Buffer.alloc(size);
    bytes.writeUInt16LE(AddressFamily.INET, at.sin_family);
    bytes.writeUInt16BE(port, at.sin_port);
    bytes.set(ipaddr.parse(address).toByteArray(), at.sin_addr);
    return { family: AddressFamily.INET, bytes };
  }
  if (isIPv6(address)) {
    const { size, at } = sockaddrIn6;
    const bytes = Buffer.alloc(size);
    bytes.writeUInt16LE(AddressFamily.INET6, at.sin6_family);
    bytes.writeUInt16BE(port, at.sin6_port);
    bytes.set(ipaddr.parse(address).toByteArray(), at.sin6_addr);
    return { family: AddressFamily.INET6, bytes };
  }
  throw new RangeError(`"${address}" is no IP address`);
}
