/** Explanations on states made up here. That they are true is proven on the real programs: test/netns/capture.test.ts. */
import test from 'ava';
import { ContractLimit, type Flow, HashType, PortRole, type Steering, type Vnic, VnicFlag } from '../../../maps/generated/contract.js';
import { explain as explainWith } from '../../../src/capture/explain.js';
import { reasonTexts } from '../../../src/capture/reason_texts.js';
import { type Arrival, decide, type HoldRing, type PacketState, portKey, vnicKey } from '../../../src/core/packet/model.js';
import { frame, type FrameBuilder } from '../../support/packet_builder.js';
import { rssVectorKey } from '../../support/rss_vectors.js';

const [PF, TAP, VF] = [2, 3, 4] as const;
const MAC = '52:54:00:00:00:01';
const STATION = '02:00:00:00:00:aa';
const LINKS = new Map<number, string>([
  [PF, 'pf0'],
  [TAP, 'tap1'],
  [VF, 'vfp1'],
]);
const NAMES = { link: (ifindex: number) => LINKS.get(ifindex) ?? `if${ifindex}`, vnic: (id: number) => `g${id}` };
const NOW = 100_000_000_000n;
const NONE: Flow = { learnt: { tag: 0, seen: 0, queue: 0, valid: 0 }, steered: { tag: 0, seen: 0, queue: 0, valid: 0 } };

function vnic(change: Partial<Vnic> = {}): Vnic {
  return {
    tapIfindex: TAP,
    vfIfindex: VF,
    uplinkIfindex: PF,
    flags: VnicFlag.CUT_THROUGH,
    tapFrameMax: 1514,
    vfFrameMax: 1514,
    uplinkFrameMax: 1514,
    vlan: 0,
    mac: Buffer.from(MAC.replaceAll(':', ''), 'hex'),
    vlanCount: 1,
    vlans: new Array<number>(ContractLimit.MAX_VLANS).fill(0),
    ...change,
  };
}

function steering(change: Partial<Steering> = {}): Steering {
  const reta = Buffer.from(Array.from({ length: ContractLimit.RETA_SIZE }, (_, bucket) => bucket % 4));
  return {
    queues: 4,
    hashTypes: HashType.DEFAULT,
    rssRow: 0, nicHash: 0,
    reta,
    queueCpus: [0, 1, 2, 3, ...new Array<number>(60).fill(0xffff)],
    ...change,
  };
}

function state(
  change: {
    readonly vnic?: Vnic;
    readonly steering?: Steering;
    readonly flow?: Flow;
    readonly vlan?: number;
    readonly path?: bigint;
    readonly holdUntilNs?: bigint;
    readonly ring?: HoldRing;
  } = {},
): PacketState {
  const bytes = Buffer.from(MAC.replaceAll(':', ''), 'hex');
  const flow = change.flow ?? NONE;
  return {
    knobs: { flowsPerVnic: 1, uplinkPartialChecksum: true },
    tick: 10_000,
    nowNs: NOW,
    holds: new Map(change.ring === undefined ? [] : [[1, change.ring]]),
    seen: new Map(),
    rates: new Map(),
    vnics: new Map([[1, change.vnic ?? vnic()]]),
    index: new Map([
      [vnicKey(bytes, change.vlan ?? 0), { vnic: 1, role: PortRole.TAP }],
      [portKey(TAP), { vnic: 1, role: PortRole.TAP }],
      [portKey(VF), { vnic: 1, role: PortRole.VF }],
    ]),
    paths: new Map([[1, { word: change.path ?? 1n, vfSeen: 0, tapMulticast: 0, holdUntilNs: change.holdUntilNs ?? 0n }]]),
    steerings: new Map([
      [2, steering(change.steering)],
      [3, change.steering ?? steering()],
    ]),
    rss: new Map([[0, { key: rssVectorKey }]]),
    flowSeeds: new Map([[1, 1n]]),
    flows: { get: () => flow },
    remotes: new Map(),
    addresses: new Map(),
    txPorts: new Set([PF, TAP, VF]),
    cpus: new Set([0, 1, 2, 3]),
  };
}

const explain = (of: PacketState, names: typeof NAMES, bytes: Buffer, arrival: Arrival) => explainWith(of, names, bytes, arrival, 0.016);
const onWire: Arrival = { program: 'steer_uplink', ifindex: PF, rxQueue: 0, cpu: 0 };
const wire = (): FrameBuilder => frame().ethernet({ from: STATION, to: MAC });
// The first published vector: 0x51ccc178.
const vector = (): FrameBuilder => wire().ip('66.9.149.187', '161.142.100.80').tcp(2794, 1766);
const lines = (of: { readonly steps: readonly { readonly step: string; readonly text: string }[] }): string[] =>
  of.steps.map(({ step, text }) => `${step}: ${text}`);

