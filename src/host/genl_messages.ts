/** Generic netlink: finding a family by its name, and the header of its messages. Pure. */
import { readAttributes, readU16, writeAttribute, writeNested } from './netlink_messages.js';

/** Message type of the family that lists families. */
export const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
/** The same in every request of family `ethtool`. */
const ETHTOOL_A_HEADER_DEV_NAME = 2;

export const GENLMSGHDR_SIZE = 4;

export function genlHeader(command: number): Buffer {
  return Buffer.from([command, 1, 0, 0]);
}

/** Payload of the question for the message type of a family. */
export function familyPayload(name: string): Buffer {
  return Buffer.concat([genlHeader(CTRL_CMD_GETFAMILY), writeAttribute(CTRL_ATTR_FAMILY_NAME, Buffer.from(`${name}\0`))]);
}

export function readFamilyId(payload: Buffer): number | null {
  const id = readAttributes(payload.subarray(GENLMSGHDR_SIZE)).get(CTRL_ATTR_FAMILY_ID);
  return id === undefined || id.length < 2 ? null : readU16(id, 0);
}

/** The attribute by which a request of family `ethtool` names its device; `type` is that of the request. */
export function deviceHeader(type: number, device: string): Buffer {
  return writeNested(type, writeAttribute(ETHTOOL_A_HEADER_DEV_NAME, Buffer.from(`${device}\0`)));
}
