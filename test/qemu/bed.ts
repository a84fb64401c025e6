/**
 * One KVM host with real guests, in network namespaces: a wire, a PF (veth), a bridge, taps, unipathd, and QEMU. VFs are NICs that QEMU
 * makes on taps of their own. Everything is gone after `close`.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { ControlClient } from '../../src/control/client.js';
import type { MonitorEvent, VnicStatus } from '../../src/control/protocol.js';
import { guestCommandLine, type GuestSettings } from '../../src/lab/qemu/command_line.js';
import { QemuGuest } from '../../src/lab/qemu/guest.js';
import { createTap } from '../../src/lab/qemu/tap.js';
import { Endpoint } from '../../src/lab/traffic/client.js';

const daemonScript = fileURLToPath(new URL('../../src/daemon.js', import.meta.url));
const cliScript = fileURLToPath(new URL('../../src/cli.js', import.meta.url));
const runFile = promisify(execFile);
/** A machine with much else to do is slow. */
const START_MS = 60_000;
const POLL_MS = 20;

export interface BedVf {
  readonly port: string;
  readonly model: string;
}

export interface BedGuest {
  readonly name: string;
  readonly mac: string;
  readonly ip: string;
  readonly ip6: string;
  readonly failover: boolean;
  readonly queues?: number;
}

export interface BootOptions {
  readonly settings?: GuestSettings;
  readonly incoming?: string;
  /** Default base. */
  readonly image?: 'base' | 'node';
  /** Default `t-NAME`. */
  readonly tap?: string;
  readonly hotplugPorts?: number;
  readonly smp?: number;
  /** Further words for its kernel. */
  readonly kernelWords?: string;
  /** Further NICs, `net1` and so on, on taps `t-NAME` of their own; their addresses are set when it has booted. */
  readonly others?: readonly BedGuest[];
  /** Of what the guest sends in return on each TCP connection. Default 50,000. */
  readonly tcpBytesPerSecond?: number;
}

export interface BedHostOptions {
  readonly name: string;
  readonly vfs: readonly BedVf[];
  readonly mtu?: number;
  readonly config?: Readonly<Record<string, unknown>>;
}

export function guest(index: number, more: Partial<BedGuest> = {}): BedGuest {
  return {
    name: `g${index}`,
    mac: `52:54:00:aa:00:${index.toString(16).padStart(2, '0')}`,
    ip: `10.77.0.${10 + index}`,
    ip6: `fd77::${10 + index}`,
    failover: true,
    ...more,
  };
}

export const WIRE_IP = '10.77.0.1';
export const WIRE_IP6 = 'fd77::1';
/** Of the reflectors in every guest. */
export const PORTS = { echo: 7000, sink: 7001, tcp: 7002 } as const;

function ip(...words: readonly string[]): string {
  return execFileSync('ip', [...words], { encoding: 'utf8' });
}

/** One host: namespace, bridge, PF, taps, daemon. */
export class BedHost {
  readonly netns: string;
  readonly name: string;
  readonly folder: string;
  readonly socket: string;
  readonly options: BedHostOptions;
  #daemon: ChildProcess | null = null;
  #log = '';
  readonly events: MonitorEvent[] = [];
  #watching: AbortController | null = null;

  constructor(prefix: string, folder: string, options: BedHostOptions) {
    this.name = options.name;
    this.netns = `${prefix}-${options.name}`;
    this.folder = join(folder, options.name);
    this.socket = join(this.folder, 'unipath.sock');
    this.options = options;
    mkdirSync(this.folder, { recursive: true });
  }

  get pins(): string {
    return `/sys/fs/bpf/${this.netns}`;
  }

  async create(wire: string): Promise<void> {
    const { netns, options } = this;
    const mtu = String(options.mtu ?? 1500);
    ip('netns', 'add', netns);
    ip('-n', netns, 'link', 'set', 'dev', 'lo', 'up');
    ip('-n', netns, 'link', 'add', 'br0', 'mtu', mtu, 'type', 'bridge', 'mcast_snooping', '0');
    ip('-n', netns, 'link', 'set', 'dev', 'br0', 'up');
    ip('-n', netns, 'link', 'add', 'pf0', 'mtu', mtu, 'numrxqueues', '2', 'numtxqueues', '2', 'type', 'veth', 'peer', 'name', `w-${this.name}`, 'netns', wire, 'mtu', mtu, 'numrxqueues', '2', 'numtxqueues', '2');
    ip('-n', netns, 'link', 'set', 'dev', 'pf0', 'master', 'br0', 'up');
    ip('-n', wire, 'link', 'set', 'dev', `w-${this.name}`, 'master', 'wbr', 'up');
    // A veth takes redirected frames only while its receiving end has NAPI.
    execFileSync('nsenter', [`--net=/run/netns/${wire}`, 'ethtool', '-K', `w-${this.name}`, 'gro', 'on']);
    for (const { port } of options.vfs) {
      await createTap(netns, port);
      ip('-n', netns, 'link', 'set', 'dev', port, 'mtu', mtu, 'down');
    }
  }

