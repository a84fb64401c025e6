import test from 'ava';
import { describeSlots } from '../../../src/capture/flow_slots.js';
import { makeFrame } from '../../../src/capture/frame.js';
import { toCapturedFrame } from '../../../src/capture/record.js';
import { timerInterrupts } from '../../../src/dataplane/tick.js';
import { BusyFlows } from '../../../src/capture/top.js';
import { decisionText } from '../../../src/capture/words.js';
import { captureHeadCodec, ContractLimit, type Flow, type FlowRecord, Reason } from '../../../maps/generated/contract.js';
import { encode } from '../../../src/btf/codec.js';
import { frame } from '../../support/packet_builder.js';

test('busy flows: the busiest are kept, whatever else passes by', (t) => {
  const flows = new BusyFlows<number>(8, 'packets');
  for (let i = 0; i < 4000; i++) {
    if (i % 4 === 0) flows.add('big', 100, i);
    else if (i % 4 === 1) flows.add('second', 1000, i);
    else flows.add(`noise ${i}`, 60, i);
  }
  t.is(flows.size, 8);
  const [first, second, third] = flows.top(3);
  t.deepEqual([first?.key, first?.packets, first?.bytes, first?.over, first?.last], ['big', 1000, 100_000, 0, 3996]);
  t.deepEqual([second?.key, second?.packets, second?.bytes], ['second', 1000, 1_000_000]);
  t.is(third?.packets, 1);
  t.true((third?.over ?? 0) > 100, 'a newcomer inherits the weight of the one whose place it takes');
  flows.clear();
  t.deepEqual(flows.top(3), []);
});

test('busy flows by bytes', (t) => {
  const flows = new BusyFlows<null>(2, 'bytes');
  flows.add('few and large', 9000, null);
  for (let i = 0; i < 10; i++) flows.add('many and small', 60, null);
  flows.add('newcomer', 60, null);
  t.deepEqual(
    flows.top(9).map(({ key, over }) => [key, over]),
    [
      ['few and large', 0],
      ['newcomer', 600],
    ],
  );
});

const record = (queue: number, age: number, tag = 1, tick = 100_000): FlowRecord => ({ tag, seen: (tick - age) & 0xffff, queue, valid: 1 });
const NONE: FlowRecord = { tag: 0, seen: 0, queue: 0, valid: 0 };

test('slots of a vNIC', (t) => {
  const flows: readonly Flow[] = [
    { learnt: NONE, steered: NONE },
    { learnt: record(1, 0), steered: record(1, 0) },
    { learnt: record(1, 100), steered: record(0, 1) },
    { learnt: record(2, 500), steered: record(0, 1, 2) },
    { learnt: record(2, ContractLimit.FLOW_EXPIRY + 1), steered: NONE },
  ];
  const seen = describeSlots(flows, { now: 100_000, secondsPerTick: 0.016 });
  t.like(seen, { slots: 5, learnt: 4, expired: 1, steered: 3, moving: 1, learnt_queues: { 1: 2, 2: 1 }, steered_queues: { 0: 2, 1: 1 } });
  t.deepEqual(
    seen.learnt_ages.map(({ slots }) => slots),
    [1, 1, 1, 0],
  );
  t.is(seen.lifetime_seconds, Math.round(ContractLimit.FLOW_LIFETIME * 1.6) / 100);
  t.is(seen.expiry_seconds, Math.round(ContractLimit.FLOW_EXPIRY * 0.16) / 10);
});

