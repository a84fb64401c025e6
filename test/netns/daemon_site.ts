/** A host in network namespaces with an unipathd of its own: uplink, bridge, a tap port, one VF, a guest, and the world outside. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import { ControlClient } from '../../src/control/client.js';
import { hostObjectPath } from '../../src/paths.js';
import { temporaryFolder } from '../support/control_socket.js';
import { createNetns, ip } from '../support/netns.js';
import { needs, testWith } from '../support/require.js';

export const daemonTest = testWith(
  needs.root(),
  needs.tool('ip'),
  needs.tool('nsenter'),
  needs.tool('ethtool'),
  needs.bpffs(),
  needs.file(hostObjectPath, 'the BPF objects'),
);
/** How unipathd is started. */
export const DAEMON = [process.execPath, fileURLToPath(new URL('../../src/daemon.js', import.meta.url))];
const DEADLINE_MS = 60_000;
let sites = 0;

export interface Site {
  readonly host: string;
  readonly guest: string;
  readonly world: string;
  readonly socket: string;
  readonly pins: string;
  readonly configFile: string;
  readonly client: ControlClient;
  writeConfig(change?: object): void;
}

export function makeSite(t: ExecutionContext): Site {
  const [host, guest, world] = [createNetns(t), createNetns(t, 'guest'), createNetns(t, 'world')];
  const folder = temporaryFolder(t);
  const parent = `/sys/fs/bpf/unipath-test-${process.pid}`;
  const pins = join(parent, `daemon${++sites}`);
  mkdirSync(parent, { recursive: true });
  t.teardown(() => {
    rmSync(pins, { recursive: true, force: true });
    if (existsSync(parent) && readdirSync(parent).length === 0) rmdirSync(parent);
  });
  const pair = (here: string, peer: string): void =>
    void ip(host, `link add ${here} numrxqueues 2 numtxqueues 2 type veth peer name ${peer} numrxqueues 2 numtxqueues 2`);
  ip(host, 'link add br0 type bridge');
  for (const [here, peer] of [
    ['pf0', 'wire'],
    ['tap-g1', 'g1'],
    ['vfp0', 'vf0'],
  ] as const)
    pair(here, peer);
  ip(host, `link set dev wire netns ${world}`);
  ip(host, `link set dev g1 netns ${guest}`);
  for (const device of ['br0', 'pf0', 'tap-g1', 'vfp0']) ip(host, `link set dev ${device} ${device === 'br0' ? '' : 'master br0 '}up`);
  ip(world, 'link set dev wire up');
  ip(guest, 'link set dev g1 address 52:54:00:00:00:01');
  ip(guest, 'link set dev g1 up');
  const configFile = join(folder, 'unipath.yaml');
  const socket = join(folder, 'unipath.sock');
  const writeConfig = (change: object = {}): void =>
    writeFileSync(
      configFile,
      stringify({
        socket,
        pins,
        adapters: [{ name: 'nic0', uplink: 'pf0', bridge: 'br0', vfs: [{ port: 'vfp0', device: 'vf0' }] }],
        vnics: [{ name: 'g1', mac: '52:54:00:00:00:01', adapter: 'nic0', tap: 'tap-g1', guest: { netns: guest }, policy: 'software' }],
        ...change,
      }),
    );
  writeConfig();
  return { host, guest, world, socket, pins, configFile, client: new ControlClient(socket), writeConfig };
}

export class Daemon {
  readonly child: ChildProcess;
  log = '';
  err = '';

  constructor(t: ExecutionContext, host: string, args: readonly string[], program: readonly string[] = DAEMON) {
    this.child = spawn('nsenter', [`--net=/run/netns/${host}`, ...program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (text: Buffer) => {
      this.log += text.toString();
    });
    this.child.stderr?.on('data', (text: Buffer) => {
      this.err += text.toString();
    });
    t.teardown(() => void this.child.kill('SIGKILL'));
  }

  async says(pattern: RegExp): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!pattern.test(this.log)) {
      if (Date.now() > deadline || this.child.exitCode !== null)
        throw new Error(`unipathd did not say ${pattern}:\n${this.log}\n${this.err}`);
      await sleep(10);
    }
  }

  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) this.child.kill(signal);
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }
}

export async function started(t: ExecutionContext, site: Site, program: readonly string[] = DAEMON): Promise<Daemon> {
  const daemon = new Daemon(t, site.host, ['--config', site.configFile], program);
  await daemon.says(/"msg":"ready"/);
  return daemon;
}

/** All that `down` must leave as it was: links with their settings, forwarding entries, bridge ports. */
export function hostState(site: Site): unknown {
  const inHost = (command: string, ...args: readonly string[]): unknown =>
    JSON.parse(execFileSync('nsenter', [`--net=/run/netns/${site.host}`, command, ...args], { encoding: 'utf8' }) || '[]');
  const links = inHost('ip', '-j', '-d', 'link', 'show') as Record<string, unknown>[];
  const timers = /timer|operstate|state/;
  const steady = JSON.parse(JSON.stringify(links, (key, value: unknown) => (timers.test(key) ? undefined : value))) as Record<
    string,
    unknown
  >[];
  steady.sort((a, b) => String(a['ifname']).localeCompare(String(b['ifname'])));
  // Group addresses are the kernel's own: it joins them whenever a link-local address is ready.
  const isGroup = (mac: string): boolean => (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
  const fdb = (inHost('bridge', '-j', 'fdb', 'show') as { mac: string; state?: string; flags?: readonly string[] }[]).filter(
    ({ mac, state, flags }) => !isGroup(mac) && (state === 'static' || state === 'permanent' || flags?.includes('extern_learn')),
  );
  return { links: steady, fdb: fdb.map((entry) => JSON.stringify(entry)).sort(), ports: inHost('bridge', '-j', '-d', 'link', 'show') };
}

export const xdpOf = (site: Site, device: string): boolean => ip(site.host, `link show dev ${device}`).includes('prog/xdp');
