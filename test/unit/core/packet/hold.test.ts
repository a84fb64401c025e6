/** Holds, answers and seen addresses in the model, against what maps/holds.h, maps/events.h and maps/vnics.h say. */
import test from 'ava';
import { EventKind, PortRole, Reason, VnicFlag, VnicPath } from '../../../../maps/generated/contract.js';
import { recordBytes } from '../../../../src/core/packet/hold.js';
import { applyEffects, type Arrival, decide, type Decision, decideTap, type TapArrival } from '../../../../src/core/packet/model.js';
import { BROADCAST, frame, type FrameBuilder } from '../../../support/packet_builder.js';
import { changeVnic, MAC, TAP, testState, type TestState, TICK, UPLINK, VF } from './state.js';

const HOLD = 0x200n;
const RELEASE = 0x400n;
const UNTIL = 1000n;
const CONTROL = '02:00:00:00:00:01';
const fromWire = { program: 'steer_uplink', ifindex: UPLINK, rxQueue: 0, cpu: 0 } as const;
const fromVf = { program: 'steer_guest', ifindex: VF.g1, rxQueue: 0, cpu: 0 } as const;
const fromTap = { program: 'steer_guest', ifindex: TAP.g1, rxQueue: 0, cpu: 0 } as const;
const onTap: TapArrival = { ifindex: TAP.g1, cameIn: UPLINK, segmentSize: 0, tag: null };
const toG1 = frame().ethernet({ from: MAC.station, to: MAC.g1 });
const request = toG1.ip('192.0.2.10', '192.0.2.1').udp(1000, 53).payload('question');
const answer = frame().ethernet({ from: MAC.g1, to: MAC.station }).ip('192.0.2.1', '192.0.2.10').udp(53, 1000).payload('answer');

/** g1 without the plug-in, on its software path unless the word says otherwise, with a ring that has nothing in it. */
function held(word = HOLD, size = 4096): TestState {
  const state = testState();
  changeVnic(state, 1, { flags: 0 });
  state.paths.set(1, { word, vfSeen: 0, tapMulticast: 0, holdUntilNs: UNTIL });
  state.holds.set(1, { size, taken: 0 });
  state.nowNs = UNTIL - 1n;
  return state;
}

function send(state: TestState, builder: FrameBuilder, arrival: Arrival): Decision {
  const decision = decide(state, builder.build(), arrival);
  applyEffects(state, decision.effects);
  return decision;
}

test('the room of a frame: the smallest that it fits into, with its header and that of the ring', (t) => {
  const rooms = [1, 256, 257, 1600, 1601, 10_240, 10_241, 66_048, 66_049].map(recordBytes);
  t.deepEqual(rooms, [288, 288, 1632, 1632, 10_272, 10_272, 66_080, 66_080, null]);
});

test('a frame waits until the hold ends by itself', (t) => {
  const state = held();
  const { effects, ...decision } = send(state, request, fromWire);
  t.like(decision, { verdict: 'drop', reason: Reason.HELD, vnic: 1 });
  const bytes = request.build();
  const expected = { kind: 'held' as const, vnic: 1, held: { length: bytes.length, segmentSize: 0, tag: 0, tagProtocol: 0 }, bytes, record: 288 };
  t.deepEqual(effects.find(({ kind }) => kind === 'held'), expected);
  t.deepEqual(state.holds.get(1), { size: 4096, taken: 288 });
  state.nowNs = UNTIL;
  t.like(send(state, request, fromWire), { reason: Reason.PASS_SOFTWARE });
});

test('without a ring nobody waits; a bit of a release alone says nothing', (t) => {
  const state = held();
  state.holds.delete(1);
  t.like(send(state, request, fromWire), { reason: Reason.PASS_SOFTWARE });
  t.like(send(held(RELEASE), request, fromWire), { reason: Reason.PASS_SOFTWARE });
});

test('while what waits is released, frames wait behind it, and no longer', (t) => {
  const state = held(HOLD | RELEASE | 1n);
  t.like(send(state, request, fromWire), { reason: Reason.REDIRECT_SINGLE, target: VF.g1 });
  state.holds.set(1, { size: 4096, taken: 288 });
  t.like(send(state, request, fromWire), { reason: Reason.HELD });
});

test('a ring is never quite full', (t) => {
  const state = held(HOLD, 8192);
  state.holds.set(1, { size: 8192, taken: 8192 - 288 - 8 });
  t.like(send(state, request, fromWire), { reason: Reason.HELD });
  t.like(send(state, request, fromWire), { verdict: 'drop', reason: Reason.DROP_HOLD_FULL });
  state.holds.set(1, { size: 8192, taken: 8192 - 288 });
  t.like(send(state, request, fromWire), { reason: Reason.DROP_HOLD_FULL });
});

