/** Looks at the guest that this process runs in. Changes nothing; what cannot be found out is said, not thrown. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { CommandError, run, runJson } from '../../host/exec.js';
import { FILTER_PLACE, pluginStatePin, readPluginState } from '../plugin.js';
import { managedByNetworkd, managedByNetworkManager } from './managed.js';
import type { GuestFacts, Manager, NicFacts, PluginFacts } from './facts.js';

export const PINS = '/sys/fs/bpf/unipath-guest';
/** VIRTIO_NET_F_STANDBY; sysfs writes a virtio device's features as one digit each, bit 0 first. */
const STANDBY_BIT = 62;
const RULES = ['/etc/udev/rules.d', '/usr/lib/udev/rules.d', '/lib/udev/rules.d'].map((folder) => join(folder, '70-unipath-guest.rules'));
/** Their processes are called so, as far as the kernel keeps names. */
const MANAGERS: readonly Manager[] = ['NetworkManager', 'systemd-networkd'];
/** Of processes and of programs. */
const NAME_LIMIT = 15;
const PROGRAMS = ['plugin_ingress', 'plugin_egress', 'plugin_vf_ingress'];

const LINKS = z.array(
  z.looseObject({
    ifname: z.string(),
    ifindex: z.int(),
    address: z.string().default(''),
    flags: z.array(z.string()),
    master: z.string().optional(),
    linkinfo: z.looseObject({ info_kind: z.string().optional() }).optional(),
    addr_info: z.array(z.looseObject({ family: z.string(), local: z.string().optional(), prefixlen: z.int().optional(), scope: z.string().optional() })).default([]),
  }),
);
const FILTERS = z.array(z.looseObject({ options: z.looseObject({ handle: z.string().optional(), bpf_name: z.string().optional() }).optional() }));