test('RSS, by way of another CPU', (t) => {
  const said = explain(state({ steering: steering({ reta: Buffer.alloc(ContractLimit.RETA_SIZE, 2) }) }), NAMES, vector().build(), onWire);
  t.like(said, {
    verdict: 'redirect',
    reason: 'redirect_rss',
    vnic: 'g1',
    path: 'accelerated',
    target: 'vfp1',
    target_port: 'vf',
    queue: 2,
    handed_to_cpu: 2,
    hash: '0x51ccc178',
    hashed: 'addresses and ports',
    rss_row: 0,
    bucket: 120,
    bucket_queue: 2,
    flow_slot: 0,
    learnt: null,
    steered: null,
    draining: false,
    tag: 'kept',
  });
  t.deepEqual(lines(said), [
    'arrives: on pf0, receive queue 0, CPU 0: steer_uplink',
    'frame: 66.9.149.187:2794 > 161.142.100.80:1766 TCP [.] length 0, 54 bytes',
    'lookup: 52:54:00:00:00:01, untagged, is g1',
    'path: g1 is on the accelerated path: vfp1, frames up to 1514 bytes',
    'rfs: slot 0 of 1: the guest has not sent this flow; no frame was steered here yet',
    'rss: hash 0x51ccc178 over addresses and ports with key row 0 -> bucket 120 of 128 -> queue 2',
    'queue: queue 2 of 4, which CPU 0 does not reach: handed over to CPU 2',
    'target: vfp1, vf port of g1, queue 2',
    "changes: queue 2 would be noted as the one where the flow's last frame went",
    `verdict: REDIRECT redirect_rss: ${reasonTexts.redirect_rss}`,
  ]);
});

test("a slot that another flow has, and one that is the flow's own", (t) => {
  const strange: Flow = { learnt: { tag: 7, seen: 9_990, queue: 1, valid: 1 }, steered: { tag: 7, seen: 9_999, queue: 1, valid: 1 } };
  const said = explain(state({ flow: strange }), NAMES, vector().build(), onWire);
  t.deepEqual(said.learnt, { queue: 1, age_seconds: 0.16, of_this_flow: false });
  t.like(said.steered, { queue: 1, of_this_flow: false });
  t.true(
    lines(said).some((line) =>
      /^rfs: .*slot is another one's for 0\.16 s; the last frame steered by this slot was another flow's/.test(line),
    ),
  );

  const steered = decide(state(), vector().build(), onWire).effects.find((effect) => effect.kind === 'steered');
  const tag = steered?.kind === 'steered' ? steered.record.tag : 0;
  const own: Flow = { learnt: { tag, seen: 9_990, queue: 3, valid: 1 }, steered: { tag, seen: 9_999, queue: 1, valid: 1 } };
  const drained = explain(state({ flow: own }), NAMES, vector().build(), onWire);
  t.like(drained, {
    reason: 'redirect_drain',
    queue: 1,
    draining: true,
    learnt: { queue: 3, of_this_flow: true },
    steered: { queue: 1, of_this_flow: true },
  });
  t.true(
    lines(drained).some((line) =>
      /^rfs: .*the guest sends this flow on queue 3, .*; its last frame went to queue 1, .*\(not yet drained\)$/.test(line),
    ),
  );
});

test('frames that do not get so far', (t) => {
  const reasonOf = (of: PacketState, built: FrameBuilder, arrival: Arrival = onWire) => {
    const said = explain(of, NAMES, built.build(), arrival);
    return [said.verdict, said.reason, said.target, said.queue, said.tag];
  };
  const software = vnic({ flags: 0 });
  t.deepEqual(reasonOf(state({ path: 0n, vnic: software }), vector()), ['pass', 'pass_software', null, null, null]);
  t.deepEqual(reasonOf(state(), wire().ip('1.2.3.4', '1.2.3.5').udp(1, 2).fillTo(1515)), ['pass', 'pass_oversize', null, null, null]);
  t.deepEqual(reasonOf(state(), frame().ethernet({ from: STATION, to: STATION }).ip('1.2.3.4', '1.2.3.5').udp(1, 2)), [
    'pass',
    'pass_unknown_mac',
    null,
    null,
    null,
  ]);
  const onVf: Arrival = { program: 'steer_guest', ifindex: VF, rxQueue: 0, cpu: 0 };
  t.deepEqual(reasonOf(state(), vector(), onVf), ['drop', 'drop_spoofed_mac', null, null, null]);
  const spoofed = explain(state(), NAMES, vector().build(), onVf);
  t.true(lines(spoofed).includes('sender: vf port of g1; refused'));
});

