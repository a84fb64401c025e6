/** Names that the operator gives, to what they stand for. */
import { nameHint } from '../core/near_name.js';
import type { Site, SiteVnic } from './site.js';

/** Something was named that does not exist, or that cannot be meant. The hint says what to do. */
export class LookupError extends Error {
  override readonly name = 'LookupError';

  constructor(
    message: string,
    readonly code: string,
    readonly hint: string | null,
  ) {
    super(message);
  }
}

/** Suggests the near name, or lists those there are. */
export function unknownName(what: string, name: string, all: readonly string[]): LookupError {
  return new LookupError(`there is no ${what} "${name}"`, `unknown_${what.toLowerCase()}`, nameHint(name, all));
}

/** By name, or by MAC address. @throws LookupError */
export function vnicNamed(site: Site, name: string): SiteVnic {
  const found = site.vnics.find((vnic) => vnic.name === name || vnic.mac === name.toLowerCase());
  if (found === undefined)
    throw unknownName(
      'vNIC',
      name,
      site.vnics.map((vnic) => vnic.name),
    );
  return found;
}

/** ifindex of an interface that has one of our programs. @throws LookupError */
export function interfaceNamed(site: Site, name: string): number {
  const ours = site.pins.listLinks();
  const found = ours.find((ifindex) => site.link(ifindex) === name);
  if (found !== undefined) return found;
  const names = ours.map((ifindex) => site.link(ifindex));
  if ([...site.links.values()].includes(name))
    throw new LookupError(`no program of unipath is on ${name}`, 'not_attached', `there are: ${names.join(', ') || 'none'}`);
  throw unknownName('interface', name, names);
}
