/** A small world for tests of the model: one vNIC and its neighbour on one uplink. Written by hand, not from the programs. */
import {
  type Flow, type HashType, type PathWord, PortRole, type Remote, type SeenAddresses, type Steering, type Vnic, type VnicAddresses,
  VnicFlag, type VnicRate,
} from '../../../../maps/generated/contract.js';
import { type HoldRing, type MutablePacketState, type Owner, portKey, vnicKey } from '../../../../src/core/packet/model.js';
import { rssVectorKey } from '../../../support/rss_vectors.js';
import { macBytes } from '../../../support/packet_layers.js';

export const UPLINK = 10;
export const OTHER_UPLINK = 11;
export const TAP = { g1: 21, g2: 22 } as const;
export const VF = { g1: 31, g2: 32 } as const;
export const MAC = { g1: '52:54:00:00:00:01', g2: '52:54:00:00:00:02', station: '02:00:00:00:00:aa' } as const;
export const TICK = 100_000;
const FLOWS_PER_VNIC = 16;
const VNICS = 3;
const NO_RECORD = { tag: 0, seen: 0, queue: 0, valid: 0 };

export interface TestState extends MutablePacketState {
  tick: number;
  readonly vnics: Map<number, Vnic>;
  readonly index: Map<bigint, Owner>;
  readonly paths: Map<number, PathWord>;
  readonly steerings: Map<number, Steering>;
  readonly rss: Map<number, { readonly key: Uint8Array }>;
  readonly flowSeeds: Map<number, bigint>;
  readonly flows: Map<number, Flow>;
  readonly remotes: Map<number, Remote>;
  readonly addresses: Map<number, VnicAddresses>;
  nowNs: bigint;
  readonly holds: Map<number, HoldRing>;
  readonly seen: Map<number, SeenAddresses>;
  readonly rates: Map<number, VnicRate>;
  readonly txPorts: Set<number>;
  readonly cpus: Set<number>;
}

/** Everything in one queue unless said otherwise; CPU q serves queue q. */
export function steering(change: Partial<Steering> = {}): Steering {
  return {
    queues: 1, hashTypes: 0x77 as HashType, rssRow: 0, nicHash: 0, reta: new Uint8Array(128),
    queueCpus: Array.from({ length: 64 }, (_, queue) => queue), ...change,
  };
}

function vnic(name: 'g1' | 'g2'): Vnic {
  return {
    tapIfindex: TAP[name], vfIfindex: VF[name], uplinkIfindex: UPLINK, flags: VnicFlag.PLUGIN, tapFrameMax: 1514, vfFrameMax: 1514,
    uplinkFrameMax: 1514, vlan: 0, mac: macBytes(MAC[name]), vlanCount: 1, vlans: [0, ...new Array<number>(15).fill(0)],
  };
}

/** g1 is vNIC 1 on its VF, g2 is vNIC 2 on its software path. */
export function testState(): TestState {
  const state: TestState = {
    knobs: { flowsPerVnic: FLOWS_PER_VNIC, uplinkPartialChecksum: true },
    tick: TICK,
    nowNs: 1n,
    holds: new Map(),
    seen: new Map(),
    rates: new Map(),
    vnics: new Map([[1, vnic('g1')], [2, vnic('g2')]]),
    index: new Map([
      [portKey(TAP.g1), { vnic: 1, role: PortRole.TAP }], [portKey(VF.g1), { vnic: 1, role: PortRole.VF }],
      [portKey(TAP.g2), { vnic: 2, role: PortRole.TAP }], [portKey(VF.g2), { vnic: 2, role: PortRole.VF }],
      [vnicKey(macBytes(MAC.g1), 0), { vnic: 1, role: PortRole.TAP }],
      [vnicKey(macBytes(MAC.g2), 0), { vnic: 2, role: PortRole.TAP }],
    ]),
    paths: new Map([[1, { word: 0x101n, vfSeen: 0, tapMulticast: 0, holdUntilNs: 0n }], [2, { word: 0n, vfSeen: 0, tapMulticast: 0, holdUntilNs: 0n }]]),
    steerings: new Map([2, 3, 4, 5].map((row) => [row, steering()])),
    rss: new Map([[0, { key: rssVectorKey }]]),
    flowSeeds: new Map([[1, 0x5bd1_e995_5bd1_e995n], [2, 1n]]),
    flows: new Map(Array.from({ length: VNICS * FLOWS_PER_VNIC }, (_, row) => [row, { learnt: NO_RECORD, steered: NO_RECORD }])),
    remotes: new Map(Array.from({ length: 4096 }, (_, slot) => [slot, { key: 0n, uplinkIfindex: 0, learnt: 0 }])),
    addresses: new Map(),
    txPorts: new Set([UPLINK, TAP.g1, TAP.g2, VF.g1, VF.g2]),
    cpus: new Set([0, 1, 2, 3]),
  };
  return state;
}

export function changeVnic(state: TestState, id: number, change: Partial<Vnic>): void {
  state.vnics.set(id, { ...state.vnics.get(id)!, ...change });
}
