/**
 * Private libvirt hosts for tests: each is a libvirtd with its own configuration, state, network, host name and processes. Everything
 * in it ends with the one process that holds its namespaces.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const runFile = promisify(execFile);
const COMMAND_DEADLINE_MS = 30_000;

/** The folders that libvirt would otherwise share with the machine's own. */
const OWN_FOLDERS: readonly (readonly [name: string, path: string])[] = [
  ['etc', '/etc/libvirt'],
  ['state', '/var/lib/libvirt'],
  ['cache', '/var/cache/libvirt'],
  ['log', '/var/log/libvirt'],
];

/** In the order of arguments: host name, then pairs of a folder and what it is mounted on. Waits for the dead, as process 1 has to. */
const HOLD = `
set -e
mount -t tmpfs tmpfs /run
mkdir /run/libvirt
hostname "$1"; shift
while [ $# -gt 0 ]; do mount --bind "$1" "$2"; shift 2; done
if ! ip link show dev br0 >/dev/null 2>&1; then
  ip link set dev lo up
  ip link add br0 type bridge
  ip link set dev br0 up
fi
echo ready
while :; do sleep 3600 & wait; done
`;

export class LibvirtHost {
  readonly uri: string;

  private constructor(
    readonly name: string,
    readonly folder: string,
    private readonly holder: ChildProcess,
    private readonly initPid: number,
  ) {
    this.uri = LibvirtHost.uriOf(folder);
  }

  /** Where one of this folder will answer. */
  static uriOf(folder: string): string {
    return `qemu:///system?socket=${folder}/sock/libvirt-sock`;
  }

  /**
   * @param folder an absolute one of the test's own; `name` becomes a folder in it
   * @param netns a network namespace below /run/netns, with a br0; null: one of its own
   */
  static async start(name: string, folder: string, netns: string | null = null): Promise<LibvirtHost> {
    const own = join(folder, name);
    for (const [sub] of [...OWN_FOLDERS, ['sock']]) mkdirSync(join(own, sub ?? ''), { recursive: true });
    const quiet = ['user = "root"', 'group = "root"', 'dynamic_ownership = 0', 'security_driver = "none"', 'cgroup_controllers = [ ]'];
    writeFileSync(join(own, 'etc/qemu.conf'), [...quiet, 'namespaces = [ ]', 'stdio_handler = "file"', ''].join('\n'));
    const uuid = readFileSync('/proc/sys/kernel/random/uuid', 'utf8').trim();
    writeFileSync(
      join(own, 'etc/libvirtd.conf'),
      `unix_sock_dir = "${own}/sock"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\nhost_uuid = "${uuid}"\n`,
    );
    const mounts = OWN_FOLDERS.flatMap(([sub, path]) => [join(own, sub), path]);
    const flags = ['--mount', ...(netns === null ? ['--net'] : []), '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const enter = netns === null ? [] : ['nsenter', `--net=/run/netns/${netns}`];
    const [program = '', ...argv] = [...enter, 'unshare', ...flags, 'bash', '-c', HOLD, 'hold', name, ...mounts];
    const holder = spawn(program, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve());
      holder.once('exit', (code) => reject(new Error(`the namespaces of ${name} could not be set up (${code})`)));
    });
    const initPid = Number(readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8'));
    const host = new LibvirtHost(name, own, holder, initPid);
    await host.startDaemon();
    return host;
  }

  /** A command inside; returns its stdout. */
  async inside(command: string, ...args: readonly string[]): Promise<string> {
    const where = ['-t', String(this.initPid), '--mount', '--net', '--uts', '--pid'];
    return (await runFile('nsenter', [...where, command, ...args], { timeout: COMMAND_DEADLINE_MS })).stdout;
  }

  /** Returns when it listens. */
  async startDaemon(): Promise<void> {
    await this.inside('libvirtd', '--daemon');
  }

  async killDaemon(): Promise<void> {
    await this.#kill('/run/libvirtd.pid');
  }

  async killQemu(domain: string): Promise<void> {
    await this.#kill(`/run/libvirt/qemu/${domain}.pid`);
  }