test('the tag of an access vNIC is taken off, on one CPU and by way of another', (t) => {
  const access = vnic({ flags: VnicFlag.ACCESS, vlan: 5 });
  for (const queue of [0, 3]) {
    const of = state({ vnic: access, vlan: 5, steering: steering({ reta: Buffer.alloc(ContractLimit.RETA_SIZE, queue) }) });
    const said = explain(
      of,
      NAMES,
      frame().ethernet({ from: STATION, to: MAC }).vlan(5).ip('1.2.3.4', '1.2.3.5').udp(1, 2).build(),
      onWire,
    );
    t.like(said, { verdict: 'redirect', queue, handed_to_cpu: queue === 0 ? null : 3, tag: 'taken_off', tag_vlan: 5 });
    t.true(lines(said).includes('tag: VLAN 5 is taken off'));
  }
});

const HOLD = 0x200n;
const RELEASE = 0x400n;
const holdUntilNs = NOW + 2_500_000_000n;
const ring = { size: 1_048_576, taken: 288 };

test('a hold: how long, how full, and what becomes of the frame', (t) => {
  const said = explain(state({ path: HOLD, holdUntilNs, ring }), NAMES, vector().build(), onWire);
  t.like(said, { verdict: 'drop', reason: 'held', vnic: 'g1', path: 'software', target: null, queue: null });
  t.deepEqual(lines(said).slice(2), [
    'lookup: 52:54:00:00:00:01, untagged, is g1',
    'hold: g1 changes its path and hears on neither for now: frames wait, for 2.50 s more at most; 288 of 1048576 bytes are taken',
    'changes: 54 bytes of it would wait for g1, which takes 288 bytes of its ring',
    `verdict: DROP held: ${reasonTexts.held}`,
  ]);
  const full = explain(state({ path: HOLD, holdUntilNs, ring: { size: 4096, taken: 4000 } }), NAMES, vector().build(), onWire);
  t.is(lines(full).at(-1), `verdict: DROP drop_hold_full: ${reasonTexts.drop_hold_full}`);
  t.true(lines(full).some((line) => line.endsWith('4000 of 4096 bytes are taken')));
});

test('a hold that is released, that ended by itself, that has no ring', (t) => {
  const holdLine = (change: Parameters<typeof state>[0]) => {
    const said = explain(state(change), NAMES, vector().build(), onWire);
    return [said.reason, lines(said).find((line) => line.startsWith('hold:'))];
  };
  t.deepEqual(holdLine({ path: HOLD | RELEASE | 1n, holdUntilNs, ring }), [
    'held',
    'hold: g1 has changed its path: what waited is being delivered, 288 of 1048576 bytes are taken',
  ]);
  t.deepEqual(holdLine({ path: HOLD | RELEASE | 1n, holdUntilNs, ring: { ...ring, taken: 0 } }), [
    'redirect_rss',
    'hold: g1 has changed its path: all that waited is delivered',
  ]);
  t.deepEqual(holdLine({ path: HOLD | 1n, holdUntilNs: NOW - 1_000_000_000n, ring }), [
    'redirect_rss',
    'hold: g1 is marked as changing its path, but the hold ended by itself 1.00 s ago',
  ]);
  t.deepEqual(holdLine({ path: HOLD | 1n, holdUntilNs }), [
    'redirect_rss',
    'hold: g1 is marked as changing its path, but there is nothing that frames could wait in',
  ]);
  t.deepEqual(holdLine({ path: 1n, ring }), ['redirect_rss', undefined]);
});

test('from a guest: an answer, what is heard, which addresses are seen', (t) => {
  const onVf: Arrival = { program: 'steer_guest', ifindex: VF, rxQueue: 0, cpu: 0 };
  const from = (to: string): FrameBuilder => frame().ethernet({ from: MAC, to });
  const arp = (to: string): Buffer => from(to).arp({ senderMac: MAC, sender: '192.0.2.1', target: '192.0.2.9' }).build();
  const answer = explain(state(), NAMES, arp('02:00:00:00:00:01'), onVf);
  t.like(answer, { verdict: 'drop', reason: 'control' });
  t.deepEqual(lines(answer).slice(2), [
    'sender: vf port of g1; its addresses and VLAN are its own',
    'changes: unipathd would be told that g1 hears on the accelerated path',
    `verdict: DROP control: ${reasonTexts.control}`,
  ]);
  const held = explain(state({ path: HOLD, holdUntilNs, ring }), NAMES, arp('ff:ff:ff:ff:ff:ff'), onVf);
  t.deepEqual(held.changes, [
    '192.0.2.1 would be noted as an address that g1 uses',
    'unipathd would be told that g1 hears on the accelerated path',
  ]);
  const nd = from('33:33:ff:00:00:01').ip('2001:db8::1', 'ff02::1:ff00:1').neighbourSolicitation('2001:db8::9').build();
  t.deepEqual(explain(state(), NAMES, nd, onVf).changes, ['2001:db8::1 would be noted as an address that g1 uses']);
});

test('every reason has its words', (t) => {
  for (const [reason, text] of Object.entries(reasonTexts)) t.true(text.length > 20, reason);
});
