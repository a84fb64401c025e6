/** Looks at everything the planner needs: links, bridge entries, guests, VFs; then, in one instant, the pinned maps. */
import {
  fdbKey,
  fitsGuest,
  guestName,
  type BridgePortFlags,
  type BridgeVlan,
  type Desired,
  type FdbEntry,
  type GuestSpec,
  type GuestState,
  type NicKey,
  type Observed,
  type ObservedLink,
  type ObservedVf,
  type StoredVnic,
  NO_ORIGIN,
  type VfOrigin,
  type VfPlace,
  type VfSpec,
  type VnicSpec,
} from '../core/model.js';
import { isBehindUplink, isPassedThrough, possibleEntries, switchesItself } from '../core/adapter_vf.js';
import { idleTimes, nextActivity, type Activity } from '../core/idleness.js';
import type { Tenant } from '../core/tenant.js';
import { mayHavePlugin, withPlugin } from '../core/plugin_guest.js';
import { claimedVf } from '../core/vnic_state.js';
import { nicKeyOf } from '../core/rss_plan.js';
import { fdbEntries, fdbEntriesOf, tapEntries, uplinkEntries } from '../core/vnic_actions.js';
import type { LendableVf } from '../sriov/port.js';
import type { Hands } from './executor.js';
import { messageOf } from './errors.js';
import { Recall } from './recall.js';

/** What takes time to see; the maps are read at once and come last. */
export type HostView = Pick<Observed, 'links' | 'vfs' | 'guests' | 'fdb' | 'bridgePortFlags' | 'bridgeVlans' | 'idleMs'> & {
  readonly nicKey: NicKey | null;
};

export type Links = Observed['links'];

const RECALL_MS = 5000;
/** Of a guest of which nothing can be learnt now. */
const UNREACHABLE: GuestState = {
  mode: null, refusal: 'hypervisor_unreachable', detail: null, running: false, incoming: false, leaving: false, parked: false, numaNode: null,
};

export class Observer {
  readonly #hands: Hands;
  readonly #cpus: () => readonly number[];
  readonly #recall: Recall;
  readonly #nowMs: () => number;
  readonly #origins = new Map<string, { readonly ifindex: number; readonly origin: VfOrigin }>();
  #activity: ReadonlyMap<number, Activity> = new Map();
  readonly #hasPlugin: (guest: string) => boolean;
  readonly #warn: (about: string, message: string) => void;

  /** @param hasPlugin has the plug-in of the guest of this name answered? */
  constructor(
    hands: Hands,
    cpus: () => readonly number[],
    nowMs: () => number,
    hasPlugin: (guest: string) => boolean,
    warn: (about: string, message: string) => void,
  ) {
    this.#hands = hands;
    this.#cpus = cpus;
    this.#nowMs = nowMs;
    this.#hasPlugin = hasPlugin;
    this.#recall = new Recall(RECALL_MS, nowMs);
    this.#warn = warn;
  }

  /** To be told before and after anything on the host or in a guest is changed. */
  forget(): void {
    this.#recall.forget();
  }