  async virsh(...args: readonly string[]): Promise<string> {
    return (await runFile('virsh', ['--quiet', '--connect', this.uri, ...args], { timeout: COMMAND_DEADLINE_MS })).stdout;
  }

  /** Starts a domain that is forgotten when it stops (`keep`: that stays defined). */
  async run(xml: string, options: { readonly keep?: boolean } = {}): Promise<void> {
    const file = join(this.folder, 'domain.xml');
    writeFileSync(file, xml);
    if (options.keep !== true) return void (await this.virsh('create', file));
    await this.virsh('define', file);
    await this.virsh('start', /<name>(.*)<\/name>/.exec(xml)?.[1] ?? '');
  }

  /** Where a file is that is inside: each host has a /run of its own. */
  reach(path: string): string {
    return `/proc/${this.initPid}/root${path}`;
  }

  async pidOf(domain: string): Promise<number> {
    return Number(await this.inside('cat', `/run/libvirt/qemu/${domain}.pid`));
  }

  async addTap(name: string): Promise<void> {
    await this.inside('ip', 'tuntap', 'add', name, 'mode', 'tap');
    await this.inside('ip', 'link', 'set', 'dev', name, 'master', 'br0', 'up');
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.holder.once('exit', resolve));
    this.holder.kill('SIGKILL');
    await ended;
  }

  async #kill(pidFile: string): Promise<void> {
    const pid = (await this.inside('cat', pidFile)).trim();
    await this.inside('kill', '-9', pid);
    while ((await this.inside('ps', '-o', 'stat=', '-p', pid).catch(() => '')).trim() !== '') await sleep(10);
  }
}

/** How the guest lets go of a device. */
export type Guest =
  /** No operating system and no ACPI hot-plug: a slot that nobody has powered lets go at once. */
  | { readonly os: 'none'; readonly lets: 'go' }
  /** No operating system, ACPI hot-plug: nobody ever lets go. */
  | { readonly os: 'none'; readonly lets: 'nothing go' }
  | { readonly os: 'linux'; readonly kernel: string; readonly initrd: string; readonly console: string };

export interface DomainWanted {
  readonly name: string;
  readonly mac: string;
  readonly guest: Guest;
  /** A file that fills its memory from 16 MiB on, so that there is something to migrate. */
  readonly ballast?: string;
}

/** Two free hot-plug slots, and a virtio NIC on br0 in a third (alias ua-net0). @param standsBy for net_failover */
export function slotsAndNic(mac: string, tap: string, standsBy: boolean): string {
  return `    <controller type='pci' model='pcie-root'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='usb' model='none'/>
    <interface type='bridge'>
      <mac address='${mac}'/>
      <source bridge='br0'/>
      <target dev='${tap}'/>
      <model type='virtio'/>
      <driver name='qemu'/>
      ${standsBy ? "<teaming type='persistent'/>" : ''}
      <alias name='ua-net0'/>
      <rom enabled='no'/>
    </interface>
`;
}

/** A q35 domain with one virtio NIC (alias ua-net0, tap "tap-NAME") that stands by, on br0, and two free hot-plug slots. No ROM: it would try to boot from the network for ever. */
export function domainXml({ name, mac, guest, ballast }: DomainWanted): string {
  const boot =
    guest.os === 'linux' ? `<kernel>${guest.kernel}</kernel><initrd>${guest.initrd}</initrd><cmdline>console=ttyS0 panic=-1</cmdline>` : '';
  const serial = guest.os === 'linux' ? `<serial type='file'><source path='${guest.console}'/></serial>` : '';
  const extra: string[] = [];
  if (guest.os === 'none' && guest.lets === 'go') extra.push('-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off');
  if (ballast !== undefined) extra.push('-device', `loader,file=${ballast},addr=0x1000000,force-raw=on`);
  return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${name}</name>
  <memory unit='MiB'>${guest.os === 'linux' ? 128 : 64}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>${boot}</os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
${slotsAndNic(mac, `tap-${name}`, true)}    ${serial}
    <memballoon model='none'/>
  </devices>
  <qemu:commandline>${extra.map((word) => `<qemu:arg value='${word}'/>`).join('')}</qemu:commandline>
</domain>
`;
}
