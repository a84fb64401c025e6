/** The configuration of each host's unipathd, from who is at home there. Pure. */
import { stringify } from 'yaml';
import { type LabSpec, tapOf } from './model.js';
import { hostPins, hostSocketPath, namespaceOf, type LabPlace } from './place.js';

/** @param homes guest name -> name of the host that it is on; a guest on its way is asked for by naming both hosts in turn */
export function daemonConfigText(place: LabPlace, spec: LabSpec, host: string, homes: ReadonlyMap<string, string>): string {
  return daemonConfigFor(
    place,
    spec,
    host,
    spec.guests.filter((guest) => homes.get(guest.name) === host).map((guest) => guest.name),
  );
}

/** @param guests names of the guests that this host shall serve */
export function daemonConfigFor(place: LabPlace, spec: LabSpec, host: string, guests: readonly string[]): string {
  const make = spec.hosts.find((each) => each.name === host)?.make;
  if (make === undefined) throw new RangeError(`the lab has no host "${host}"`);
  const vfs = Array.from({ length: make.vfs }, (_, index) => ({ port: `vfp${index}`, device: `vf${index}` }));
  return stringify({
    socket: hostSocketPath(place, host),
    pins: hostPins(place, host),
    adapters: [{ name: 'nic0', uplink: 'pf0', bridge: 'br0', vfs }],
    vnics: spec.guests
      .filter((guest) => guests.includes(guest.name))
      .map((guest) => ({
        name: guest.name,
        mac: guest.mac,
        adapter: 'nic0',
        tap: tapOf(guest),
        guest: { netns: namespaceOf(place, guest.name) },
        // The bridge's way: what is re-homed leaves no frames behind in another CPU's queue.
        cut_through: 'off',
        // The scenario decides when; a command of the operator overrides it.
        policy: 'software',
      })),
  });
}