test('a frame waits as its guest takes it: without its tag, or with the one of its VLAN', (t) => {
  const tagged = frame().ethernet({ from: MAC.station, to: MAC.g1 }).vlan(7, 5).ip('192.0.2.10', '192.0.2.1').udp(1000, 53).payload('question');
  for (const access of [true, false]) {
    const state = held();
    changeVnic(state, 1, { flags: access ? VnicFlag.ACCESS : 0, vlan: 7, vlans: [7, ...new Array<number>(15).fill(0)] });
    for (const [key, owner] of [...state.index]) if (owner.vnic === 1 && key >> 62n > 1n) state.index.set(key | (7n << 48n), owner);
    const { frame: left, effects } = send(state, tagged, fromWire);
    const expected = (access ? request : tagged).build();
    t.deepEqual(Buffer.from(left), expected);
    const kept = effects.find((effect) => effect.kind === 'held');
    t.deepEqual(kept?.kind === 'held' && Buffer.from(kept.bytes), expected);
  }
});

test('in a hold the path stays, and transmission on the VF tells that the guest hears there, once a tick', (t) => {
  const state = held(HOLD | 0x3_0000_0100n);
  const { effects } = send(state, answer, fromVf);
  const event = { vnic: 1, generation: 3, ifindex: VF.g1, kind: EventKind.HEARD, path: VnicPath.ACCELERATED, command: 0 };
  t.deepEqual(effects.filter(({ kind }) => kind === 'event'), [{ kind: 'event', event }]);
  t.deepEqual(state.paths.get(1), { word: HOLD | 0x3_0000_0100n, vfSeen: TICK, tapMulticast: 0, holdUntilNs: UNTIL });
  t.deepEqual(send(state, answer, fromVf).effects.filter(({ kind }) => kind === 'event' || kind === 'path'), []);
  t.deepEqual(send(held(HOLD | 1n), answer, fromTap).effects.filter(({ kind }) => kind === 'event' || kind === 'path'), []);
  for (const word of [HOLD | 1n, HOLD | RELEASE | 0x100n]) {
    const quiet = held(word);
    t.deepEqual(send(quiet, answer, fromVf).effects.filter(({ kind }) => kind === 'event'), []);
    t.is(quiet.paths.get(1)?.word, word);
    t.is(quiet.paths.get(1)?.vfSeen, TICK);
  }
});

test('what a guest sends to where questions come from is an answer, with or without a hold', (t) => {
  const reply = frame().ethernet({ from: MAC.g1, to: CONTROL }).arp({ senderMac: MAC.g1, sender: '192.0.2.1', target: '0.0.0.0' });
  for (const [state, arrival, path] of [[held(), fromTap, VnicPath.SOFTWARE], [held(1n), fromVf, VnicPath.ACCELERATED]] as const) {
    const decision = send(state, reply, arrival);
    t.like(decision, { verdict: 'drop', reason: Reason.CONTROL, vnic: 1 });
    const event = { vnic: 1, generation: 0, ifindex: arrival.ifindex, kind: EventKind.HEARD, path, command: 0 };
    t.deepEqual(decision.effects.filter(({ kind }) => kind === 'event'), [{ kind: 'event', event }]);
    t.is(decision.effects.filter(({ kind }) => kind === 'path' || kind === 'seen').length, 0);
  }
  const other = frame().ethernet({ from: MAC.g1, to: '02:00:00:00:00:02' }).arp({ senderMac: MAC.g1, sender: '192.0.2.1', target: '0.0.0.0' });
  t.like(send(held(), other, fromTap), { reason: Reason.PASS_UNKNOWN_MAC });
});

test('addresses are seen in ARP and neighbour discovery of a guest without the plug-in, each family by itself', (t) => {
  const state = held(0n);
  const toAll = frame().ethernet({ from: MAC.g1, to: BROADCAST });
  const multicast = frame().ethernet({ from: MAC.g1, to: '33:33:ff:00:00:01' });
  send(state, toAll.arp({ senderMac: MAC.g1, sender: '192.0.2.1', target: '192.0.2.9' }), fromTap);
  send(state, multicast.ip('2001:db8::1', 'ff02::1:ff00:1').neighbourSolicitation('2001:db8::9'), fromTap);
  const both = { ipv4: 0xc0000201, ipv6: [0x20010db8, 0, 0, 1] };
  t.deepEqual(state.seen.get(1), both);
  // Probes, other ICMPv6, other protocols.
  send(state, toAll.arp({ senderMac: MAC.g1, sender: '0.0.0.0', target: '192.0.2.2' }), fromTap);
  send(state, multicast.ip('::', 'ff02::1:ff00:1').neighbourSolicitation('2001:db8::2'), fromTap);
  send(state, multicast.ip('2001:db8::2', 'ff02::1').echoV6(), fromTap);
  send(state, answer, fromTap);
  t.deepEqual(state.seen.get(1), both);
  send(state, multicast.ip('fe80::2', 'ff02::1:ff00:1').destinationOptions().neighbourAdvertisement('fe80::2'), fromTap);
  t.deepEqual(state.seen.get(1), { ipv4: 0xc0000201, ipv6: [0xfe800000, 0, 0, 2] });
  const plugin = testState();
  send(plugin, toAll.arp({ senderMac: MAC.g1, sender: '192.0.2.1', target: '192.0.2.9' }), fromTap);
  t.is(plugin.seen.size, 0);
});

