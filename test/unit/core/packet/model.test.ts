/** Decisions of the model, against expectations that were written by hand from maps/*.h and the RFCs. */
import test from 'ava';
import fc from 'fast-check';
import { EventKind, Reason, VnicFlag, VnicPath } from '../../../../maps/generated/contract.js';
import { applyEffects, type Arrival, decide, type Decision, steerQueue } from '../../../../src/core/packet/model.js';
import { frame, type FrameBuilder } from '../../../support/packet_builder.js';
import { changeVnic, MAC, OTHER_UPLINK, steering, TAP, testState, type TestState, TICK, UPLINK, VF } from './state.js';

const fromWire = { program: 'steer_uplink', ifindex: UPLINK, rxQueue: 0, cpu: 0 } as const;
const fromVf = { program: 'steer_guest', ifindex: VF.g1, rxQueue: 0, cpu: 0 } as const;
const fromTap = { program: 'steer_guest', ifindex: TAP.g1, rxQueue: 0, cpu: 0 } as const;
const toG1 = frame().ethernet({ from: MAC.station, to: MAC.g1 });
const toStation = frame().ethernet({ from: MAC.g1, to: MAC.station });
const request = toG1.ip('192.0.2.10', '192.0.2.1').udp(1000, 53).payload('question');
const answer = toStation.ip('192.0.2.1', '192.0.2.10').udp(53, 1000).payload('answer');

/** Decides, and makes it so. */
function send(state: TestState, builder: FrameBuilder, arrival: Arrival): Decision {
  const decision = decide(state, builder.build(), arrival);
  applyEffects(state, decision.effects);
  return decision;
}

test('from the wire to the VF', (t) => {
  const decision = send(testState(), request, fromWire);
  t.like(decision, { verdict: 'redirect', reason: Reason.REDIRECT_SINGLE, vnic: 1, target: VF.g1, queue: 0, cpu: null });
});

test('to a vNIC on its software path: to the bridge, or with cut-through to the tap', (t) => {
  const state = testState();
  const toG2 = frame().ethernet({ from: MAC.station, to: MAC.g2 }).ip('192.0.2.10', '192.0.2.2').udp(1, 2);
  t.like(send(state, toG2, fromWire), { verdict: 'pass', reason: Reason.PASS_SOFTWARE, vnic: 2, target: 0 });
  changeVnic(state, 2, { flags: VnicFlag.CUT_THROUGH });
  t.like(send(state, toG2, fromWire), { verdict: 'redirect', target: TAP.g2 });
});

test('a vNIC of another uplink is not reached', (t) => {
  const decision = send(testState(), request, { ...fromWire, ifindex: OTHER_UPLINK });
  t.like(decision, { verdict: 'pass', reason: Reason.PASS_OTHER_DOMAIN, vnic: 1 });
});

test('a queue that another CPU serves: handed over with the key before the frame, and redirected there', (t) => {
  const state = testState();
  state.steerings.set(3, steering({ queues: 2, reta: new Uint8Array(128).fill(1) }));
  const bytes = request.build();
  const decision = decide(state, bytes, fromWire);
  t.like(decision, { verdict: 'redirect', reason: Reason.REDIRECT_RSS, target: VF.g1, queue: 1, cpu: 1 });
  t.is(decision.frame.length, bytes.length + 8);
  t.is(Buffer.from(decision.frame).readBigUInt64LE(), 0x8000_0100_0000_5452n, 'MAC address first byte lowest, bit 63');
  const second = steerQueue(state, decision.frame);
  t.like(second, { verdict: 'redirect', reason: null, vnic: 1, target: VF.g1 });
  t.deepEqual(Buffer.from(second.frame), bytes);
  t.like(decide(state, bytes, { ...fromWire, cpu: 3 }), { cpu: null, queue: 1 }, 'CPU 3 reaches queue 1 of 2 as well');
});

test('where no CPU reaches the queue, the frame takes the one that this CPU reaches', (t) => {
  const state = testState();
  const queueCpus = new Array<number>(64).fill(0xffff);
  state.steerings.set(3, steering({ queues: 2, reta: new Uint8Array(128).fill(1), queueCpus }));
  t.like(send(state, request, fromWire), { verdict: 'redirect', cpu: null, queue: 0 });
});

test('RFS: the flow comes back on the queue on which the guest sends it', (t) => {
  const state = testState();
  state.steerings.set(3, steering({ queues: 4 }));
  send(state, answer, { ...fromVf, rxQueue: 2 });
  t.like(send(state, request, { ...fromWire, cpu: 2 }), { reason: Reason.REDIRECT_RFS, queue: 2, cpu: null });
});

