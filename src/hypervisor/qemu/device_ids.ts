/**
 * The ids that a VF's device and its netdev have inside QEMU, made from the name of the VF's port, so that whoever looks later
 * finds them again. Pure.
 *
 * QEMU's ids are a letter and then letters, digits, "-", "." and "_" (id_wellformed() in QEMU's util/id.c). Interfaces may have
 * other characters in their names, too: each becomes "_x" and two hexadecimal digits; so does a "_" that an "x" follows.
 */
const DEVICE_PREFIX = 'unipath-vf-';
const NETDEV_PREFIX = 'unipath-net-';

/** @param port name of the VF's port, as in `core/model.ts`'s VfSpec */
export function deviceIdOf(port: string): string {
  return DEVICE_PREFIX + encode(port);
}

export function netdevIdOf(port: string): string {
  return NETDEV_PREFIX + encode(port);
}

/** The port whose device has this id; null when the id is none of ours. */
export function portOfDeviceId(id: string): string | null {
  if (!id.startsWith(DEVICE_PREFIX)) return null;
  const port = decode(id.slice(DEVICE_PREFIX.length));
  return port !== '' && deviceIdOf(port) === id ? port : null;
}

/** The port on which this netdev is; null when the id is none of ours. */
export function portOfNetdevId(id: string): string | null {
  if (!id.startsWith(NETDEV_PREFIX)) return null;
  const port = decode(id.slice(NETDEV_PREFIX.length));
  return port !== '' && netdevIdOf(port) === id ? port : null;
}

/** The netdev that belongs to one of our devices; null when the id is none of ours. */
export function netdevIdOfDevice(id: string): string | null {
  const port = portOfDeviceId(id);
  return port === null ? null : netdevIdOf(port);
}

const escape = (character: string): string => `_x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;

function encode(port: string): string {
  return port.replace(/_(?=x)|[^A-Za-z0-9._-]/g, escape);
}

function decode(text: string): string {
  return text.replace(/_x([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
