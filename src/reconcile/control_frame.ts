/** The control frames that a guest's plug-in obeys and answers; layout in maps/control_frame.h. */
import { ContractLimit, ControlCommand, controlFrameCodec } from '../../maps/generated/contract.js';
import type { MacAddress } from '../core/model.js';

/** Locally administered; nobody answers to it. */
const SOURCE: readonly number[] = [0x02, 0, 0, 0, 0, 0x01];
const HEADER_LENGTH = 14;
const FRAME_LENGTH = HEADER_LENGTH + controlFrameCodec.size;

/** Asks it to stop using its VF. */
export function drainFrame(mac: MacAddress, sequence: number): Buffer {
  return controlFrame(mac, sequence, ControlCommand.DRAIN);
}

/** Asks it to use its VF again; of one that does so anyway it only asks whether it is there. */
export function resumeFrame(mac: MacAddress, sequence: number): Buffer {
  return controlFrame(mac, sequence, ControlCommand.RESUME);
}

/** 62 bytes, to the vNIC's MAC address. The answer repeats `sequence`. */
function controlFrame(mac: MacAddress, sequence: number, command: ControlCommand): Buffer {
  const frame = Buffer.alloc(FRAME_LENGTH);
  frame.set(
    mac.split(':').map((octet) => Number.parseInt(octet, 16)),
    0,
  );
  frame.set(SOURCE, 6);
  frame.writeUInt16BE(ContractLimit.CONTROL_ETHERTYPE, 12);
  controlFrameCodec.write({ magic: ContractLimit.CONTROL_MAGIC, sequence, command }, frame, HEADER_LENGTH);
  return frame;
}