  /** @throws whatever the host says when bridges cannot be asked; a guest that cannot be asked is only warned about. */
  async look(links: Links, desired: Desired, tenants: readonly Tenant[]): Promise<HostView> {
    const specs = [...desired.vnics, ...tenants.map((tenant) => tenant.spec)];
    const guests = new Map(specs.filter(({ guest }) => guestName(guest) !== '').map(({ guest }) => [guestName(guest), guest]));
    const [present, fdb, bridgePortFlags, bridgeVlans, nicKey] = await Promise.all([
      this.#presentGuests(guests),
      this.#fdb(links, desired, tenants),
      this.#bridgePortFlags(links, desired, tenants),
      this.#bridgeVlans(links, specs),
      this.#nicKey(links, desired),
    ]);
    // A machine whose guest is over may still hold what it was given, until it ends.
    const known = [...guests.values()].filter((guest) => guest.kind === 'vm' || present.has(guestName(guest)));
    const vfs = await this.#vfs(links, desired, tenants, known);
    return { links, guests: present, fdb, bridgePortFlags, bridgeVlans, nicKey, vfs, idleMs: this.#idle(desired) };
  }

  /** Adds what the maps say right now. */
  complete(view: HostView): Observed {
    const { dataPlane } = this.#hands;
    const { nicKey, ...seen } = view;
    return {
      ...seen,
      rss: { wish: dataPlane.hostRssWish(), keys: dataPlane.rssKeys(), nicKey },
      bridgeVlanNotes: dataPlane.bridgeVlanNotes(),
      cpus: this.#cpus(),
      stored: this.#stored(),
      programs: new Map(dataPlane.attachments().map(({ ifindex, program, insteadOf }) => [ifindex, insteadOf ?? program])),
      ports: dataPlane.ports(),
      txPorts: dataPlane.txPorts(),
      tapPrograms: dataPlane.tapAttachments(),
    };
  }

  /** Asked only where it decides who keeps a VF. */
  #idle({ vnics }: Desired): ReadonlyMap<number, number> {
    if (new Set(vnics.map(({ terms }) => terms.priority)).size < 2) {
      this.#activity = new Map();
      return new Map();
    }
    const nowMs = this.#nowMs();
    const counts = this.#hands.dataPlane.tallies().map(({ id, reasons }): [number, number] => [
      id,
      Object.values(reasons).reduce((sum, { packets }) => sum + packets, 0),
    ]);
    this.#activity = nextActivity(this.#activity, new Map(counts), nowMs);
    return idleTimes(this.#activity, nowMs);
  }

  #stored(): StoredVnic[] {
    const { dataPlane } = this.#hands;
    return [...dataPlane.vnics()]
      .map(([id, row]) => ({
        ...row,
        ...dataPlane.path(id),
        id,
        held: dataPlane.isHeld(id),
        tapSteering: dataPlane.steering(id, 'tap'),
        vfSteering: dataPlane.steering(id, 'vf'),
        rssWish: dataPlane.rssWish(id),
      }))
      .sort((a, b) => a.id - b.id);
  }

  async #presentGuests(guests: ReadonlyMap<string, GuestSpec>): Promise<Map<string, GuestState>> {
    const present = new Map<string, GuestState>();
    const ask = async (name: string, guest: GuestSpec): Promise<void> => {
      try {
        const state = await this.#lookAt(name, guest);
        if (state !== null) present.set(name, state);
      } catch (error) {
        // Nothing may be concluded; a guest that is taken for missing would lose its VF.
        present.set(name, { ...UNREACHABLE, detail: messageOf(error) });
        this.#warn(`guest ${name}`, `guest ${name} could not be looked for: ${messageOf(error)}`);
      }
    };
    await Promise.all([...guests].map(([name, guest]) => ask(name, guest)));
    return present;
  }

  /** What the hypervisor shows of it; the plug-in it cannot see. */
  async #lookAt(name: string, guest: GuestSpec): Promise<GuestState | null> {
    const { hypervisor } = this.#hands;
    const state = await hypervisor.look(guest);
    const answers = state !== null && this.#hasPlugin(name) && mayHavePlugin(guest, state);
    return answers ? hypervisor.look(withPlugin(guest)) : state;
  }

  /** Entries of the tenants, of vNICs to come, and of rows in the maps that may be nobody's. */
  async #fdb(links: Links, desired: Desired, tenants: readonly Tenant[]): Promise<Set<string>> {
    const names = new Map([...links.values()].map((link) => [link.ifindex, link.name]));
    const entries = new Map<string, FdbEntry>();
    const ask = (all: readonly FdbEntry[]): void => all.forEach((entry) => entries.set(fdbKey(entry), entry));
    const uplinks = new Map(desired.adapters.filter(switchesItself).map(({ name, uplink }) => [name, uplink]));
    for (const { mac, vlans, tap, adapter } of desired.vnics) {
      ask(fdbEntries(mac, vlans, tap, links));
      const uplink = uplinks.get(adapter);
      if (uplink !== undefined) ask([{ mac, vlan: 0, device: uplink, self: true }]);
    }
    const rows = this.#hands.dataPlane.vnics();
    for (const { mac, vlans, tapIfindex } of rows.values()) {
      ask(fdbEntries(mac, vlans, names.get(tapIfindex) ?? '', links));
    }
    // An answer that something is not there is not kept, and the bridge has an address only once.
    for (const tenant of tenants.filter(isBehindUplink)) for (const entry of tapEntries(tenant, links)) entries.delete(fdbKey(entry));
    for (const tenant of tenants) ask([...fdbEntriesOf(tenant, links), ...possibleEntries(tenant)]);
    // Where a guest was when it went, or its tap.
    const isGoing = ({ id, spec, state }: Tenant): boolean => id !== null && rows.has(id) && (state.stage.phase === 'absent' || !links.has(spec.tap));
    for (const tenant of tenants.filter(isGoing)) ask(uplinkEntries(tenant, links));
    const present = new Set<string>();
    const own = await this.#ownAddresses(links, [...entries.values()]);
    const look = async (entry: FdbEntry): Promise<void> => {
      const port = links.get(entry.device);
      if (port === undefined || port.master === null) return;
      const question = `fdb ${fdbKey(entry)} ${port.ifindex} ${port.master}`;
      if (
        await this.#recall.ask(
          question,
          () => this.#hands.host.hasStaticFdb(entry),
          (there) => there,
        )
      )
        present.add(fdbKey(entry));
    };
    for (const entry of entries.values()) if (entry.self === true && own.get(entry.device)?.has(entry.mac) === true) present.add(fdbKey(entry));
    await Promise.all([...entries.values()].filter(({ self }) => self !== true).map(look));
    return present;
  }

  /** By device: one question for all entries of its own. */
  async #ownAddresses(links: Links, entries: readonly FdbEntry[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const devices = [...new Set(entries.flatMap(({ self, device }) => (self === true && links.has(device) ? [device] : [])))];
    const answers = devices.map(async (device) => {
      const question = `own addresses ${device} ${links.get(device)?.ifindex}`;
      return [device, await this.#recall.ask(question, () => this.#hands.host.ownAddresses(device), () => true)] as const;
    });
    return new Map(await Promise.all(answers));
  }

  async #bridgePortFlags(links: Links, desired: Desired, tenants: readonly Tenant[]): Promise<Map<string, BridgePortFlags>> {
    const flags = new Map<string, BridgePortFlags>();
    const look = async (device: string): Promise<void> => {
      const port = links.get(device);
      if (port === undefined || port.master === null) return;
      const question = `flags ${port.ifindex} ${port.master}`;
      const seen = await this.#recall.ask(
        question,
        () => this.#hands.host.bridgePortFlags(device),
        (value) => value !== null,
      );
      if (seen !== null) flags.set(device, seen);
    };
    await Promise.all(allVfs(desired, tenants).map(({ spec }) => look(spec.port)));
    return flags;
  }

  /** Asked only where a vNIC has a VLAN, or a port is not as it was found. */
  async #bridgeVlans(links: Links, specs: readonly VnicSpec[]): Promise<ReadonlyMap<string, readonly BridgeVlan[]>> {
    const tagged = specs.some(({ vlans }) => vlans.some((vlan) => vlan !== 0));
    const filtering = [...links.values()].some(({ vlanFiltering }) => vlanFiltering !== null);
    if (!(tagged && filtering) && this.#hands.dataPlane.bridgeVlanNotes().length === 0) return new Map();
    const ports = [...links.values()].flatMap(({ ifindex, master }) => (master === null ? [] : [`${ifindex}/${master}`]));
    return this.#recall.ask(
      `vlans ${ports.join(' ')}`,
      () => this.#hands.host.bridgeVlans(),
      () => true,
    );
  }

  /** The first adapter stands for the host: there is one key for all. */
  async #nicKey(links: Links, desired: Desired): Promise<NicKey | null> {
    const [adapter] = desired.adapters;
    if (desired.rss.key !== 'nic' || adapter === undefined) return null;
    return this.nicKey(adapter.uplink, links);
  }

  async nicKey(uplink: string, links: Links): Promise<NicKey> {
    const link = links.get(uplink);
    if (link === undefined) return { problem: `${uplink} is not there, so it has no RSS key to take` };
    return this.#recall.ask(
      `key ${uplink} ${link.ifindex}`,
      async () => nicKeyOf(uplink, await this.#hands.host.rssKey(uplink)),
      (answer) => 'key' in answer,
    );
  }

  async #vfs(links: Links, desired: Desired, tenants: readonly Tenant[], guests: readonly GuestSpec[]): Promise<ObservedVf[]> {
    const owners = new Map(tenants.map((tenant) => [claimedVf(tenant.state)?.port, tenant.spec.guest]));
    const lendable = await this.#lendable(links, desired, tenants);
    const look = async ({ adapter, uplink, spec }: AdapterVf): Promise<ObservedVf> => {
      const passed = isPassedThrough(spec);
      const port = links.get(passed ? uplink : spec.port) ?? null;
      const owner = owners.get(spec.port);
      // Its owner is asked first: usually that is all there is to ask.
      const order =
        owner === undefined ? guests : [...guests].sort((a, b) => Number(guestName(b) === guestName(owner)) - Number(guestName(a) === guestName(owner)));
      const seen = lendable.get(spec.device) ?? null;
      const place = await this.#place(spec, port, order, () => (passed ? seen !== null : links.has(spec.device)));
      return { adapter, spec, port, place, origin: this.#origin(spec, port), ...(passed ? { filter: seen?.filter ?? null } : {}) };
    };
    return Promise.all(allVfs(desired, tenants).map(look));
  }

  /** What is seen does not change while the port is the same one. */
  #origin(spec: VfSpec, port: ObservedLink | null): VfOrigin {
    if (port === null) return { ...NO_ORIGIN, ...spec.origin };
    const key = `${spec.port} ${spec.device}`;
    const known = this.#origins.get(key);
    const seen = known?.ifindex === port.ifindex ? known.origin : this.#hands.host.vfOrigin(spec.port, spec.kind === 'emulated' ? null : spec.device);
    this.#origins.set(key, { ifindex: port.ifindex, origin: seen });
    return { ...seen, ...spec.origin };
  }

  /** By PCI address, those of adapters whose VFs are passed through. An adapter that cannot be asked is only warned about. */
  async #lendable(links: Links, desired: Desired, tenants: readonly Tenant[]): Promise<ReadonlyMap<string, LendableVf>> {
    const adapters = [...desired.adapters, ...tenants.map(({ adapter }) => adapter)].filter(switchesItself);
    const found = new Map<string, LendableVf>();
    const look = async (uplink: string): Promise<void> => {
      const ifindex = links.get(uplink)?.ifindex;
      if (ifindex === undefined) return;
      try {
        const vfs = await this.#recall.ask(
          `lendable ${uplink} ${ifindex}`,
          () => this.#hands.adapters.look(uplink),
          (seen) => seen.length > 0,
        );
        for (const vf of vfs) found.set(vf.pci, vf);
      } catch (error) {
        this.#warn(`adapter ${uplink}`, `the VFs of ${uplink} could not be looked at: ${messageOf(error)}`);
      }
    };
    await Promise.all([...new Set(adapters.map(({ uplink }) => uplink))].map(look));
    return found;
  }

  /** @param isHere is the device on this host? */
  async #place(spec: VfSpec, port: ObservedLink | null, guests: readonly GuestSpec[], isHere: () => boolean): Promise<VfPlace> {
    if (spec.kind === 'netdev' && isHere()) return { kind: 'host' };
    try {
      for (const guest of guests.filter((candidate) => fitsGuest(spec, candidate))) {
        const question = `holds ${guestName(guest)} ${spec.device} ${port?.ifindex ?? 0}`;
        if (
          await this.#recall.ask(
            question,
            () => this.#hands.hypervisor.holds(guest, spec),
            (held) => held,
          )
        )
          return { kind: 'guest', guest };
      }
      // Nobody has it: a device of the host that is not there is nowhere; one that QEMU makes is where its port is.
      const here = spec.kind === 'emulated' ? port !== null : isHere();
      return here ? { kind: 'host' } : { kind: 'gone' };
    } catch (error) {
      this.#warn(`VF ${spec.port}`, `it could not be seen who has VF ${spec.device}: ${messageOf(error)}`);
      return { kind: 'unknown' };
    }
  }
}

interface AdapterVf {
  readonly adapter: string;
  readonly uplink: string;
  readonly spec: VfSpec;
}

/** Every VF that is configured, or still claimed although its adapter is not configured any more. */
function allVfs(desired: Desired, tenants: readonly Tenant[]): AdapterVf[] {
  const vfs = new Map<string, AdapterVf>();
  for (const { name, uplink, vfs: specs } of [...desired.adapters, ...tenants.map((tenant) => tenant.adapter)]) {
    for (const spec of specs) vfs.set(`${spec.port} ${spec.device}`, { adapter: name, uplink, spec });
  }
  for (const { adapter, state } of tenants) {
    const vf = claimedVf(state);
    const key = `${vf?.port} ${vf?.device}`;
    if (vf !== null && vf.device !== '' && !vfs.has(key))
      vfs.set(key, { adapter: adapter.name, uplink: adapter.uplink, spec: { kind: vf.kind, port: vf.port, device: vf.device } });
  }
  return [...vfs.values()];
}
