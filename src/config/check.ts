/** What no single key of the configuration can tell: names used twice, and names that nothing has. Pure. */
import { ADAPTER_MAX_VFS } from '../core/budget.js';
import { MAX_VNICS } from '../core/limits.js';
import { nearName } from '../core/near_name.js';
import type { ConfigFile } from './schema.js';

export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** It is the key that is wrong, not its value. */
  readonly ofKey?: boolean;
}

/** "vnics[0].mac" */
export function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}${text === '' ? '' : '.'}${String(step)}`),
    '',
  );
}

/** Remembers where a value was first used and complains about the second use. */
class Uses {
  readonly #first = new Map<string, readonly PropertyKey[]>();

  constructor(
    readonly what: string,
    readonly problems: Problem[],
  ) {}

  add(value: string, path: readonly PropertyKey[], shown = `"${value}"`): void {
    const first = this.#first.get(value);
    if (first === undefined) this.#first.set(value, path);
    else this.problems.push({ path, message: `${this.what} ${shown} is used already by ${fieldName(first)}` });
  }
}

/** A name of something that there is not. */
function unknown(what: string, name: string | undefined, known: readonly string[], path: readonly PropertyKey[]): Problem[] {
  if (name === undefined || known.includes(name)) return [];
  const near = nearName(name, known);
  const advice = near === null ? `${what}s are: ${known.join(', ') || 'none'}` : `did you mean "${near}"?`;
  return [{ path, message: `there is no ${what} "${name}"; ${advice}` }];
}

/** Every problem, in the order of the file as far as possible. */
export function checkConfig(config: ConfigFile): readonly Problem[] {
  const problems: Problem[] = [];
  const adapterNames = new Uses('the name', problems);
  const vnicNames = new Uses('the name', problems);
  const devices = new Uses('the device', problems);
  const stations = new Uses('the MAC address', problems);
  const bridges = new Map<string, readonly PropertyKey[]>();
  const quotaNames = new Uses('the name', problems);
  for (const [i, { name }] of config.quotas.entries()) quotaNames.add(name, ['quotas', i, 'name']);
  const quotas = config.quotas.map(({ name }) => name);

  if (config.read_socket === config.socket) problems.push({ path: ['read_socket'], message: `"${config.socket}" is used already by socket` });

  for (const [i, adapter] of config.adapters.entries()) {
    adapterNames.add(adapter.name, ['adapters', i, 'name']);
    problems.push(...unknown('quota', adapter.quota, quotas, ['adapters', i, 'quota']));
    devices.add(adapter.uplink, ['adapters', i, 'uplink']);
    // One bridge may serve several adapters, but is nothing else.
    if (!bridges.has(adapter.bridge)) devices.add(adapter.bridge, ['adapters', i, 'bridge']);
    bridges.set(adapter.bridge, ['adapters', i, 'bridge']);
    if (adapter.vfs.length > ADAPTER_MAX_VFS) {
      problems.push({
        path: ['adapters', i, 'vfs'],
        message: `${adapter.vfs.length} VFs are more than an adapter can have (${ADAPTER_MAX_VFS})`,
      });
    }
    for (const [j, vf] of adapter.vfs.entries()) {
      devices.add(vf.port, ['adapters', i, 'vfs', j, vf.kind === 'passthrough' ? 'pci' : 'port']);
      if (vf.kind === 'netdev') devices.add(vf.device, ['adapters', i, 'vfs', j, 'device']);
    }
  }

  if (config.vnics.length >= MAX_VNICS) {
    problems.push({ path: ['vnics'], message: `${config.vnics.length} vNICs are more than a host can have (${MAX_VNICS - 1})` });
  }
  const adapters = config.adapters.map((adapter) => adapter.name);
  for (const [i, vnic] of config.vnics.entries()) {
    vnicNames.add(vnic.name, ['vnics', i, 'name']);
    for (const vlan of vnic.vlan.vlans) stations.add(`${vnic.mac} ${vlan}`, ['vnics', i, 'mac'], `${vnic.mac} with VLAN ${vlan}`);
    if (vnic.tap !== undefined) devices.add(vnic.tap, ['vnics', i, 'tap']);
    else if (vnic.guest.kind === 'netns') problems.push({ path: ['vnics', i], message: 'tap is missing; only that of a virtual machine is found by itself' });
    if (vnic.guest.kind === 'vm' && config.hypervisors.length === 0) {
      problems.push({ path: ['vnics', i, 'guest'], message: 'there is nobody to ask for it; say in hypervisors where: [{qmp: /run/vms/*.qmp}]' });
    }
    problems.push(...unknown('adapter', vnic.adapter, adapters, ['vnics', i, 'adapter']));
    problems.push(...unknown('quota', vnic.quota, quotas, ['vnics', i, 'quota']));
  }
  return problems;
}
