/** What a look may find on a small host: bridge br0 (1), uplink pf0 (2), tap tap-g1 (3), VF ports vfp0 (4) and vfp1 (5). */
import { DEFAULT_TIMING } from '../../src/core/backoff.js';
import type {
  AdapterSpec, Desired, HostRssWish, Observed, ObservedLink, ObservedVf, StoredVnic, VfPlace, VnicSpec,
} from '../../src/core/model.js';
import { DEFAULT_RULES, NO_ORIGIN, NO_RSS_WISH, PLUGIN_GUEST } from '../../src/core/model.js';
import { plan, type Plan, type PlanInput } from '../../src/core/plan.js';
import { planSteering } from '../../src/core/queue_plan.js';
import { describeAction } from '../../src/core/actions.js';
import type { Tenant } from '../../src/core/tenant.js';
import { DEFAULT_RSS, vfSpec, vnicSpec } from './fake_site.js';

export const CPUS = [0, 1, 2, 3];
export const adapter: AdapterSpec = {
  name: 'nic0',
  uplink: 'pf0',
  bridge: 'br0',
  vfs: [vfSpec(0), vfSpec(1)],
  limits: { vfs: 254, queues: 2048 },
  rules: DEFAULT_RULES,
};

/** A kernel that does not say what a device takes. */
const SILENT = { xdpFeatures: null, takesRedirects: null, tellsHash: null, takesAggregates: null, vlanFiltering: null };

export function link(name: string, ifindex: number, more: Partial<ObservedLink> = {}): ObservedLink {
  const up = more.up ?? true;
  return { ifindex, name, mac: '', mtu: 1500, up, carrier: up, master: null, kind: null, rxQueues: 2, txQueues: 2, xdp: null, ...SILENT, ...more };
}

/** Nothing from the operator, and a key that was drawn. */
export const HOST_WISH: HostRssWish = { ...NO_RSS_WISH, keyRow: 0, keyByOperator: false, keyIsRandom: true };

export function desired(...vnics: readonly Partial<VnicSpec>[]): Desired {
  return { adapters: [adapter], vnics: vnics.map((more, index) => vnicSpec(index + 1, more)), rss: DEFAULT_RSS, discover: null, quotas: [] };
}

export const VF_IN_USE: Partial<ObservedLink> = { master: 1, up: true };

/** A host on which unipath has done nothing but attach to the uplink. */
export function untouched(): Observed {
  const links = [
    link('br0', 1, { kind: 'bridge' }),
    link('pf0', 2, { master: 1 }),
    link('tap-g1', 3, { master: 1 }),
    link('vfp0', 4, { up: false }),
    link('vfp1', 5, { up: false }),
    link('vf0', 6, { up: false }),
    link('vf1', 7, { up: false }),
  ];
  const observed: Observed = {
    links: new Map(links.map((one) => [one.name, one])),
    vfs: [],
    stored: [],
    guests: new Map([['ns-g1', PLUGIN_GUEST]]),
    cpus: CPUS,
    programs: new Map([[2, 'steer_uplink']]),
    ports: new Map(),
    txPorts: new Set([2]),
    tapPrograms: new Set(),
    fdb: new Set(),
    bridgePortFlags: new Map(),
    bridgeVlans: new Map(),
    bridgeVlanNotes: [],
    idleMs: new Map(),
    rss: { wish: HOST_WISH, keys: ['aa'.repeat(40), '00'.repeat(40)], nicKey: null },
  };
  return withVfs(observed, {});
}

/** `observed.vfs`, as its links say; `places` where they are not on the host. */
export function withVfs(observed: Observed, places: Readonly<Record<string, VfPlace>>): Observed {
  const vfs = adapter.vfs.map((spec): ObservedVf => {
    const place = places[spec.device] ?? (observed.links.has(spec.device) ? { kind: 'host' } : { kind: 'gone' });
    return { adapter: adapter.name, spec, port: observed.links.get(spec.port) ?? null, place, origin: { ...NO_ORIGIN, ...spec.origin } };
  });
  return { ...observed, vfs };
}

