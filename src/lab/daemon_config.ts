/** The configuration of each host's unipathd, from who is at home there. Pure. */
import { stringify } from 'yaml';
import { hostOf, type LabHost, type LabSpec, tapOf } from './model.js';
import { hostPins, hostSocketPath, machineFolder, namespaceOf, type LabPlace } from './place.js';
import { guestPaths } from './qemu/arguments.js';

/** @param homes guest name -> name of the host that it is on; a guest on its way is asked for by naming both hosts in turn */
export function daemonConfigText(place: LabPlace, spec: LabSpec, host: string, homes: ReadonlyMap<string, string>): string {
  return daemonConfigFor(
    place,
    spec,
    host,
    spec.guests.filter((guest) => homes.get(guest.name) === host).map((guest) => guest.name),
  );
}

function adapters({ make }: LabHost): object[] {
  const vfs = Array.from({ length: make.vfs }, (_, index) => ({
    port: `vfp${index}`,
    ...(make.model === null ? { device: `vf${index}` } : { model: make.model }),
    vectors: make.queuesPerVf + 1,
  }));
  return [{ name: 'nic0', uplink: 'pf0', bridge: 'br0', limits: { vectors: MOST_VECTORS }, quota: QUOTA.name, vfs }];
}

/** More than the lab has: nothing is refused for them, and how much is handed out is counted. */
const MOST_VECTORS = 64;
const QUOTA = { name: 'card0', vfs: 16, queues: 64, vectors: MOST_VECTORS };

/** Machines are found by their monitors, wherever they may come to; a machine's NIC is a vNIC of its name. */
function machineConfigFor(place: LabPlace, spec: LabSpec, host: LabHost): string {
  const guests = spec.guests.filter((guest) => guest.mobile || guest.host === host.name);
  return stringify({
    socket: hostSocketPath(place, host.name),
    pins: hostPins(place, host.name),
    hypervisors: guests.map((guest) => ({ qmp: guestPaths(machineFolder(place, guest.name, host.name)).qmp })),
    discover: { policy: 'software' },
    quotas: [QUOTA],
    adapters: adapters(host),
  });
}

/** @param guests names of the guests that this host shall serve; machines are found, not named. @throws RangeError for a host that is not there */
export function daemonConfigFor(place: LabPlace, spec: LabSpec, hostName: string, guests: readonly string[]): string {
  const host = hostOf(spec, hostName);
  if (spec.kind === 'qemu') return machineConfigFor(place, spec, host);
  return stringify({
    socket: hostSocketPath(place, hostName),
    pins: hostPins(place, hostName),
    quotas: [QUOTA],
    adapters: adapters(host),
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
