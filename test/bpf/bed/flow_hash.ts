/** The flow hash of bpf/lib/hash.h once more, in another language: says which slot a flow takes, and which two flows share one. */
import { addressBytes } from '../../support/packet_layers.js';
import { FLOWS_PER_VNIC } from './bed.js';

/** Default of the knob `flow_seed`. */
const SEED = 0x5bd1e9955bd1e995n;
const MASK_64 = (1n << 64n) - 1n;

export interface FlowTuple {
  /** From the remote side toward the guest. */
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly protocol: number;
}

function mix(value: bigint): bigint {
  let hash = value ^ (value >> 32n);
  hash = (hash * 0x9e3779b97f4a7c15n) & MASK_64;
  return hash ^ (hash >> 29n);
}

/** Words as the program loads them: network order in memory, read little-endian. */
function words(address: string): bigint[] {
  const bytes = addressBytes(address);
  return Array.from({ length: bytes.length / 4 }, (_, i) => BigInt(bytes.readUInt32LE(i * 4)));
}

export function flowHash(tuple: FlowTuple): bigint {
  const [from, to] = [words(tuple.from), words(tuple.to)];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(tuple.fromPort, 0);
  ports.writeUInt16BE(tuple.toPort, 2);
  let hash = SEED;
  for (let i = 1; i < from.length; i++) hash = mix(hash ^ from[i]! ^ (to[i]! << 32n));
  hash = mix(hash ^ from[0]! ^ (to[0]! << 32n));
  return mix(hash ^ BigInt(ports.readUInt32LE()) ^ (BigInt(tuple.protocol) << 32n));
}

export function flowSlot(tuple: FlowTuple): number {
  return Number(flowHash(tuple) & BigInt(FLOWS_PER_VNIC - 1));
}

export function flowTag(tuple: FlowTuple): number {
  return Number(flowHash(tuple) >> 32n);
}

/** Another port of the remote side whose flow takes the same slot. */
export function collidingPort(tuple: FlowTuple): number {
  for (let port = tuple.fromPort + 1; port < 65536; port++) {
    if (flowSlot({ ...tuple, fromPort: port }) === flowSlot(tuple)) return port;
  }
  throw new Error('no colliding port');
}
