/** What can hold before a frame arrives, each in words that read well in a table. */
import { ContractLimit, type HashType, VnicFlag } from '../../../maps/generated/contract.js';
import { toVnicAddresses } from '../../../src/dataplane/address_row.js';
import { toVnicRate } from '../../../src/dataplane/rate_row.js';
import type { FrameBuilder } from '../../support/packet_builder.js';
import { type Arrival, type Bed, HOLD_ENDS, vnicKey } from './bed.js';
import { bedVnic, ownerOf, type PortName, type VnicName } from './world.js';

export type Given = (bed: Bed) => void;

/** In ticks, well beyond QUIET_TICKS, below FLOW_LIFETIME (maps/contract.h). */
const QUIET = 10;
/** In ticks, beyond FLOW_LIFETIME. */
const FORGOTTEN = 100;
export const { REMOTE_LIFETIME } = ContractLimit;

/** On the VF, which the guest may use and used long ago. */
export function accelerated(name: VnicName): Given {
  return (bed) => bed.changePath(name, { path: 'accelerated', vfAllowed: true, vfSeen: bed.tick() - QUIET });
}

/** The same, and the guest transmits on it right now. */
export function acceleratedAndBusy(name: VnicName): Given {
  return (bed) => bed.changePath(name, { path: 'accelerated', vfAllowed: true, vfSeen: bed.tick() });
}

/** The same, and another CPU has just noted a frame with a clock one tick ahead of this one's. */
export function acceleratedAndBusyElsewhere(name: VnicName): Given {
  return (bed) => bed.changePath(name, { path: 'accelerated', vfAllowed: true, vfSeen: bed.tick() + 2 });
}

export function vfAllowed(name: VnicName): Given {
  return (bed) => bed.changePath(name, { vfAllowed: true });
}

export function vfNotAllowed(name: VnicName): Given {
  return (bed) => bed.changePath(name, { vfAllowed: false });
}

export function withoutVf(name: VnicName): Given {
  return (bed) => bed.changeVnic(name, () => ({ vfIfindex: 0 }));
}

export function cutThrough(name: VnicName): Given {
  return (bed) => bed.changeVnic(name, ({ flags }) => ({ flags: flags | VnicFlag.CUT_THROUGH }));
}

export function withoutPlugin(name: VnicName): Given {
  return (bed) => bed.changeVnic(name, ({ flags }) => ({ flags: flags & ~VnicFlag.PLUGIN }));
}

/** Largest frame of a port, its VLAN tag not counted. */
export function frameMax(name: VnicName, where: 'tap' | 'vf' | 'uplink', bytes: number): Given {
  return (bed) => bed.changeVnic(name, () => ({ [`${where}FrameMax`]: bytes }));
}

/** The port has so many queues, and every bucket of its RETA names `queue`. Queue 0 is served by CPU 0, queue 1 by CPU 1. */
export function queues(port: PortName, count: number, queue: number): Given {
  return (bed) => bed.setSteering(ownerOf(port)!, isVfPort(port) ? 'vf' : 'tap', { queues: count, reta: () => queue });
}

/** The same, but no CPU reaches any queue. */
export function unreachableQueues(port: PortName, count: number, queue: number): Given {
  return (bed) => bed.setSteering(ownerOf(port)!, isVfPort(port) ? 'vf' : 'tap', { queues: count, reta: () => queue, queueCpus: [] });
}

function isVfPort(port: PortName): boolean {
  return bedVnic(ownerOf(port)!).vf === port;
}

export function noTarget(port: PortName): Given {
  return (bed) => bed.forbid(port);
}

export function noCpu(cpu: number): Given {
  return (bed) => bed.forbidCpu(cpu);
}

/** A station known behind an uplink, learnt so many ticks ago. */
export function remote(mac: string, uplink: PortName = 'pf0', { vlan = 0, ticksAgo = 0 } = {}): Given {
  return (bed) => bed.setRemote(mac, vlan, uplink, bed.tick() - ticksAgo);
}

/** This frame came before, and had its effects. */
export function earlier(frame: FrameBuilder, arrival: Arrival): Given {
  return (bed) => void bed.run(frame.build(), arrival);
}

/** What was learnt of this vNIC's flows was not confirmed for a while; another queue may have them now. */
export function flowsQuiet(name: VnicName): Given {
  return (bed) => bed.ageFlows(name, QUIET);
}

/** ... for so long that other flows may take the slots. */
export function flowsForgotten(name: VnicName): Given {
  return (bed) => bed.ageFlows(name, FORGOTTEN);
}

export function unowned(port: PortName): Given {
  return (bed) => bed.disown(port);
}

