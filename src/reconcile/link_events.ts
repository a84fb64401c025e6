/** What became different between two looks at the links that unipath depends on, in words. Pure. */
import type { Desired, ObservedLink } from '../core/model.js';

export interface LinkEvent {
  readonly device: string;
  readonly adapter: string;
  readonly message: string;
}

type Links = ReadonlyMap<string, ObservedLink>;

function describe(device: string, before: ObservedLink | undefined, after: ObservedLink | undefined): string | null {
  if (after === undefined) return before === undefined ? null : `${device} vanished`;
  if (before === undefined) return `${device} appeared`;
  if (before.ifindex !== after.ifindex) return `${device} was made anew`;
  if (before.up !== after.up) return `${device} was set ${after.up ? 'up' : 'down'}`;
  if (before.carrier !== after.carrier) return `${device} ${after.carrier ? 'has' : 'lost'} carrier`;
  return null;
}

export function linkEvents(desired: Desired, before: Links, after: Links): LinkEvent[] {
  const devices = new Map<string, string>();
  for (const adapter of desired.adapters) {
    for (const device of [adapter.uplink, adapter.bridge, ...adapter.vfs.map((vf) => vf.port)]) devices.set(device, adapter.name);
  }
  for (const vnic of desired.vnics) devices.set(vnic.tap, vnic.adapter);
  return [...devices].flatMap(([device, adapter]) => {
    const message = describe(device, before.get(device), after.get(device));
    return message === null ? [] : [{ device, adapter, message }];
  });
}
