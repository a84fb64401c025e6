/** A configuration as a file would say it, with everything that a file may leave out. Pure; the inverse of parseConfig. */
import { hashTypeNames } from '../core/hash_types.js';
import type { AdapterSpec, GuestSpec, VfSettings, VfSpec, VnicSpec } from '../core/model.js';
import type { Config } from './load.js';
import type { HypervisorFile } from './schema.js';

/** Keys and values of the YAML file. */
export type FileForm = Readonly<Record<string, unknown>>;

const given = (form: FileForm): FileForm => Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined && value !== null));

function vfForm(vf: VfSpec): FileForm {
  const { pf, numaNode, vectors } = vf.origin ?? {};
  return { ...vfName(vf), ...given({ pf, numa_node: numaNode, vectors }) };
}

function vfName(vf: VfSpec): FileForm {
  if (vf.kind === 'passthrough') return { pci: vf.port };
  return vf.kind === 'netdev' ? { port: vf.port, device: vf.device } : { port: vf.port, model: vf.device };
}

function adapterForm({ name, uplink, bridge, limits, rules, vfs }: AdapterSpec): FileForm {
  const { placement, perPf, quota, idleMs } = rules;
  return {
    name,
    uplink,
    bridge,
    limits: { ...given({ ...limits }), per_pf: given({ ...perPf }) },
    ...given({ quota }),
    placement,
    idle_seconds: idleMs / 1000,
    vfs: vfs.map(vfForm),
  };
}

function guestForm(guest: GuestSpec): FileForm {
  return guest.kind === 'netns' ? { netns: guest.netns } : { vm: guest.vm, mode: guest.mode };
}

function vlanForm({ vlans, access }: VnicSpec): unknown {
  const [only] = vlans;
  if (access) return { access: only };
  return vlans.length === 1 ? only : { trunk: vlans };
}

function vfSettingsForm({ spoofCheck, trust, minRate, maxRate }: VfSettings): FileForm {
  return {
    ...(spoofCheck === undefined ? {} : { spoof_check: spoofCheck }),
    ...(trust === undefined ? {} : { trust }),
    ...(minRate === undefined ? {} : { min_rate: minRate }),
    ...(maxRate === undefined ? {} : { max_rate: maxRate }),
  };
}

function vnicForm(vnic: VnicSpec): FileForm {
  const { name, mac, addresses, adapter, tap, guest, policy, cutThrough, weights, maxRate, terms, vf } = vnic;
  return {
    name,
    mac,
    vlan: vlanForm(vnic),
    ...(addresses === null ? {} : { addresses }),
    adapter,
    ...(tap === '' ? {} : { tap }),
    guest: guestForm(guest),
    policy,
    ...given({ max_rate: maxRate, quota: terms.quota, numa_node: terms.numaNode }),
    priority: terms.priority,
    cut_through: cutThrough,
    reta: weights.length === 0 ? 'equal' : { weights },
    ...(vf === undefined ? {} : { vf: vfSettingsForm(vf) }),
  };
}

function hypervisorForm(hypervisor: HypervisorFile): FileForm {
  return hypervisor.kind === 'qmp' ? { qmp: hypervisor.qmp } : { libvirt: hypervisor.libvirt };
}

function listenForm({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function fileFormOf({ settings, desired }: Config): FileForm {
  return {
    socket: settings.socket,
    ...(settings.readSocket === null ? {} : { read_socket: settings.readSocket }),
    pins: settings.pins,
    state: settings.state,
    ...(settings.metricsListen === null ? {} : { metrics: { listen: listenForm(settings.metricsListen) } }),
    flows_per_vnic: settings.flowsPerVnic,
    rss: { key: desired.rss.key, hash_types: hashTypeNames(desired.rss.hashTypes) },
    patience: settings.patience,
    xdp_mode: settings.xdpMode,
    hypervisors: settings.hypervisors.map(hypervisorForm),
    ...(desired.discover === null ? {} : { discover: desired.discover }),
    quotas: desired.quotas.map(({ name, ceilings }) => ({ name, ...given({ ...ceilings }) })),
    adapters: desired.adapters.map(adapterForm),
    vnics: desired.vnics.map(vnicForm),
  };
}
