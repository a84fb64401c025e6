/** The flow hash of bpf/lib/hash.h once more, in another language: says which slot a flow takes, and which two flows share one. */
import { addressBytes, IpProtocol } from '../../support/packet_layers.js';
import { FLOWS_PER_VNIC } from './bed.js';

/** What every vNIC of the bed has as key of its flow hash, unless a test gives it another. */
export const FLOW_SEED = 0x5bd1e9955bd1e995n;
const MASK_64 = (1n << 64n) - 1n;

export interface FlowTuple {
  /** From the remote side toward the guest. */
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly protocol: number;
}

/** Of the ports, and of the four words of the addresses. */
const PORTS_FACTOR = 0x9e3779b97f4a7c15n;
const FACTORS = [0xff51afd7ed558ccdn, 0xbf58476d1ce4e5b9n, 0x94d049bb133111ebn, 0xd6e8feb86659fd93n] as const;
const LAST_FACTOR = 0xc4ceb9fe1a85ec53n;
/** enum l4_kind of bpf/lib/parse.h, by IP protocol. */
const L4_KINDS: Readonly<Record<number, bigint>> = { [IpProtocol.tcp]: 1n, [IpProtocol.udp]: 2n };

/** Words as the program loads them: network order in memory, read little-endian. */
function words(address: string): bigint[] {
  const bytes = addressBytes(address);
  return Array.from({ length: bytes.length / 4 }, (_, i) => BigInt(bytes.readUInt32LE(i * 4)));
}

export function flowHash(tuple: FlowTuple, seed = FLOW_SEED): bigint {
  const [from, to] = [words(tuple.from), words(tuple.to)];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(tuple.fromPort, 0);
  ports.writeUInt16BE(tuple.toPort, 2);
  const kind = L4_KINDS[tuple.protocol] ?? 0n;
  let hash = (seed ^ BigInt(ports.readUInt32LE()) ^ (kind << 32n)) * PORTS_FACTOR;
  for (const [i, word] of from.entries()) hash += (seed ^ word ^ (to[i]! << 32n)) * FACTORS[i]!;
  hash &= MASK_64;
  hash = ((hash ^ (hash >> 32n)) * LAST_FACTOR) & MASK_64;
  return hash ^ (hash >> 29n);
}

export function flowSlot(tuple: FlowTuple): number {
  return Number(flowHash(tuple) & BigInt(FLOWS_PER_VNIC - 1));
}

export function flowTag(tuple: FlowTuple, seed = FLOW_SEED): number {
  return Number(flowHash(tuple, seed) >> 32n);
}

/** Another port of the remote side whose flow takes the same slot. */
export function collidingPort(tuple: FlowTuple): number {
  for (let port = tuple.fromPort + 1; port < 65536; port++) {
    if (flowSlot({ ...tuple, fromPort: port }) === flowSlot(tuple)) return port;
  }
  throw new Error('no colliding port');
}
