/**
 * What unipath knows of a libvirt domain's QEMU: its devices as libvirt's XML has them, and of QEMU itself only what the XML does not
 * say. Some five short questions, where a QEMU that nobody owns is asked sixty. Pure, but for `askQemu`.
 */
import { netdevIdOf } from '../qemu/device_ids.js';
import { hostNodeOf } from '../qemu/host_node.js';
import { type HotplugPort, type Machine, type MachineAnswers, type Nic, parseCpus, parseMachine } from '../qemu/machine.js';
import type { QemuMonitor } from '../qemu/monitor.js';
import { devicePath, optional } from '../qemu/qom.js';
import { hasTakenStandby } from '../qemu/virtio_features.js';
import type { LibvirtInterface } from './domain_xml.js';
import { portOfAlias } from './own_alias.js';
import type { LibvirtDomain } from './snapshot.js';

/** QEMU's answers, as they came; undefined where it has none. */
export interface DomainAnswers {
  readonly version: unknown;
  readonly cpus: unknown;
  readonly status: unknown;
  readonly migrate: unknown;
  /** Of the host; see Machine. */
  readonly numaNode: number | null;
  /** Of each NIC that stands by, by alias: has the guest's driver taken that (qemu/virtio_features.ts)? */
  readonly standby: ReadonlyMap<string, boolean | null>;
}

/** incoming: on its way here by live migration; libvirt then lets nobody ask QEMU. unknown: it could not be asked. */
export type Asked = DomainAnswers | 'incoming' | 'unknown';

/** Types whose host end is a tap. */
const TAP_TYPES: ReadonlySet<string> = new Set(['bridge', 'ethernet', 'network']);
/** libvirt's names of models, where QEMU has another. */
const QEMU_MODELS: Readonly<Record<string, string>> = {
  virtio: 'virtio-net-pci',
  'virtio-transitional': 'virtio-net-pci-transitional',
  'virtio-non-transitional': 'virtio-net-pci-non-transitional',
};
/** Until QEMU says it itself, in its own words. Others stand still. */
const RUNNING_STATES: ReadonlySet<string> = new Set(['running', 'in shutdown', 'idle']);

/** Aliases of NICs that a VF can be paired with. */
function standbys(domain: LibvirtDomain): string[] {
  return domain.interfaces.flatMap(({ alias, teaming }) => (alias !== null && teaming?.type === 'persistent' ? [alias] : []));
}

/** @param before what does not change as long as QEMU runs is not asked again. @throws MonitorLostError */
export async function askQemu(monitor: QemuMonitor, domain: LibvirtDomain, before: Asked): Promise<DomainAnswers> {
  const ask = (command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> => optional(monitor.execute(command, args));
  const known = typeof before === 'string' ? null : before;
  const version = known?.version ?? (await ask('query-version'));
  const cpus = known?.cpus ?? (await ask('query-cpus-fast'));
  const numaNode = known === null ? hostNodeOf(await ask('query-memdev'), parseCpus(cpus)) : known.numaNode;
  const standby = new Map<string, boolean | null>();
  for (const alias of standbys(domain)) {
    const path = devicePath(alias);
    standby.set(alias, await hasTakenStandby(monitor, path, `${path}/virtio-backend`, version));
  }
  // Last: what they say is newer than what else is known.
  const migrate = await ask('query-migrate');
  const status = await ask('query-status');
  return { version, cpus, numaNode, standby, migrate, status };
}

/** @throws QmpShapeError for answers that are none of QEMU's */
export function machineOf(domain: LibvirtDomain, asked: Asked): Machine {
  const answers = typeof asked === 'string' ? null : asked;
  const nics = domain.interfaces.map((nic) => nicOf(nic, answers?.standby ?? new Map()));
  const ports = domain.freeRootPorts.map((bus): HotplugPort => ({ id: `pci.${bus}`, model: 'pcie-root-port', bus: `pci.${bus}`, devices: 0 }));
  const seen = { name: domain.name, uuid: domain.uuid, nics, ports };
  if (answers === null) {
    const runState = asked === 'incoming' ? 'inmigrate' : RUNNING_STATES.has(domain.state) ? 'running' : 'paused';
    return { ...seen, version: '', cpus: [], numaNode: null, runState, migration: null };
  }
  const { standby: _, numaNode, ...plain } = answers;
  const rest: MachineAnswers = { ...plain, name: undefined, uuid: undefined, network: undefined, nics: [], ports: [] };
  return { ...parseMachine(rest), numaNode, ...seen };
}

/** A device of ours has the netdev's id that QEMU would know it by without libvirt, which calls it "hostua-unipath-...". */
function nicOf(nic: LibvirtInterface, taken: ReadonlyMap<string, boolean | null>): Nic {
  const { alias, mac, teaming, queues, hostdev } = nic;
  const tap = TAP_TYPES.has(nic.type) ? nic.tap : null;
  const port = alias === null ? null : portOfAlias(alias);
  const failover = teaming?.type === 'persistent';
  const pcieBus = nic.guestPci === null ? null : Number.parseInt(nic.guestPci.slice(5, 7), 16);
  return {
    id: alias,
    path: devicePath(alias ?? ''),
    model: hostdev !== null ? 'vfio-pci' : (QEMU_MODELS[nic.model ?? ''] ?? nic.model ?? ''),
    mac,
    netdevId: port !== null ? netdevIdOf(port) : hostdev !== null || alias === null ? null : `host${alias}`,
    backend: tap === null ? null : 'tap',
    tap,
    tapFds: [],
    queues,
    failover,
    failoverNegotiated: failover ? (alias === null ? null : taken.get(alias) ?? null) : false,
    failoverPairId: teaming?.type === 'transient' ? teaming.persistent : null,
    host: hostdev,
    bus: pcieBus === null ? null : `pci.${pcieBus}`,
    hotplugged: port !== null,
  };
}
