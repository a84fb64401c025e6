import test from 'ava';
import fc from 'fast-check';
import {
  bridgeVlanNoteCodec, hostFingerprint, hostMaps, pathWordCodec, reasonNames, redirectErrorKeyCodec, remoteCodec, seenAddressesCodec, steeringCodec,
  vnicCodec, vnicCountersCodec, vnicSlotCodec,
} from '../../../maps/generated/contract.js';
import { encode, type MapSpec } from '../../../src/btf/codec.js';
import { Decoder, fieldsOf, type Plain, sizeOf } from '../../../src/btf/decode.js';
import { macBytes } from '../../../src/core/model.js';
import { portKey, vnicKey } from '../../../src/core/packet/keys.js';
import type { MapName } from '../../../src/dataplane/loader.js';
import { decodeRow, keyName, layoutOfMap, rowText } from '../../../src/dataplane/map_words.js';

const MAC = macBytes('52:54:00:00:00:01');
const names = { link: (ifindex: number) => `if${ifindex}`, vnic: (id: number) => `g${id}` };

test('sizes and fields are those of the generated codecs', (t) => {
  for (const spec of Object.values(hostMaps)) {
    const { key, value } = layoutOfMap(spec.name as MapName);
    if (!('key' in spec)) {
      t.deepEqual([key, value], [null, null], spec.name);
      continue;
    }
    const { key: keyCodec, value: valueCodec } = spec as MapSpec<unknown, unknown>;
    t.deepEqual([key?.size, value?.size], [keyCodec.size, valueCodec.size], spec.name);
  }
  t.deepEqual(fieldsOf(hostFingerprint, 'struct bridge_vlan_key'), [{ name: 'ifindex', type: '__u32', offset: 0 }, { name: 'vid', type: '__u16', offset: 4 }]);
  t.throws(() => sizeOf(hostFingerprint, 'struct nothing'), { message: /has no type "struct nothing"/ });
});

test('whatever is in a map, it is decoded', (t) => {
  for (const spec of Object.values(hostMaps)) {
    const { key, value } = layoutOfMap(spec.name as MapName);
    for (const layout of [key, value]) {
      if (layout === null) continue;
      fc.assert(fc.property(fc.uint8Array({ minLength: layout.size, maxLength: layout.size }), (bytes) => {
        t.notThrows(() => rowText(decodeRow(layout.type, Buffer.from(bytes))), layout.type);
      }), { numRuns: layout.size > 4096 ? 3 : 20 });
    }
  }
});

