/** The frames that the bench sends: UDP, 64 bytes with the 4 of the frame check sequence that a wire would add, more for IPv6. */

const PORT = { from: 4096, to: 53 } as const;
const V4 = { from: Buffer.from([192, 0, 2, 10]), to: Buffer.from([192, 0, 2, 1]) } as const;
const V6 = {
  from: Buffer.from('20010db8000000000000000000000010', 'hex'),
  to: Buffer.from('20010db8000000000000000000000001', 'hex'),
} as const;
const SMALLEST = 60;
/** Any finished checksum: what a VF delivers is not checked on the way. */
const CHECKSUM = 0x1db1;

function udp(from: number, to: number, length: number): Buffer {
  const segment = Buffer.alloc(length);
  segment.writeUInt16BE(from, 0);
  segment.writeUInt16BE(to, 2);
  segment.writeUInt16BE(length, 4);
  segment.writeUInt16BE(CHECKSUM, 6);
  return segment;
}

function ethernet(from: Buffer, to: Buffer, type: number): Buffer {
  const header = Buffer.alloc(14);
  to.copy(header, 0);
  from.copy(header, 6);
  header.writeUInt16BE(type, 12);
  return header;
}

/** `flow` 0..255 is the low byte of the remote side's port. `reply`: what the guest sends on that flow. */
export function udpFrame(version: 4 | 6, mac: { readonly from: Buffer; readonly to: Buffer }, flow = 0, reply = false): Buffer {
  const addresses = version === 4 ? V4 : V6;
  const [from, to] = reply ? [addresses.to, addresses.from] : [addresses.from, addresses.to];
  const [fromPort, toPort] = reply ? [PORT.to, PORT.from + flow] : [PORT.from + flow, PORT.to];
  if (version === 4) {
    const ip = Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, ...from, ...to]);
    const segment = udp(fromPort, toPort, SMALLEST - 14 - ip.length);
    ip.writeUInt16BE(ip.length + segment.length, 2);
    ip.writeUInt16BE(headerChecksum(ip), 10);
    return Buffer.concat([ethernet(mac.from, mac.to, 0x0800), ip, segment]);
  }
  const segment = udp(fromPort, toPort, 8);
  const ip = Buffer.from([0x60, 0, 0, 0, 0, segment.length, 17, 64, ...from, ...to]);
  return Buffer.concat([ethernet(mac.from, mac.to, 0x86dd), ip, segment]);
}

function headerChecksum(header: Buffer): number {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += header.readUInt16BE(i);
  return ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
}
