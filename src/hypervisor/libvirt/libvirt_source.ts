/** Machines that a libvirt daemon owns. What it showed last stays while it is away: its guests run on without it. */
import type { MacAddress } from '../../core/model.js';
import type { DeviceHands, LiveMachine, MachineSource } from '../machine_source.js';
import type { Machine } from '../qemu/machine.js';
import { QmpShapeError } from '../qemu/machine.js';
import { MonitorLostError, type QemuMonitor, QmpError, type QmpEvent } from '../qemu/monitor.js';
import { TELLING } from '../qemu/monitor_pool.js';
import { portOfNetdevId } from '../qemu/device_ids.js';
import type { DeviceSpec } from '../qemu/plug.js';
import { DevicePlugError } from '../qemu/plug_problem.js';
import { LibvirtConnection, type LibvirtTiming } from './connection.js';
import type { NicToAttach } from './device_xml.js';
import { detachNic, ejectNic, jobOf, plugNic, prepareNic } from './devices.js';
import { type Asked, askQemu, machineOf } from './domain_machine.js';
import { aliasOfPort, portOfAlias } from './own_alias.js';
import { LibvirtError } from './refusals.js';
import type { LibvirtDomain } from './snapshot.js';

type Listener = (machine: LiveMachine | null, event: QmpEvent | null) => void;

export interface LibvirtSourceOptions {
  /** libvirt's own, such as "qemu:///system". */
  readonly uri: string;
  /** Told that libvirt is away and back, and of domains that cannot be read. */
  readonly warn: (message: string) => void;
  readonly timing?: Partial<LibvirtTiming>;
  /** How long `start` waits for a libvirt that is not there; default 10 s. */
  readonly startMs?: number;
}

const START_MS = 10_000;
/**
 * While a guest changes its path its frames are kept back. A migration that has begun for libvirt, and not yet for QEMU, is seen by
 * nobody, and lets a command wait for half a minute.
 */
const HELD_DEADLINE_MS = 3_000;
/** A domain that something long is done to, such as saving it, cannot be asked meanwhile. */
const ASK_AGAIN_MS = 5_000;

function nicToAttach(spec: DeviceSpec): NicToAttach {
  const mac = spec.mac as MacAddress;
  if ('port' in spec) return { mac, alias: aliasOfPort(spec.port), source: { tap: spec.port, model: spec.model } };
  const { host, failoverPairId } = spec;
  if (failoverPairId === null) throw new DevicePlugError('no_standby', `VF ${host}: libvirt gives one only beside a NIC with <teaming type='persistent'/>`);
  return { mac, alias: aliasOfPort(host), source: { pci: host, persistent: failoverPairId } };
}

/** Everything by alias: a NIC that is named by its MAC address is for libvirt the one that stands by. */
class LibvirtDevices implements DeviceHands {
  readonly #connection: LibvirtConnection;
  readonly #monitor: QemuMonitor;
  readonly #domain: Pick<LibvirtDomain, 'uuid' | 'name'>;

  constructor(connection: LibvirtConnection, monitor: QemuMonitor, domain: Pick<LibvirtDomain, 'uuid' | 'name'>) {
    this.#connection = connection;
    this.#monitor = monitor;
    this.#domain = domain;
  }

