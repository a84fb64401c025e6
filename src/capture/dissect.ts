/** What is in a frame, as far as one line and one flow key need it. Pure; never trusts a length that the frame gives. */
import ipaddr from 'ipaddr.js';

export interface Dissection {
  readonly from: string;
  readonly to: string;
  /** VLAN ids, the outer one first. */
  readonly vlans: readonly number[];
  /** After the tags. */
  readonly type: number;
  readonly ip: IpPart | null;
  /** Of what is not IP, or more about it: "ARP who-has ...". */
  readonly words: string | null;
}

export interface IpPart {
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  /** Behind the extension headers. */
  readonly protocol: number;
  readonly fragment: boolean;
  /** Null where there are none, or where they cannot be seen. */
  readonly ports: { readonly source: number; readonly destination: number } | null;
  readonly detail: string | null;
}

const ETHERNET = 14;
const TAGS = new Set([0x8100, 0x88a8]);
const MAX_TAGS = 3;
const MAX_EXTENSIONS = 8;
const TYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd, control: 0x88b5, lldp: 0x88cc } as const;
const TYPE_NAMES: Readonly<Record<number, string>> = { [TYPE.control]: 'unipath control', [TYPE.lldp]: 'LLDP' };
const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  47: 'GRE',
  50: 'ESP',
  58: 'ICMPv6',
  89: 'OSPF',
  132: 'SCTP',
};
/** Hop-by-hop, routing, fragment, destination options. */
const EXTENSIONS = new Set([0, 43, 44, 60]);
const FRAGMENT_HEADER = 44;
const TCP_FLAGS = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W'] as const;
const WITH_PORTS = new Set([6, 17, 132]);
const ICMP_NAMES: Readonly<Record<string, string>> = {
  '1/0': 'echo reply',
  '1/3': 'unreachable',
  '1/8': 'echo request',
  '1/11': 'time exceeded',
  '58/1': 'unreachable',
  '58/2': 'packet too big',
  '58/3': 'time exceeded',
  '58/128': 'echo request',
  '58/129': 'echo reply',
  '58/133': 'router solicitation',
  '58/134': 'router advertisement',
  '58/135': 'neighbour solicitation',
  '58/136': 'neighbour advertisement',
};

const mac = (bytes: Buffer): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
const address = (bytes: Buffer): string => ipaddr.fromByteArray([...bytes]).toString();

