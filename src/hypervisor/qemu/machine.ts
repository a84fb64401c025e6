/**
 * What unipath knows of a running QEMU, read from its answers. Pure; `discover.ts` asks.
 *
 * Everything comes from the other side, and some of it from a guest's owner: names are checked before they get into a
 * Machine, and what is not as it should be is null ("cannot tell"), or throws QmpShapeError where nothing works without it.
 * Sources: QEMU's qapi/{control,run-state,migration,machine,qom,virtio}.json; the lines of `info network` are print_net_client()
 * in net/net.c with the info_str of net/tap.c.
 */
import { z } from 'zod';
import { interfaceNameProblem } from '../../host/names.js';

/** QEMU answered what cannot be its answer to this. */
export class QmpShapeError extends Error {
  override readonly name = 'QmpShapeError';
}

export interface Nic {
  /** The id by which device_del knows it; null when it has none. */
  readonly id: string | null;
  /** QOM path. */
  readonly path: string;
  /** "virtio-net-pci", "vfio-pci", ... A vfio-pci device need not be a NIC: QEMU does not know what it passes through. */
  readonly model: string;
  /** Lower case; null for vfio-pci, whose address QEMU does not know. */
  readonly mac: string | null;
  readonly netdevId: string | null;
  /** "tap", "user", "vhost-user", ...; null when the NIC has no netdev, or QEMU does not say. */
  readonly backend: string | null;
  /** The tap's name in the namespace where QEMU opened it; null when QEMU was given an open one, or it is no tap. */
  readonly tap: string | null;
  /** The tap's descriptors in QEMU's process, where it was given open ones. */
  readonly tapFds: readonly number[];
  /** Pairs of queues that the guest can use; null: cannot tell. */
  readonly queues: number | null;
  /** virtio-net's failover=on: it can be the standby of a pair. */
  readonly failover: boolean;
  /** Did the guest's driver accept the standby feature? false without failover=on; null: cannot tell. */
  readonly failoverNegotiated: boolean | null;
  /** Id of the standby that this one is the primary of. */
  readonly failoverPairId: string | null;
  /** PCI address of a passed-through device, "0000:01:10.0"; else null. */
  readonly host: string | null;
  /** Name of the bus it is on; null: cannot tell. */
  readonly bus: string | null;
  readonly hotplugged: boolean;
}

/** A PCIe port that a device can be hot-plugged into, some day. */
export interface HotplugPort {
  readonly id: string;
  /** "pcie-root-port", "xio3130-downstream", ... */
  readonly model: string;
  /** What device_add calls it. */
  readonly bus: string;
  /** How many devices are in it. A primary that waits for the guest's driver is not among them. */
  readonly devices: number;
}

export interface Machine {
  /** null when QEMU was given none. */
  readonly name: string | null;
  /** null when QEMU was given none. */
  readonly uuid: string | null;
  /** "7.2.22". */
  readonly version: string;
  /** RunState of qapi/run-state.json: "running", "paused", "inmigrate", "postmigrate", "shutdown", "prelaunch", ... */
  readonly runState: string;
  readonly cpus: readonly GuestCpu[];
  readonly nics: readonly Nic[];
  /** Ports whose hot-plug is on, in the order of their ids. */
  readonly ports: readonly HotplugPort[];
  /** Of the host, to which its memory or its CPUs are bound; null: to none, or it is not known. */
  readonly numaNode: number | null;
  /** MigrationStatus of qapi/migration.json of the last or current one; null when there was none, or QEMU does not say. */
  readonly migration: string | null;
}

export interface GuestCpu {
  readonly index: number;
  /** Of the host's kernel. */
  readonly threadId: number;
}

/** Answers as QEMU gave them; undefined where it has no such command, property or device. */
export interface MachineAnswers {
  readonly version: unknown;
  readonly status: unknown;
  readonly name: unknown;
  readonly uuid: unknown;
  readonly cpus: unknown;
  readonly migrate: unknown;
  /** `info network` */
  readonly network: unknown;
  readonly nics: readonly NicAnswers[];
  readonly ports: readonly PortAnswers[];
}

