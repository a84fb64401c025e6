/** Bridge ports and forwarding entries, by `bridge` of iproute2. Names must have been checked. */
import type { MacAddress } from '../core/model.js';
import { CommandError, run, runJson } from './exec.js';
import type { BridgePortFlags, BridgeVlan, BridgeVlanFlags } from './port.js';

interface PortJson {
  readonly ifname?: string;
  readonly learning?: boolean;
  readonly flood?: boolean;
  readonly mcast_flood?: boolean;
  readonly bcast_flood?: boolean;
}

interface FdbJson {
  readonly mac?: string;
  readonly vlan?: number;
  readonly master?: string;
  readonly state?: string;
  readonly flags?: readonly string[];
}

interface VlanJson {
  readonly vlan?: number;
  /** Last one of a range. */
  readonly vlanEnd?: number;
  readonly flags?: readonly string[];
}

interface PortVlansJson {
  readonly ifname?: string;
  readonly vlans?: readonly VlanJson[];
}

const isMissingDevice = (error: unknown): boolean =>
  error instanceof CommandError && /Cannot find device|No such device/.test(error.stderr);

/** null when the device is no bridge port, or not there. @throws CommandError */
export async function readPortFlags(device: string): Promise<BridgePortFlags | null> {
  const rows = await runJson('bridge', ['-j', '-d', 'link', 'show', 'dev', device]).catch((error: unknown) => {
    if (isMissingDevice(error)) return [];
    throw error;
  });
  const port = (rows as readonly PortJson[]).find((row) => row.ifname === device && row.learning !== undefined);
  if (port === undefined) return null;
  return {
    learning: port.learning ?? false,
    flood: port.flood ?? false,
    multicastFlood: port.mcast_flood ?? false,
    broadcastFlood: port.bcast_flood ?? false,
  };
}

/** @throws CommandError */
export async function writePortFlags(device: string, flags: BridgePortFlags): Promise<void> {
  const word = (on: boolean): string => (on ? 'on' : 'off');
  await run('bridge', [
    ...['link', 'set', 'dev', device],
    ...['learning', word(flags.learning), 'flood', word(flags.flood)],
    ...['mcast_flood', word(flags.multicastFlood), 'bcast_flood', word(flags.broadcastFlood)],
  ]);
}

/**
 * Never ages, as a static entry does not. But when the guest has gone to another host and is heard on another port, the bridge
 * makes it an entry of that port; a static one would stay static there, for ever and found by nobody. `vlan` 0: none. Idempotent.
 * @throws CommandError
 */
export async function replaceStaticEntry(mac: MacAddress, device: string, vlan: number): Promise<void> {
  await run('bridge', [
    'fdb',
    'replace',
    mac,
    'dev',
    device,
    'master',
    'dynamic',
    'extern_learn',
    ...(vlan === 0 ? [] : ['vlan', String(vlan)]),
  ]);
}

/** No error when the entry, or its device, is gone already. @throws CommandError */
export async function deleteEntry(mac: MacAddress, device: string, vlan: number): Promise<void> {
  try {
    await run('bridge', ['fdb', 'del', mac, 'dev', device, 'master', ...(vlan === 0 ? [] : ['vlan', String(vlan)])]);
  } catch (error) {
    if (isMissingDevice(error)) return;
    if (error instanceof CommandError && /No such file or directory/.test(error.stderr)) return;
    throw error;
  }
}

/** @throws CommandError */
export async function hasStaticEntry(mac: MacAddress, device: string, vlan: number): Promise<boolean> {
  const rows = await runJson('bridge', ['-j', 'fdb', 'show', 'brport', device]).catch((error: unknown) => {
    if (isMissingDevice(error)) return [];
    throw error;
  });
  return (rows as readonly FdbJson[]).some(
    (row) =>
      row.mac === mac &&
      (row.state === 'static' || row.flags?.includes('extern_learn') === true) &&
      row.master !== undefined &&
      (row.vlan ?? 0) === vlan,
  );
}

/** What `bridge -j vlan show` prints, by device. */
export function parsePortVlans(rows: unknown): Map<string, BridgeVlan[]> {
  const ports = new Map<string, BridgeVlan[]>();
  for (const { ifname, vlans = [] } of rows as readonly PortVlansJson[]) {
    if (ifname === undefined) continue;
    const all = vlans.flatMap(({ vlan, vlanEnd, flags = [] }): BridgeVlan[] => {
      if (vlan === undefined) return [];
      const how = { pvid: flags.includes('PVID'), untagged: flags.includes('Egress Untagged') };
      return Array.from({ length: (vlanEnd ?? vlan) - vlan + 1 }, (_, i) => ({ vid: vlan + i, ...how }));
    });
    ports.set(ifname, [...(ports.get(ifname) ?? []), ...all]);
  }
  return ports;
}

/** VLANs of every bridge port. @throws CommandError */
export async function readPortVlans(): Promise<Map<string, BridgeVlan[]>> {
  return parsePortVlans(await runJson('bridge', ['-j', 'vlan', 'show']));
}

/** Arguments of `bridge` that put a port into a VLAN, or (null) take it out. */
export function portVlanArguments(device: string, vid: number, flags: BridgeVlanFlags | null): string[] {
  const target = ['dev', device, 'vid', String(vid)];
  if (flags === null) return ['vlan', 'del', ...target];
  return ['vlan', 'add', ...target, ...(flags.pvid ? ['pvid'] : []), ...(flags.untagged ? ['untagged'] : [])];
}

/** Idempotent. No error when the port, or its VLAN, that is to be left is gone already. @throws CommandError */
export async function writePortVlan(device: string, vid: number, flags: BridgeVlanFlags | null): Promise<void> {
  try {
    await run('bridge', portVlanArguments(device, vid, flags));
  } catch (error) {
    if (flags !== null) throw error;
    if (isMissingDevice(error)) return;
    if (error instanceof CommandError && /No such file or directory|Operation not supported/.test(error.stderr)) return;
    throw error;
  }
}
