/**
 * Guests that hold VFs, in memory, and their plug-ins: one answers DRAIN and RESUME and moves to a VF that it is given. Of a virtual
 * machine whose mode is `auto` nothing is known but what its plug-in says.
 *
 * What it does not prove: that a device moves between namespaces, how long that takes, and what the kernel does to it on the
 * way; that a plug-in works; anything about frames in flight. A guest that ends destroys the devices it holds together with
 * their ports, as a namespace does with veths; a physical device would come back.
 */
import { PARKING_VLAN } from '../../src/core/adapter_vf.js';
import { guestName, PLUGIN_GUEST, type FoundNic, type GuestSpec, type GuestState, type MacAddress, type VfSpec } from '../../src/core/model.js';
import { ContractLimit, ControlCommand } from '../../maps/generated/contract.js';
import type { Hypervisor, HypervisorEvent } from '../../src/hypervisor/port.js';
import type { FakeClock } from './fake_clock.js';
import type { FakeDataPlane } from './fake_dataplane.js';
import type { FakeHost } from './fake_host.js';
import type { Faults } from './faults.js';

type Held = { readonly spec: VfSpec; readonly mac: MacAddress; readonly link: NonNullable<ReturnType<FakeHost['take']>> };

const MOVE_MS = 20;
const REACTION_MS = 5;
const EJECT_MS = 80;
const VLAN_ETHERTYPE = 0x8100;
const TYPE_OFFSET = 12;
const SEQUENCE_OFFSET = 18;
const COMMAND_OFFSET = 22;

export class FakeHypervisor implements Hypervisor {
  readonly #clock: FakeClock;
  readonly #host: FakeHost;
  readonly #dataPlane: FakeDataPlane;
  readonly #faults: Faults;
  readonly #guests = new Map<string, Map<string, Held>>();
  /** Guests without a plug-in, or with one that hangs: they neither use a VF nor answer. */
  readonly silent = new Set<string>();
  /** How many control frames each guest was sent. */
  readonly asked = new Map<string, number>();
  /** NUMA nodes that guests are bound to. */
  readonly nodes = new Map<string, number>();
  /** Guests that have gone elsewhere; their machines stay, with what they hold. */
  readonly departed = new Set<string>();
  /** Guests with net_failover: they hear on their VF only as long as they have one. */
  readonly oneEared = new Set<string>();
  /** Of those, guests that never let go of a device. */
  readonly stubborn = new Set<string>();
  readonly #listeners = new Set<(event: HypervisorEvent) => void>();
  /** Guests that cannot be asked anything. */
  readonly unreachable = new Set<string>();
  /** Guests that are on their way here. */
  readonly incoming = new Set<string>();
  /** How long a guest takes to say what it has. */
  answerMs = 1;
  /** Told when a guest has been given a device, for checks that must hold at every instant. */
  onMove: () => void = () => undefined;

  constructor(clock: FakeClock, host: FakeHost, dataPlane: FakeDataPlane, faults: Faults) {
    this.#clock = clock;
    this.#host = host;
    this.#dataPlane = dataPlane;
    this.#faults = faults;
    host.onFrame = (ifindex, frame) => this.#hearFrame(ifindex, frame);
  }

  // --- what a test does ---