test('what the codecs write, in words', (t) => {
  const vnic = encode(vnicCodec, {
    tapIfindex: 7, vfIfindex: 0, uplinkIfindex: 2, flags: 0x11, tapFrameMax: 1514, vfFrameMax: 0, uplinkFrameMax: 1514, vlan: 5, mac: MAC,
    vlanCount: 1, vlans: [5, ...new Array<number>(15).fill(0)],
  });
  t.like(decodeRow('struct vnic', vnic), { mac: '52:54:00:00:00:01', flags: ['cut_through', 'access'], vlan: 5 });
  t.is(
    rowText(decodeRow('struct vnic', vnic)),
    'tap_ifindex=7 vf_ifindex=0 uplink_ifindex=2 flags=cut_through,access tap_frame_max=1514 vf_frame_max=0 uplink_frame_max=1514 vlan=5 ' +
      'mac=52:54:00:00:00:01 vlan_count=1 vlans=5',
  );
  const word = (3n << 32n) | 0x101n;
  t.deepEqual(decodeRow('struct path_word', encode(pathWordCodec, { word, vfSeen: 9, tapMulticast: 7, holdUntilNs: 0n })), {
    word: { path: 'accelerated', vf_allowed: 1, hold: 'none', generation: 3 }, vf_seen: 9, tap_multicast: 7, hold_until_ns: 0,
  });
  const slot = (key: bigint): Plain => decodeRow('struct vnic_slot', encode(vnicSlotCodec, { key, vnic: 1, role: 1 }));
  t.deepEqual(slot(vnicKey(MAC, 7)), { key: '52:54:00:00:00:01 vlan 7', vnic: 1, role: 'vf' });
  t.deepEqual(slot(portKey(12)), { key: 'port 12', vnic: 1, role: 'vf' });
  t.deepEqual(slot(0n), { key: null, vnic: 1, role: 'vf' });
  t.deepEqual(decodeRow('struct remote', encode(remoteCodec, { key: vnicKey(MAC, 0), uplinkIfindex: 2, learnt: 1 })), {
    key: '52:54:00:00:00:01 vlan 0', uplink_ifindex: 2, learnt: 1,
  });
  t.deepEqual(decodeRow('struct seen_addresses', encode(seenAddressesCodec, { ipv4: 0x0a4d000b, ipv6: [0xfd770000, 0, 0, 0x11] })), {
    ipv4: '10.77.0.11', ipv6: 'fd77::11',
  });
  t.deepEqual(decodeRow('struct redirect_error_key', encode(redirectErrorKeyCodec, { ifindex: 3, error: -28, kind: 1 })), { ifindex: 3, error: -28, kind: 'devmap' });
  t.deepEqual(decodeRow('struct bridge_vlan_note', encode(bridgeVlanNoteCodec, { before: 5 })), { before: ['present', 'untagged'] });
  const steering = encode(steeringCodec, {
    queues: 2, hashTypes: 0x77, rssRow: 1, nicHash: 0, reta: Buffer.from(Array.from({ length: 128 }, (_, i) => i % 2)), queueCpus: [0, 1, ...new Array<number>(62).fill(0)],
  });
  t.regex(rowText(decodeRow('struct steering', steering)), /^queues=2 hash_types=ipv4,tcp_ipv4,.*,udp_ipv6 rss_row=1 nic_hash=0 reta=(0001){64} queue_cpus=0,1$/);
});

test('counters by reason; only what is not zero is in the text', (t) => {
  const none = { packets: 0n, bytes: 0n };
  const counters = encode(vnicCountersCodec, {
    reasons: Array.from({ length: Object.keys(reasonNames).length }, (_, reason) => (reason === 14 ? { packets: 2n, bytes: 120n } : none)),
    tapQueues: new Array<bigint>(64).fill(0n), vfQueues: [0n, 5n, ...new Array<bigint>(62).fill(0n)], fromTap: none, fromVf: { packets: 1n, bytes: 2n ** 60n },
    cpuHandovers: 4n, flowsLearnt: 0n, flowsMoved: 0n, pathChanges: 0n, flowsReplaced: 0n, flowsExpired: 0n,
  });
  const decoded = decodeRow('struct vnic_counters', counters);
  t.like(decoded, { reasons: { drop_spoofed_mac: { packets: 2, bytes: 120 } }, from_vf: { packets: 1, bytes: '0x1000000000000000' } });
  t.regex(rowText(decoded), /^reasons\.drop_spoofed_mac\.packets=2 reasons\.drop_spoofed_mac\.bytes=120 vf_queues=0,5 from_vf\.packets=1 .* cpu_handovers=4 /);
});

test('keys stand for vNICs, ports and interfaces', (t) => {
  t.is(keyName('vnics', 3, names, 1), 'g3');
  t.is(keyName('counters', 0, names, 1), 'no vNIC');
  t.is(keyName('rss_wishes', 0, names, 1), 'host');
  t.is(keyName('steerings', 7, names, 1), 'g3 vf');
  t.is(keyName('flows', 4096 * 3 + 5, names, 4096), 'g3 slot 5');
  t.is(keyName('tx_ports', 9, names, 1), 'if9');
  t.is(keyName('remotes', 9, names, 1), null);
});

test('values of an enum that it does not know come out as numbers', (t) => {
  const decoder = new Decoder(hostFingerprint);
  t.is(decoder.decode('enum port_role', Buffer.from([9])), 9);
  t.deepEqual(decoder.decode('enum rss_wish_flag', Buffer.from([0x12])), ['weights', 16]);
});
