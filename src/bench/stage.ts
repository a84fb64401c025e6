/**
 * The network the bench runs in, made and removed by it:
 *   [wire] pf0-far == pf0 [host: bridge br0] vfp0 == vf0 [guest: sink]
 */
import { existsSync } from 'node:fs';
import { run, runJson } from '../host/exec.js';

const PREFIX = 'upb';

export interface Stage {
  readonly wire: string;
  readonly host: string;
  readonly guest: string;
}

export const NAMES = { uplink: 'pf0', bridge: 'br0', port: 'vfp0', device: 'vf0' } as const;
/** Every vNIC of the bench has an address of this form; the bridge knows them all behind NAMES.port. */
export function benchMac(id: number): string {
  return `52:54:00:be:7c:${id.toString(16).padStart(2, '0')}`;
}

function ip(netns: string, command: string): Promise<string> {
  return run('ip', ['-n', netns, ...command.split(' ')]);
}

/**
 * @param pid makes the names unique
 * @param queues of the port and of the device behind it
 * @param vnics how many addresses the bridge knows
 */
export async function raiseStage(pid: number, queues: number, vnics: number): Promise<Stage> {
  const stage = { wire: `${PREFIX}-${pid}-wire`, host: `${PREFIX}-${pid}-host`, guest: `${PREFIX}-${pid}-guest` };
  const { wire, host, guest } = stage;
  try {
    for (const netns of [wire, host, guest]) {
      await run('ip', ['netns', 'add', netns]);
      // No neighbour discovery of its own: the sink counts every frame.
      await run('ip', ['netns', 'exec', netns, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
    }
    const { uplink, bridge, port, device } = NAMES;
    const numbers = `numrxqueues ${queues} numtxqueues ${queues}`;
    await ip(host, `link add ${uplink} type veth peer name ${uplink}-far netns ${wire}`);
    await ip(host, `link add ${port} ${numbers} type veth peer name ${device} ${numbers} netns ${guest}`);
    await ip(host, `link add ${bridge} type bridge stp_state 0 mcast_snooping 0`);
    await ip(host, `link set dev ${uplink} master ${bridge} up`);
    await ip(host, `link set dev ${port} master ${bridge} up`);
    await ip(host, `link set dev ${bridge} up`);
    await ip(wire, `link set dev ${uplink}-far up`);
    await ip(guest, `link set dev ${device} up`);
    for (let id = 1; id <= vnics; id++) await run('bridge', ['-n', host, 'fdb', 'add', benchMac(id), 'dev', port, 'master', 'static']);
    return stage;
  } catch (error) {
    await removeStage(stage);
    throw error;
  }
}

async function listNetns(): Promise<string[]> {
  return ((await runJson('ip', ['-j', 'netns', 'list'])) as { name: string }[]).map(({ name }) => name);
}

/** Idempotent; the devices go with their namespaces. */
export async function removeStage(stage: Stage): Promise<void> {
  const present = await listNetns();
  for (const netns of [stage.wire, stage.host, stage.guest]) if (present.includes(netns)) await run('ip', ['netns', 'del', netns]);
}

/** Removes what a bench that was killed has left. */
export async function sweepStages(): Promise<void> {
  for (const netns of await listNetns()) {
    const owner = new RegExp(`^${PREFIX}-(\\d+)-`).exec(netns)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) await run('ip', ['netns', 'del', netns]);
  }
}
