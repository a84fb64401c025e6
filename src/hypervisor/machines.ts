/**
 * Virtual machines as guests: which NIC is a vNIC's, whether it can be given a VF, and the giving and taking. What QEMU tells by
 * itself is passed on at once.
 */
import { DEFAULT_TIMING, type Timing } from '../core/backoff.js';
import {
  parseMacAddress,
  type FoundNic,
  type GuestSpec,
  type GuestState,
  type MacAddress,
  type VfSpec,
} from '../core/model.js';
import { heard, NOTHING_HEARD, withLive, type LiveState } from './live_state.js';
import type { LiveMachine, MachineSource } from './machine_source.js';
import { PlugError, type Hypervisor, type HypervisorEvent } from './port.js';
import { deviceIdOf, netdevIdOf, portOfNetdevId } from './qemu/device_ids.js';
import { freePorts, migrating, type Machine, type Nic } from './qemu/machine.js';
import type { DeviceSpec } from './qemu/plug.js';
import type { QemuMonitor, QmpEvent } from './qemu/monitor.js';

type VmSpec = Extract<GuestSpec, { kind: 'vm' }>;

const PRIMARY_PREFIX = 'unipath-primary-';
const EMPTY: GuestState = { mode: null, refusal: null, detail: null, running: true, incoming: false, leaving: false, parked: false, numaNode: null };

function nicOf(machine: Machine, mac: string): Nic | null {
  return machine.nics.find((nic) => nic.mac === mac && nic.model.startsWith('virtio-net') && nic.failoverPairId === null) ?? null;
}

/**
 * The id of a vNIC's VF in QEMU. A standby keeps its place for the id of the primary that it had first, so there every VF has the
 * same; else the port tells.
 */
function idFor(pairId: string | null, vf: VfSpec): string {
  return pairId === null ? deviceIdOf(vf.port) : `${PRIMARY_PREFIX}${pairId}`;
}

/** The port of the VF that a device of ours is, also of one that is passed through; null: it is none of ours. */
function portOf({ id, netdevId, host }: Nic): string | null {
  const port = netdevId === null ? null : portOfNetdevId(netdevId);
  return port ?? (host !== null && (id ?? '').startsWith(PRIMARY_PREFIX) ? host : null);
}

/** The device that a machine has of a VF; null: none. One that is passed through may also be somebody else's. */
function deviceOf(machine: Machine, vf: VfSpec): Nic | null {
  return machine.nics.find((nic) => nic.netdevId === netdevIdOf(vf.port) || (vf.kind === 'passthrough' && nic.host === vf.device)) ?? null;
}

/** Of a device that is passed through QEMU does not know the address: it is its standby's. */
function macOf(machine: Machine, nic: Nic): string | null {
  return nic.mac ?? machine.nics.find(({ id }) => id !== null && id === nic.failoverPairId)?.mac ?? null;
}

/** The VF's device that it has, whichever VF it is. */
function heldBy(machine: Machine, guest: VmSpec): Nic | null {
  return machine.nics.find((nic) => portOf(nic) !== null && macOf(machine, nic) === guest.mac) ?? null;
}

interface Prepared {
  readonly monitor: QemuMonitor;
  readonly spec: DeviceSpec;
  /** The guest has it. */
  readonly already: boolean;
}

const preparedKey = (guest: VmSpec, vf: VfSpec): string => `${guest.vm} ${vf.port}`;

const GONE_STATES: ReadonlySet<string> = new Set(['postmigrate', 'shutdown']);

