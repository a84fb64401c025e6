/** Random rows of the maps: vNICs of every kind that there is, and of some that are half gone. */
import {
  ContractLimit, type HashType, type PathWord, PathBit, PortRole, type Steering, type Vnic, type VnicAddresses, VnicFlag, VnicPath,
} from '../../maps/generated/contract.js';
import { portKey, vnicKey } from '../core/packet/model.js';
import { anyTick } from './ages.js';
import { GONE, tapOf, UPLINKS, vfOf, VNIC_IDS } from './ids.js';
import { GUEST_MACS, IPV4, IPV6, VLANS } from './pools.js';
import type { Random } from './random.js';
import { HOLD_ENDS, type World } from './world.js';

const { MAX_PREFIXES, MAX_QUEUES, MAX_VLANS, QUEUE_UNREACHABLE, RETA_SIZE, RSS_ROWS } = ContractLimit;

/** Two of the common suites of keys, and one with little in it. */
export const RSS_KEYS: readonly Uint8Array[] = [
  Uint8Array.from(Buffer.from('6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa', 'hex')),
  Uint8Array.from({ length: 40 }, (_, i) => (i * 73 + 41) & 0xff),
  Uint8Array.from({ length: 40 }, (_, i) => (i % 5 === 0 ? 0x80 : 0)),
];

function anyFrameMax(random: Random): number {
  return random.chance(0.6) ? random.pick([1514, 9014])
    : random.pick([60, 64, 90, 100, 200, 1514, 9014, 9014, 0xffff, random.below(0x1_0000)]);
}

function anyFlags(random: Random): number {
  const flag = (bit: number, probability: number): number => (random.chance(probability) ? bit : 0);
  return flag(VnicFlag.CUT_THROUGH, 0.75) | flag(VnicFlag.PLUGIN, 0.5) | flag(VnicFlag.CHECK_ADDRESSES, 0.3)
    | flag(VnicFlag.TAP_MULTI_BUFFER, 0.6) | flag(VnicFlag.VF_MULTI_BUFFER, 0.6) | flag(VnicFlag.UPLINK_MULTI_BUFFER, 0.6)
    | flag(VnicFlag.VF_NO_TRANSMIT, 0.15) | flag(VnicFlag.UPLINK_NO_TRANSMIT, 0.15)
    | flag(VnicFlag.WANT_SOFTWARE, 0.1) | flag(VnicFlag.WANT_ACCELERATED, 0.1);
}

function anyVlans(random: Random, access: boolean): number[] {
  if (access) return [random.pick(VLANS.filter((vlan) => vlan !== 0))];
  const kind = random.weighted({ untagged: 5, one: 3, trunk: 4 });
  if (kind === 'untagged') return [0];
  if (kind === 'one') return [random.pick(VLANS)];
  const vlans = VLANS.filter(() => random.chance(0.6));
  // A trunk need not begin with its lowest VLAN.
  return vlans.length === 0 ? [100] : random.chance(0.5) ? vlans : vlans.toReversed();
}

export function anyVnic(random: Random, index: number): Vnic {
  const access = random.chance(0.3);
  const vlans = anyVlans(random, access);
  const uplinkIfindex = random.chance(0.92) ? UPLINKS[0] : UPLINKS[1];
  const vf = random.weighted({ own: 6, none: 2, veb: 3, gone: 1 });
  return {
    tapIfindex: random.weighted({ own: 20, none: 1, gone: 1 }) === 'own' ? tapOf(index) : random.pick([0, GONE]),
    vfIfindex: { own: vfOf(index), none: 0, veb: uplinkIfindex, gone: GONE }[vf],
    uplinkIfindex,
    flags: anyFlags(random) | (access ? VnicFlag.ACCESS : 0),
    tapFrameMax: anyFrameMax(random),
    vfFrameMax: anyFrameMax(random),
    uplinkFrameMax: anyFrameMax(random),
    vlan: vlans[0]!,
    mac: GUEST_MACS[random.chance(0.9) ? index % GUEST_MACS.length : random.below(GUEST_MACS.length)]!,
    vlanCount: vlans.length,
    vlans: Array.from({ length: MAX_VLANS }, (_, i) => vlans[i] ?? 0),
  };
}

export function anyPath(random: Random, now: number): PathWord {
  const generation = random.pick([0, 1, 7, 0x7fff_ffff, 0xffff_ffff, random.word()]);
  const path = random.chance(0.55) ? VnicPath.ACCELERATED : VnicPath.SOFTWARE;
  const allowed = random.chance(0.7) ? PathBit.VF_ALLOWED : 0;
  const hold = random.chance(0.35) ? PathBit.HOLD : 0;
  const release = random.chance(hold === 0 ? 0.02 : 0.4) ? PathBit.RELEASE : 0;
  // Bits without a meaning yet stay as they are.
  const others = random.chance(0.1) ? random.word() & 0xffff_f800 : 0;
  const low = (path | allowed | hold | release | others) >>> 0;
  const holdUntilNs = random.chance(0.75) ? HOLD_ENDS.never : HOLD_ENDS.past;
  return { word: (BigInt(generation) << BigInt(PathBit.GENERATION_SHIFT)) | BigInt(low), vfSeen: anyTick(random, now), tapMulticast: anyTick(random, now), holdUntilNs };
}

