/** What belongs to a report of trouble. Looks, and changes nothing. */
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem, version as kernelVersion } from 'node:os';
import type { ControlClient } from '../control/client.js';
import type { StatusReply } from '../control/protocol.js';
import { run, runJson } from '../host/exec.js';
import { version } from '../version.js';

export interface Sources {
  readonly client: ControlClient;
  /** null: no daemon answers. */
  readonly status: StatusReply | null;
}

class NoDaemonError extends Error {
  override readonly name = 'NoDaemonError';
}

type Part = (sources: Sources) => unknown;

function needed({ status }: Sources): StatusReply {
  if (status === null) throw new NoDaemonError('unipathd does not answer');
  return status;
}

const firstLine = (text: string): string => text.split('\n')[0]?.trim() ?? '';

/** Tools that unipath uses, or that its guests run in. */
const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  ip: ['-V'], ethtool: ['--version'], bpftool: ['version'], 'qemu-system-x86_64': ['--version'], libvirtd: ['--version'],
};

async function toolVersions(): Promise<Record<string, string>> {
  const asked = Object.entries(VERSIONS).map(async ([tool, args]) => {
    const words = await run(tool, args).then(firstLine, (error: Error) => error.message);
    return [tool, words] as const;
  });
  return Object.fromEntries(await Promise.all(asked));
}

function kernel(): object {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? null;
  const machine = { architecture: arch(), cpus: cpus().length, cpu: cpus()[0]?.model ?? null, memory_bytes: totalmem() };
  return { release: release(), version: kernelVersion(), system, ...machine };
}

/** The daemon's own network namespace need not be ours. */
const inNetns = ({ pid }: StatusReply, command: string, args: readonly string[]): Promise<unknown> =>
  runJson('nsenter', [`--net=/proc/${pid}/ns/net`, command, ...args]);

/** Of the interfaces that unipath has to do with, no others. */
async function interfaces(sources: Sources): Promise<unknown> {
  const status = needed(sources);
  const names = new Set([
    ...status.adapters.flatMap(({ uplink, bridge, vfs }) => [uplink, bridge, ...vfs.flatMap(({ port, device }) => [port, device])]),
    ...status.vnics.map(({ tap }) => tap),
  ]);
  const links = (await inNetns(status, 'ip', ['-json', '-details', '-statistics', 'link', 'show'])) as readonly { readonly ifname: string }[];
  const vlans = (await inNetns(status, 'bridge', ['-json', 'vlan', 'show'])) as readonly { readonly ifname: string }[];
  const fdb = (await inNetns(status, 'bridge', ['-json', 'fdb', 'show'])) as readonly { readonly ifname: string }[];
  const ours = <T extends { readonly ifname: string }>(all: readonly T[]): T[] => all.filter(({ ifname }) => names.has(ifname));
  return { links: ours(links), vlans: ours(vlans), fdb: ours(fdb), missing: [...names].filter((name) => !links.some(({ ifname }) => ifname === name)) };
}

async function maps(sources: Sources): Promise<unknown> {
  const { pins } = needed(sources);
  const [{ Pins }, { RawMap }, { ContractLimit }] = await Promise.all([
    import('../native/pins.js'),
    import('../native/map.js'),
    import('../../maps/generated/contract.js'),
  ]);
  const found = new Pins(pins, ContractLimit.CONTRACT_VERSION);
  const summaries = found.listMaps().map((name) => {
    const map = RawMap.fromPin(found.map(name));
    try {
      const { id, type, keySize, valueSize, maxEntries } = map;
      return { name, id, type, key_size: keySize, value_size: valueSize, max_entries: maxEntries };
    } finally {
      map.close();
    }
  });
  return { folder: found.folder, versions: found.versions(), maps: summaries, programs: found.listPrograms(), links: found.listLinks() };
}

async function doctor(): Promise<unknown> {
  const [{ gatherHost }, { judgeHost }] = await Promise.all([import('../sriov/gather.js'), import('../sriov/judge.js')]);
  return judgeHost(await gatherHost());
}

async function why(sources: Sources): Promise<unknown> {
  const names = needed(sources).vnics.map(({ name }) => name);
  return Promise.all(names.map(async (name) => ({ vnic: name, conditions: (await sources.client.why(name)).conditions })));
}

/** In the order in which a reader wants them. */
const PARTS: Readonly<Record<string, Part>> = {
  versions: async () => ({ unipath: version, node: process.version, tools: await toolVersions() }),
  kernel,
  doctor,
  status: needed,
  conditions: why,
  events: (sources) => (needed(sources), sources.client.recentEvents()),
  counters: (sources) => (needed(sources), sources.client.counters()),
  rss: (sources) => (needed(sources), sources.client.rss()),
  vms: (sources) => (needed(sources), sources.client.vms()),
  config: (sources) => readFileSync(needed(sources).config_file, 'utf8'),
  maps,
  interfaces,
};

/** A part that cannot be had says why in its place. */
export async function gatherParts(sources: Sources): Promise<Readonly<Record<string, unknown>>> {
  const parts: [string, unknown][] = [];
  for (const [name, part] of Object.entries(PARTS)) {
    try {
      parts.push([name, await part(sources)]);
    } catch (error) {
      parts.push([name, { error: (error as Error).message }]);
    }
  }
  return Object.fromEntries(parts);
}
