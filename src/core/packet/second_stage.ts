/** On the CPU that reaches the chosen queue: the redirect, to the port that the vNIC's path names now. */
import { PortRole, Reason, VnicFlag } from '../../../maps/generated/contract.js';
import { aborted, type Decision, pass, retagged, type Work } from './decision.js';
import { ETHERNET_BYTES } from './ethernet.js';
import { HANDOVER_BYTES, readHandover } from './handover.js';
import { findVnic, NOBODY, type PacketState } from './state.js';
import { isAccelerated } from './vnic_path.js';

/**
 * What `steer_queue` does.
 * @param handed the frame with the handover before it
 * @param firstBuffer bytes of it that can be read; default all
 */
export function steerQueue(state: PacketState, handed: Uint8Array, firstBuffer = handed.length): Decision {
  const arrival = { program: 'steer_uplink', ifindex: 0, rxQueue: 0, cpu: 0 } as const;
  if (firstBuffer < HANDOVER_BYTES + ETHERNET_BYTES) return aborted({ state, arrival, frame: handed, effects: [], fresh: false }, NOBODY);
  const work: Work = { state, arrival, frame: handed.subarray(HANDOVER_BYTES), effects: [], fresh: false };
  const handover = readHandover(handed);
  const gone = (owner: number): Decision =>
    handover.retagged ? retagged(work, owner, work.frame) : pass(work, owner, Reason.PASS_NO_TARGET);
  const id = findVnic(state, handover.key);
  const vnic = id === NOBODY ? undefined : state.vnics.get(id);
  const path = state.paths.get(id);
  if (vnic === undefined || path === undefined) return gone(NOBODY);
  const role = isAccelerated(vnic, path) ? PortRole.VF : PortRole.TAP;
  let target = role === PortRole.VF ? vnic.vfIfindex : vnic.tapIfindex;
  // The VLAN tag was made for the other kind of port.
  const access = (vnic.flags & VnicFlag.ACCESS) !== 0;
  if (access && handover.wire !== (target === vnic.uplinkIfindex)) target = handover.wire ? vnic.uplinkIfindex : vnic.tapIfindex;
  const untaken = target === vnic.vfIfindex && (vnic.flags & VnicFlag.VF_NO_TRANSMIT) !== 0;
  if (untaken || !state.txPorts.has(target)) return gone(id);
  return {
    verdict: 'redirect', reason: null, vnic: id, target, role, queue: null, cpu: null, hash: null, bucket: null,
    effects: work.effects, frame: work.frame,
  };
}