  /** libvirt makes netdev and device in one go, so this only looks. */
  async prepare(spec: DeviceSpec): Promise<'ready' | 'already'> {
    return 'already' in (await prepareNic(this.#connection, this.#domain.uuid, nicToAttach(spec))) ? 'already' : 'ready';
  }

  async plug(spec: DeviceSpec): Promise<void> {
    const plug = { domain: this.#domain, asked: nicToAttach(spec), rootPort: rootPortOf(spec.bus) };
    await this.#unlessItLeaves(plugNic(this.#connection, plug, HELD_DEADLINE_MS));
  }

  async unprepare(): Promise<void> {
    // Nothing was made.
  }

  async eject(id: string): Promise<void> {
    // Any other is none that we gave it.
    if (portOfAlias(id) !== null) await this.#unlessItLeaves(ejectNic(this.#connection, this.#domain, id, HELD_DEADLINE_MS));
  }

  async remove(id: string, netdevId: string, deadlineMs: number): Promise<void> {
    const port = portOfAlias(id) ?? portOfNetdevId(netdevId);
    if (port !== null) await detachNic(this.#connection, this.#domain.uuid, aliasOfPort(port), { deadlineMs });
  }

  /** What is being done then is not done before the guest is gone, or has stayed after all. */
  async #unlessItLeaves(doing: Promise<void>): Promise<void> {
    let stop = (): void => {};
    const leaving = new Promise<never>((_, reject) => {
      stop = this.#monitor.onEvent(({ name }) => {
        if (name === 'MIGRATION') reject(new LibvirtError('busy', `domain ${this.#domain.name} is being worked on: a migration has begun`));
      });
    });
    try {
      await Promise.race([doing, leaving]);
    } finally {
      stop();
    }
  }
}

/** Nobody can tell yet whether it starts here or comes here. Its state is asked for a moment before its XML, which has its id. */
function isStarting({ state, stateReason }: LibvirtDomain): boolean {
  return state === 'shut off' || (state === 'paused' && stateReason === 'starting up');
}

/** "pci.3" is what libvirt calls bus 3 of a guest. */
function rootPortOf(bus: string): number | null {
  const [, number] = /^pci\.(\d+)$/.exec(bus) ?? [];
  return number === undefined ? null : Number(number);
}

/** One run of one domain. */
class Member {
  machine: Machine | null;
  readonly id: number;
  readonly monitor: QemuMonitor;
  readonly devices: DeviceHands;
  readonly #connection: LibvirtConnection;
  #domain: LibvirtDomain;
  #asked: Asked = 'unknown';
  #due = false;
  #looking: Promise<void> | null = null;
  /** QEMU could not be asked at the last look. */
  late = false;

  /** @param machine as it was seen before, if it was */
  constructor(connection: LibvirtConnection, domain: LibvirtDomain, id: number, machine: Machine | null) {
    this.machine = machine;
    this.#connection = connection;
    this.#domain = domain;
    this.id = id;
    this.monitor = connection.monitor(domain.uuid);
    this.devices = new LibvirtDevices(connection, this.monitor, domain);
  }

  get name(): string {
    return this.#domain.name;
  }

  get domain(): LibvirtDomain {
    return this.#domain;
  }

  /** Returns after a look that began now or later. @throws LibvirtError when libvirt is away */
  look(): Promise<void> {
    this.#due = true;
    this.#looking ??= this.#lookWhileDue().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #lookWhileDue(): Promise<void> {
    while (this.#due) {
      this.#due = false;
      const domain = await this.#connection.refresh(this.#domain.uuid);
      // Its run is over; whoever follows the connection knows.
      if (domain?.id !== this.id) return;
      this.#asked = await this.#ask(domain);
      this.#domain = domain;
      this.machine = this.#read(domain);
    }
  }