/** Keys of the flow hash; two vNICs may have the same. */
export function anySeed(random: Random): bigint {
  return random.pick([0n, 1n, 0x5bd1_e995_5bd1_e995n, 0xffff_ffff_ffff_ffffn, (BigInt(random.word()) << 32n) | BigInt(random.word())]);
}

/** Bytes: one that two usual frames fill, larger ones, and none. */
export const RING_SIZES = [4096, 8192, 32_768, 4096, null] as const;

const HIGHEST_CPU = 7;

function queueCpu(random: Random, queue: number, queues: number): number {
  if (queue >= queues) return random.chance(0.5) ? QUEUE_UNREACHABLE : 0;
  const congruent = Array.from({ length: HIGHEST_CPU + 1 }, (_, cpu) => cpu).filter((cpu) => cpu % queues === queue);
  // Those that are there are the lowest ones.
  if (congruent.length === 0 || random.chance(0.1)) return QUEUE_UNREACHABLE;
  return random.chance(0.75) ? congruent[0]! : random.pick(congruent);
}

export function anySteering(random: Random): Steering {
  const queues = random.pick([0, 1, 2, 2, 2, 2, 3, 4, 5, 8]);
  const favourite = random.below(Math.max(1, queues));
  const weight = random.pick([0, 0, 0.5, 1]);
  // While the row is rewritten, a program may see the old table with the new number of queues.
  const told = random.chance(0.05) ? MAX_QUEUES : Math.max(1, queues);
  return {
    queues,
    hashTypes: (random.chance(0.5) ? 0x77 : random.chance(0.5) ? 0xff : random.below(256)) as HashType,
    nicHash: random.chance(0.3) ? 1 : 0,
    rssRow: random.weighted({ row: 30, beyond: 1 }) === 'row' ? random.below(RSS_ROWS) : random.pick([RSS_ROWS, 255]),
    reta: Uint8Array.from({ length: RETA_SIZE }, () => (random.chance(weight) ? favourite : random.below(told))),
    queueCpus: Array.from({ length: MAX_QUEUES }, (_, queue) => queueCpu(random, queue, Math.max(1, queues))),
  };
}

function words(bytes: Uint8Array): number[] {
  const buffer = Buffer.from(bytes);
  return Array.from({ length: bytes.length / 4 }, (_, i) => buffer.readUInt32BE(4 * i));
}

function prefixOf(random: Random, address: Uint8Array): { prefix: number[]; mask: number[] } {
  const bits = random.chance(0.6) ? address.length * 8 : random.below(address.length * 8 + 1);
  const mask = Uint8Array.from(address, (_, i) => 0xff & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))));
  return { prefix: words(address.map((byte, i) => byte & mask[i]!)), mask: words(mask) };
}

export function anyAddresses(random: Random): VnicAddresses {
  const count = (): number => (random.chance(0.9) ? random.below(5) : random.pick([MAX_PREFIXES, MAX_PREFIXES + 1, 0xffff_ffff]));
  const four = Array.from({ length: MAX_PREFIXES }, () => prefixOf(random, random.pick(IPV4)));
  const six = Array.from({ length: MAX_PREFIXES }, () => prefixOf(random, random.pick(IPV6)));
  return {
    ipv4Count: count(), ipv6Count: count(),
    ipv4: four.map(({ prefix, mask }) => ({ prefix: prefix[0]!, mask: mask[0]! })),
    ipv6: six,
  };
}

/** Its addresses and its ports lead to it, unless another's do so already. */
export function publishVnic(world: World, id: number): void {
  const vnic = world.vnic(id);
  const keys = [
    ...vnic.vlans.slice(0, vnic.vlanCount).map((vlan) => [vnicKey(vnic.mac, vlan), PortRole.TAP] as const),
    [portKey(vnic.tapIfindex), PortRole.TAP] as const,
    // The uplink is nobody's port, also where it leads to a VF.
    ...(vnic.vfIfindex === vnic.uplinkIfindex ? [] : [[portKey(vnic.vfIfindex), PortRole.VF] as const]),
  ];
  for (const [key, role] of keys) if (!world.index.has(key) && (key & 0xffff_ffffn) !== 0n) world.publish(key, { vnic: id, role });
}

export function withdrawVnic(world: World, id: number): void {
  for (const [key, owner] of [...world.index]) if (owner.vnic === id) world.withdraw(key);
}

/** Everything anew. */
export function populate(world: World, random: Random): void {
  for (const row of [0, 1]) world.setRss(row, random.pick(RSS_KEYS));
  for (const [index, id] of VNIC_IDS.entries()) {
    world.setVnic(id, anyVnic(random, index));
    world.setPath(id, anyPath(random, world.tick));
    world.setFlowSeed(id, anySeed(random));
    for (const role of [PortRole.TAP, PortRole.VF]) world.setSteering(id, role, anySteering(random));
    world.setAddresses(id, anyAddresses(random));
    world.setRing(id, RING_SIZES[index % RING_SIZES.length]!);
    publishVnic(world, id);
  }
}