  async addTap(name: string, queues = 1): Promise<void> {
    await createTap(this.netns, name, { queues });
    ip('-n', this.netns, 'link', 'set', 'dev', name, 'mtu', String(this.options.mtu ?? 1500), 'master', 'br0');
  }

  writeConfig(): string {
    const file = join(this.folder, 'unipath.yaml');
    writeFileSync(
      file,
      stringify({
        socket: this.socket,
        pins: this.pins,
        hypervisors: [{ qmp: join(this.folder, '*.qmp') }],
        adapters: [{ name: 'nic0', uplink: 'pf0', bridge: 'br0', vfs: this.options.vfs }],
        discover: { policy: 'software' },
        ...this.options.config,
      }),
    );
    return file;
  }

  async startDaemon(): Promise<void> {
    const file = this.writeConfig();
    // It ends with us, however we end.
    const args = ['--pdeathsig', 'KILL', '--', 'nsenter', `--net=/run/netns/${this.netns}`, process.execPath, daemonScript, '--config', file];
    const child = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#daemon = child;
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (this.#log = (this.#log + text).slice(-200_000)));
    const deadline = Date.now() + START_MS;
    while (!/"msg":"ready"/.test(this.#log)) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`unipathd of ${this.name} did not start: ${this.#log.slice(-3000)}`);
      await sleep(POLL_MS);
    }
    this.#watch();
  }

  #watch(): void {
    const abort = new AbortController();
    this.#watching = abort;
    const watch = async (): Promise<void> => {
      for await (const event of this.control.events(abort.signal)) this.events.push(event);
    };
    watch().catch(() => undefined);
  }

  /** @param signal SIGKILL to see what it leaves */
  async stopDaemon(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#daemon;
    this.#daemon = null;
    this.#watching?.abort();
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await ended;
    this.#log = '';
  }

  get control(): ControlClient {
    return new ControlClient(this.socket);
  }

  /** `unipath` with these words, for this host's daemon: what it says. @throws Error with its message */
  async cli(...words: readonly string[]): Promise<string> {
    const { stdout } = await runFile(process.execPath, [cliScript, '-S', this.socket, ...words]);
    return stdout;
  }

  get log(): string {
    return this.#log;
  }

  async vnic(name: string): Promise<VnicStatus> {
    const { vnics } = await this.control.status();
    const found = vnics.find((vnic) => vnic.name === name);
    if (found === undefined) throw new Error(`unipathd of ${this.name} knows no vNIC ${name}, only ${vnics.map((vnic) => vnic.name).join(', ') || 'none'}`);
    return found;
  }

  /** Resolves when the vNIC is as `wanted` says. @throws Error with its status */
  async until(name: string, wanted: (vnic: VnicStatus) => boolean, deadlineMs = 10_000): Promise<VnicStatus> {
    const deadline = Date.now() + deadlineMs;
    let last: VnicStatus | null = null;
    for (;;) {
      last = await this.vnic(name).catch(() => null);
      if (last !== null && wanted(last)) return last;
      if (Date.now() > deadline) throw new Error(`${name} on ${this.name} is ${JSON.stringify(last)}\n${this.#log.slice(-3000)}`);
      await sleep(POLL_MS);
    }
  }

  async remove(): Promise<void> {
    await this.stopDaemon('SIGKILL');
    rmSync(this.pins, { recursive: true, force: true });
    try {
      ip('netns', 'del', this.netns);
    } catch {
      // It was never made.
    }
  }
}

/** A guest's process, and what it was made from. */
export interface RunningGuest {
  readonly spec: BedGuest;
  readonly qemu: QemuGuest;
  readonly tap: string;
}

/** For the NIC that the guest itself does not set up: its interface is the one of its address that has no master. */
async function setUpNic(qemu: QemuGuest, { mac, ip: ip4, ip6 }: BedGuest): Promise<void> {
  const links = JSON.parse(await qemu.run('ip -j link')) as { ifname: string; address: string; master?: string }[];
  const name = links.find(({ address, master }) => address === mac && master === undefined)?.ifname;
  if (name === undefined) throw new Error(`the guest has no interface ${mac}: ${JSON.stringify(links)}`);
  // Else each NIC answers for the addresses of all.
  await qemu.run('echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore');
  await qemu.run(`ip link set dev ${name} up && ip address add ${ip4}/24 dev ${name} && ip address add ${ip6}/64 dev ${name} nodad`);
}

export class Bed {
  readonly #prefix: string;
  readonly #folder: string;
  readonly wire: string;
  readonly hosts = new Map<string, BedHost>();
  readonly guests: RunningGuest[] = [];
  readonly #closers: (() => void)[] = [];
  endpoint!: Endpoint;

