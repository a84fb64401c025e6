/** The network namespace a fuzzing process runs in: devices with the ifindexes of ids.ts, each a veth whose other end is unused. */
import { execFileSync } from 'node:child_process';
import { enterNetns } from '../native/netns.js';
import { DEVICES, RX_QUEUES } from './ids.js';

const FAR_END = 1000;

/**
 * Makes a namespace that lives as long as this process, and moves the thread of JavaScript into it: nothing is left, however the
 * process ends. @throws when `ip` fails, e.g. without root
 */
export function enterStage(): void {
  const name = `upt-${process.pid}-fuzz`;
  execFileSync('ip', ['netns', 'add', name]);
  try {
    enterNetns(`/run/netns/${name}`);
  } finally {
    execFileSync('ip', ['netns', 'del', name]);
  }
  const near = (ifindex: number): string => `d${ifindex} index ${ifindex} numrxqueues ${RX_QUEUES} numtxqueues 1`;
  const far = (ifindex: number): string => `f${ifindex} index ${FAR_END + ifindex} numrxqueues 1 numtxqueues 1`;
  const commands = DEVICES.map((ifindex) => `link add ${near(ifindex)} type veth peer name ${far(ifindex)}`);
  execFileSync('ip', ['-batch', '-'], { input: `${commands.join('\n')}\n` });
}