export interface NicAnswers {
  readonly path: string;
  readonly id: string | null;
  readonly model: string;
  /** Properties by name. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Has the guest's driver taken the standby feature (virtio_features.ts)? null: it cannot be told, or nobody asked. */
  readonly standby: boolean | null;
}

export interface PortAnswers {
  readonly path: string;
  readonly id: string | null;
  readonly model: string;
  readonly hotplug: unknown;
  readonly bus: string;
  /** qom-list of the bus */
  readonly onBus: unknown;
}

/** @throws QmpShapeError */
export function parseAnswer<T>(command: string, schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new QmpShapeError(`${command}: QEMU's answer is not understood: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

export const VERSION = z.object({ qemu: z.object({ major: z.int(), minor: z.int(), micro: z.int() }) });
const STATUS = z.object({ status: z.string() });
const NAME = z.object({ name: z.string().optional() });
const UUID = z.object({ UUID: z.string() });
const CPUS = z.array(z.object({ 'cpu-index': z.int(), 'thread-id': z.int() }));
const MIGRATE = z.object({ status: z.string().optional() });
export const QOM_LIST = z.array(z.object({ name: z.string(), type: z.string() }));

const NO_UUID = '00000000-0000-0000-0000-000000000000';
const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const PCI_ADDRESS_PATTERN = /^[0-9a-f]{4,}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/;
/** id_wellformed() in QEMU's util/id.c. */
const ID_PATTERN = /^[A-Za-z][A-Za-z0-9._-]*$/;
/** MigrationStatus when nothing is going on. Any other, also one we do not know, is a migration that runs. */
const AT_REST: ReadonlySet<string> = new Set(['none', 'completed', 'failed', 'cancelled']);

/** @throws QmpShapeError */
export function parseCpus(answer: unknown): GuestCpu[] {
  return parseAnswer('query-cpus-fast', CPUS, answer).map((cpu) => ({ index: cpu['cpu-index'], threadId: cpu['thread-id'] }));
}

/** All but where it runs. @throws QmpShapeError */
export function parseMachine(answers: MachineAnswers): Omit<Machine, 'numaNode'> {
  const { qemu } = parseAnswer('query-version', VERSION, answers.version);
  const uuid = answers.uuid === undefined ? NO_UUID : parseAnswer('query-uuid', UUID, answers.uuid).UUID;
  const clients = typeof answers.network === 'string' ? parseInfoNetwork(answers.network) : null;
  return {
    name: answers.name === undefined ? null : parseAnswer('query-name', NAME, answers.name).name ?? null,
    uuid: uuid === NO_UUID ? null : uuid,
    version: `${qemu.major}.${qemu.minor}.${qemu.micro}`,
    runState: parseAnswer('query-status', STATUS, answers.status).status,
    cpus: parseCpus(answers.cpus),
    nics: answers.nics.map((nic) => parseNic(nic, clients)),
    ports: usablePorts(answers.ports),
    migration: answers.migrate === undefined ? null : parseAnswer('query-migrate', MIGRATE, answers.migrate).status ?? null,
  };
}

/** Is one going on, in or out? While it is, QEMU refuses device_add and device_del. */
export function migrating(machine: Pick<Machine, 'migration'>): boolean {
  return machine.migration !== null && !AT_REST.has(machine.migration);
}

/** Ports that a device can be plugged into now. */
export function freePorts(machine: Pick<Machine, 'ports'>): HotplugPort[] {
  return machine.ports.filter((port) => port.devices === 0);
}

/** One end of `info network`. */
export interface NetClient {
  /** Id of the netdev. */
  readonly name: string;
  readonly index: number;
  readonly type: string;
  readonly ifname: string | null;
  readonly fd: number | null;
  /** The NIC that it serves: its id, or a name like "e1000e.0" that QEMU made up; null: none, or a hub. */
  readonly nic: string | null;
}

/**
 * The netdevs of `info network`, one for every queue:
 *   net1: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:aa:00:02
 *    \ hmq: index=0,type=tap,ifname=tmq,script=no,downscript=no
 * Lines of other forms (hubs, filters) are left out.
 */
export function parseInfoNetwork(text: string): NetClient[] {
  const clients: NetClient[] = [];
  let nic: string | null = null;
  for (const line of text.split(/\r?\n/)) {
    const [, peer, name, index, type, rest] = /^( \\ )?([^ :]+): index=(\d+),type=([^,]+)(?:,(.*))?$/.exec(line) ?? [];
    if (peer === undefined) nic = type === 'nic' ? name ?? null : null;
    if (name === undefined || type === undefined || type === 'nic') continue;
    // A tap may be called "a,b": what follows its name ends it.
    const ifname = /^ifname=(.+?)(?:,script=.*)?$/.exec(rest ?? '')?.[1] ?? null;
    const fd = /^fd=(\d+)$/.exec(rest ?? '')?.[1];
    clients.push({
      name,
      index: Number(index),
      type,
      ifname: ifname !== null && interfaceNameProblem(ifname) === null ? ifname : null,
      fd: fd === undefined ? null : Number(fd),
      nic: peer === undefined ? null : nic,
    });
  }
  return clients;
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
const matching = (value: unknown, pattern: RegExp): string | null => {
  const found = text(value)?.toLowerCase() ?? null;
  return found !== null && pattern.test(found) ? found : null;
};

/** @param clients null when QEMU does not tell them */
function parseNic(answers: NicAnswers, clients: readonly NetClient[] | null): Nic {
  const { properties } = answers;
  const netdevId = text(properties['netdev']);
  const served = clients?.filter((client) => client.name === netdevId && client.nic !== null) ?? null;
  const failover = properties['failover'] === true;
  const pair = text(properties['failover_pair_id']);
  return {
    id: answers.id,
    path: answers.path,
    model: answers.model,
    mac: matching(properties['mac'], MAC_PATTERN),
    netdevId,
    backend: served?.[0]?.type ?? null,
    tap: served?.[0]?.ifname ?? null,
    tapFds: served?.flatMap((client) => client.fd ?? []) ?? [],
    queues: countQueues(properties, netdevId, served),
    failover,
    failoverNegotiated: failover ? answers.standby : false,
    failoverPairId: pair !== null && ID_PATTERN.test(pair) ? pair : null,
    host: matching(properties['host'], PCI_ADDRESS_PATTERN),
    bus: text(properties['parent_bus'])?.split('/').at(-1) ?? null,
    hotplugged: properties['hotplugged'] === true,
  };
}

/** A netdev may have more queues than the NIC uses: virtio-net without mq=on has one pair. */
function countQueues(properties: NicAnswers['properties'], netdevId: string | null, served: readonly NetClient[] | null): number | null {
  if (netdevId === null || served === null || served.length === 0) return null;
  return properties['mq'] === false ? 1 : served.length;
}

/** Without an id a port's bus is called like its parent's ("pcie.0"), and device_add would take the wrong one. */
function usablePorts(answers: readonly PortAnswers[]): HotplugPort[] {
  return answers
    .filter((port) => port.id !== null && port.hotplug === true)
    .map((port) => ({ id: port.id as string, model: port.model, bus: port.bus, devices: countDevices(port.onBus) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** @param onBus qom-list of a bus, which has a link "child[N]" for each of its devices. @throws QmpShapeError */
export function countDevices(onBus: unknown): number {
  return parseAnswer('qom-list', QOM_LIST, onBus).filter((property) => /^child\[\d+\]$/.test(property.name)).length;
}
