/**
 * What the packet programs read and write, as the reference model sees it: the rows of the maps (maps/*.h), in the words of the
 * generated contract. Every part is a small look-up, so a `Map` does, and so does a `BpfMap` of the running host.
 */
import type {
  Flow, PathWord, PortRole, Remote, SeenAddresses, Steering, Vnic, VnicAddresses, VnicRate,
} from '../../../maps/generated/contract.js';
import type { HoldRing } from './hold.js';

export interface Lookup<K, V> {
  get(key: K): V | undefined;
}

export interface Store<K, V> extends Lookup<K, V> {
  set(key: K, value: V): unknown;
}

export interface Members<K> {
  has(key: K): boolean;
}

/** Who is meant by an address or a port: a slot of `vnic_slots` without its key. */
export interface Owner {
  readonly vnic: number;
  /** Of a port; of an address TAP. */
  readonly role: PortRole;
}

/** Set before loading, see bpf/lib/config.h. */
export interface Knobs {
  /** A power of two. */
  readonly flowsPerVnic: number;
  /** Frames on the uplink may have a partial checksum. */
  readonly uplinkPartialChecksum: boolean;
}

export interface PacketState {
  readonly knobs: Knobs;
  /** Now, in ticks (bpf/lib/clock.h), modulo 2^32. */
  readonly tick: number;
  /** Now, in nanoseconds of CLOCK_MONOTONIC: only holds and limits need it. */
  readonly nowNs: bigint;
  /** By id, 1 .. MAX_VNICS - 1. An id without a row is nobody's. */
  readonly vnics: Lookup<number, Vnic>;
  /** By `vnicKey` and `portKey`. */
  readonly index: Lookup<bigint, Owner>;
  readonly paths: Lookup<number, PathWord>;
  /** By `vNIC id * PORTS_PER_VNIC + role`. */
  readonly steerings: Lookup<number, Steering>;
  /** By row number: the RSS keys. Their tables follow from them. */
  readonly rss: Lookup<number, { readonly key: Uint8Array }>;
  /** Keys of the flow hash, 64 bits, by vNIC id. */
  readonly flowSeeds: Lookup<number, bigint>;
  /** By `vNIC id * flowsPerVnic + slot`. */
  readonly flows: Lookup<number, Flow>;
  /** By slot, 0 .. REMOTE_SLOTS - 1. */
  readonly remotes: Lookup<number, Remote>;
  readonly addresses: Lookup<number, VnicAddresses>;
  /** What guests may send, of limited vNICs. */
  readonly rates: Lookup<number, VnicRate>;
  /** By vNIC id: the rings that frames wait in. Most vNICs have none. */
  readonly holds: Lookup<number, HoldRing>;
  /** By vNIC id: by which addresses the guest was last seen to speak. */
  readonly seen: Lookup<number, SeenAddresses>;
  /** ifindexes that may be redirected to. */
  readonly txPorts: Members<number>;
  /** CPUs that may be handed a frame. */
  readonly cpus: Members<number>;
}

/** The same, where what a frame has changed can be written. */
export interface MutablePacketState extends PacketState {
  readonly paths: Store<number, PathWord>;
  readonly flows: Store<number, Flow>;
  readonly remotes: Store<number, Remote>;
  readonly holds: Store<number, HoldRing>;
  readonly seen: Store<number, SeenAddresses>;
}

/** Counters of frames of no known vNIC. */
export const NOBODY = 0;

/** As find_vnic() in bpf/lib/vnic.h. @param key of an address or a port (keys.ts) */
export const findVnic = (state: PacketState, key: bigint): number => state.index.get(key)?.vnic ?? NOBODY;