/** What the machine shows of one vNIC's guest. `negotiated`: what was heard since. Pure. */
export function guestStateOf(machine: Machine, guest: VmSpec, negotiated: boolean | null): GuestState | null {
  if (GONE_STATES.has(machine.runState)) return null;
  const nic = nicOf(machine, guest.mac);
  if (nic === null) return null;
  const incoming = machine.runState === 'inmigrate';
  const held = heldBy(machine, guest);
  // One that is being cancelled gives its VF back.
  const moving = !incoming && migrating(machine) && machine.migration !== 'cancelling';
  // One that is no primary goes along with the guest, like any other device.
  const leaving = moving && (held === null || held.failoverPairId !== null);
  const running = machine.runState === 'running';
  const state: GuestState = { ...EMPTY, incoming, leaving, running, numaNode: machine.numaNode };
  if (incoming) return { ...state, running: false };
  const agreed = negotiated ?? nic.failoverNegotiated;
  const refusal = moving ? 'guest_leaving' : !running ? 'guest_paused' : null;
  const detail = running ? null : `QEMU says that it is ${machine.runState}`;
  const withMode = (mode: GuestState['mode'], why: GuestState['refusal']): GuestState => {
    const full = why === null && held === null && freePorts(machine).length === 0 ? 'no_hotplug_port' : null;
    return { ...state, mode, refusal: refusal ?? why ?? full, detail };
  };
  switch (guest.mode) {
    case 'plugin':
      return withMode('plugin', null);
    case 'net_failover':
      return withMode('net_failover', nic.failover && agreed !== false ? null : 'guest_without_failover');
    case 'auto':
      if (nic.failover && agreed === true) return withMode('net_failover', null);
      // The plug-in may run in it: whoever can ask it, knows.
      return withMode(null, nic.failover && agreed === null ? 'guest_not_ready' : 'guest_without_failover');
    default:
      return guest.mode satisfies never;
  }
}

/** Events that make a look worth while, and what they say by themselves. */
function meaningOf(event: QmpEvent, machine: LiveMachine, live: LiveState): HypervisorEvent[] {
  const changed: HypervisorEvent = { kind: 'changed' };
  switch (event.name) {
    case 'DEVICE_DELETED': {
      const port = portOfDevice(machine.machine, event.data['device']);
      return port === null ? [changed] : [{ kind: 'ejected', port }, changed];
    }
    case 'RESET':
      return [{ kind: 'reset', vm: machine.name }, changed];
    case 'UNPLUG_PRIMARY':
      return [{ kind: 'leaving', vm: machine.name }];
    case 'MIGRATION': {
      const { status } = event.data;
      // The state before was wait-unplug: no primary is left in the guest.
      if (live.role !== 'source') return [changed];
      // As early as can be: a guest that is given its VF hears by its tap no more.
      if (status === 'cancelling' || status === 'cancelled' || status === 'failed') return [{ kind: 'staying', vm: machine.name }, changed];
      if (status !== 'active') return [changed];
      return [...primaries(machine.machine).map((port): HypervisorEvent => ({ kind: 'ejected', port })), changed];
    }
    default:
      return [changed];
  }
}

function portOfDevice(machine: Machine, id: unknown): string | null {
  const nic = machine.nics.find((candidate) => candidate.id === id);
  return nic === undefined ? null : portOf(nic);
}

/** Ports of VFs that QEMU takes by itself when it migrates. */
function primaries(machine: Machine): string[] {
  return machine.nics.flatMap((nic) => (nic.failoverPairId === null ? [] : (portOf(nic) ?? [])));
}

export class MachineHypervisor implements Hypervisor {
  readonly #sources: readonly MachineSource[];
  readonly #listeners = new Set<(event: HypervisorEvent) => void>();
  /** By machine and VF: what `plug` will give. QEMU shows its PCIe port as free until then, and it is nobody else's. */
  readonly #prepared = new Map<string, Prepared>();
  /** Machines that are to have no VF, because we are about to migrate them. */
  readonly #parked = new Set<string>();
  /** What its events said since it was looked at. By monitor: a machine that comes anew, or was out of touch, has another one. */
  readonly #live = new WeakMap<QemuMonitor, LiveState>();
  /** By NIC id, what FAILOVER_NEGOTIATED and RESET said. */
  readonly #negotiated = new WeakMap<QemuMonitor, Map<string, boolean>>();

  /** How long `unplug` waits for a guest that was asked. */
  readonly #ejectMs: number;