test('RFS: what was learnt is used up to FLOW_EXPIRY, 1800 ticks', (t) => {
  for (const [age, reason] of [[1800, Reason.REDIRECT_RFS], [1801, Reason.REDIRECT_RSS]] as const) {
    const state = testState();
    state.steerings.set(3, steering({ queues: 4 }));
    send(state, answer, { ...fromVf, rxQueue: 2 });
    state.tick = TICK + age;
    t.is(send(state, request, fromWire).reason, reason, `${age} ticks`);
  }
});

test('a flow changes its queue only after two quiet ticks', (t) => {
  for (const [age, reason, queue] of [[1, Reason.REDIRECT_DRAIN, 0], [2, Reason.REDIRECT_RFS, 2]] as const) {
    const state = testState();
    state.steerings.set(3, steering({ queues: 4 }));
    t.like(send(state, request, fromWire), { reason: Reason.REDIRECT_RSS, queue: 0 });
    send(state, answer, { ...fromVf, rxQueue: 2 });
    state.tick = TICK + age;
    t.like(send(state, request, fromWire), { reason, queue }, `${age} ticks`);
  }
});

test('receive follows transmit: to the VF where that is allowed, with an event', (t) => {
  const state = testState();
  state.paths.set(1, { word: 0xffff_ffff_0000_0100n, vfSeen: 0, tapMulticast: 0, holdUntilNs: 0n });
  const { effects } = send(state, answer, fromVf);
  t.deepEqual(state.paths.get(1), { word: 0x101n, vfSeen: TICK, tapMulticast: 0, holdUntilNs: 0n }, 'the generation wraps');
  const event = { vnic: 1, generation: 0, ifindex: VF.g1, kind: EventKind.PATH_CHANGED, path: VnicPath.ACCELERATED, command: 0 };
  t.deepEqual(effects.filter(({ kind }) => kind === 'event'), [{ kind: 'event', event }]);
});

test('receive follows transmit: off the VF once it has been quiet', (t) => {
  for (const [seen, path] of [[TICK - 1, 1n], [TICK - 2, 0n], [TICK + 8, 1n], [TICK + 9, 0n]] as const) {
    const state = testState();
    state.paths.set(1, { word: 0x101n, vfSeen: seen, tapMulticast: 0, holdUntilNs: 0n });
    send(state, answer, fromTap);
    t.is(state.paths.get(1)!.word & 0xffn, path, `VF seen at ${seen - TICK}`);
  }
});

test('what looks unfinished goes to the bridge', (t) => {
  const ip = toG1.ip('192.0.2.10', '192.0.2.1');
  const ip6 = toG1.ip('2001:db8::10', '2001:db8::1');
  const partial: readonly FrameBuilder[] = [
    ip.partialChecksum().udp(1, 2), ip.partialChecksum().tcp(1, 2).payload('odd'), ip6.partialChecksum().tcp(1, 2),
    ip.noChecksum().udp(1, 2), ip.udp(1, 4789), toG1.ipv4({ from: '192.0.2.10', to: '192.0.2.1', protocol: 47 }).payload('tunnel'),
  ];
  for (const builder of partial) t.is(send(testState(), builder, fromWire).reason, Reason.PASS_PARTIAL_CHECKSUM);
  const finished: readonly FrameBuilder[] = [ip.udp(1, 2), ip.tcp(1, 2), ip6.udp(1, 2), ip.echo(), ip6.echoV6()];
  for (const builder of finished) t.is(send(testState(), builder, fromWire).reason, Reason.REDIRECT_SINGLE);
});

test('an access vNIC: the tag is taken off on the way in, and put in on the way out', (t) => {
  const state = testState();
  changeVnic(state, 1, { flags: VnicFlag.ACCESS, vlan: 100, vlans: [100, ...new Array<number>(15).fill(0)] });
  const key = [...state.index.keys()].find((candidate) => candidate === 0x8000_0100_0000_5452n)!;
  state.index.delete(key);
  state.index.set(0x8064_0100_0000_5452n, { vnic: 1, role: 0 });
  const tagged = frame().ethernet({ from: MAC.station, to: MAC.g1 }).vlan(100, 5).ip('192.0.2.10', '192.0.2.1').udp(1, 2);
  const untagged = frame().ethernet({ from: MAC.station, to: MAC.g1 }).ip('192.0.2.10', '192.0.2.1').udp(1, 2);
  const inward = send(state, tagged, fromWire);
  t.is(inward.verdict, 'redirect');
  t.deepEqual(Buffer.from(inward.frame), untagged.build());
  const outward = send(state, answer, fromVf);
  t.like(outward, { verdict: 'redirect', reason: Reason.REDIRECT_UPLINK, target: UPLINK });
  const expected = toStation.vlan(100).ip('192.0.2.1', '192.0.2.10').udp(53, 1000).payload('answer');
  t.deepEqual(Buffer.from(outward.frame), expected.build());
  t.is(send(state, toStation.vlan(100).ip('192.0.2.1', '192.0.2.10').udp(1, 2), fromVf).reason, Reason.DROP_SPOOFED_VLAN);
});