  start(netns: string): void {
    if (!this.#guests.has(netns)) this.#guests.set(netns, new Map());
  }

  /** The guest ends; what it held is gone, and so are the ports. */
  end(netns: string): void {
    const held = this.#guests.get(netns);
    this.#guests.delete(netns);
    for (const { spec } of held?.values() ?? []) this.#host.removeLink(spec.port);
  }

  /** The device vanishes from the guest, and its port from the host. */
  destroyVf(spec: VfSpec): void {
    for (const devices of this.#guests.values()) devices.delete(spec.device);
    this.#host.removeLink(spec.device);
    this.#host.removeLink(spec.port);
  }

  held(netns: string): string[] {
    return [...(this.#guests.get(netns)?.keys() ?? [])];
  }

  allHeld(): string[] {
    return [...this.#guests.values()].flatMap((devices) => [...devices.keys()]);
  }

  /** Its machine boots anew: what ran in it does not any more. */
  reset(vm: string): void {
    for (const listener of this.#listeners) listener({ kind: 'reset', vm });
  }

  /** A guest's plug-in goes back to its tap, though the VF is well. */
  fallBack(mac: string): void {
    const id = this.#dataPlane.idOf(mac);
    if (id !== null) this.#dataPlane.guestTransmits(id, 'tap');
  }

  // --- Hypervisor ---

  async found(): Promise<readonly FoundNic[]> {
    return [];
  }

  onEvent(listener: (event: HypervisorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async look(guest: GuestSpec): Promise<GuestState | null> {
    await this.#clock.sleep(this.answerMs);
    this.#mustAnswer(guest);
    if (!this.#guests.has(guestName(guest)) || this.departed.has(guestName(guest))) return null;
    if (this.incoming.has(guestName(guest))) return { ...PLUGIN_GUEST, mode: null, refusal: 'guest_incoming', running: false, incoming: true };
    if (guest.kind === 'vm' && guest.mode === 'auto' && !this.oneEared.has(guestName(guest)))
      return { ...PLUGIN_GUEST, mode: null, refusal: 'guest_without_failover' };
    const mode = this.oneEared.has(guestName(guest)) ? 'net_failover' : 'plugin';
    return { ...PLUGIN_GUEST, mode, numaNode: this.nodes.get(guestName(guest)) ?? null };
  }

  async holds(guest: GuestSpec, vf: VfSpec): Promise<boolean> {
    await this.#clock.sleep(this.answerMs);
    this.#mustAnswer(guest);
    return this.#guests.get(guestName(guest))?.has(vf.device) ?? false;
  }

  async prepare(): Promise<void> {
    return Promise.resolve();
  }

  async unprepare(): Promise<void> {
    return Promise.resolve();
  }

  plug(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void> {
    return this.#faults.around(`plug ${guestName(guest)} ${vf.device}`, async () => {
      await this.#faults.take(this.#clock.sleep(MOVE_MS));
      const devices = this.#guests.get(guestName(guest));
      if (devices === undefined) throw new Error(`guest ${guestName(guest)} is not there`);
      if (devices.has(vf.device)) return;
      const link = this.#host.take(vf.device);
      if (link === null) throw new Error(`device ${vf.device} is not on the host`);
      devices.set(vf.device, { spec: vf, mac, link });
      this.onMove();
      this.#clock.after(REACTION_MS, () => this.#useVf(guestName(guest), vf, mac));
    });
  }

  eject(guest: GuestSpec, vf: VfSpec): Promise<void> {
    return this.#faults.around(`eject ${guestName(guest)} ${vf.device}`, async () => {
      await this.#faults.take(this.#clock.sleep(1));
      if (!this.stubborn.has(guestName(guest))) this.#clock.after(EJECT_MS, () => this.#letGo(guestName(guest), vf));
    });
  }

  #letGo(name: string, vf: VfSpec): void {
    const held = this.#guests.get(name)?.get(vf.device);
    if (held === undefined) return;
    const id = this.#dataPlane.idOf(held.mac);
    // What was on its way to the VF is lost unless it waits somewhere.
    if (id !== null && this.#dataPlane.path(id).path === 'accelerated' && this.#dataPlane.path(id).hold === 'none') {
      this.#faults.violate(`${name} let go of ${vf.device} while frames were sent there`);
    }
    this.#guests.get(name)?.delete(vf.device);
    this.#host.give(held.link);
    if (id !== null && !this.silent.has(name)) this.#clock.after(REACTION_MS, () => this.#dataPlane.guestAnswers(id, 'tap'));
    for (const listener of this.#listeners) listener({ kind: 'ejected', port: vf.port });
  }

  unplug(guest: GuestSpec, vf: VfSpec): Promise<void> {
    return this.#faults.around(`unplug ${guestName(guest)} ${vf.device}`, async () => {
      await this.#faults.take(this.#clock.sleep(MOVE_MS));
      const held = this.#guests.get(guestName(guest))?.get(vf.device);
      if (held === undefined) {
        if (!this.#host.has(vf.device)) throw new Error(`device ${vf.device} did not come back`);
        return;
      }
      const id = this.#dataPlane.idOf(held.mac);
      const path = id === null ? null : this.#dataPlane.path(id);
      const isItsVf = id !== null && this.#dataPlane.vnics().get(id)?.vfIfindex === this.#portIfindex(vf);
      if (isItsVf && path !== null && (path.path === 'accelerated' || path.vfAllowed))
        this.#faults.violate(`${vf.device} was unplugged while in use`);
      this.#guests.get(guestName(guest))?.delete(vf.device);
      this.#host.give(held.link);
    });
  }

  // ---

  #portIfindex(vf: VfSpec): number {
    return this.#host.has(vf.port) ? this.#host.ifindexOf(vf.port) : -1;
  }

  #mustAnswer(guest: GuestSpec): void {
    if (this.unreachable.has(guestName(guest))) throw new Error(`guest ${guestName(guest)} does not answer`);
  }

  /** What a plug-in does with a VF: it announces itself there. */
  #useVf(netns: string, vf: VfSpec, mac: MacAddress): void {
    if (this.silent.has(netns) || !this.#guests.get(netns)?.has(vf.device)) return;
    const id = this.#dataPlane.idOf(mac);
    if (id !== null && this.#host.has(vf.port)) this.#dataPlane.guestTransmits(id, 'vf');
  }

  /** The adapter gives the question to the VF that has the address, and its guest answers there. */
  #answerParked(id: number, mac: string): void {
    const holder = [...this.#guests].find(([, devices]) => [...devices.values()].some((held) => held.mac === mac));
    if (holder !== undefined && !this.silent.has(holder[0])) this.#clock.after(REACTION_MS, () => this.#dataPlane.guestAnswers(id, 'vf'));
  }

  #hearFrame(ifindex: number, frame: Buffer): void {
    const mac = frame
      .subarray(0, 6)
      .toString('hex')
      .replace(/..(?=.)/g, '$&:');
    const id = this.#dataPlane.idOf(mac);
    const tag = frame.readUInt16BE(TYPE_OFFSET) === VLAN_ETHERTYPE ? frame.readUInt16BE(TYPE_OFFSET + 2) : 0;
    if (id !== null && tag === PARKING_VLAN) return this.#answerParked(id, mac);
    if (frame.readUInt16BE(TYPE_OFFSET) !== ContractLimit.CONTROL_ETHERTYPE) return;
    const holder = [...this.#guests].find(([, devices]) => [...devices.values()].some((held) => held.mac === mac))?.[0];
    const name = holder ?? [...this.#guests.keys()].find((candidate) => candidate.endsWith(`/${mac}`));
    if (id === null || this.#dataPlane.vnics().get(id)?.tapIfindex !== ifindex || name === undefined) return;
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
    if (this.silent.has(name) || this.oneEared.has(name)) return;
    const command = frame.readUInt8(COMMAND_OFFSET) === ControlCommand.DRAIN ? 'drained' : 'resumed';
    this.#clock.after(REACTION_MS, () => this.#dataPlane.guestObeys(id, command, frame.readUInt32BE(SEQUENCE_OFFSET)));
  }
}
