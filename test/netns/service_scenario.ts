/**
 * Runs where the first process is systemd (systemd_root.ts): the life of the package there. Prints one JSON document with what was seen.
 *   service_scenario.js run PACKAGE
 *   service_scenario.js replace NEWER_PACKAGE
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { ControlClient } from '../../src/control/client.js';
import { DEFAULT_READ_SOCKET } from '../../src/control/usual_socket.js';
import { Endpoint } from '../../src/lab/traffic/client.js';
import { Traffic } from '../../src/lab/traffic/traffic.js';

const CONFIG = '/etc/unipath/unipath.yaml';
const WATCHDOG_SECONDS = 10;
const RATE = 200;

/** For who reads the log of a test that failed. */
function say(what: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(1)} s: ${what}\n`);
}

export interface Ended {
  readonly status: number | null;
  readonly output: string;
}

function tried(command: string): Ended {
  const { status, stdout } = spawnSync('sh', ['-c', `${command} 2>&1`], { encoding: 'utf8' });
  return { status, output: stdout.trim() };
}

/** What it printed. @throws Error when it failed */
function done(command: string): string {
  const { status, output } = tried(command);
  if (status !== 0) throw new Error(`\`${command}\` ended with ${status}: ${output}`);
  return output;
}

const service = (property: string): string => done(`systemctl show unipathd --property ${property} --value`);
const entries = (...filter: readonly string[]): Record<string, string>[] =>
  done(`journalctl --quiet --unit unipathd --output json ${filter.join(' ')}`).split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, string>);
const hasProgram = (device: string): boolean => done(`ip link show dev ${device}`).includes('prog/xdp');

async function until(what: string, holds: () => boolean, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await sleep(500);
  }
}

/** Uplink, bridge, a tap and a VF as veth pairs; what is behind them in namespaces. */
function makeHost(): void {
  done('ip netns add world && ip netns add guest && ip link add br0 type bridge && ip link set br0 up');
  for (const [device, peer] of [['pf0', 'wire'], ['tap-g1', 'g1'], ['vfp0', 'vf0']] as const) {
    done(`ip link add ${device} numrxqueues 2 numtxqueues 2 type veth peer name ${peer} numrxqueues 2 numtxqueues 2 && ip link set ${device} master br0 up`);
  }
  done('ip link set wire netns world && ip link set g1 netns guest && ip -n guest link set g1 address 52:54:00:00:00:01');
  for (const [netns, device, address] of [['world', 'wire', '10.9.0.1/24'], ['guest', 'g1', '10.9.0.2/24']] as const) {
    done(`ip -n ${netns} address add ${address} dev ${device} && ip -n ${netns} link set ${device} up && ip -n ${netns} link set lo up`);
  }
}

function writeConfig(change: object = {}): void {
  writeFileSync(CONFIG, stringify({
    socket: '/run/unipath/unipath.sock',
    read_socket: DEFAULT_READ_SOCKET,
    adapters: [{ name: 'nic0', uplink: 'pf0', bridge: 'br0', vfs: [{ port: 'vfp0', device: 'vf0' }] }],
    vnics: [{ name: 'g1', mac: '52:54:00:00:00:01', adapter: 'nic0', tap: 'tap-g1', guest: { netns: 'guest' }, policy: 'software' }],
    ...change,
  }));
}

/** As somebody of no group but this. */
const as = (group: string, command: string): Ended => tried(`setpriv --reuid 65534 --regid 65534 --groups ${group} -- ${command}`);

function sockets() {
  const [all, read] = ['/run/unipath/unipath.sock', DEFAULT_READ_SOCKET];
  const mayOpen = (group: string): boolean[] => [all, read].map((path) => as(group, `test -w ${path}`).status === 0);
  return {
    files: done(`stat -c "%A %U %G" ${all} ${read}`).split('\n'),
    mayOpen: { unipath: mayOpen('unipath'), 'unipath-read': mayOpen('unipath-read'), nogroup: mayOpen('nogroup') },
    refused: as('unipath-read', 'unipath vnic software g1'),
  };
}

async function plug(): Promise<boolean> {
  await client.act('g1', 'accelerate');
  await until('the guest has its VF', () => done('ip -n guest link show').includes('vf0@'));
  const { explanations } = await client.explain({ vnic: 'g1', from: 'wire', flow: { source: '10.9.0.1', destination: '10.9.0.2', protocol: 1 } });
  return explanations.length === 1;
}

/** A test has not the time that an administrator gives. */
function dropIn(settings: Readonly<Record<string, number>>): void {
  done('mkdir -p /run/systemd/system/unipathd.service.d');
  writeFileSync('/run/systemd/system/unipathd.service.d/test.conf', `[Service]\n${Object.entries(settings).map(([key, value]) => `${key}=${value}\n`).join('')}`);
  done('systemctl daemon-reload');
}

/** It does not answer any more, and is started anew; its programs stay attached. */
async function watch() {
  dropIn({ WatchdogSec: WATCHDOG_SECONDS, TimeoutStopSec: 5 });
  done('systemctl restart unipathd');
  const before = service('MainPID');
  process.kill(Number(before), 'SIGSTOP');
  let wasAttached = true;
  await until('the watchdog bites', () => {
    wasAttached &&= hasProgram('pf0');
    return service('NRestarts') === '1' && service('ActiveState') === 'active';
  }, 120_000);
  return { pids: [before, service('MainPID')], wasAttached, said: tried('journalctl --quiet --unit unipathd --grep "[Ww]atchdog" --output cat').output };
}