test('checked addresses: what cannot be read is refused', (t) => {
  const state = testState();
  changeVnic(state, 1, { flags: VnicFlag.CHECK_ADDRESSES });
  const nothing = { prefix: [0, 0, 0, 0], mask: [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff] };
  const own = { prefix: [0x2001_0db8, 0, 0, 1], mask: nothing.mask };
  state.addresses.set(1, {
    ipv4Count: 1, ipv6Count: 1,
    ipv4: Array.from({ length: 16 }, (_, i) => (i === 0 ? { prefix: 0xc000_0201, mask: 0xffff_ffff } : { prefix: 0, mask: 0 })),
    ipv6: Array.from({ length: 16 }, (_, i) => (i === 0 ? own : nothing)),
  });
  t.is(send(state, answer, fromVf).verdict, 'pass', 'its own address');
  t.is(send(state, toStation.ip('192.0.2.2', '192.0.2.10').udp(1, 2), fromVf).reason, Reason.DROP_SPOOFED_IP);
  const tags = (first: number, ...more: number[]): FrameBuilder => more.reduce((tagged, id) => tagged.vlan(id), toStation.vlan(first));
  const own4 = (builder: FrameBuilder): FrameBuilder => builder.ip('192.0.2.1', '192.0.2.10').udp(1, 2);
  t.is(send(state, own4(tags(0)), fromVf).verdict, 'pass', 'one priority tag');
  t.is(send(state, own4(tags(0, 5)), fromVf).reason, Reason.DROP_SPOOFED_VLAN, 'a priority tag before another one');
  changeVnic(state, 1, { vlan: 5, vlans: [5, ...new Array<number>(15).fill(0)] });
  t.is(send(state, own4(tags(5, 0)), fromVf).verdict, 'pass', 'two tags');
  t.is(send(state, own4(tags(5, 0, 0)), fromVf).reason, Reason.DROP_SPOOFED_IP, 'three tags');
  changeVnic(state, 1, { vlan: 0 });
  let chain = toStation.ip('2001:db8::1', '2001:db8::10');
  for (let i = 0; i < 6; i++) chain = chain.hopByHop();
  t.is(send(state, chain.echoV6(), fromVf).verdict, 'pass', 'six extension headers');
  t.is(send(state, chain.hopByHop().echoV6(), fromVf).reason, Reason.DROP_SPOOFED_IP, 'seven');
});

test('a frame in several buffers: only what the port takes', (t) => {
  const state = testState();
  const arrival = { ...fromWire, firstBuffer: 60 };
  t.is(send(state, request.fillTo(200), arrival).reason, Reason.PASS_MULTI_BUFFER);
  changeVnic(state, 1, { flags: VnicFlag.VF_MULTI_BUFFER });
  t.is(send(state, request.fillTo(200), arrival).reason, Reason.REDIRECT_SINGLE);
  const within = { ...fromWire, firstBuffer: 40 };
  t.is(send(state, request.fillTo(200), within).reason, Reason.PASS_PARTIAL_CHECKSUM, 'the UDP header is not seen');
});

test('a tag that does not fit before the frame: to the bridge, as it came', (t) => {
  const state = testState();
  changeVnic(state, 1, { flags: VnicFlag.ACCESS, vlan: 100, vfIfindex: 0 });
  changeVnic(state, 2, { flags: VnicFlag.CUT_THROUGH });
  state.index.set(0x8064_0200_0000_5452n, { vnic: 2, role: 0 });
  const toNeighbour = frame().ethernet({ from: MAC.g1, to: MAC.g2 }).ip('192.0.2.1', '192.0.2.2').udp(1, 2);
  const bytes = toNeighbour.build();
  const refused = decide(state, bytes, { ...fromTap, headroom: 3 });
  t.is(refused.reason, Reason.PASS_NO_HEADROOM);
  t.is(refused.frame, bytes);
  t.is(decide(state, bytes, { ...fromTap, headroom: 4 }).verdict, 'redirect');
});

test('whatever comes, there is a verdict, it is counted, and nothing is changed but by effects', (t) => {
  const state = testState();
  const anyFrame = fc.uint8Array({ minLength: 0, maxLength: 120 });
  const addressed = anyFrame.map((bytes) => {
    const head = toG1.build().subarray(0, 12);
    return Uint8Array.from([...head, ...bytes]);
  });
  fc.assert(fc.property(fc.oneof(anyFrame, addressed), fc.constantFrom(fromWire, fromVf, fromTap), (bytes, arrival) => {
    const before = bytes.slice();
    const decision = decide(state, bytes, arrival);
    t.deepEqual(bytes, before);
    t.is(decision.effects.filter(({ kind }) => kind === 'reason').length, 1);
    t.is(decision.verdict === 'redirect', decision.target !== 0);
  }), { numRuns: 500 });
});