  constructor(sources: readonly MachineSource[], { ejectMs }: Pick<Timing, 'ejectMs'> = DEFAULT_TIMING) {
    this.#sources = sources;
    this.#ejectMs = ejectMs;
    for (const source of sources) source.onEvent((machine, event) => this.#heard(machine, event));
  }

  async start(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.start()));
  }

  close(): void {
    for (const source of this.#sources) source.close();
  }

  onEvent(listener: (event: HypervisorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async found(): Promise<readonly FoundNic[]> {
    return this.#machines().flatMap(({ name, machine }) =>
      machine.nics.flatMap((nic): FoundNic[] => {
        if (!nic.model.startsWith('virtio-net') || nic.mac === null || GONE_STATES.has(machine.runState)) return [];
        return [{ vm: name, id: nic.id ?? nic.netdevId ?? 'nic', mac: parseMacAddress(nic.mac), tap: nic.tap }];
      }),
    );
  }

  async look(guest: GuestSpec): Promise<GuestState | null> {
    if (guest.kind !== 'vm') return null;
    const live = this.#find(guest.vm);
    if (live === null) {
      const problem = this.#problemOf(guest.vm);
      if (problem !== null) throw new PlugError(problem);
      return null;
    }
    const state = this.#stateOf(live, guest);
    return state === null ? null : { ...state, parked: this.#parked.has(live.name) };
  }

  async holds(guest: GuestSpec, vf: VfSpec): Promise<boolean> {
    if (guest.kind !== 'vm') return false;
    const live = this.#find(guest.vm);
    if (live === null) return false;
    const device = deviceOf(live.machine, vf);
    return device !== null && macOf(live.machine, device) === guest.mac;
  }

  async prepare(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void> {
    const { live, vm } = this.#mustHave(guest);
    const machine = await live.refresh();
    const pairId = this.#pairId(live, vm);
    const key = preparedKey(vm, vf);
    const taken = this.#takenPorts(live.monitor, key);
    const bus = deviceOf(machine, vf)?.bus ?? freePorts(machine).find((port) => !taken.has(port.bus))?.bus;
    if (bus === undefined) throw new PlugError(`guest ${live.name} has no free PCIe port for hot-plug; give it one more (-device pcie-root-port) and restart it`);
    const common = { id: idFor(pairId, vf), mac, bus, failoverPairId: pairId };
    const spec: DeviceSpec =
      vf.kind === 'passthrough' ? { ...common, host: vf.device } : { ...common, netdevId: netdevIdOf(vf.port), port: vf.port, model: vf.device };
    const prepared: Prepared = { monitor: live.monitor, spec, already: false };
    this.#prepared.set(key, prepared);
    try {
      const outcome = await live.devices.prepare(spec);
      this.#prepared.set(key, { ...prepared, already: outcome === 'already' });
    } catch (error) {
      this.#prepared.delete(key);
      throw error;
    }
  }

  async plug(guest: GuestSpec, vf: VfSpec, mac: MacAddress): Promise<void> {
    const { live, vm } = this.#mustHave(guest);
    const key = preparedKey(vm, vf);
    if (!this.#prepared.has(key)) await this.prepare(vm, vf, mac);
    const prepared = this.#prepared.get(key);
    try {
      if (prepared !== undefined && !prepared.already) await live.devices.plug(prepared.spec);
      // Nothing tells of it.
      await live.refresh();
    } finally {
      this.#prepared.delete(key);
    }
  }

  async unprepare(guest: GuestSpec, vf: VfSpec): Promise<void> {
    if (guest.kind !== 'vm') return;
    const live = this.#find(guest.vm);
    const key = preparedKey(guest, vf);
    const prepared = this.#prepared.get(key);
    this.#prepared.delete(key);
    if (live !== null && prepared !== undefined && !prepared.already) await live.devices.unprepare(prepared.spec);
  }

  async eject(guest: GuestSpec, vf: VfSpec): Promise<void> {
    const { live } = this.#mustHave(guest);
    await live.devices.eject(deviceOf(live.machine, vf)?.id ?? idFor(this.#pairId(live, guest), vf));
  }

  async unplug(guest: GuestSpec, vf: VfSpec): Promise<void> {
    if (guest.kind !== 'vm') throw new PlugError('no virtual machine');
    const live = this.#find(guest.vm);
    if (live === null) return;
    const id = deviceOf(live.machine, vf)?.id ?? idFor(this.#pairId(live, guest), vf);
    try {
      await live.devices.remove(id, netdevIdOf(vf.port), this.#ejectMs);
    } finally {
      await live.refresh().catch(() => undefined);
    }
  }

  /** PCIe ports of a machine that others are about to be plugged into. */
  #takenPorts(monitor: QemuMonitor, ownKey: string): ReadonlySet<string> {
    return new Set([...this.#prepared].flatMap(([key, prepared]) => (prepared.monitor === monitor && key !== ownKey ? [prepared.spec.bus] : [])));
  }

  #heard(machine: LiveMachine | null, event: QmpEvent | null): void {
    if (machine !== null && event !== null) {
      this.#live.set(machine.monitor, heard(this.#liveOf(machine), event, machine.machine));
      const device = event.data['device-id'];
      const negotiated = this.#negotiated.get(machine.monitor) ?? new Map<string, boolean>();
      this.#negotiated.set(machine.monitor, negotiated);
      if (event.name === 'FAILOVER_NEGOTIATED' && typeof device === 'string') negotiated.set(device, true);
      // Its driver has yet to be loaded, and may be another one.
      if (event.name === 'RESET') for (const { id } of machine.machine.nics) if (id !== null) negotiated.set(id, false);
    }
    const events: HypervisorEvent[] = machine === null || event === null ? [{ kind: 'changed' }] : meaningOf(event, machine, this.#liveOf(machine));
    if (machine !== null && event?.name === 'MIGRATION') {
      const direction = this.#liveOf(machine).role === 'target' ? 'incoming' : 'outgoing';
      events.push({ kind: 'migration', vm: machine.name, direction, status: String(event.data['status']) });
    }
    for (const told of events) for (const listener of [...this.#listeners]) listener(told);
  }

  #liveOf(machine: LiveMachine): LiveState {
    return this.#live.get(machine.monitor) ?? NOTHING_HEARD;
  }

  #stateOf(live: LiveMachine, guest: VmSpec): GuestState | null {
    const nic = nicOf(live.machine, guest.mac);
    return guestStateOf(live.machine, guest, nic?.id == null ? null : (this.#negotiated.get(live.monitor)?.get(nic.id) ?? null));
  }

  /** The standby that a VF is paired with; without net_failover in the guest QEMU would keep the VF to itself. */
  #pairId(live: LiveMachine, guest: GuestSpec): string | null {
    if (guest.kind !== 'vm' || this.#stateOf(live, guest)?.mode !== 'net_failover') return null;
    const nic = nicOf(live.machine, guest.mac);
    return nic?.failover === true ? nic.id : null;
  }

  machines(): readonly LiveMachine[] {
    return this.#machines();
  }

  /** Those that are there and cannot be asked: why, by name. */
  problems(): ReadonlyMap<string, string> {
    return new Map(this.#sources.flatMap((source) => [...source.problems()]));
  }

  /** A machine that is parked has its VFs taken back, and gets none. */
  park(vm: string, parked: boolean): void {
    if (parked) this.#parked.add(vm);
    else this.#parked.delete(vm);
  }

  #machines(): LiveMachine[] {
    return this.#sources.flatMap((source) => source.machines().map((live) => ({ ...live, machine: withLive(live.machine, this.#liveOf(live)) })));
  }

  #find(vm: string): LiveMachine | null {
    return this.#machines().find(({ name }) => name === vm) ?? null;
  }

  #problemOf(vm: string): string | null {
    for (const source of this.#sources) {
      const problem = source.problems().get(vm);
      if (problem !== undefined) return problem;
    }
    return null;
  }

  #mustHave(guest: GuestSpec): { readonly live: LiveMachine; readonly vm: VmSpec } {
    const live = guest.kind === 'vm' ? this.#find(guest.vm) : null;
    if (guest.kind !== 'vm' || live === null || nicOf(live.machine, guest.mac) === null) {
      const name = guest.kind === 'vm' ? guest.vm : guest.netns;
      throw new PlugError(`guest ${name} is not there, or has no virtio NIC with this MAC address`);
    }
    return { live, vm: guest };
  }
}