export function withLinks(observed: Observed, ...changed: readonly ObservedLink[]): Observed {
  const links = new Map(observed.links);
  for (const one of changed) links.set(one.name, one);
  return withVfs({ ...observed, links }, placesOf(observed));
}

export function withoutLinks(observed: Observed, ...names: readonly string[]): Observed {
  const links = new Map([...observed.links].filter(([name]) => !names.includes(name)));
  return withVfs({ ...observed, links }, placesOf(observed));
}

function placesOf(observed: Observed): Record<string, VfPlace> {
  return Object.fromEntries(observed.vfs.filter((vf) => vf.place.kind === 'guest').map((vf) => [vf.spec.device, vf.place]));
}

export function storedG1(more: Partial<StoredVnic> = {}): StoredVnic {
  return {
    id: 1,
    held: false,
    mac: vnicSpec(1).mac,
    vlans: [0],
    access: false,
    addresses: null,
    maxRate: null,
    tapIfindex: 3,
    vfIfindex: 0,
    uplinkIfindex: 2,
    tapFrameMax: 1514,
    vfFrameMax: 0,
    uplinkFrameMax: 1514,
    tapMultiBuffer: false,
    vfMultiBuffer: false,
    uplinkMultiBuffer: false,
    vfNoTransmit: false,
    uplinkNoTransmit: false,
    cutThrough: false,
    plugin: true,
    operatorWant: null,
    path: 'software',
    vfAllowed: false,
    generation: 0,
    hold: 'none',
    tapSteering: planSteering(2, CPUS, 1),
    vfSteering: null,
    rssWish: NO_RSS_WISH,
    ...more,
  };
}

/** g1 has its footing. */
export function onSoftware(): Observed {
  return {
    ...untouched(),
    stored: [storedG1()],
    programs: new Map([
      [2, 'steer_uplink'],
      [3, 'steer_guest'],
    ]),
    ports: new Map([[3, { vnic: 1, role: 'tap' }]]),
    txPorts: new Set([2, 3]),
    fdb: new Set([`${vnicSpec(1).mac} 0 tap-g1`]),
  };
}

/** g1 has vf0, and its guest uses it. */
export function onVf(): Observed {
  const software = onSoftware();
  const observed: Observed = {
    ...software,
    stored: [
      storedG1({
        vfIfindex: 4,
        vfFrameMax: 1514,
        path: 'accelerated',
        vfAllowed: true,
        generation: 1,
        vfSteering: planSteering(2, CPUS, 1),
      }),
    ],
    programs: new Map([...software.programs, [4, 'steer_guest']]),
    ports: new Map([...software.ports, [4, { vnic: 1, role: 'vf' }]]),
    txPorts: new Set([...software.txPorts, 4]),
    bridgePortFlags: new Map([['vfp0', { learning: false, flood: false, multicastFlood: false, broadcastFlood: false }]]),
  };
  const moved = withLinks(withoutLinks(observed, 'vf0'), link('vfp0', 4, VF_IN_USE));
  return withVfs(moved, { vf0: { kind: 'guest', guest: vnicSpec(1).guest } });
}

export function planFor(input: Partial<PlanInput> & Pick<PlanInput, 'observed' | 'desired'>): Plan {
  return plan({ tenants: [], adapterTroubles: new Map(), busy: new Set(), quarantines: new Map(), nowMs: 1000, timing: DEFAULT_TIMING, ...input });
}

/** The tenants that a look at `observed` leads to. */
export function tenantsAt(observed: Observed, wanted: Desired): readonly Tenant[] {
  return planFor({ observed, desired: wanted }).tenants;
}

/** All actions in words, each sequence led in by its purpose. */
export function words(planned: Plan): string[] {
  const sequences = [...planned.vnics.map((vnic) => vnic.sequence), ...(planned.sweep === null ? [] : [planned.sweep])];
  return sequences.flatMap(({ purpose, onFailure, actions }) => [`${purpose}, on failure ${onFailure}:`, ...actions.map(describeAction)]);
}

export function phases(tenants: readonly Tenant[]): string[] {
  return tenants.map(({ spec, state: { stage } }) => `${spec.name} ${'step' in stage ? `${stage.phase}/${stage.step}` : stage.phase}`);
}
