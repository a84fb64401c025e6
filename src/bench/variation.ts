/** How bench.bpf.c varies frames: row of its map `variations`. */
import type { RawMap } from '../native/map.js';
import type { BenchFrame } from './frames.js';

/** `struct variation`. */
const SIZE = 40;
const KEY = Buffer.alloc(4);

export interface Variation {
  /** Over all vNICs: those of a vNIC are told apart up to FLOWS_PER_VNIC. */
  readonly flows: number;
  /** uniform: a flow at random, FLOWS_PER_VNIC of them per vNIC. turns: flows and vNICs one after the other. */
  readonly order: 'uniform' | 'turns';
  /** 1..254; the others follow it. */
  readonly firstVnic: number;
  /** With order `turns`: how many vNICs take turns. */
  readonly vnics?: number;
}

/** The turns begin anew. @throws RangeError for vNICs that no MAC address of the bench tells apart */
export function encodeVariation(variation: Variation, frame: BenchFrame): Buffer {
  const { flows, order, firstVnic, vnics = 1 } = variation;
  if (firstVnic < 1 || firstVnic + vnics > 256) throw new RangeError(`vNICs ${firstVnic} .. ${firstVnic + vnics - 1} are not in 1..255`);
  const row = Buffer.alloc(SIZE);
  row.writeUInt32LE(flows, 0);
  row.writeUInt32LE(vnics, 4);
  row.writeUInt32LE(order === 'uniform' ? 1 : 0, 8);
  row.writeUInt32LE(firstVnic, 12);
  row.writeUInt16LE(frame.macAt, 16);
  row.writeUInt16LE(frame.addressAt, 18);
  row.writeUInt16LE(frame.portsAt, 20);
  row.writeUInt16LE(frame.reply ? 1 : 0, 22);
  row.writeUInt32LE(frame.address, 24);
  return row;
}

export function vary(variations: RawMap, variation: Variation, frame: BenchFrame): void {
  variations.set(KEY, encodeVariation(variation, frame));
}
