/** A veth pair in a namespace of its own, and doing things there. */
import type { ExecutionContext } from 'ava';
import { inNetns } from '../../src/native/netns.js';
import { createNetns, ip } from '../support/netns.js';

export interface Veth {
  readonly netns: string;
  readonly netnsPath: string;
  /** Both ends are up. */
  readonly ifindex: number;
  readonly peerIfindex: number;
  in<T>(call: () => T): T;
}

export function ifindexOf(netns: string, name: string): number {
  const [link] = JSON.parse(ip(netns, `-j link show dev ${name}`)) as [{ ifindex: number }];
  return link.ifindex;
}

/** Devices `va` and `vb`. */
export function makeVeth(t: ExecutionContext): Veth {
  const netns = createNetns(t, 'native');
  ip(netns, 'link add va type veth peer name vb');
  ip(netns, 'link set va up');
  ip(netns, 'link set vb up');
  const netnsPath = `/run/netns/${netns}`;
  return {
    netns,
    netnsPath,
    ifindex: ifindexOf(netns, 'va'),
    peerIfindex: ifindexOf(netns, 'vb'),
    in: (call) => inNetns(netnsPath, call),
  };
}
