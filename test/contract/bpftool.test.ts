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
    uplinkFrameMax: 1515, vlan: 100, mac: Buffer.from('525400aabbcc', 'hex'),
  };
  const vnicRow = writeAndShow(maps, contract.hostMaps.vnics, vnic);
  t.deepEqual(vnicRow.read, vnic);
  t.like(vnicRow.shown, {
    tap_ifindex: 5, vf_ifindex: 6, uplink_ifindex: 0xfffffffe, tap_frame_max: 1514, vf_frame_max: 9014, uplink_frame_max: 1515, vlan: 100,
    mac: [0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc], reserved: 0,
  });

  const slotRow = writeAndShow(maps, contract.hostMaps.vnic_slots, { key: 0x123456789n, vnic: 77 });
  t.deepEqual(slotRow.shown, { key: 0x123456789, vnic: 77, reserved: 0 });

  const steering: contract.Steering = {
    queues: 3, reta: Buffer.from(Array.from({ length: 128 }, (_, i) => i % 3)), queueCpus: Array.from({ length: 64 }, (_, i) => i * 1000),
  };
  const steeringRow = writeAndShow(maps, contract.hostMaps.steerings, steering);
  t.deepEqual(steeringRow.read, steering);
  t.deepEqual(steeringRow.shown, { queues: 3, reserved: 0, reta: [...steering.reta], queue_cpus: [...steering.queueCpus] });

  const flowRow = writeAndShow(maps, contract.hostMaps.flows, { tag: 0xdeadbeef, seen: 0x1234, queue: 7, valid: 1 });
  t.deepEqual(flowRow.shown, { tag: 0xdeadbeef, seen: 0x1234, queue: 7, valid: 1 });
});