test('a frame that is refused tells no address', (t) => {
  const state = held(0n);
  changeVnic(state, 1, { flags: VnicFlag.CHECK_ADDRESSES });
  const arp = frame().ethernet({ from: MAC.g1, to: BROADCAST }).arp({ senderMac: MAC.g1, sender: '192.0.2.66', target: '192.0.2.9' });
  state.addresses.set(1, { ipv4Count: 0, ipv6Count: 0, ipv4: [], ipv6: [] });
  t.like(send(state, arp, fromTap), { reason: Reason.DROP_SPOOFED_ARP });
  t.is(state.seen.size, 0);
});

test('at the tap: of a guest on its software path nothing is done, nor of one with the plug-in', (t) => {
  const bytes = request.build();
  t.like(decideTap(held(0n), bytes, onTap), { verdict: 'pass', reason: null, effects: [] });
  t.like(decideTap(testState(), bytes, onTap), { verdict: 'pass', reason: null, effects: [] });
  t.like(decideTap(held(), bytes, { ...onTap, ifindex: 999 }), { verdict: 'pass', reason: null, effects: [] });
});

test('at the tap: what the bridge carries waits, with what the kernel carries beside it', (t) => {
  const { reason, effects } = decideTap(held(), request.build(), { ...onTap, segmentSize: 1448, tag: { protocol: 0x88a8, tci: 0x6064 } });
  t.is(reason, Reason.HELD);
  const kept = effects.find((effect) => effect.kind === 'held');
  t.like(kept, { vnic: 1, held: { length: request.build().length, segmentSize: 1448, tag: 0x6064, tagProtocol: 0x88a8 } });
  t.like(decideTap(held(HOLD, 256), request.build(), onTap), { verdict: 'drop', reason: Reason.DROP_HOLD_FULL });
});

test('at the tap: to the VF while the guest is there, but not what the guest itself sent', (t) => {
  const toAll = frame().ethernet({ from: MAC.station, to: BROADCAST }).arp({ senderMac: MAC.station, sender: '192.0.2.10', target: '192.0.2.1' });
  t.like(decideTap(held(1n), toAll.build(), onTap), { verdict: 'redirect', reason: Reason.REDIRECT_VF, target: VF.g1, role: PortRole.VF });
  const own = frame().ethernet({ from: MAC.g1, to: BROADCAST }).arp({ senderMac: MAC.g1, sender: '192.0.2.1', target: '192.0.2.9' });
  for (const word of [0n, 1n, HOLD]) t.like(decideTap(held(word), own.build(), onTap), { verdict: 'drop', reason: Reason.DROP_REFLECTED });
});

test('at the tap, behind an adapter that switches by itself: only what is for the guest, not back to where it came in, and tagged', (t) => {
  const state = held(1n);
  changeVnic(state, 1, { vfIfindex: UPLINK });
  const fromNeighbour = { ...onTap, cameIn: TAP.g2 };
  const toAll = frame().ethernet({ from: MAC.station, to: BROADCAST }).arp({ senderMac: MAC.station, sender: '192.0.2.10', target: '192.0.2.1' });
  t.like(decideTap(state, toAll.build(), onTap), { verdict: 'drop', reason: Reason.DROP_REFLECTED });
  t.like(decideTap(state, toAll.build(), { ...onTap, cameIn: 0 }), { verdict: 'drop', reason: Reason.DROP_REFLECTED });
  t.like(decideTap(state, request.build(), fromNeighbour), { verdict: 'redirect', target: UPLINK, reason: Reason.REDIRECT_VF });
  t.like(decideTap(state, request.build(), onTap), { verdict: 'pass', reason: null });
  changeVnic(state, 1, { flags: VnicFlag.ACCESS, vlan: 7 });
  const tagged = toG1.vlan(7).ip('192.0.2.10', '192.0.2.1').udp(1000, 53).payload('question');
  t.deepEqual(Buffer.from(decideTap(state, request.build(), fromNeighbour).frame), tagged.build());
});
