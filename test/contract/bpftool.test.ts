/** What our codecs write, bpftool reads the same: it decodes by the BTF that the kernel holds of the map. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as contract from '../../maps/generated/contract.js';
import { type Codec, encode, type MapSpec, u32 } from '../../src/btf/codec.js';
import { compileBpf, withFolder } from '../support/compile.js';
import { needs, testWith } from '../support/require.js';

const kernelTest = testWith(needs.root(), needs.bpffs(), needs.tool('bpftool'), needs.tool('clang'));

/** Only the maps: no program that a kernel could refuse, and no cpumap, whose size depends on the machine. */
const SOURCE = `
#include "steerings.h"
#include "vnics.h"
SEC("xdp") int nothing(struct xdp_md *ctx) { return XDP_PASS; }
char _license[] SEC("license") = "Dual MIT/GPL";
`;

function bpftool(...args: string[]): unknown {
  const text = execFileSync('bpftool', ['-j', ...args], { encoding: 'utf8' });
  return text.trim() === '' ? null : JSON.parse(text);
}

function hexBytes(buffer: Buffer): string[] {
  return ['hex', ...Array.from(buffer, (byte) => byte.toString(16).padStart(2, '0'))];
}

interface Row {
  readonly value: readonly string[];
  readonly formatted: { readonly value: unknown };
}

/** Writes row 1 and gives it back as bpftool shows it, and as our codec reads what bpftool shows. */
function writeAndShow<V>(pins: string, spec: MapSpec<number, V>, value: V): { readonly shown: unknown; readonly read: V } {
  const [key, pin] = [hexBytes(encode(u32, 1)), join(pins, spec.name)];
  bpftool('map', 'update', 'pinned', pin, 'key', ...key, 'value', ...hexBytes(encode(spec.value as Codec<V>, value)));
  const row = bpftool('map', 'lookup', 'pinned', pin, 'key', ...key) as Row;
  return { shown: row.formatted.value, read: spec.value.read(Buffer.from(row.value.map((byte) => Number(byte)))) };
}

kernelTest('rows of the vNIC and steering maps', (t) => {
  const pins = `/sys/fs/bpf/unipath-test-${process.pid}`;
  t.teardown(() => rmSync(pins, { recursive: true, force: true }));
  mkdirSync(pins);
  withFolder((folder) => {
    const object = join(folder, 'maps.o');
    compileBpf(SOURCE, object);
    bpftool('prog', 'loadall', object, join(pins, 'programs'), 'pinmaps', join(pins, 'maps'));
  });
  const maps = join(pins, 'maps');

  const vnic: contract.Vnic = {
    tapIfindex: 5, vfIfindex: 6, uplinkIfindex: 0xfffffffe, flags: contract.VnicFlag.PLUGIN, tapFrameMax: 1514, vfFrameMax: 9014,
    uplinkFrameMax: 1515, vlan: 100, mac: Buffer.from('525400aabbcc', 'hex'), vlanCount: 3,
    vlans: [100, 0, 4094, ...new Array<number>(13).fill(0)],
  };
  const vnicRow = writeAndShow(maps, contract.hostMaps.vnics, vnic);
  t.deepEqual(vnicRow.read, vnic);
  t.like(vnicRow.shown, {
    tap_ifindex: 5, vf_ifindex: 6, uplink_ifindex: 0xfffffffe, tap_frame_max: 1514, vf_frame_max: 9014, uplink_frame_max: 1515, vlan: 100,
    mac: [0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc], vlan_count: 3, vlans: [...vnic.vlans],
  });

  const slotRow = writeAndShow(maps, contract.hostMaps.vnic_slots, { key: 0x123456789n, vnic: 77, role: contract.PortRole.VF });
  t.deepEqual(slotRow.shown, { key: 0x123456789, vnic: 77, role: 'PORT_VF', reserved: [0, 0, 0] });

  const steering: contract.Steering = {
    queues: 3, hashTypes: contract.HashType.DEFAULT, rssRow: 1, nicHash: 0, reta: Buffer.from(Array.from({ length: 128 }, (_, i) => i % 3)),
    queueCpus: Array.from({ length: 64 }, (_, i) => i * 1000),
  };
  const steeringRow = writeAndShow(maps, contract.hostMaps.steerings, steering);
  t.deepEqual(steeringRow.read, steering);
  t.deepEqual(steeringRow.shown, {
    queues: 3, hash_types: 'HASH_DEFAULT', rss_row: 1, nic_hash: 0, reserved: 0, reta: [...steering.reta], queue_cpus: [...steering.queueCpus],
  });

  const flow: contract.Flow = {
    learnt: { tag: 0xdeadbeef, seen: 0x1234, queue: 7, valid: 1 }, steered: { tag: 1, seen: 2, queue: 3, valid: 0 },
  };
  t.deepEqual(writeAndShow(maps, contract.hostMaps.flows, flow).shown, flow);

  // Network order: bpftool shows the words as this machine reads them, so bytes swapped on x86.
  const none = { prefix: 0, mask: 0 };
  const addresses: contract.VnicAddresses = {
    ipv4Count: 1, ipv6Count: 0, ipv4: [{ prefix: 0x7f7f7f7f, mask: 0xffffffff }, ...new Array<typeof none>(15).fill(none)],
    ipv6: Array.from({ length: 16 }, () => ({ prefix: [0, 0, 0, 0], mask: [0, 0, 0, 0] })),
  };
  const addressesRow = writeAndShow(maps, contract.hostMaps.vnic_addresses, addresses);
  t.deepEqual(addressesRow.read, addresses);
  t.like(addressesRow.shown, { ipv4_count: 1, ipv6_count: 0, ipv4: [{ prefix: 0x7f7f7f7f, mask: 0xffffffff }] });
});
