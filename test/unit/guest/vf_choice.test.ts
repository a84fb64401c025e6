import test from 'ava';
import type { ObservedLink } from '../../../src/core/model.js';
import { chooseVf } from '../../../src/guest/vf_choice.js';

const MAC = '52:54:00:00:00:01';
const link = (ifindex: number, more: Partial<ObservedLink> = {}): ObservedLink => ({
  ifindex,
  name: `dev${ifindex}`,
  mac: MAC,
  mtu: 1500,
  up: true,
  carrier: true,
  master: null,
  kind: null,
  rxQueues: 1,
  txQueues: 1,
  xdp: null,
  xdpFeatures: null,
  takesRedirects: null,
  tellsHash: null,
  takesAggregates: null,
  vlanFiltering: null,
  ...more,
});
const eth0 = link(2);
const choose = (others: readonly ObservedLink[], current: number | null = null): number | null =>
  chooseVf([link(1, { mac: '00:00:00:00:00:00' }), eth0, ...others], eth0, current)?.ifindex ?? null;

test('a device of its own, or a veth, with the interface\'s MAC address is the VF', (t) => {
  t.is(choose([]), null);
  t.is(choose([link(5)]), 5);
  t.is(choose([link(5, { kind: 'veth' })]), 5);
  t.is(choose([link(5, { mac: '52:54:00:00:00:02' })]), null);
});

test('devices stacked on the interface share its address and are not the VF', (t) => {
  for (const kind of ['vlan', 'macvlan', 'ipvlan', 'bridge', 'bond', 'tun']) t.is(choose([link(5, { kind })]), null, kind);
});

test('a slave of something else is not ours to take', (t) => {
  t.is(choose([link(5, { master: 7 })]), null);
});

test('with several, the one in use keeps its place, else the oldest has it', (t) => {
  t.is(choose([link(9), link(5)]), 5);
  t.is(choose([link(9), link(5)], 9), 9);
  t.is(choose([link(9), link(5)], 77), 5);
});
