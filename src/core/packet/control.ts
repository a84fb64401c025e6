/** Control frames between the host and the guest plug-in (maps/control_frame.h). They travel on the tap only. */
import { ContractLimit, ControlCommand, controlFrameCodec, EventKind, Reason, VnicPath } from '../../../maps/generated/contract.js';
import { u32 } from './bytes.js';
import { type Decision, drop, type Work } from './decision.js';
import type { Ethernet } from './ethernet.js';

export function isControl(ethernet: Ethernet): boolean {
  return ethernet.type === ContractLimit.CONTROL_ETHERTYPE;
}

/** From a guest: an answer of the plug-in, untagged and whole, is told to the control plane. None goes any further. */
export function takeControl(work: Work, vnic: number, { bytes, end, at, tags }: Ethernet): Decision {
  const whole = at + controlFrameCodec.size <= end;
  if (tags > 0 || !whole || u32(bytes, at) !== ContractLimit.CONTROL_MAGIC) return drop(work, vnic, Reason.DROP_CONTROL);
  const command = bytes[at + 8] ?? 0;
  if (command !== ControlCommand.DRAINED && command !== ControlCommand.RESUMED) return drop(work, vnic, Reason.DROP_CONTROL);
  const sequence = u32(bytes, at + 4);
  const event = {
    vnic, generation: sequence, ifindex: work.arrival.ifindex, kind: EventKind.CONTROL, path: VnicPath.SOFTWARE, command,
  };
  work.effects.push({ kind: 'event', event });
  return drop(work, vnic, Reason.CONTROL);
}
