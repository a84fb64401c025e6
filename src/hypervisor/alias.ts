/**
 * What a device was like before it was given away, written into its alias: the alias travels with the device, so that
 * whoever takes it back can restore it, also a daemon that was started meanwhile. Pure.
 *
 * The guest can write the alias too; therefore it is read strictly, and only harmless values are taken from it.
 */
import type { MacAddress } from '../core/model.js';
import type { Offloads } from '../host/ethtool.js';

export interface DeviceBefore {
  readonly mac: MacAddress;
  readonly up: boolean;
  readonly offloads: Offloads;
  /** The alias it had; mostly empty. */
  readonly alias: string;
}

/** IFALIASZ less its end mark. */
const ALIAS_LIMIT_BYTES = 255;
const PATTERN = /^unipath before: mac ([0-9a-f]{2}(?::[0-9a-f]{2}){5}) (up|down) tx (on|off) gro (on|off)(?: alias (.*))?$/s;

/** @throws RangeError when the device's own alias is too long to be kept in the note. */
export function formatAlias(before: DeviceBefore): string {
  const word = (on: boolean): string => (on ? 'on' : 'off');
  const { mac, up, offloads, alias } = before;
  const own = alias === '' ? '' : ` alias ${alias}`;
  const note = `unipath before: mac ${mac} ${up ? 'up' : 'down'} tx ${word(offloads.tx)} gro ${word(offloads.gro)}${own}`;
  if (Buffer.byteLength(note) > ALIAS_LIMIT_BYTES)
    throw new RangeError(`the device's alias is too long to be kept: "${alias}"; shorten it`);
  return note;
}

/** null when the alias is not our note. */
export function parseAlias(alias: string): DeviceBefore | null {
  const [, mac, up, tx, gro, own] = PATTERN.exec(alias) ?? [];
  // Bit 0 of the first byte: a device cannot have a multicast address.
  if (mac === undefined || Number.parseInt(mac.slice(0, 2), 16) & 1) return null;
  return { mac: mac as MacAddress, up: up === 'up', offloads: { tx: tx === 'on', gro: gro === 'on' }, alias: own ?? '' };
}
