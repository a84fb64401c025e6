/**
 * The alias that a VF's device has in its domain, made from the name of the VF's port, so that whoever looks later finds it again. Pure.
 *
 * libvirt keeps aliases of "ua-" and then letters, digits, "-" and "_". Each other character becomes "_x" and two hexadecimal digits; so
 * does a "_" that an "x" follows.
 */

const PREFIX = 'ua-unipath-';

export function aliasOfPort(port: string): string {
  return PREFIX + port.replace(/_(?=x)|[^A-Za-z0-9_-]/g, (character) => `_x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** null when the alias is none of ours. */
export function portOfAlias(alias: string): string | null {
  if (!alias.startsWith(PREFIX)) return null;
  const port = alias.slice(PREFIX.length).replace(/_x([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return port !== '' && aliasOfPort(port) === alias ? port : null;
}