function text(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

function target(path: string): string | null {
  try {
    return basename(readlinkSync(path));
  } catch {
    return null;
  }
}

function folder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Name and arguments of every process. */
function processes(): { readonly name: string; readonly argv: readonly string[] }[] {
  return folder('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => ({ name: text(`/proc/${pid}/comm`) ?? '', argv: (text(`/proc/${pid}/cmdline`) ?? '').split('\0') }));
}

function agentsOf(all: ReturnType<typeof processes>): string[] {
  return all.flatMap(({ argv }) => {
    if (!argv.some((word) => word.endsWith('/guest/agent.js'))) return [];
    const at = argv.indexOf('--interface');
    return [at < 0 ? 'eth0' : (argv[at + 1] ?? 'eth0')];
  });
}

/** Devices that a manager has under its hands, or intends to. */
async function managed(manager: Manager): Promise<ReadonlySet<string>> {
  if (manager === 'NetworkManager') return new Set(managedByNetworkManager(await run('nmcli', ['-t', '-f', 'DEVICE,STATE', 'device'])));
  return new Set(managedByNetworkd(await run('networkctl', ['list', '--no-legend', '--no-pager'])));
}

/** Is it in this kernel, loaded, or a module on the disk? */
function hasModule(kernel: string, name: string): boolean {
  if (existsSync(`/sys/module/${name}`)) return true;
  const lists = ['modules.builtin', 'modules.dep'].map((file) => text(`/lib/modules/${kernel}/${file}`) ?? '');
  return lists.some((list) => new RegExp(`(^|/)${name}\\.ko`, 'm').test(list));
}

/** What tc says, "plugin_vf_ingre:[7]": the kernel keeps 15 characters of a name. */
function programName(said: string): string {
  const kept = said.replace(/:.*/, '');
  return PROGRAMS.find((name) => name.slice(0, NAME_LIMIT) === kept) ?? kept;
}

/** Our programs on a device, by name. */
async function programsOn(device: string): Promise<string[]> {
  const found = await Promise.all(
    ['ingress', 'egress'].map(async (where) => FILTERS.parse(await runJson('tc', ['-j', 'filter', 'show', 'dev', device, where]))),
  );
  const handle = `0x${FILTER_PLACE.handle.toString(16)}`;
  return found.flat().flatMap(({ options }) => (options?.handle === handle ? [programName(options.bpf_name ?? '')] : []));
}

async function finishesChecksums(device: string): Promise<boolean | null> {
  const word = /^tx-checksumming: (on|off)/m.exec(await run('ethtool', ['-k', device]).catch(() => ''))?.[1];
  return word === undefined ? null : word === 'on';
}

/** Roots of pins below `root`: itself, and one folder for each interface. */
function pinRoots(root: string): string[] {
  return [root, ...folder(root).map((name) => join(root, name))].filter((candidate) => existsSync(pluginStatePin(candidate)));
}

export async function gatherFacts(pins: string = PINS): Promise<GuestFacts> {
  const unknown: string[] = [];
  const tried = async <T>(otherwise: T, look: () => Promise<T> | T): Promise<T> => {
    try {
      return await look();
    } catch (error) {
      unknown.push(error instanceof CommandError || error instanceof Error ? error.message : String(error));
      return otherwise;
    }
  };
  const kernel = release();
  const running = processes();
  const managers = MANAGERS.filter((name) => running.some((each) => each.name === name.slice(0, NAME_LIMIT)));
  const managedDevices = new Map(await Promise.all(managers.map(async (name) => [name, await tried(new Set<string>(), () => managed(name))] as const)));

  const links = await tried([], async () => LINKS.parse(await runJson('ip', ['-j', '-d', 'address'])));
  const nics: NicFacts[] = [];
  for (const link of links.filter(({ flags }) => !flags.includes('LOOPBACK'))) {
    const sys = `/sys/class/net/${link.ifname}`;
    const features = text(`${sys}/device/features`);
    const bus = target(`${sys}/device/subsystem`);
    nics.push({
      name: link.ifname,
      ifindex: link.ifindex,
      mac: link.address.toLowerCase(),
      up: link.flags.includes('UP'),
      link: link.flags.includes('LOWER_UP'),
      master: link.master ?? null,
      kind: link.linkinfo?.info_kind ?? null,
      device: target(`${sys}/device`),
      bus,
      driver: target(`${sys}/device/driver`),
      portName: text(`${sys}/phys_port_name`),
      standbyNegotiated: bus !== 'virtio' ? null : features?.[STANDBY_BIT] === '1',
      addresses: link.addr_info.flatMap(({ family, local, prefixlen, scope }) =>
        local === undefined || (family === 'inet6' && scope === 'link') ? [] : [`${local}/${prefixlen ?? '?'}`],
      ),
      programs: await tried([], () => programsOn(link.ifname)),
      txChecksum: bus === 'virtio' ? null : await finishesChecksums(link.ifname),
      managedBy: managers.filter((name) => managedDevices.get(name)?.has(link.ifname) === true),
    });
  }
  const plugins = await tried<PluginFacts[]>([], async () =>
    Promise.all(
      pinRoots(pins).map(async (root) => {
        const { interfaceIfindex, vfIfindex, drained, mac } = readPluginState(root);
        return { pins: root, interfaceIfindex, vfIfindex, drained: drained !== 0, mac: Buffer.from(mac).toString('hex').replace(/..(?=.)/g, '$&:') };
      }),
    ),
  );
  return {
    kernel,
    btf: existsSync('/sys/kernel/btf/vmlinux'),
    bpffs: /^\S+ \/sys\/fs\/bpf bpf /m.test(text('/proc/mounts') ?? ''),
    netFailover: hasModule(kernel, 'net_failover'),
    hotplug: {
      pciehpPorts: folder('/sys/bus/pci_express/drivers/pciehp').filter((name) => name.includes(':')).length,
      acpiSlots: folder('/sys/bus/pci/slots').length,
    },
    nics,
    plugins,
    agents: agentsOf(running),
    managers,
    leaveAloneRule: RULES.some((path) => existsSync(path)),
    unknown: [...new Set(unknown)],
  };
}