function reload() {
  const good = tried('systemctl reload unipathd');
  writeFileSync(CONFIG, `${readFileSync(CONFIG, 'utf8')}colour: red\n`);
  const bad = tried('systemctl reload unipathd');
  const state = service('ActiveState');
  writeConfig();
  return { good, bad, state, said: entries('PRIORITY=3', 'SYSLOG_IDENTIFIER=unipathd').at(-1)?.['MESSAGE'] ?? '' };
}

/** The next version is installed while datagrams go back and forth. */
async function upgrade(newer: string) {
  const [world, guest] = await Promise.all([Endpoint.start('world'), Endpoint.start('guest')]);
  try {
    const traffic = new Traffic();
    const flow = { id: 1, family: 4, from: { address: '10.9.0.1', port: 20_001 }, to: { address: '10.9.0.2', port: 7000 }, packetsPerSecond: RATE, sizes: [64, 1400], echoEvery: 1 } as const;
    await traffic.addFlow(flow, world, guest, 20_000);
    const from = await traffic.mark();
    await traffic.start();
    const [pid, began] = [service('MainPID'), performance.now()];
    const install = spawn('dpkg', ['--install', '--force-unsafe-io', newer], { stdio: 'ignore' });
    const [status] = (await once(install, 'exit')) as [number];
    const tookMs = performance.now() - began;
    await sleep(500);
    await traffic.stop();
    const { sent, received, lost, duplicated, corrupt } = (await traffic.account(from, await traffic.mark())).total;
    const { version, adopted } = await client.status();
    return { status, tookMs: Math.round(tookMs), replaced: service('MainPID') !== pid, version, adopted, sent, received, lost, duplicated, corrupt };
  } finally {
    await Promise.all([world.close(), guest.close()]);
  }
}

function leftovers(files: readonly string[]): string[] {
  const folders = ['/etc/unipath', '/usr/lib/unipath', '/var/lib/unipath', '/run/unipath', '/sys/fs/bpf/unipath'];
  const groups = tried('getent group unipath unipath-read').output;
  return [...files, ...folders].filter((path) => existsSync(path)).concat(groups === '' ? [] : [groups]);
}

const client = new ControlClient('/run/unipath/unipath.sock', 60_000);
const areAttached = (): boolean => hasProgram('pf0') && hasProgram('tap-g1');

/** Installed, started, used, told to read its configuration again, hung, stopped. */
async function run(file: string) {
  makeHost();
  done(`dpkg --install --force-unsafe-io ${file}`);
  const installed = { state: tried('systemctl is-active unipathd').output, enabled: tried('systemctl is-enabled unipathd').output };
  writeConfig();
  say('installed');
  done('systemctl enable --now unipathd');
  say('started');
  const started = { state: service('ActiveState'), result: service('Result'), type: service('Type'), attached: areAttached() };
  const ready = entries('UNIPATH_SOCKET=/run/unipath/unipath.sock').map(({ MESSAGE, PRIORITY, SYSLOG_IDENTIFIER }) => `${SYSLOG_IDENTIFIER} ${PRIORITY} ${MESSAGE}`);
  const isPlugged = await plug();
  const ofVnic = entries('UNIPATH_VNIC=g1').length;
  say('plugged');
  const rights = sockets();
  const reloaded = reload();
  say('reloaded');
  const watched = await watch();
  say('watched');
  done('systemctl stop unipathd');
  const stopped = { state: tried('systemctl is-active unipathd').output, attached: areAttached() };
  const denied = tried('journalctl --quiet --unit unipathd --grep "not permitted|EPERM|EACCES" --output cat').output;
  return { installed, started, ready, isPlugged, ofVnic, rights, reloaded, watched, stopped, denied };
}

/** Exchanged for a newer one under traffic, removed, purged. */
async function replace(file: string) {
  done('systemctl start unipathd');
  await client.act('g1', 'software', 20_000);
  const upgraded = await upgrade(file);
  say('upgraded');
  // Files only: folders are others', too.
  const files = done('dpkg --listfiles unipath').split('\n').filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
  const removed = { ...tried('dpkg --remove unipath'), attached: hasProgram('pf0') || hasProgram('tap-g1'), pins: existsSync('/sys/fs/bpf/unipath') };
  say('removed');
  const purged = { ...tried('dpkg --purge unipath'), left: leftovers(files) };
  return { upgraded, removed, purged };
}

export type Run = Awaited<ReturnType<typeof run>>;
export type Replacement = Awaited<ReturnType<typeof replace>>;

const [what = '', file = ''] = process.argv.slice(2);
try {
  process.stdout.write(`${JSON.stringify(await (what === 'run' ? run(file) : replace(file)))}\n`);
} catch (error) {
  say(`${(error as Error).stack}\n${tried('journalctl --unit unipathd --no-pager | tail -n 30').output}`);
  process.exitCode = 1;
}
