/** What happens to a world while frames go through it: time passes for single rows, the control plane writes, devices go and come. */
import { ContractLimit, type FlowRecord, PortRole } from '../../maps/generated/contract.js';
import { remoteSlot, vnicKey } from '../core/packet/model.js';
import { onlineCpus } from '../native/cpus.js';
import { anySeen, anyTick } from './ages.js';
import { DEVICES, UPLINKS, VNIC_IDS } from './ids.js';
import { GUEST_MACS, STATION_MACS, VLANS } from './pools.js';
import type { Random } from './random.js';
import { anyAddresses, anyPath, anySeed, anySteering, anyVnic, publishVnic, RING_SIZES, RSS_KEYS, withdrawVnic } from './tenants.js';
import type { World } from './world.js';

function aged(random: Random, record: FlowRecord, now: number): FlowRecord {
  if (record.valid === 0) return record;
  const queue = random.chance(0.1) ? random.pick([0, 1, 2, 5, 63, 64, 255]) : record.queue;
  return { ...record, seen: random.chance(0.8) ? anySeen(random, now) : record.seen, queue };
}

/** Makes the records of a slot as if they had been written at another time. @param row that has been used */
export function ageFlow(world: World, random: Random, row: number): void {
  const flow = world.flows.get(row);
  if (flow === undefined || (flow.learnt.valid === 0 && flow.steered.valid === 0)) return;
  world.setFlow(row, { learnt: aged(random, flow.learnt, world.tick), steered: aged(random, flow.steered, world.tick) });
}

/** The clock stands still, so everybody who is looked at has been heard of just now, unless this says otherwise. */
export function ageOthers(world: World, random: Random): void {
  const id = random.pick(VNIC_IDS);
  const path = world.paths.get(id)!;
  world.setPath(id, { ...path, vfSeen: anyTick(random, world.tick), tapMulticast: anyTick(random, world.tick) });
  if (world.usedSlots.length === 0) return;
  const slot = random.pick(world.usedSlots);
  world.setRemote(slot, { ...world.remotes.get(slot)!, learnt: anyTick(random, world.tick) });
}

/** Frames that wait are delivered: one, or all of them. */
export function deliverHeld(world: World, random: Random): void {
  const waiting = VNIC_IDS.filter((id) => (world.held.get(id)?.length ?? 0) > 0);
  if (waiting.length > 0) world.drain(random.pick(waiting), random.chance(0.5) ? 1 : Infinity);
}

type Change = (world: World, random: Random, index: number, id: number) => void;

function anyKey(random: Random): bigint {
  return vnicKey(random.pick(random.chance(0.7) ? GUEST_MACS : STATION_MACS), random.pick(VLANS));
}

const CHANGES: Readonly<Record<string, readonly [weight: number, change: Change]>> = {
  path: [10, (world, random, _index, id) => world.setPath(id, anyPath(random, world.tick))],
  row: [4, (world, random, index, id) => {
    world.setVnic(id, { ...anyVnic(random, index), mac: world.vnic(id).mac, vlan: world.vnic(id).vlan });
  }],
  move: [4, (world, random, index, id) => {
    withdrawVnic(world, id);
    world.setVnic(id, anyVnic(random, index));
    publishVnic(world, id);
  }],
  steering: [8, (world, random, _index, id) => world.setSteering(id, random.pick([PortRole.TAP, PortRole.VF]), anySteering(random))],
  addresses: [3, (world, random, _index, id) => world.setAddresses(id, anyAddresses(random))],
  port: [8, (world, random) => {
    const ifindex = random.pick(DEVICES);
    world.setTxPort(ifindex, !world.txPorts.has(ifindex));
  }],
  ports: [2, (world) => { for (const ifindex of DEVICES) if (!world.txPorts.has(ifindex)) world.setTxPort(ifindex, true); }],
  cpu: [1, (world, random) => {
    const cpu = random.pick(onlineCpus());
    world.setCpu(cpu, !world.cpus.has(cpu));
  }],
  cpus: [1, (world) => { for (const cpu of onlineCpus()) world.setCpu(cpu, true); }],
  seed: [1, (world, random, _index, id) => world.setFlowSeed(id, anySeed(random))],
  key: [1, (world, random) => world.setRss(random.below(2), random.pick(RSS_KEYS))],
  // Takes a grace period of RCU, so it is rare.
  ring: [1, (world, random, _index, id) => world.setRing(id, random.pick(RING_SIZES))],
  // What leads nowhere: an id without a row, nobody, a vNIC that does not say so.
  slot: [3, (world, random) => {
    const vnic = random.pick([0, ContractLimit.MAX_VNICS, 0xffff_ffff, ...VNIC_IDS]);
    world.publish(anyKey(random), { vnic, role: PortRole.TAP });
  }],
  publish: [6, (world, _random, _index, id) => publishVnic(world, id)],
  withdraw: [2, (world, random) => world.withdraw(anyKey(random))],
  station: [6, (world, random) => {
    const key = vnicKey(random.pick(STATION_MACS), random.pick(VLANS));
    world.setRemote(remoteSlot(key), { key, uplinkIfindex: random.pick(UPLINKS), learnt: anyTick(random, world.tick) });
  }],
};

const WEIGHTS = Object.fromEntries(Object.entries(CHANGES).map(([name, [weight]]) => [name, weight]));

export function changeWorld(world: World, random: Random): void {
  for (let i = random.between(1, 4); i > 0; i--) {
    const index = random.below(VNIC_IDS.length);
    CHANGES[random.weighted(WEIGHTS)]![1](world, random, index, VNIC_IDS[index]!);
  }
}
