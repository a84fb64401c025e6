/** From what the configuration says and what is found to what is asked for: the taps of virtual machines, and vNICs nobody named. Pure. */
import { DEFAULT_TERMS, type Desired, type FoundNic, type ObservedLink, type VnicSpec } from './model.js';

/** The tap of each vNIC of a machine, by vNIC name, as it was last found: a machine that is off keeps its place. */
export type KnownTaps = ReadonlyMap<string, string>;

export interface Resolved {
  readonly desired: Desired;
  readonly taps: KnownTaps;
}

function nicOf(spec: VnicSpec, found: readonly FoundNic[]): FoundNic | undefined {
  const { guest } = spec;
  if (guest.kind === 'netns') return undefined;
  return found.find((nic) => nic.mac === spec.mac && (guest.vm === '' || nic.vm === guest.vm));
}

/** Its tap, and which machine it is in where the configuration does not say. */
function located(spec: VnicSpec, found: readonly FoundNic[], taps: Map<string, string>): VnicSpec {
  const { guest } = spec;
  if (guest.kind === 'netns') return spec;
  const nic = nicOf(spec, found);
  const tap = spec.tap !== '' ? spec.tap : (nic?.tap ?? taps.get(spec.name) ?? '');
  taps.set(spec.name, tap);
  return { ...spec, tap, guest: { ...guest, vm: guest.vm !== '' ? guest.vm : (nic?.vm ?? '') } };
}

/** The adapter whose bridge a tap is in; null: none, or one of several that cannot be told apart. */
function adapterOf(tap: string, desired: Desired, links: ReadonlyMap<string, ObservedLink>): string | null {
  const master = links.get(tap)?.master ?? null;
  const candidates = desired.adapters.filter(({ bridge }) => master !== null && links.get(bridge)?.ifindex === master);
  return candidates.length === 1 ? (candidates[0]?.name ?? null) : null;
}

/** `web`, or, when the machine has several NICs, `web-net1`. */
function nameFor(nic: FoundNic, found: readonly FoundNic[], taken: ReadonlySet<string>): string {
  const several = found.filter(({ vm, tap }) => vm === nic.vm && tap !== null).length > 1;
  const name = several ? `${nic.vm}-${nic.id}` : nic.vm;
  return taken.has(name) ? `${name}-${nic.mac.replaceAll(':', '')}` : name;
}

export function resolve(
  configured: Desired,
  found: readonly FoundNic[],
  links: ReadonlyMap<string, ObservedLink>,
  known: KnownTaps,
): Resolved {
  const taps = new Map(known);
  const vnics = configured.vnics.map((spec) => located(spec, found, taps));
  const { discover } = configured;
  if (discover !== null) {
    const macs = new Set(vnics.map(({ mac }) => mac));
    const names = new Set(vnics.map(({ name }) => name));
    for (const nic of found) {
      const adapter = nic.tap === null ? null : adapterOf(nic.tap, configured, links);
      if (nic.tap === null || adapter === null || macs.has(nic.mac)) continue;
      const name = nameFor(nic, found, names);
      names.add(name);
      macs.add(nic.mac);
      vnics.push({
        name, mac: nic.mac, vlans: [0], access: false, addresses: null, maxRate: null, adapter, tap: nic.tap,
        guest: { kind: 'vm', vm: nic.vm, mac: nic.mac, mode: 'auto' },
        policy: discover.policy, terms: DEFAULT_TERMS, cutThrough: 'auto', weights: [],
      });
    }
  }
  return { desired: { ...configured, vnics }, taps };
}