export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`;
}

/** Null when it is shorter than an Ethernet header and its tags. */
export function dissect(frame: Buffer): Dissection | null {
  if (frame.length < ETHERNET) return null;
  const [to, from] = [mac(frame.subarray(0, 6)), mac(frame.subarray(6, 12))];
  const vlans: number[] = [];
  let at = ETHERNET;
  let type = frame.readUInt16BE(12);
  while (TAGS.has(type) && vlans.length < MAX_TAGS) {
    if (frame.length < at + 4) return null;
    vlans.push(frame.readUInt16BE(at) & 0xfff);
    type = frame.readUInt16BE(at + 2);
    at += 4;
  }
  const rest = frame.subarray(at);
  const ip = type === TYPE.ipv4 ? ipv4(rest) : type === TYPE.ipv6 ? ipv6(rest) : null;
  return { from, to, vlans, type, ip, words: ip === null ? otherWords(type, rest) : null };
}

function otherWords(type: number, rest: Buffer): string {
  if (type === TYPE.arp && rest.length >= 28 && rest.readUInt16BE(2) === TYPE.ipv4) {
    const [sender, target] = [address(rest.subarray(14, 18)), address(rest.subarray(24, 28))];
    return rest.readUInt16BE(6) === 1 ? `ARP who has ${target}, tell ${sender}` : `ARP ${sender} is at ${mac(rest.subarray(8, 14))}`;
  }
  const name =
    type === TYPE.ipv4 ? 'IPv4, cut short' : type === TYPE.ipv6 ? 'IPv6, cut short' : type === TYPE.arp ? 'ARP' : TYPE_NAMES[type];
  return name ?? `type 0x${type.toString(16).padStart(4, '0')}`;
}

function ipv4(bytes: Buffer): IpPart | null {
  if (bytes.length < 20 || bytes.readUInt8(0) >> 4 !== 4) return null;
  const header = (bytes.readUInt8(0) & 0xf) * 4;
  if (header < 20) return null;
  const fragment = (bytes.readUInt16BE(6) & 0x3fff) !== 0;
  const protocol = bytes.readUInt8(9);
  const payload = bytes.readUInt16BE(2) - header;
  const addresses = { family: 4, source: address(bytes.subarray(12, 16)), destination: address(bytes.subarray(16, 20)) } as const;
  return { ...addresses, protocol, fragment, ...upper(protocol, bytes.subarray(header), fragment, payload) };
}

function ipv6(bytes: Buffer): IpPart | null {
  if (bytes.length < 40 || bytes.readUInt8(0) >> 4 !== 6) return null;
  const addresses = { family: 6, source: address(bytes.subarray(8, 24)), destination: address(bytes.subarray(24, 40)) } as const;
  let protocol = bytes.readUInt8(6);
  let payload = bytes.readUInt16BE(4);
  let fragment = false;
  let at = 40;
  for (let i = 0; i < MAX_EXTENSIONS && EXTENSIONS.has(protocol) && bytes.length >= at + 8; i++) {
    const length = protocol === FRAGMENT_HEADER ? 8 : (bytes.readUInt8(at + 1) + 1) * 8;
    if (protocol === FRAGMENT_HEADER) fragment = (bytes.readUInt16BE(at + 2) & 0xfff9) !== 0;
    protocol = bytes.readUInt8(at);
    at += length;
    payload -= length;
  }
  return { ...addresses, protocol, fragment, ...upper(protocol, bytes.subarray(at), fragment, payload) };
}

/** @param payload bytes that the IP header says follow */
function upper(protocol: number, bytes: Buffer, fragment: boolean, payload: number): Pick<IpPart, 'ports' | 'detail'> {
  if (fragment) return { ports: null, detail: 'fragment' };
  if (WITH_PORTS.has(protocol) && bytes.length >= 4) {
    const ports = { source: bytes.readUInt16BE(0), destination: bytes.readUInt16BE(2) };
    if (protocol === 6 && bytes.length >= 14) {
      const flags = TCP_FLAGS.filter((_, bit) => (bytes.readUInt8(13) >> bit) & 1).join('');
      return { ports, detail: `[${flags}] length ${Math.max(0, payload - (bytes.readUInt8(12) >> 4) * 4)}` };
    }
    return { ports, detail: protocol === 17 ? `length ${Math.max(0, payload - 8)}` : null };
  }
  if ((protocol === 1 || protocol === 58) && bytes.length >= 2) {
    const kind = bytes.readUInt8(0);
    return { ports: null, detail: ICMP_NAMES[`${protocol}/${kind}`] ?? `type ${kind}` };
  }
  return { ports: null, detail: null };
}

const endpoint = (family: 4 | 6, host: string, port: number): string => (family === 6 ? `[${host}]:${port}` : `${host}:${port}`);

/** "10.0.0.2:1000 > 10.0.0.1:53 UDP" */
export function flowText(ip: IpPart): string {
  const { family, source, destination, ports, protocol } = ip;
  const name = protocolName(protocol);
  if (ports === null) return `${source} > ${destination} ${name}`;
  return `${endpoint(family, source, ports.source)} > ${endpoint(family, destination, ports.destination)} ${name}`;
}

/** One line about a frame, `length` bytes of which there were. */
export function summarize(frame: Buffer, length: number): string {
  const seen = dissect(frame);
  if (seen === null) return `${length} bytes, too short for Ethernet`;
  const tags = seen.vlans.map((vlan) => `vlan ${vlan} `).join('');
  if (seen.ip === null) return `${tags}${seen.from} > ${seen.to} ${seen.words ?? ''}`.trimEnd();
  return `${tags}${flowText(seen.ip)}${seen.ip.detail === null ? '' : ` ${seen.ip.detail}`}`;
}