  /** What was known stays where nobody answers. */
  async #ask(domain: LibvirtDomain): Promise<Asked> {
    this.late = false;
    try {
      if (isStarting(domain)) return 'incoming';
      // On the receiving side libvirt would let us wait until it is over.
      if (domain.state === 'paused' && domain.stateReason === 'migrating' && (await jobOf(this.#connection, domain)) === 'incoming') return 'incoming';
      return await askQemu(this.monitor, domain, this.#asked);
    } catch (error) {
      if (!(error instanceof MonitorLostError || error instanceof QmpError || error instanceof LibvirtError)) throw error;
      this.late = true;
      return this.#asked === 'incoming' ? 'unknown' : this.#asked;
    }
  }

  #read(domain: LibvirtDomain): Machine {
    try {
      return machineOf(domain, this.#asked);
    } catch (error) {
      if (!(error instanceof QmpShapeError)) throw error;
      return machineOf(domain, 'unknown');
    }
  }
}

export class LibvirtSource implements MachineSource {
  readonly #options: LibvirtSourceOptions;
  readonly #listeners = new Set<Listener>();
  /** By uuid. */
  readonly #members = new Map<string, Member>();
  #connection: LibvirtConnection | null = null;
  #seen = false;
  /** Was libvirt there when we were last told of a change? */
  #connected = false;

  constructor(options: LibvirtSourceOptions) {
    this.#options = options;
  }

  /** Returns when every domain has been looked at; when libvirt is not there, after a while. */
  async start(): Promise<void> {
    const { uri, warn, timing = {}, startMs = START_MS } = this.#options;
    const connection = new LibvirtConnection({ uri, say: warn, timing });
    this.#connection = connection;
    let timer: NodeJS.Timeout | undefined;
    const first = new Promise<void>((resolve) => {
      connection.onChange(() => void this.#changed(connection).then(() => this.#seen && resolve()));
      timer = setTimeout(resolve, startMs);
    });
    await first;
    clearTimeout(timer);
  }

  close(): void {
    this.#connection?.close();
    this.#members.clear();
  }

  /** @throws Error as long as libvirt has not been seen at all: of who runs here nothing may be concluded then */
  machines(): readonly LiveMachine[] {
    if (!this.#seen) throw new Error(`libvirt at ${this.#options.uri} has not been seen yet: ${this.#connection?.trouble() ?? 'looking'}`);
    return [...this.#members.values()].flatMap((member) => this.#live(member) ?? []);
  }

  /** A domain that runs is always shown, as it was last. */
  problems(): ReadonlyMap<string, string> {
    return new Map();
  }

  onEvent(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #live(member: Member): LiveMachine | null {
    const { name, monitor, devices, machine } = member;
    if (machine === null) return null;
    const refresh = async (): Promise<Machine> => {
      await member.look();
      return member.machine ?? machine;
    };
    return { name, monitor, machine, devices, refresh };
  }

  /** Resolves when all that is new has been looked at. */
  async #changed(connection: LibvirtConnection): Promise<void> {
    const connected = connection.trouble() === null;
    const returned = connected && !this.#connected;
    this.#connected = connected;
    if (!connected) return;
    const domains = connection.domains();
    let told = false;
    for (const [uuid, { id }] of this.#members) {
      if (domains.get(uuid)?.id === id) continue;
      this.#members.delete(uuid);
      told = true;
    }
    const looks: Promise<void>[] = [];
    for (const [uuid, domain] of domains) {
      if (domain.id === null) continue;
      const known = this.#members.get(uuid);
      // Of what happened while it was away nobody told us: what was heard before is worth nothing.
      if (known === undefined || returned) looks.push(this.#come(connection, uuid, domain, domain.id, known?.machine ?? null));
      else if (JSON.stringify(known.domain) !== JSON.stringify(domain)) looks.push(this.#lookAgain(known));
    }
    if (told) this.#tell(null, null);
    await Promise.all(looks);
    this.#seen = true;
  }

  async #come(connection: LibvirtConnection, uuid: string, domain: LibvirtDomain, id: number, seen: Machine | null): Promise<void> {
    const member = new Member(connection, domain, id, seen);
    this.#members.get(uuid)?.monitor.close();
    this.#members.set(uuid, member);
    member.monitor.onEvent((event) => {
      const live = this.#live(member);
      if (live !== null) this.#tell(live, event);
      if (TELLING.has(event.name)) void this.#lookAgain(member);
    });
    await this.#lookAgain(member);
  }

  async #lookAgain(member: Member): Promise<void> {
    try {
      await member.look();
    } catch {
      // libvirt is away; when it is back, all are looked at.
      return;
    }
    if (member.late) setTimeout(() => this.#members.get(member.domain.uuid) === member && void this.#lookAgain(member), ASK_AGAIN_MS).unref();
    this.#tell(null, null);
  }

  #tell(machine: LiveMachine | null, event: QmpEvent | null): void {
    for (const listener of [...this.#listeners]) listener(machine, event);
  }
}
