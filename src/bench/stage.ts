/**
 * The network namespaces a section runs in, made and removed by the bench, and what all sections build in them:
 *   [wire] pf0-far == pf0 [host: bridge br0]        [guest]
 */
import { existsSync } from 'node:fs';
import { run, runJson } from '../host/exec.js';
import type { Netns } from './model.js';

const PREFIX = 'upb';

export const NAMES = { uplink: 'pf0', far: 'pf0-far', bridge: 'br0', port: 'vfp0', device: 'vf0', tap: 'tap0' } as const;

/** Every vNIC of the bench has an address of this form. @param id 1..254 */
export function benchMac(id: number): string {
  return `52:54:00:be:7c:${id.toString(16).padStart(2, '0')}`;
}

/** `ip -n NETNS ...`, words separated by spaces. */
export function ip(netns: string, command: string): Promise<string> {
  return run('ip', ['-n', netns, ...command.split(' ')]);
}

/** Runs a command, words separated by spaces, in a namespace. */
export function inside(netns: string, command: string): Promise<string> {
  return run('nsenter', [`--net=/run/netns/${netns}`, ...command.split(' ')]);
}

/** @param pid makes the names unique, and says whether who made them still lives */
export async function raiseStage(pid: number): Promise<Netns> {
  const stage = { wire: `${PREFIX}-${pid}-wire`, host: `${PREFIX}-${pid}-host`, guest: `${PREFIX}-${pid}-guest` };
  const { wire, host } = stage;
  try {
    for (const netns of Object.values(stage)) {
      await run('ip', ['netns', 'add', netns]);
      // No neighbour discovery of its own: the sink counts every frame.
      await inside(netns, 'sysctl -qw net.ipv6.conf.default.disable_ipv6=1');
      await ip(netns, 'link set dev lo up');
    }
    const { uplink, far, bridge } = NAMES;
    await ip(host, `link add ${uplink} type veth peer name ${far} netns ${wire}`);
    await ip(host, `link add ${bridge} type bridge stp_state 0 mcast_snooping 0`);
    // A packet filter below the bridge would cost more than the bridge; where there is none there is no such setting.
    const filters = ['iptables', 'ip6tables', 'arptables'].map((kind) => `net.bridge.bridge-nf-call-${kind}`);
    for (const filter of filters) if (existsSync(`/proc/sys/${filter.replaceAll('.', '/')}`)) await inside(host, `sysctl -qw ${filter}=0`);
    await ip(host, `link set dev ${uplink} master ${bridge} up`);
    await ip(host, `link set dev ${bridge} up`);
    await ip(wire, `link set dev ${far} up`);
    return stage;
  } catch (error) {
    await removeStage(stage);
    throw error;
  }
}

/** A port of the bridge whose other end is the guest's: vfp0 == vf0. @param queues of both */
export async function addGuestVeth({ host, guest }: Netns, queues: number): Promise<void> {
  const { port, device, bridge } = NAMES;
  const numbers = `numrxqueues ${queues} numtxqueues ${queues}`;
  await ip(host, `link add ${port} ${numbers} type veth peer name ${device} ${numbers} netns ${guest}`);
  await ip(host, `link set dev ${port} master ${bridge} up`);
  await ip(guest, `link set dev ${device} up`);
}

/** The bridge knows these vNICs behind a port. */
export async function addToFdb({ host }: Netns, port: string, vnics: number): Promise<void> {
  for (let id = 1; id <= vnics; id++) await run('bridge', ['-n', host, 'fdb', 'add', benchMac(id), 'dev', port, 'master', 'static']);
}

async function linkOf(netns: string, name: string): Promise<{ readonly ifindex: number; readonly address: string }> {
  const [link] = (await runJson('ip', ['-n', netns, '-j', 'link', 'show', 'dev', name])) as { ifindex: number; address: string }[];
  if (link === undefined) throw new Error(`no interface ${name} in ${netns}`);
  return link;
}

export async function ifindexOf(netns: string, name: string): Promise<number> {
  return (await linkOf(netns, name)).ifindex;
}

export async function macOf(netns: string, name: string): Promise<string> {
  return (await linkOf(netns, name)).address;
}

async function listNetns(): Promise<string[]> {
  return ((await runJson('ip', ['-j', 'netns', 'list'])) as { name: string }[]).map(({ name }) => name);
}

/** Idempotent; the devices go with their namespaces. */
export async function removeStage(stage: Netns): Promise<void> {
  const present = await listNetns();
  for (const netns of Object.values(stage)) if (present.includes(netns)) await run('ip', ['netns', 'del', netns]);
}

/** Removes what a bench that was killed has left. */
export async function sweepStages(): Promise<void> {
  for (const netns of await listNetns()) {
    const owner = new RegExp(`^${PREFIX}-(\\d+)-`).exec(netns)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) await run('ip', ['netns', 'del', netns]);
  }
}
