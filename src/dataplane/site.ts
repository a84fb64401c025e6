/**
 * What is pinned, with names: for commands that look at the data plane by themselves, whether or not unipathd is alive. Interfaces
 * have their names in the network namespace that the programs serve, which need not be ours.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ContractLimit, hostKnobs, hostMaps, type Vnic } from '../../maps/generated/contract.js';
import { u32 } from '../btf/codec.js';
import { runJson } from '../host/exec.js';
import { isNativeError } from '../native/errors.js';
import { loadedKnobs } from '../native/loaded_knobs.js';
import { RawMap } from '../native/map.js';
import { Pins } from '../native/pins.js';
import { BpfProgram } from '../native/program.js';
import { ownNetns } from './identity.js';
import type { XdpMode } from './port.js';
import { fromVnic, isUsed, type VnicRowFields } from './vnic_row.js';

/** Nothing that can be looked at is pinned there. */
export class NoDataPlaneError extends Error {
  override readonly name = 'NoDataPlaneError';
}

export interface SiteVnic extends VnicRowFields {
  readonly id: number;
  /** As the daemon calls it; without a daemon its MAC address. */
  readonly name: string;
}

export interface Site {
  readonly pins: Pins;
  readonly vnics: readonly SiteVnic[];
  /** ifindex -> name. */
  readonly links: ReadonlyMap<number, string>;
  /** Of the interfaces that have an XDP program, whosever. */
  readonly xdpModes: ReadonlyMap<number, XdpMode>;
  /** "eth0", or "if7" when nobody knows its name. */
  link(ifindex: number): string;
  /** Name, or "#3" for one that has no row any more. */
  vnic(id: number): string;
}

const NETNS_FOLDER = '/run/netns';

/**
 * @param root as configured in `pins`
 * @param names vNIC names by id, as the daemon has them
 * @param pid of the daemon, when it is known: its namespace may have no name
 * @throws NoDataPlaneError
 */
export async function openSite(root: string, names: ReadonlyMap<number, string>, pid: number | null): Promise<Site> {
  const pins = new Pins(root, ContractLimit.CONTRACT_VERSION);
  const vnics = readVnics(pins).map(([id, vnic]) => {
    const row = fromVnic(vnic);
    return { ...row, id, name: names.get(id) ?? row.mac };
  });
  const found = await readLinks(netnsPath(servedNetns(pins), pid));
  const links = new Map(found.map(({ ifindex, ifname }) => [ifindex, ifname]));
  return {
    pins,
    vnics,
    links,
    xdpModes: new Map(found.flatMap(({ ifindex, xdp }) => (xdp === undefined ? [] : [[ifindex, xdp.mode === XDP_GENERIC ? 'generic' : 'native']]))),
    link: (ifindex) => links.get(ifindex) ?? `if${ifindex}`,
    vnic: (id) => vnics.find((vnic) => vnic.id === id)?.name ?? `#${id}`,
  };
}

function readVnics(pins: Pins): [number, Vnic][] {
  let map: RawMap;
  try {
    map = RawMap.fromPin(pins.map('vnics'));
  } catch (error) {
    if (isNativeError(error, 'ENOENT')) throw new NoDataPlaneError(noneAt(pins));
    throw error;
  }
  try {
    if (map.valueSize !== hostMaps.vnics.value.size) throw new NoDataPlaneError(`what is pinned at ${pins.folder} is of another version`);
    const rows = Array.from(map.entries(), ([key, value]) => [u32.read(key), hostMaps.vnics.value.read(value)] as [number, Vnic]);
    return rows.filter(([, vnic]) => isUsed(vnic));
  } finally {
    map.close();
  }
}

function noneAt(pins: Pins): string {
  const others = pins.versions();
  if (others.length > 0) return `${pins.root} has programs of contract version ${others.join(', ')}, not ${ContractLimit.CONTRACT_VERSION}`;
  return `nothing is pinned at ${pins.folder}`;
}

/** Inode of the network namespace that the pinned programs serve; null when it cannot be told. */
function servedNetns(pins: Pins): number | null {
  const program = BpfProgram.fromPin(pins.program('steer_uplink'));
  try {
    const knob = loadedKnobs(program).get('own_netns' satisfies keyof typeof hostKnobs);
    return knob === undefined || u32.read(knob) === 0 ? null : u32.read(knob);
  } finally {
    program.close();
  }
}

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}

/** Null: ours. */
function netnsPath(inode: number | null, pid: number | null): string | null {
  if (inode === null || inode === ownNetns()) return null;
  const named = (): string[] => {
    try {
      return readdirSync(NETNS_FOLDER).map((name) => join(NETNS_FOLDER, name));
    } catch {
      return [];
    }
  };
  const candidates = [...(pid === null ? [] : [`/proc/${pid}/ns/net`]), ...named()];
  return candidates.find((path) => inodeOf(path) === inode) ?? null;
}

/** As ip(8) prints it. */
interface LinkRow {
  readonly ifindex: number;
  readonly ifname: string;
  /** enum xdp_attached */
  readonly xdp?: { readonly mode: number };
}

/** XDP_ATTACHED_SKB */
const XDP_GENERIC = 2;

async function readLinks(netns: string | null): Promise<readonly LinkRow[]> {
  const command = ['ip', '-j', 'link', 'show'] as const;
  return (await (netns === null ? runJson('ip', command.slice(1)) : runJson('nsenter', [`--net=${netns}`, ...command]))) as LinkRow[];
}
