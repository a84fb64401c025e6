/** Sizes that the control plane shares with the packet programs; `enum contract_limit` in maps/contract.h, proven equal by a test. */

/** vNIC ids are 1 .. MAX_VNICS - 1. */
export const MAX_VNICS = 1024;
/** Queues of one port that can be told apart. */
export const MAX_QUEUES = 64;
/** CPUs that can be named as a queue's server: 0 .. MAX_CPUS - 1. */
export const MAX_CPUS = 512;
/** Entries of an indirection table. */
export const RETA_SIZE = 128;
/** Bytes of hash input that have a Toeplitz table: two IPv6 addresses, two ports. */
export const RSS_INPUT_SIZE = 36;
export const RSS_KEY_SIZE = 40;
/** Bits of enum hash_type that are set unless told otherwise. */
export const DEFAULT_HASH_TYPES = 0x77;
/** Rows of RSS keys: one in force, one to change to. */
export const RSS_ROWS = 16;
/** VLAN ids of one trunk vNIC. */
export const MAX_VLANS = 16;
/** Prefixes, of each family, that a vNIC's IP sources are checked against. */
export const MAX_PREFIXES = 16;