/** The vNIC is reached in these VLANs, and no other. */
function inVlans(bed: Bed, name: VnicName, vlans: readonly number[], flag: number): void {
  const { id, mac, vlan } = bedVnic(name);
  bed.removeSlot(vnicKey(mac, vlan));
  for (const each of vlans) bed.addSlot(vnicKey(mac, each), id);
  const list = Array.from({ length: ContractLimit.MAX_VLANS }, (_, i) => vlans[i] ?? 0);
  bed.changeVnic(name, ({ flags }) => ({ flags: flags | flag, vlan: list[0]!, vlanCount: vlans.length, vlans: list }));
}

/** The guest's frames are untagged; on the wire they are in that VLAN. */
export function access(name: VnicName, vlan: number): Given {
  return (bed) => inVlans(bed, name, [vlan], VnicFlag.ACCESS);
}

/** The guest tags its frames itself; 0 = untagged is one of them. */
export function trunk(name: VnicName, ...vlans: readonly number[]): Given {
  return (bed) => inVlans(bed, name, vlans, 0);
}

/** It may speak for these IP addresses and prefixes only. */
export function addresses(name: VnicName, ...list: readonly string[]): Given {
  return (bed) => {
    bed.addresses.set(bedVnic(name).id, toVnicAddresses(list));
    bed.changeVnic(name, ({ flags }) => ({ flags: flags | VnicFlag.CHECK_ADDRESSES }));
  };
}

/** 8 Mbit/s from the guest: what it may send at once is used up for ever, or not yet; or there is no limit after all. */
export function limited(name: VnicName, how: 'used-up' | 'fresh' | 'none'): Given {
  return (bed) => {
    const rate = toVnicRate(how === 'none' ? null : 8);
    bed.rates.set(bedVnic(name).id, { ...rate, freeAtNs: how === 'used-up' ? HOLD_ENDS.never : 0n });
    bed.changeVnic(name, ({ flags }) => ({ flags: flags | VnicFlag.LIMITED }));
  };
}

/** Its VF is behind the adapter's own switch. */
export function legacy(name: VnicName): Given {
  return (bed) => bed.changeVnic(name, ({ uplinkIfindex }) => ({ vfIfindex: uplinkIfindex }));
}

/** The port takes frames in several buffers. */
export function takesMultiBuffer(name: VnicName, where: 'TAP' | 'VF' | 'UPLINK'): Given {
  return (bed) => bed.changeVnic(name, ({ flags }) => ({ flags: flags | VnicFlag[`${where}_MULTI_BUFFER`] }));
}

/** The port's driver takes no redirected frames. */
export function noTransmit(name: VnicName, where: 'VF' | 'UPLINK'): Given {
  return (bed) => bed.changeVnic(name, ({ flags }) => ({ flags: flags | VnicFlag[`${where}_NO_TRANSMIT`] }));
}

/** The last frame of each flow went to the guest that many ticks ago. */
export function steered(name: VnicName, ticksAgo: number): Given {
  return (bed) => bed.ageFlows(name, ticksAgo, 'steered');
}

/** The guest sent each flow that many ticks ago. */
export function heard(name: VnicName, ticksAgo: number): Given {
  return (bed) => bed.ageFlows(name, ticksAgo);
}

/** Two queues: frames that are not hashed are in the first bucket and on queue 0, nearly all others on queue 1. */
export function hashes(port: PortName, hashTypes: HashType): Given {
  return (bed) => bed.setSteering(ownerOf(port)!, isVfPort(port) ? 'vf' : 'tap', { queues: 2, reta: (bucket) => Math.min(bucket, 1), hashTypes });
}

/** Frames for the vNIC wait. Nothing does so far. */
export function holding(name: VnicName): Given {
  return (bed) => {
    bed.withRing(name);
    bed.setHold(name, 'holding', HOLD_ENDS.never);
  };
}

/** What waits is being delivered; of what waited so far nothing is left. After holding(). */
export function releasing(name: VnicName): Given {
  return (bed) => bed.setHold(name, 'releasing', HOLD_ENDS.never);
}

/** Nobody ended the hold in time. After holding(). */
export function holdEnded(name: VnicName): Given {
  return (bed) => bed.setHold(name, 'holding', HOLD_ENDS.past);
}

/** It says hold, and there is nothing to wait in. */
export function holdingWithoutRing(name: VnicName): Given {
  return (bed) => bed.setHold(name, 'holding', HOLD_ENDS.never);
}

/** This frame waits already. */
export function waiting(frame: FrameBuilder, arrival: Arrival, times = 1): Given {
  return (bed) => {
    for (let i = 0; i < times; i++) bed.run(frame.build(), arrival);
  };
}

/** No station is known behind any uplink. */
export function forgetRemotes(bed: Bed): void {
  bed.forgetRemotes();
}