test('a record of the ring', (t) => {
  const decision = { vnic: 3, targetIfindex: 7, hash: 0x51ccc178, cpu: 1, queue: 2, reason: Reason.REDIRECT_RSS };
  const head = { timeNs: 5n, ifindex: 4, length: 1000, captured: 3, verdict: 4, rxQueue: 6, cpu: 0, decision };
  const record = Buffer.concat([encode(captureHeadCodec, head), Buffer.from('abcdef')]);
  const seen = toCapturedFrame(record);
  t.deepEqual(seen, {
    timeNs: 5n,
    ifindex: 4,
    rxQueue: 6,
    cpu: 0,
    length: 1000,
    code: 4,
    verdict: 'redirect',
    reason: 'redirect_rss',
    vnic: 3,
    targetIfindex: 7,
    queue: 2,
    toCpu: 1,
    hash: 0x51ccc178,
    bytes: Buffer.from('abc'),
  });
  const names = { link: (ifindex: number) => `if${ifindex}`, vnic: (id: number) => `g${id}` };
  t.is(decisionText(seen, names), 'redirect_rss vnic=g3 target=if7 queue=2 cpu=0->1 hash=0x51ccc178');
  t.is(decisionText({ ...seen, toCpu: null, queue: null, hash: null }, names), 'redirect_rss vnic=g3 target=if7 cpu=0');
  t.is(
    decisionText({ ...seen, vnic: 0, targetIfindex: 0, queue: null, hash: null, reason: null, verdict: null, code: 9 }, names),
    'verdict 9',
  );
  const none = encode(captureHeadCodec, { ...head, verdict: 77, decision: { ...decision, queue: 0xff, cpu: 0xffff, hash: 0, reason: 99 } });
  t.like(toCapturedFrame(none), { verdict: null, reason: null, queue: null, toCpu: null, hash: null, code: 77 });
});

const MACS = { from: '52:54:00:00:00:02', to: '52:54:00:00:00:01' } as const;
const IPV4 = { source: '10.0.0.2', destination: '10.0.0.1' } as const;
const IPV6 = { source: '2001:db8::2', destination: '2001:db8::1' } as const;
const PORTS = { source: 4000, destination: 7000 } as const;
const zeros = Buffer.alloc(8);

test('frames made of a flow are those that another maker makes', (t) => {
  const eth = frame().ethernet(MACS);
  const made = (fields: object): Buffer =>
    makeFrame({ ...MACS, vlan: null, ports: null, length: null, ...fields } as Parameters<typeof makeFrame>[0]);
  // From the IP payload on: the identification and the flags of the IPv4 header are the maker's own.
  const same = (mine: Buffer, theirs: Buffer, from: number) => t.deepEqual(mine.subarray(from), theirs.subarray(from));
  for (const [addresses, ip, at] of [
    [IPV4, eth.ip('10.0.0.2', '10.0.0.1'), 34],
    [IPV6, eth.ip('2001:db8::2', '2001:db8::1'), 54],
  ] as const) {
    same(made({ ...addresses, protocol: 17, ports: PORTS }), ip.udp(4000, 7000).payload(zeros).build(), at);
    const [tcp, theirs] = [made({ ...addresses, protocol: 6, ports: PORTS }), ip.tcp(4000, 7000).payload(zeros).build()];
    t.is(tcp.length, theirs.length);
    t.deepEqual(tcp.subarray(at, at + 4), theirs.subarray(at, at + 4));
    t.is(made({ ...addresses, protocol: 17, ports: PORTS, vlan: 7 }).readUInt16BE(14), 7);
    t.is(made({ ...addresses, protocol: 17, ports: PORTS, length: 1000 }).length, 1000);
  }
  t.throws(() => made({ ...IPV4, protocol: 17, ports: PORTS, length: 41 }), { message: /headers alone have 42/ });
  t.throws(() => made({ source: '10.0.0.1', destination: '::1', protocol: 17, ports: PORTS }), { message: /not of the same family/ });
});

test('the number of timer interrupts', (t) => {
  const text = 'Timer List Version: v0.10\nnow at 4917521112267 nsecs\n  .last_jiffies   : 5\njiffies: 4296121607\njiffies: 4296121607\n';
  t.is(timerInterrupts(text), 4296121607n);
  t.throws(() => timerInterrupts('nothing'), { message: /does not say/ });
});