  private constructor(prefix: string) {
    this.#prefix = prefix;
    this.#folder = mkdtempSync(join(tmpdir(), 'unipath-qemu-'));
    this.wire = `${prefix}-wire`;
  }

  static async create(label: string, hosts: readonly BedHostOptions[], mtu = 1500): Promise<Bed> {
    const bed = new Bed(`upq-${process.pid}-${label}`);
    try {
      ip('netns', 'add', bed.wire);
      ip('-n', bed.wire, 'link', 'set', 'dev', 'lo', 'up');
      ip('-n', bed.wire, 'link', 'add', 'wbr', 'mtu', String(mtu), 'type', 'bridge', 'mcast_snooping', '0');
      ip('-n', bed.wire, 'link', 'set', 'dev', 'wbr', 'up');
      ip('-n', bed.wire, 'address', 'add', `${WIRE_IP}/24`, 'dev', 'wbr');
      ip('-n', bed.wire, 'address', 'add', `${WIRE_IP6}/64`, 'dev', 'wbr', 'nodad');
      for (const options of hosts) {
        const host = new BedHost(bed.#prefix, bed.#folder, options);
        bed.hosts.set(options.name, host);
        await host.create(bed.wire);
      }
      bed.endpoint = await Endpoint.start(bed.wire);
      return bed;
    } catch (error) {
      await bed.close();
      throw error;
    }
  }

  host(name: string): BedHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`the bed has no host ${name}`);
    return host;
  }

  /** A guest with virtio NICs on taps of the host; ready when it has a shell. */
  async boot(hostName: string, spec: BedGuest, more: BootOptions = {}): Promise<RunningGuest> {
    const host = this.host(hostName);
    const tap = more.tap ?? `t-${spec.name}`;
    const { others = [], tcpBytesPerSecond = 50_000 } = more;
    const nics = [spec, ...others].map(({ name, mac, failover, queues = 1 }, i) => ({ id: `net${i}`, tap: i === 0 ? tap : `t-${name}`, mac, failover, queues }));
    for (const nic of nics) await host.addTap(nic.tap, nic.queues);
    const qemu = await QemuGuest.start({
      name: spec.name,
      netns: host.netns,
      folder: join(host.folder, spec.name),
      nics,
      image: more.image ?? 'base',
      ...(more.smp === undefined ? {} : { smp: more.smp }),
      ...(more.hotplugPorts === undefined ? {} : { hotplugPorts: more.hotplugPorts }),
      commandLine: `${more.kernelWords ?? ''} ${guestCommandLine({
        ip: `${spec.ip}/24`,
        ip6: `${spec.ip6}/64`,
        services: {
          echo: ['reflector', 'echo', 'udp', String(PORTS.echo), '--echo-every', '1'],
          sink: ['reflector', 'sink', 'udp', String(PORTS.sink)],
          tcp: ['reflector', 'tcp', 'tcp', String(PORTS.tcp), '--rate', String(tcpBytesPerSecond)],
        },
        ...more.settings,
      })}`,
      ...(more.incoming === undefined ? {} : { incoming: more.incoming }),
    });
    const running = { spec, qemu, tap };
    this.guests.push(running);
    // unipathd finds guests by their sockets in one folder.
    execFileSync('ln', ['-sf', qemu.qmpSocket, join(host.folder, `${spec.name}.qmp`)]);
    if (more.incoming !== undefined) return running;
    await qemu.waitForShell();
    for (const other of others) await setUpNic(qemu, other);
    return running;
  }

  /** Does the wire's end leave checksums and segments of TCP to its device, so that frames come unfinished and aggregated? Default: it does. */
  setWireOffloads(on: boolean): void {
    execFileSync('nsenter', [`--net=/run/netns/${this.wire}`, 'ethtool', '-K', 'wbr', 'tx', on ? 'on' : 'off', 'tso', on ? 'on' : 'off'], { stdio: 'ignore' });
  }

  /** Called when the bed is taken away. */
  onClose(what: () => void): void {
    this.#closers.push(what);
  }

  async close(): Promise<void> {
    for (const what of this.#closers.splice(0)) what();
    await this.endpoint?.close().catch(() => undefined);
    for (const { qemu } of this.guests) await qemu.stop().catch(() => undefined);
    for (const host of this.hosts.values()) await host.remove();
    try {
      ip('netns', 'del', this.wire);
    } catch {
      // It was never made.
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

